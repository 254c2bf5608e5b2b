// The headers of a linked model: its facts as macros, so that buffers can be declared before anything runs, the
// function that opens it, and everything sinter.h declares under the model's own prefix. The C++ header binds the
// classes of sinter.hpp to these names.

#include "link/Kinds.h"

#include "runtime/sinter.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <memory>

namespace sinter {

namespace {

// What all code sections of a platform need at most.
struct Needs {
  uint64_t sessionBytes = 0, threadBytes = 0, arenaBytes = 0, cacheBytes = 0, stackBytes = 0;
};

struct Closing {
  void operator()(sinter_model *model) const { sinter_model_close(model); }
};

} // namespace

static llvm::Expected<sinter_memory_plan> planFor(const std::string &path, const char *isa, uint32_t threads) {
  sinter_model_options options = {};
  options.api_version = SINTER_API_VERSION;
  options.isa = isa;
  options.facts_only = 1;
  sinter_model *opened = nullptr;
  sinter_error error = {};
  if (sinter_model_open(path.c_str(), &options, &opened, &error) != SINTER_OK)
    return llvm::createStringError(error.message);
  std::unique_ptr<sinter_model, Closing> model(opened);
  sinter_session_options session = {};
  session.api_version = SINTER_API_VERSION;
  session.threads = threads;
  sinter_memory_plan plan = {};
  if (sinter_plan(opened, &session, &plan, &error) != SINTER_OK)
    return llvm::createStringError(error.message);
  return plan;
}

// Every section counts, whatever its machine: a package for linking holds those of one.
static llvm::Expected<Needs> needsOf(const LinkOptions &options, const InputPackage &package) {
  Needs needs;
  for (const package::Code *code : *package.manifest().codes()) {
    llvm::Expected<sinter_memory_plan> one = planFor(options.package, code->target()->c_str(), 1);
    if (!one)
      return one.takeError();
    llvm::Expected<sinter_memory_plan> two = planFor(options.package, code->target()->c_str(), 2);
    if (!two)
      return two.takeError();
    needs.sessionBytes = std::max(needs.sessionBytes, one->block);
    needs.threadBytes = std::max(needs.threadBytes, two->block - one->block + 4096); // stacks start at pages
    needs.arenaBytes = one->arena;
    needs.cacheBytes = one->cache;
    for (uint32_t bytes : *code->stack_bytes())
      needs.stackBytes = std::max<uint64_t>(needs.stackBytes, bytes);
  }
  return needs;
}

// Declarations of sinter.h that a library has under its own name.
static llvm::SmallVector<llvm::StringRef> declarations() {
  static constexpr const char kText[] =
#include "ApiDeclarations.inc"
      ;
  llvm::SmallVector<llvm::StringRef> result;
  llvm::StringRef rest(kText);
  while (!rest.empty()) {
    rest = rest.ltrim();
    size_t next = rest.find("\nSINTER_API ");
    llvm::StringRef declaration = rest.substr(0, next).rtrim();
    if (!declaration.contains("sinter_model_open"))
      result.push_back(declaration);
    rest = next == llvm::StringRef::npos ? llvm::StringRef() : rest.substr(next);
  }
  return result;
}

// "sinter_prefill" of a declaration, without the prefix: "prefill".
static llvm::StringRef functionName(llvm::StringRef declaration) {
  llvm::StringRef before = declaration.substr(0, declaration.find('('));
  return before.substr(before.rfind("sinter_") + 7);
}

static std::string withPrefix(llvm::StringRef declaration, const std::string &prefix) {
  llvm::StringRef name = functionName(declaration);
  size_t at = declaration.find(("sinter_" + name + "(").str());
  return (declaration.take_front(at) + prefix + "_" + declaration.drop_front(at + 7)).str();
}

static std::string macro(const std::string &prefix, llvm::StringRef name, const llvm::Twine &value,
                         llvm::StringRef comment) {
  std::string left = "#define " + llvm::StringRef(prefix).upper() + "_" + name.str() + " " + value.str();
  left.resize(std::max<size_t>(left.size() + 1, 48), ' ');
  return left + "/* " + comment.str() + " */\n";
}

static std::string factMacros(const LinkOptions &options, const InputPackage &package, const Needs &needs) {
  const package::Manifest &manifest = package.manifest();
  const package::Model &model = *manifest.model();
  uint32_t prefill = 0;
  for (const package::Entry *entry : *manifest.entries())
    prefill = std::max(prefill, entry->max_tokens());
  const std::string &prefix = options.prefix;
  std::string text = macro(prefix, "VOCAB", llvm::Twine(model.vocab()), "logits per position; ids are below it") +
                     macro(prefix, "HIDDEN", llvm::Twine(model.hidden()), "floats per hidden row") +
                     macro(prefix, "LAYERS", llvm::Twine(model.layers()), "layers of the decoder") +
                     macro(prefix, "CONTEXT", llvm::Twine(manifest.context()), "most tokens in a sequence") +
                     macro(prefix, "PREFILL_TOKENS", llvm::Twine(prefill), "tokens of a prompt computed at once") +
                     macro(prefix, "BOS", "(" + llvm::Twine(model.bos()) + ")", "-1: none");
  text += "\n/* Memory, in bytes, for the whole context on any processor that the library has code for. */\n" +
          macro(prefix, "MODEL_BYTES", "SINTER_MODEL_BYTES", "for sinter_model_options.memory, 16-byte aligned") +
          macro(prefix, "SESSION_BYTES", llvm::Twine(needs.sessionBytes),
                "for sinter_session_options.memory, 64-byte aligned, one thread; of it:") +
          macro(prefix, "CACHE_BYTES", llvm::Twine(needs.cacheBytes), "keys and values") +
          macro(prefix, "ARENA_BYTES", llvm::Twine(needs.arenaBytes), "activations") +
          macro(prefix, "THREAD_BYTES", llvm::Twine(needs.threadBytes), "more of it for each further thread") +
          macro(prefix, "STACK_BYTES", llvm::Twine(needs.stackBytes), "worst case of the kernels") +
          macro(prefix, "WEIGHTS_BYTES", llvm::Twine(package.weights().size()),
                options.weightsInFile ? "in the file beside the program, mapped" : "read-only, used where they are") +
          macro(prefix, "CODE_BYTES", llvm::Twine(package.code().size()), "kernels for all processors");
  return text;
}

llvm::Expected<std::string> libraryHeader(const LinkOptions &options, const InputPackage &package) {
  llvm::Expected<Needs> needs = needsOf(options, package);
  if (!needs)
    return needs.takeError();
  const std::string &prefix = options.prefix, upper = llvm::StringRef(prefix).upper();
  const std::string name = package.manifest().model()->name()->str();
  std::string text = "/* " + prefix + ": " + (llvm::StringRef(name).contains("*/") ? prefix : name) +
                     " as a library, made by sinterc " SINTER_VERSION ". Do not edit.\n"
                     " *\n"
                     " * Types and what every function does are documented in sinter.h: " +
                     prefix + "_x here is sinter_x there. */\n#ifndef " + upper + "_H\n#define " + upper +
                     "_H\n\n#include \"sinter.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
                     "#if SINTER_API_VERSION != " +
                     std::to_string(SINTER_API_VERSION) +
                     "\n#error \"this header was made for another version of sinter.h\"\n#endif\n\n" +
                     factMacros(options, package, *needs);
  text += options.weightsInFile
              ? "\n/* Opens the model, mapping its weights from `weights_path` (" + prefix +
                    ".weights). `options` may be NULL. */\nSINTER_API sinter_status " + prefix +
                    "_open(const char *weights_path, const sinter_model_options *options, sinter_model **model,\n"
                    "    sinter_error *error);\n\n"
              : "\n/* Opens the model, where the linker put it. `options` may be NULL. */\nSINTER_API sinter_status " +
                    prefix +
                    "_open(const sinter_model_options *options, sinter_model **model, sinter_error *error);\n\n";
  for (llvm::StringRef declaration : declarations())
    text += withPrefix(declaration, prefix) + ";\n";
  return text + "\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
}

std::string libraryCppHeader(const LinkOptions &options) {
  const std::string &prefix = options.prefix, upper = llvm::StringRef(prefix).upper();
  std::string text = "// " + prefix +
                     " for C++17: the classes of sinter.hpp, made by sinterc " SINTER_VERSION
                     ". Do not edit.\n#pragma once\n\n#include \"" +
                     prefix + ".h\"\n#include \"sinter.hpp\"\n\nnamespace " + prefix +
                     " {\n\nstruct Api {\n  static constexpr bool linked = true;\n"
                     "  static constexpr auto open = " +
                     prefix + "_open;\n";
  for (llvm::StringRef declaration : declarations())
    text += ("  static constexpr auto " + functionName(declaration) + " = " + prefix + "_" + functionName(declaration) +
             ";\n")
                .str();
  return text +
         "};\n\nusing Model = sinter::BasicModel<Api>;\nusing Session = sinter::BasicSession<Api>;\n\n} // namespace " +
         prefix + "\n";
}

} // namespace sinter
