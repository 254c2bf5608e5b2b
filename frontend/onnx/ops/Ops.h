// The table of ops, in parts: each file of this folder ends with its rows.
#pragma once

#include "frontend/onnx/Importer.h"

namespace sinter::onnx_import {

using llvm::ArrayRef;
using mlir::SmallVector;
using mlir::Value;
using mlir::ValueRange;

ArrayRef<Op> elementwiseOps();
ArrayRef<Op> activationOps();
ArrayRef<Op> shapeOps();
ArrayRef<Op> layoutOps();
ArrayRef<Op> indexOps();
ArrayRef<Op> selectionOps();
ArrayRef<Op> reductionOps();
ArrayRef<Op> normalizationOps();
ArrayRef<Op> productOps();
ArrayRef<Op> convolutionOps();
ArrayRef<Op> poolingOps();
ArrayRef<Op> imageOps();
ArrayRef<Op> recurrentOps();
ArrayRef<Op> quantizationOps();
ArrayRef<Op> attentionOps();
ArrayRef<Op> lossOps();
ArrayRef<Op> signalOps();
ArrayRef<Op> controlOps();

// -- What several files need
// c = a x b of the last two axes, the others broadcast; in `sum`, a compute type's element.
Tensor matmul(Importer &importer, const Tensor &a, const Tensor &b, ElemRef sum);
// Normalizes over axes [axis, rank) in f32: (x - mean) / sqrt(variance + epsilon) * scale + bias; rms: without mean. Also
// gives mean and 1 / deviation if `statistics`.
Tensors normalize(Importer &importer, const Tensor &input, int64_t axis, double epsilon, bool rms, const Tensor &scale,
                  const Tensor &bias, bool statistics = false);
Tensor softmax(Importer &importer, const Tensor &input, int64_t axis, bool log);
// Slices [begin, begin + size) of an axis.
Tensor slice(Importer &importer, const Tensor &input, int64_t axis, const Dim &begin, const Dim &size);
Tensor concat(Importer &importer, ArrayRef<Tensor> inputs, int64_t axis);
Tensor gather(Importer &importer, const Tensor &data, const Tensor &indices, int64_t axis);

} // namespace sinter::onnx_import
