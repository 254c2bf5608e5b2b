// Runs ONNX backend tests (a folder each, with model.onnx and tensors that go in and must come out) through everything: the
// importer, the passes, machine code, a package, the runtime. Each test runs in a process of its own, made by fork after
// LLVM is loaded, so that a crash is one test's result and not the end; a compiled kernel takes milliseconds.
//
//   onnx-node-tests DIR... [--filter TEXT] [--target NAME] [--expect N] [--document FILE] [--verbose]
//
// Prints one line per failure and a summary; --expect fails if fewer pass, a wrong result or a crash always does; --document
// writes docs/onnx-ops.md. A result is right if it is within 1e-3 relative and 1e-7 absolute of the expected one, the bounds
// of ONNX's own runner; of bf16, in one unit of its last place, since the generator of some tests cut where the
// specification rounds.

#include "codegen/Codegen.h"
#include "codegen/Package.h"
#include "codegen/targets/Target.h"
#include "frontend/Frontend.h"
#include "frontend/onnx/onnx.pb.h"
#include "passes/Pipeline.h"
#include "runtime/sinter.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

using namespace sinter;

namespace {

struct Outcome {
  enum Kind { passed, refused, wrong, crashed } kind = crashed;
  std::string message;
};

struct Values {
  std::vector<int64_t> shape;
  int type = 0;
  std::string bytes;
};

// Element sizes and sinter_type by TensorProto.DataType.
struct TypeRow {
  int onnx;
  sinter_type type;
} kTypes[] = {{1, SINTER_F32}, {2, SINTER_U8},   {3, SINTER_I8},   {4, SINTER_U16}, {5, SINTER_I16},
              {6, SINTER_I32}, {7, SINTER_I64},  {9, SINTER_BOOL}, {10, SINTER_F16}, {11, SINTER_F64},
              {12, SINTER_U32}, {13, SINTER_U64}, {16, SINTER_BF16}};

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

template <typename T, typename Field> void appendAs(std::string &bytes, const Field &field) {
  for (auto each : field) {
    T value = static_cast<T>(each);
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(T));
  }
}

bool readTensor(const std::string &path, Values &values) {
  onnx::TensorProto proto;
  if (!proto.ParseFromString(readFile(path)) || proto.data_type() == 0)
    return false;
  values.shape.assign(proto.dims().begin(), proto.dims().end());
  values.type = proto.data_type();
  if (proto.has_raw_data())
    values.bytes = proto.raw_data();
  else if (proto.data_type() == 1)
    appendAs<float>(values.bytes, proto.float_data());
  else if (proto.data_type() == 11)
    appendAs<double>(values.bytes, proto.double_data());
  else if (proto.data_type() == 7)
    appendAs<int64_t>(values.bytes, proto.int64_data());
  else if (proto.data_type() == 13)
    appendAs<uint64_t>(values.bytes, proto.uint64_data());
  else if (proto.data_type() == 12)
    appendAs<uint32_t>(values.bytes, proto.uint64_data());
  else if (proto.data_type() == 6)
    appendAs<int32_t>(values.bytes, proto.int32_data());
  else if (proto.data_type() == 4 || proto.data_type() == 5 || proto.data_type() == 10 || proto.data_type() == 16)
    appendAs<uint16_t>(values.bytes, proto.int32_data());
  else
    appendAs<uint8_t>(values.bytes, proto.int32_data());
  return true;
}

double elementAt(sinter_type type, const char *bytes, size_t i) {
  auto as = [&](auto zero) {
    std::memcpy(&zero, bytes + i * sizeof(zero), sizeof(zero));
    return static_cast<double>(zero);
  };
  auto half = [&](const llvm::fltSemantics &semantics) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    return llvm::APFloat(semantics, llvm::APInt(16, bits)).convertToDouble();
  };
  switch (type) {
  case SINTER_F32: return as(float());
  case SINTER_F64: return as(double());
  case SINTER_F16: return half(llvm::APFloat::IEEEhalf());
  case SINTER_BF16: return half(llvm::APFloat::BFloat());
  case SINTER_I8: return as(int8_t());
  case SINTER_I16: return as(int16_t());
  case SINTER_U16: return as(uint16_t());
  case SINTER_I32: return as(int32_t());
  case SINTER_U32: return as(uint32_t());
  case SINTER_I64: return as(int64_t());
  case SINTER_U64: return as(uint64_t());
  default: return as(uint8_t());
  }
}

const TypeRow *findType(int onnx) {
  for (const TypeRow &row : kTypes)
    if (row.onnx == onnx)
      return &row;
  return nullptr;
}

std::string shapeText(const int64_t *shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// "" if the output is as expected.
std::string compare(const std::string &name, const sinter_tensor &found, const Values &expected) {
  const TypeRow *type = findType(expected.type);
  // The generator of some tests had no name for bf16.
  const bool isBrain = found.type == SINTER_BF16 && type && type->type == SINTER_U16;
  if (!type || (found.type != type->type && !isBrain))
    return "output " + name + " is of " + sinter_type_text(found.type) + ", expected type " +
           std::to_string(expected.type);
  if (!std::equal(found.shape, found.shape + found.rank, expected.shape.begin(), expected.shape.end()))
    return "output " + name + " has the shape " + shapeText(found.shape, found.rank) + ", expected " +
           shapeText(expected.shape.data(), expected.shape.size());
  if (found.size != expected.bytes.size())
    return "output " + name + " has " + std::to_string(found.size) + " bytes, expected " +
           std::to_string(expected.bytes.size());
  const size_t size = sinter_type_bytes(found.type), count = found.size / size;
  for (size_t i = 0; i < count; ++i) {
    const char *data = static_cast<const char *>(found.data);
    if (std::memcmp(data + i * size, expected.bytes.data() + i * size, size) == 0)
      continue;
    const double a = elementAt(found.type, data, i), b = elementAt(found.type, expected.bytes.data(), i);
    const bool real = found.type == SINTER_F32 || found.type == SINTER_F64 || found.type == SINTER_F16 ||
                      found.type == SINTER_BF16;
    const double relative = found.type == SINTER_BF16 ? 1.0 / 128 : 1e-3;
    if (a == b || (std::isnan(a) && std::isnan(b)) || (real && std::abs(a - b) <= 1e-7 + relative * std::abs(b)))
      continue;
    return "output " + name + "[" + std::to_string(i) + "] is " + std::to_string(a) + ", expected " + std::to_string(b);
  }
  return "";
}

class NodeTest {
public:
  NodeTest(std::string directory, const Target &target) : directory(std::move(directory)), target(target) {}

  Outcome run() {
    onnx::ModelProto model;
    if (!model.ParseFromString(readFile(directory + "/model.onnx")))
      return {Outcome::refused, "model.onnx does not parse"};
    std::set<std::string> initialized;
    for (const onnx::TensorProto &initializer : model.graph().initializer())
      initialized.insert(initializer.name());
    for (const onnx::ValueInfoProto &input : model.graph().input())
      if (!initialized.count(input.name()))
        inputs.push_back(input.name());
    for (const onnx::ValueInfoProto &output : model.graph().output())
      outputs.push_back(output.name());
    Outcome last = {Outcome::refused, "it has no test data"};
    for (int set = 0;; ++set) {
      const std::string data = directory + "/test_data_set_" + std::to_string(set);
      if (!llvm::sys::fs::is_directory(data))
        return last;
      last = runSet(data);
      if (last.kind != Outcome::passed)
        return last;
    }
  }

private:
  Outcome runSet(const std::string &data) {
    std::vector<Values> given(inputs.size()), expected(outputs.size());
    OnnxOptions options;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (!readTensor(data + "/input_" + std::to_string(i) + ".pb", given[i]))
        given[i].type = -1;
    for (size_t i = 0; i < outputs.size(); ++i)
      if (!readTensor(data + "/output_" + std::to_string(i) + ".pb", expected[i]))
        return {Outcome::refused, "output " + std::to_string(i) + " is not a tensor"};
    // Inputs whose values must be known are fixed, one after another.
    std::string error;
    for (size_t attempt = 0; attempt <= inputs.size(); ++attempt) {
      std::string needed;
      if (build(options, needed, error))
        return execute(given, expected, options);
      auto found = std::find(inputs.begin(), inputs.end(), needed);
      if (needed.empty() || found == inputs.end())
        break;
      options.values[needed] = readFile(data + "/input_" + std::to_string(found - inputs.begin()) + ".pb");
    }
    return {Outcome::refused, error};
  }

  bool build(const OnnxOptions &options, std::string &needed, std::string &error) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    std::string diagnostic;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
      if (diagnostic.empty())
        diagnostic = d.str();
      return mlir::success();
    });
    llvm::Expected<ImportedModel> model = importOnnx(directory + "/model.onnx", options, context, &needed);
    if (!model) {
      error = llvm::toString(model.takeError()) + (diagnostic.empty() ? "" : ": " + diagnostic);
      return false;
    }
    mlir::PassManager passes(&context);
    buildExecPipeline(passes);
    if (mlir::failed(passes.run(*model->module))) {
      error = "the pipeline failed: " + diagnostic;
      return false;
    }
    llvm::Expected<CompiledKernels> code = compileKernels(*model->module, target);
    if (!code) {
      error = llvm::toString(code.takeError());
      return false;
    }
    PackageContents contents;
    contents.module = *model->module;
    contents.info = model->info;
    contents.code.push_back(std::move(*code));
    tx::ParamReader reader;
    package = "/tmp/onnx-node-test-" + std::to_string(getpid()) + ".sinter";
    llvm::Expected<PackageStats> stats = writePackage(contents, reader, package, {});
    if (!stats) {
      error = llvm::toString(stats.takeError());
      return false;
    }
    return true;
  }

  Outcome execute(const std::vector<Values> &given, const std::vector<Values> &expected, const OnnxOptions &options) {
    sinter_model *model = nullptr;
    sinter_session *session = nullptr;
    sinter_error error = {};
    sinter_session_options settings = {};
    settings.api_version = SINTER_API_VERSION;
    settings.threads = 2;
    sinter_status opened = sinter_model_open(package.c_str(), nullptr, &model, &error);
    unlink(package.c_str());
    if (opened != SINTER_OK || sinter_session_create(model, &settings, &session, &error) != SINTER_OK)
      return {Outcome::refused, error.message};
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (options.values.count(inputs[i]))
        continue;
      const uint32_t port = sinter_find_input(model, inputs[i].c_str());
      if (port == SINTER_NONE)
        return {Outcome::refused, "the package has no input " + inputs[i]};
      if (sinter_set_input(session, port, given[i].shape.data(), static_cast<uint32_t>(given[i].shape.size()),
                           given[i].bytes.data(), given[i].bytes.size()) != SINTER_OK)
        return {Outcome::refused, sinter_session_error(session)};
    }
    if (sinter_execute(session) != SINTER_OK)
      return {Outcome::wrong, sinter_session_error(session)};
    for (size_t i = 0; i < outputs.size(); ++i) {
      sinter_tensor tensor;
      if (sinter_get_output(session, sinter_find_output(model, outputs[i].c_str()), &tensor) != SINTER_OK)
        return {Outcome::wrong, sinter_session_error(session)};
      std::string difference = compare(outputs[i], tensor, expected[i]);
      if (!difference.empty())
        return {Outcome::wrong, difference};
    }
    sinter_session_destroy(session);
    sinter_model_close(model);
    return {Outcome::passed, ""};
  }

  std::string directory, package;
  const Target &target;
  std::vector<std::string> inputs, outputs;
};

// A test on its way: its process, and where its outcome comes from.
struct Running {
  size_t test;
  pid_t process;
  int pipe;
};

Running start(size_t number, const std::string &directory, const Target &target) {
  int ends[2];
  if (pipe(ends) != 0)
    std::exit(2);
  pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    alarm(120);
    Outcome outcome = NodeTest(directory, target).run();
    std::string text = std::to_string(outcome.kind) + outcome.message;
    for (size_t done = 0; done < text.size();) {
      ssize_t count = write(ends[1], text.data() + done, text.size() - done);
      if (count <= 0)
        break;
      done += static_cast<size_t>(count);
    }
    _exit(0);
  }
  close(ends[1]);
  return {number, process, ends[0]};
}

Outcome finish(const Running &running) {
  std::string text;
  char piece[4096];
  for (ssize_t count; (count = read(running.pipe, piece, sizeof(piece))) > 0;)
    text.append(piece, static_cast<size_t>(count));
  close(running.pipe);
  int status = 0;
  waitpid(running.process, &status, 0);
  if (text.empty())
    return {Outcome::crashed, "signal " + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0)};
  return {Outcome::Kind(text[0] - '0'), text.substr(1)};
}

// The table of ops with the tests that use each, as a page.
void writeDocument(const std::string &path, const std::vector<std::string> &tests, const std::vector<Outcome> &outcomes) {
  std::map<std::string, std::pair<size_t, size_t>> counts; // domain:name -> passed, all
  size_t passed = 0;
  for (size_t i = 0; i < tests.size(); ++i) {
    passed += outcomes[i].kind == Outcome::passed;
    onnx::ModelProto model;
    model.ParseFromString(readFile(tests[i] + "/model.onnx"));
    std::set<std::string> ops;
    for (const onnx::NodeProto &node : model.graph().node())
      ops.insert((node.domain() == "ai.onnx" ? "" : node.domain()) + ":" + node.op_type());
    for (const std::string &op : ops) {
      counts[op].first += outcomes[i].kind == Outcome::passed;
      ++counts[op].second;
    }
  }
  std::ofstream page(path);
  page << "# ONNX ops\n\nGenerated by `onnx-node-tests DIR --document docs/onnx-ops.md`. Opsets are those of the op's domain; "
          "tests are ONNX's backend tests\nin Debian's libonnx-testdata that use the op, of which "
       << passed << " of " << tests.size()
       << " pass. `sinterc` lists what a model uses beyond this table.\n\n| op | domain | opsets | tests | pass |\n|---|---|---|---|---|\n";
  std::vector<OnnxOpRow> rows = onnxOps();
  std::sort(rows.begin(), rows.end(), [](const OnnxOpRow &a, const OnnxOpRow &b) {
    return std::tie(a.domain, a.name, a.since) < std::tie(b.domain, b.name, b.since);
  });
  for (const OnnxOpRow &row : rows) {
    if (row.domain == "sinter") // what raising makes
      continue;
    auto [pass, all] = counts[row.domain + ":" + row.name];
    page << "| " << row.name << " | " << (row.domain.empty() ? "ai.onnx" : row.domain) << " | " << row.since << "-"
         << row.until << " | " << (all ? std::to_string(all) : "") << " | " << (all ? std::to_string(pass) : "") << " |\n";
  }
}

} // namespace

int main(int argc, char **argv) {
  std::vector<std::string> roots, tests;
  std::string filter, document, targetName = "native";
  size_t expect = 0;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (option == "--filter")
      filter = value();
    else if (option == "--target")
      targetName = value();
    else if (option == "--document")
      document = value();
    else if (option == "--expect")
      expect = std::stoul(value());
    else if (option == "--verbose")
      verbose = true;
    else
      roots.push_back(option);
  }
  std::vector<const Target *> targets;
  std::string error;
  if (roots.empty() || !parseTargets(targetName, targets, error)) {
    std::fprintf(stderr, "usage: onnx-node-tests DIR... [--filter TEXT] [--target NAME] [--expect N] [--document FILE] %s\n",
                 error.c_str());
    return 2;
  }
  for (const std::string &root : roots) {
    std::error_code problem;
    for (llvm::sys::fs::directory_iterator it(root, problem), end; it != end && !problem; it.increment(problem))
      if (it->path().find(filter) != std::string::npos && llvm::sys::fs::exists(it->path() + "/model.onnx"))
        tests.push_back(it->path());
  }
  std::sort(tests.begin(), tests.end());

  std::vector<Outcome> outcomes(tests.size());
  std::vector<Running> running;
  for (size_t next = 0; next < tests.size() || !running.empty();) {
    while (next < tests.size() && running.size() < 2) {
      running.push_back(start(next, tests[next], *targets.back()));
      ++next;
    }
    outcomes[running.front().test] = finish(running.front());
    running.erase(running.begin());
  }
  size_t counts[4] = {};
  static const char *const names[] = {"passed", "refused", "wrong", "crashed"};
  for (size_t i = 0; i < tests.size(); ++i) {
    ++counts[outcomes[i].kind];
    const std::string name = tests[i].substr(tests[i].rfind('/') + 1);
    if (verbose || outcomes[i].kind != Outcome::passed)
      std::printf("%s %s: %s\n", names[outcomes[i].kind], name.c_str(), outcomes[i].message.c_str());
  }
  std::printf("%zu tests: %zu passed, %zu refused, %zu wrong, %zu crashed\n", tests.size(), counts[0], counts[1],
              counts[2], counts[3]);
  if (!document.empty())
    writeDocument(document, tests, outcomes);
  return counts[0] < expect || counts[2] || counts[3] ? 1 : 0;
}
