// From the ONNX file of a decoder to a tx module as the frontend makes it of a checkpoint.
#pragma once

#include "frontend/onnx/trace/Tracer.h"

#include "mlir/IR/OwningOpRef.h"

namespace sinter::onnx_import {

struct ExportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  int64_t vocab = 0, hidden = 0, layers = 0;
  uint64_t parameters = 0;
};

// A decoder with past keys and values: @forward(ids, position) -> logits, and its caches.
ExportedModel traceDecoder(const ModelFile &file, mlir::MLIRContext &context);

} // namespace sinter::onnx_import
