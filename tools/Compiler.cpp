// The compiler from end to end: a model directory becomes a tx module, the pipeline makes a schedule of it, every
// target's kernels are built, and the package writer streams the weights. This file joins the folders and measures;
// what each step does is theirs.

#include "tools/Compiler.h"

#include "codegen/Codegen.h"
#include "codegen/Package.h"
#include "codegen/PackageWriter.h"
#include "codegen/targets/Target.h"
#include "dialects/Formats.h"
#include "dialects/sched/Sched.h"
#include "frontend/Frontend.h"
#include "frontend/tokenizer/TokenizerCompiler.h"
#include "passes/Pipeline.h"
#include "passes/Recipes.h"
#include "runtime/sinter.h"
#include "tools/NpyTensor.h"
#include "tools/PrintAfter.h"
#include "tools/VerifyTargets.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <chrono>
#include <future>
#include <sys/resource.h>

namespace sinter {

namespace {

// What each step reads and writes.
struct Compilation {
  Compilation(const CompileOptions &options, Progress &progress, CompileReport &report)
      : options(options), progress(progress), report(report) {}
  const CompileOptions &options;
  Progress &progress;
  CompileReport &report;
  mlir::MLIRContext context;
  std::string diagnostic; // the first error that MLIR reported since the last step began
  std::vector<const Target *> targets;
  ImportedModel model;
  mlir::OwningOpRef<mlir::ModuleOp> specification; // the tx module as imported, kept for --verify
  PipelineOptions pipeline;
  PackageContents package;
  tx::ParamReader reader;
};

using Step = llvm::Error (*)(Compilation &);

} // namespace

static llvm::Error fail(const std::string &message) { return llvm::createStringError(message); }

static llvm::Error checkOptions(Compilation &c) {
  const CompileOptions &options = c.options;
  if (!options.format.empty() && !findRecipe(options.format))
    return fail("there is no format '" + options.format + "'; there are: " + recipeNames());
  if (!options.embedFormat.empty() && !findFormat(options.embedFormat))
    return fail("there is no format '" + options.embedFormat + "'; there are: " + formatNames());
  std::string problem;
  if (!parseTargets(options.targets, c.targets, problem))
    return fail(problem);
  llvm::sys::fs::file_status status;
  if (!options.output.empty() && !llvm::sys::fs::status(options.output, status) &&
      !llvm::sys::fs::is_regular_file(status))
    return fail(options.output + " exists and is not a regular file");
  return llvm::Error::success();
}

static bool isOnnx(const std::string &path) { return llvm::StringRef(path).ends_with(".onnx"); }

// The importer takes TensorProto, which is what an initializer of the same value would be.
static llvm::Error importOnnxModel(Compilation &c) {
  OnnxOptions options;
  options.dims = c.options.dims;
  options.maxDims = c.options.maxDims;
  options.requantize = !c.options.format.empty();
  for (const auto &[name, path] : c.options.inputValues) {
    std::string problem;
    if (!tensorFromNpy(path, options.values[name], problem))
      return fail(problem);
  }
  llvm::Expected<ImportedModel> imported = importOnnx(c.options.model, options, c.context);
  if (!imported)
    return imported.takeError();
  c.model = std::move(*imported);
  c.report.model = c.model.info.name;
  c.report.family = c.model.info.family;
  c.report.parameters = c.model.info.parameters;
  c.report.raised.insert(c.model.raised.begin(), c.model.raised.end());
  return llvm::Error::success();
}

static llvm::Error importModel(Compilation &c) {
  if (isOnnx(c.options.model))
    return importOnnxModel(c);
  llvm::Expected<ImportedModel> imported = importHuggingFace(c.options.model, c.context);
  if (!imported)
    return imported.takeError();
  c.model = std::move(*imported);
  const ModelInfo &info = c.model.info;
  int64_t context = c.options.context ? c.options.context : std::min<int64_t>(info.trainedContext, 4096);
  if (info.encoder && !c.options.context && info.encoder->usualTokens)
    context = std::min(context, info.encoder->usualTokens);
  if (info.encoder && !c.options.cacheElement.empty())
    return fail("--kv: " + c.options.model + " is an encoder and has no key/value cache");
  if (info.encoder && c.options.prefillTokens)
    return fail("--prefill-tokens: " + c.options.model + " is an encoder, which takes whole texts");
  if (info.encoder && (context > info.trainedContext || context < 2))
    return fail(c.options.model + " is an encoder of 2 to " + std::to_string(info.trainedContext) +
                " tokens, asked for is a context of " + std::to_string(context));
  // Vectors are compared by small angles, which 4 bits would move.
  const std::string format = !c.options.format.empty() ? c.options.format : info.encoder || c.model.isQuantized ? "q8" : "q4";
  if (context > info.trainedContext)
    c.report.warnings.push_back(c.options.model + " was trained for a context of " + std::to_string(info.trainedContext) +
                                " tokens; text past that will be poor");
  c.pipeline = {format, c.options.embedFormat, c.options.cacheElement, context,
                c.options.prefillTokens ? c.options.prefillTokens : 256};
  c.pipeline.yardsticks = c.options.yardsticks;
  c.pipeline.cpu = llvm::any_of(c.targets, [](const Target *target) { return !target->isGpu(); });
  c.pipeline.gpu = llvm::any_of(c.targets, [](const Target *target) { return target->isGpu(); });
  if (c.pipeline.gpu && c.model.info.encoder)
    return fail(c.options.model + " is an encoder, and those run on CPUs so far: leave the GPU out of --target");
  c.report.model = info.name;
  c.report.family = info.family;
  c.report.parameters = info.parameters;
  c.report.layers = static_cast<uint64_t>(info.layers);
  c.report.context = static_cast<uint64_t>(context);
  if (c.options.verify)
    c.specification = c.model.module->clone();
  return llvm::Error::success();
}

static llvm::Error runPipeline(Compilation &c) {
  mlir::PassManager passes(&c.context);
  if (isOnnx(c.options.model))
    buildExecPipeline(passes, c.options.format.empty() ? "stored" : c.options.format);
  else
    buildPipeline(passes, c.pipeline);
  std::string problem;
  if (!c.options.printAfter.empty() && !printAfterPass(passes, c.options.printAfter, problem))
    return fail(problem);
  if (mlir::failed(passes.run(*c.model.module)))
    return fail("the pipeline failed");
  c.model.module->walk([&](sched::KernelOp) { ++c.report.kernels; });
  c.model.module->walk([&](sched::FuncOp entry) {
    EntrySize size = {entry.getSymName().str(), 0, 0};
    entry.walk([&](sched::DispatchOp dispatch) {
      ++size.dispatches;
      size.barriers += dispatch.getBarrier();
    });
    c.report.entries.push_back(size);
  });
  return llvm::Error::success();
}

// Every target on a thread of its own; results in the order asked for.
static llvm::Error compileTargets(Compilation &c) {
  std::vector<std::future<llvm::Expected<CompiledKernels>>> results;
  for (const Target *target : c.targets)
    results.push_back(
        std::async(std::launch::async, [&c, target] { return compileKernels(*c.model.module, *target); }));
  llvm::Error failures = llvm::Error::success();
  for (std::future<llvm::Expected<CompiledKernels>> &result : results) {
    llvm::Expected<CompiledKernels> code = result.get();
    if (!code) {
      failures = llvm::joinErrors(std::move(failures), code.takeError());
      continue;
    }
    c.report.targets.push_back({code->target->name.str(), code->image.size()});
    c.package.code.push_back(std::move(*code));
    c.progress.update(c.package.code.size(), results.size());
  }
  return failures;
}

static llvm::Error compileText(Compilation &c) {
  if (isOnnx(c.options.model))
    return llvm::Error::success();
  std::string problem;
  if (!compileTokenizer(c.options.model, c.package.tokenizer, problem) ||
      !readChatTemplate(c.options.model, c.package.chatTemplate, problem))
    return fail(problem);
  if (c.package.tokenizer.empty())
    c.report.warnings.push_back(c.options.model + " has no tokenizer.json: the package takes and gives only token ids");
  return llvm::Error::success();
}

static llvm::Error write(Compilation &c) {
  c.package.module = *c.model.module;
  c.package.info = c.model.info;
  auto progress = [&](uint64_t done, uint64_t total) {
    double seconds = c.progress.seconds();
    uint64_t rate = seconds > 0 ? static_cast<uint64_t>(static_cast<double>(done) / seconds / 1e6) : 0;
    c.progress.update(done, total, std::to_string(rate) + " MB/s");
  };
  llvm::Expected<PackageStats> stats = writePackage(c.package, c.reader, c.options.output, progress);
  if (!stats)
    return stats.takeError();
  CompileReport &report = c.report;
  report.fileBytes = stats->fileBytes;
  report.weightBytes = stats->weightBytes;
  report.codeBytes = stats->codeBytes;
  report.tokenizerBytes = stats->tokenizerBytes;
  report.manifestBytes = stats->manifestBytes;
  report.bitsPerWeight = stats->bitsPerWeight;
  for (const FormatUse &use : stats->formats)
    report.formats.push_back({use.format, use.parameters, use.bytes});
  return llvm::Error::success();
}

// Asks the runtime what one session of the package will need.
static llvm::Error planMemory(Compilation &c) {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  c.report.peakCompilerBytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;

  sinter_model *model = nullptr;
  sinter_error problem = {};
  sinter_status status = sinter_model_open(c.options.output.c_str(), nullptr, &model, &problem);
  if (status == SINTER_ERROR_UNSUPPORTED) // compiled for other machines
    return llvm::Error::success();
  if (status != SINTER_OK)
    return fail(problem.message);
  sinter_memory_plan plan = {};
  status = sinter_plan(model, nullptr, &plan, &problem);
  if (status == SINTER_OK) {
    c.report.peakRuntimeBytes = plan.total;
    c.report.threads = plan.threads;
  }
  sinter_model_close(model);
  return status == SINTER_OK ? llvm::Error::success() : fail(problem.message);
}

static llvm::Error verify(Compilation &c) {
  return verifyTargets(c.options, *c.specification, c.reader, c.progress, c.report);
}

static llvm::Error printStage(Compilation &c, llvm::raw_ostream &out) {
  const std::string &stage = c.options.emit;
  if (stage == "tx" || stage == "sched") {
    out << *c.model.module << "\n";
    return llvm::Error::success();
  }
  KernelStage kernelStage = stage == "kern"   ? KernelStage::kern
                            : stage == "llvm"  ? KernelStage::llvm
                            : stage == "spirv" ? KernelStage::spirv
                            : stage == "metal" ? KernelStage::metal
                                               : KernelStage::assembly;
  return printKernels(*c.model.module, *c.targets.back(), kernelStage, out);
}

// To the output file, or to standard output where there is none. A file appears only when it is complete.
static llvm::Error emitStage(Compilation &c) {
  if (c.options.output.empty()) {
    llvm::Error error = printStage(c, llvm::outs());
    llvm::outs().flush();
    if (error || !llvm::outs().has_error())
      return error;
    std::error_code problem = llvm::outs().error();
    llvm::outs().clear_error();
    return fail("cannot write to standard output: " + problem.message());
  }
  std::string text;
  llvm::raw_string_ostream out(text);
  if (llvm::Error error = printStage(c, out))
    return error;
  llvm::Expected<PackageWriter> file = PackageWriter::create(c.options.output);
  if (!file)
    return file.takeError();
  if (llvm::Error error = file->write(llvm::arrayRefFromStringRef(text)))
    return error;
  return file->finish();
}

// The story: which steps make what was asked for.
static std::vector<std::pair<const char *, Step>> stepsFor(const CompileOptions &options) {
  std::vector<std::pair<const char *, Step>> steps = {{"options", checkOptions}, {"import", importModel}};
  if (options.emit == "tx")
    steps.push_back({"emit", emitStage});
  if (options.emit != "tx" || !options.printAfter.empty())
    steps.push_back({"passes", runPipeline});
  if (!options.emit.empty() && options.emit != "tx")
    steps.push_back({"emit", emitStage});
  if (!options.emit.empty() || options.output.empty())
    return steps;
  steps.insert(steps.end(),
               {{"tokenizer", compileText}, {"kernels", compileTargets}, {"weights", write}, {"plan", planMemory}});
  if (options.verify)
    steps.push_back({"verify", verify});
  return steps;
}

bool compile(const CompileOptions &options, Progress &progress, CompileReport &report, std::string &error) {
  Compilation c(options, progress, report);
  c.context.loadDialect<tx::TxDialect, kern::KernDialect, sched::SchedDialect, mlir::func::FuncDialect>();
  if (!options.printAfter.empty())
    c.context.disableMultithreading(); // the printer sees whole modules
  mlir::ScopedDiagnosticHandler handler(&c.context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error && c.diagnostic.empty())
      c.diagnostic = diagnostic.str();
    return mlir::success();
  });
  for (const auto &[name, step] : stepsFor(options)) {
    progress.stage(name);
    auto begin = std::chrono::steady_clock::now();
    if (llvm::Error failure = step(c)) {
      error = llvm::toString(std::move(failure));
      if (!c.diagnostic.empty())
        error += ": " + c.diagnostic;
      std::replace(error.begin(), error.end(), '\n', ' ');
      return false;
    }
    report.stages.push_back({name, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
  }
  return true;
}

std::vector<std::pair<std::string, std::string>> formatSummaries() {
  std::vector<std::pair<std::string, std::string>> summaries;
  for (const Format &format : formats())
    summaries.push_back({std::string(format.name), std::string(format.summary)});
  for (const Recipe &recipe : mixedRecipes())
    summaries.push_back({recipe.name.str(), recipe.summary.str()});
  return summaries;
}

std::vector<std::string> targetNames() {
  std::vector<std::string> names;
  for (const Target &target : targets())
    names.push_back(target.name.str());
  return names;
}

std::vector<std::string> targetAliasNames() {
  std::vector<std::string> names;
  for (const TargetAlias &alias : targetAliases())
    names.push_back(alias.name.str());
  return names;
}

} // namespace sinter
