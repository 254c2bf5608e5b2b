// MLIR's own IR printing is chosen by options registered on LLVM's command line; this instrumentation takes a name and
// says which names there are.

#include "tools/PrintAfter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/raw_ostream.h"

#include <cctype>
#include <vector>

namespace sinter {

namespace {
struct Printer : mlir::PassInstrumentation {
  explicit Printer(std::string name) : wanted(std::move(name)) {}
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override {
    if (pass->getArgument() == wanted)
      llvm::errs() << "// after " << wanted << "\n" << *op << "\n";
  }
  std::string wanted;
};
} // namespace

// The textual pipeline is `name(pass,pass{option=value},nested(pass))`: names are what is not inside braces; anchors,
// which are followed by a parenthesis, are ops.
static std::vector<std::string> passNames(mlir::PassManager &passes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  passes.printAsTextualPipeline(stream);
  std::vector<std::string> names;
  std::string word;
  int braces = 0;
  for (char c : text + ",") {
    if (braces == 0 && (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.')) {
      word += c;
      continue;
    }
    if (!word.empty() && c != '(' && std::find(names.begin(), names.end(), word) == names.end())
      names.push_back(word);
    word.clear();
    braces += c == '{' ? 1 : c == '}' ? -1 : 0;
  }
  return names;
}

bool printAfterPass(mlir::PassManager &passes, const std::string &name, std::string &error) {
  std::vector<std::string> names = passNames(passes);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    error = "there is no pass '" + name + "' in the pipeline, which is:";
    for (const std::string &known : names)
      error += " " + known;
    return false;
  }
  passes.addInstrumentation(std::make_unique<Printer>(name));
  return true;
}

} // namespace sinter
