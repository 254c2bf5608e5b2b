// What is fused behind a product: gating, bias, residual, and the store.
#pragma once

#include "codegen/kernels/KernelBuilder.h"

namespace sinter::kern {

// Buffers of the epilogue; those that are not wanted are empty.
struct LinearEpilogue {
  tx::ActivationAttr glu = {};
  tx::ActivationAttr act = {};
  mlir::Value gate = {};     // scratch memref<(rows of a tile)x32xf32>
  mlir::Value bias = {};     // memref<?xf32>
  mlir::Value residual = {}; // memref<?x(stride)xf32>
  mlir::Value out = {};      // memref<?x(stride)xf32>
};

// Where a tile of results goes: rows from `row` on, columns from 32 * unit + output on.
struct ResultTile {
  int64_t rows;
  int64_t outputs;
  mlir::Value row;
  mlir::Value unit;
  mlir::Value output;
};

// Keeps the gate's product until the product it gates is there.
void emitKeepGate(KernelBuilder &b, const LinearEpilogue &epilogue, const ResultTile &tile, mlir::ValueRange results);
// out = [activation(gate) *] [activation] (results [+ bias]) [+ residual]
void emitEpilogue(KernelBuilder &b, const LinearEpilogue &epilogue, const ResultTile &tile, mlir::ValueRange results);

} // namespace sinter::kern
