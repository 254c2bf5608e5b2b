// From a model's files to a tx module.
#pragma once

#include "dialects/ModelInfo.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace sinter {

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module; // tx.params (file = path as openable from here), tx.caches, @forward
  ModelInfo info;
};

// Reads config.json, generation_config.json and the headers of the safetensors files of a Hugging Face directory. Weights
// are not read. Params are named without the family's prefix and suffix: "embed", "layers.3.q", "layers.3.gate", "norm",
// "lm_head"; caches "kv.3". The op that ends a layer carries the attribute tap = "layers.3". A tied head uses @embed.
// Encoders have no caches, and info.encoder says what @forward returns.
llvm::Expected<ImportedModel> importHuggingFace(const std::string &directory, mlir::MLIRContext &context);

} // namespace sinter
