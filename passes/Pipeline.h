// The order of the passes, and the options that steer them.
#pragma once

#include "mlir/Pass/PassManager.h"

#include <string>

namespace sinter {

struct PipelineOptions {
  std::string format = "q4";   // a format of dialects/Formats.h or a recipe of passes/Recipes.h
  std::string embedFormat;     // of embeddings and head; empty: a default that goes with `format`
  std::string cacheElement;    // "f32", "f16" or "q8"; empty: f32 with f32 weights, else f16
  int64_t context = 0;         // tokens a sequence may have, > 0
  int64_t prefillTokens = 256; // tokens computed at once; capped by context
  bool cpu = true, gpu = false; // which devices entries are formed for
  bool yardsticks = true;       // kernels to measure machines with
};

// tx as imported -> planned sched (with tx.params still in the module, for the packer). Registered for sinter-opt as
// --sinter-pipeline.
void buildPipeline(mlir::OpPassManager &passes, const PipelineOptions &options);
// The same for a program with named inputs and outputs, @exec.
void buildExecPipeline(mlir::OpPassManager &passes, const std::string &format = "stored");
void registerPasses(); // every pass and the pipeline, by name

} // namespace sinter
