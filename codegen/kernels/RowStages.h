// Normalization and quantization of one row, emitted into a kernel under construction. The rows kernel runs them for
// every token of a step; the linear kernel's fused prologue runs them once, into its scratch.
#pragma once

#include "dialects/Formats.h"
#include "dialects/kern/Kern.h"
#include "mlir/IR/Value.h"

namespace sinter::kern {

class KernelBuilder;

// `width` consecutive floats: buffer[index][column ...]. `buffer` is memref<?x(stride)xf32>.
struct FloatRow {
  mlir::Value buffer;
  mlir::Value index;
  mlir::Value column = {}; // none: column 0
};

// A normalization and the vectors it reads, memref<(width or more)xf32>; `bias` only if the spec has one. Without a
// spec: none.
struct RowNorm {
  NormSpecAttr spec = {};
  mlir::Value weight = {};
  mlir::Value bias = {};
};

// Where the quantized form of a row goes. Columns from the width to `Kpadded` get code 0.
struct QuantizedRow {
  mlir::Value codes;  // memref<?x(Kpadded)xi8>
  mlir::Value scales; // memref<?x(groups)xf32>
  mlir::Value sums;   // memref<?x(groups)xi32>, f32 for formats with zero points
  mlir::Value index;
};

// What quantizing some columns with one scale leaves beside the codes: x is about scale * code.
struct QuantizedColumns {
  mlir::Value scale; // f32
  mlir::Value sum;   // i32, of all codes
};

// Quantizes `width` columns to codes of -127 to 127. `value(i, lanes)` is asked twice for the columns from i on, as
// vector<lanes x f32>; `store(i, codes)` gets their codes as vector<lanes x i32>.
QuantizedColumns emitQuantizeColumns(KernelBuilder &b, int64_t width,
                                     llvm::function_ref<mlir::Value(mlir::Value i, int64_t lanes)> value,
                                     llvm::function_ref<void(mlir::Value i, mlir::Value codes)> store);

// destination[c] = norm(source)[c] for c < width. In place is fine. Touches nothing but the `width` columns.
void emitNormalizeRow(KernelBuilder &b, FloatRow source, int64_t width, const RowNorm &norm, FloatRow destination);

// Normalizes (if `norm` has a spec) and quantizes for products with weights of `format`, without a buffer in between.
void emitQuantizeRow(KernelBuilder &b, FloatRow source, int64_t width, const RowNorm &norm, const Format &format,
                     QuantizedRow destination);

} // namespace sinter::kern
