// The order of the passes, and why it is this one. Nothing else in the project orders passes.

#include "passes/Pipeline.h"
#include "dialects/Formats.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sinter {

static std::string cacheElement(const PipelineOptions &options) {
  if (!options.cacheElement.empty())
    return options.cacheElement;
  const Format *format = findFormat(options.format);
  return format && format->kind == FormatClass::f32 ? "f32" : "f16";
}

void buildPipeline(OpPassManager &passes, const PipelineOptions &options) {
  // What is computed. Formats come first: only products of one format fuse.
  passes.addPass(createQuantize({options.format, options.embedFormat}));
  // Gate and up before Q, K and V: both are products of one input, and a pair that a glu joins is not to be joined
  // twice.
  passes.addPass(createFuseGlu());
  passes.addPass(createFuseProjections());
  // Only now does each norm have one user.
  passes.addPass(createFuseNorm());
  passes.addPass(createFuseActivation());
  passes.addPass(createFuseResidual());
  passes.addPass(createFuseEmbeddings());
  passes.addPass(createFuseRotateAppend());
  passes.addPass(createPlanKVCache({cacheElement(options), options.context, options.prefillTokens}));

  // When: from one function to the entries of a schedule.
  int64_t chunk = std::min(options.prefillTokens, options.context);
  passes.addPass(createSplitEntries({chunk, options.context}));
  passes.addPass(createFormDispatches({options.context, options.cpu, options.gpu}));
  if (options.gpu)
    passes.addPass(createSplitMatrices());

  // Where: barriers last, since what shares memory must not overlap in time.
  passes.addPass(createPlanWeights());
  passes.addPass(createPlanMemory());
  passes.addPass(createPlaceBarriers());

  // And what the result will be compared with.
  if (options.cpu && options.yardsticks)
    passes.addPass(createAddYardsticks());
}

void buildExecPipeline(OpPassManager &passes, const std::string &format) {
  // Sizes that were written more than once become one, and what nothing reads goes away.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // What is of a transformer, as above.
  passes.addPass(createQuantize({format, ""}));
  passes.addPass(createFuseGlu());
  passes.addPass(createFuseProjections());
  passes.addPass(createFuseNorm());
  passes.addPass(createFuseActivation());
  passes.addPass(createFuseResidual());
  // And what is not.
  passes.addPass(createLowerRows());
  passes.addPass(createFuseGeneric());
  passes.addPass(createLowerGeneric());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createFormGeneric());
  passes.addPass(createPlanWeights());
  passes.addPass(createPlanMemory());
  passes.addPass(createPlaceBarriers());
}

namespace {
struct PipelineFlags : PassPipelineOptions<PipelineFlags> {
  Option<std::string> format{*this, "format", llvm::cl::desc("format of the body's matrices"), llvm::cl::init("q4")};
  Option<std::string> embedFormat{*this, "embed-format",
                                  llvm::cl::desc("format of embeddings and head; empty: by the body's")};
  Option<std::string> cacheElement{*this, "cache-element", llvm::cl::desc("f32, f16 or q8; empty: by the body's format")};
  Option<int64_t> context{*this, "context", llvm::cl::desc("tokens that a sequence may have"), llvm::cl::init(256)};
  Option<int64_t> prefillTokens{*this, "prefill-tokens", llvm::cl::desc("tokens computed at once"),
                                llvm::cl::init(256)};
  Option<bool> cpu{*this, "cpu", llvm::cl::desc("form entries for CPUs"), llvm::cl::init(true)};
  Option<bool> gpu{*this, "gpu", llvm::cl::desc("form entries for GPUs"), llvm::cl::init(false)};
};
} // namespace

void registerPasses() {
  registerSinterPasses();
  PassPipelineRegistration<PipelineFlags>(
      "sinter-pipeline", "tx as imported to planned sched", [](OpPassManager &passes, const PipelineFlags &flags) {
        buildPipeline(passes,
                      {flags.format, flags.embedFormat, flags.cacheElement, flags.context, flags.prefillTokens, flags.cpu, flags.gpu});
      });
  PassPipelineRegistration<>("sinter-exec-pipeline", "tx with @exec to planned sched",
                             [](OpPassManager &passes) { buildExecPipeline(passes); });
}

} // namespace sinter
