// From a resolved decoder to tx IR.
#pragma once

#include "frontend/Decoder.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <vector>

namespace sinter {

// Builds the module that Frontend.h describes. tensors[i] holds the bytes of params[i], of decoderParams(decoder).
mlir::OwningOpRef<mlir::ModuleOp> buildDecoder(const Decoder &decoder, const std::vector<DecoderParam> &params,
                                               const std::vector<const TensorEntry *> &tensors,
                                               const Checkpoint &checkpoint, mlir::MLIRContext &context);

} // namespace sinter
