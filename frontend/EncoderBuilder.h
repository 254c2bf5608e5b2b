// From an Encoder to tx. See EncoderBuilder.cpp.
#pragma once

#include "frontend/Encoder.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace sinter {

// A param and where its bytes are.
struct EncoderTensor {
  DecoderParam param;
  const TensorEntry *tensor;
  std::string file;
};

mlir::OwningOpRef<mlir::ModuleOp> buildEncoder(const Encoder &encoder, const std::vector<EncoderTensor> &tensors,
                                               mlir::MLIRContext &context);

} // namespace sinter
