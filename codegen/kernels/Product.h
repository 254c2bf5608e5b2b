// The product of some rows with some outputs of a packed matrix, emitted into a kernel under construction. Results stay
// in registers; what becomes of them is the epilogue's.
#pragma once

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/RowStages.h"

namespace sinter::kern {

// A packed matrix and the rows to multiply it with. Of `codes` and `floats` the one that the format wants is set.
struct ProductOperands {
  const Format &format;
  int64_t columns;
  mlir::Value weights = {};      // memref<?xi8> of a quantized format, else of the format's element type
  mlir::Value weightScales = {}; // quantized: the same bytes as memref<?xf16>
  mlir::Value codes = {};        // quantized activations, four to an element: memref<?x(Kpadded / 4)xi32>
  mlir::Value scales = {};       // memref<?x(groups)xf32>
  mlir::Value sums = {};         // memref<?x(groups)xi32>, f32 with zero points
  mlir::Value floats = {};       // memref<?x(stride)xf32>
};

// Which part of the product: rows [firstRow, firstRow + rows) by outputs [firstOutput, firstOutput + outputs) of one
// packed tile. The numbers without a type of their own are known when the kernel is built.
struct ProductTile {
  int64_t rows;
  int64_t outputs; // a multiple of the target's lanes
  mlir::Value firstRow;
  mlir::Value tile;
  mlir::Value firstOutput;
};

// Bytes of weights between the ones in use and the ones asked for: several times the latency of memory. Every pass over a
// tile asks, also where the cache should have it (docs/rationale/prefetch.md).
inline constexpr int64_t kPrefetchBytes = 9216;

// Sums as vectors of one register each: [rows][outputs / lanes].
KernelBuilder::Values emitQuantizedProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile);
KernelBuilder::Values emitFloatProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile);

inline KernelBuilder::Values emitProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile) {
  return operands.format.isQuantized() ? emitQuantizedProduct(b, operands, tile) : emitFloatProduct(b, operands, tile);
}

} // namespace sinter::kern
