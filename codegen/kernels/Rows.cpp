// The rows kernel: for each token of [begin, end), its row is normalized and/or quantized. All the arithmetic is in
// RowStages.cpp; here are the bindings, in the order of KernAttrs.td.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/RowStages.h"

using namespace mlir;

namespace sinter::kern {

void buildRows(KernelBuilder &b, RowsAttr spec) {
  int64_t width = spec.getWidth(), stride = rowStride(width), binding = 0;
  Type f32 = b.getF32Type();
  Value in = b.bindingRows(binding++, stride, f32);
  RowNorm norm;
  norm.spec = spec.getNorm();
  if (norm.spec)
    norm.weight = b.binding(binding++, f32);
  if (norm.spec && norm.spec.getBias())
    norm.bias = b.binding(binding++, f32);

  auto source = [&](Value t) -> FloatRow { return {in, spec.getRowFromScalar() ? b.scalar(Scalar::row) : t}; };
  if (!spec.getQuantize()) {
    Value out = b.bindingRows(binding++, stride, f32);
    b.loop(b.begin(), b.end(), 1, [&](Value t) { emitNormalizeRow(b, source(t), width, norm, {out, t}); });
    return;
  }
  const Format &format = *findFormat(spec.getQuantize().getValue());
  Value kept = spec.getKeep() ? b.bindingRows(binding++, stride, f32) : Value();
  int64_t groups = format.groups(width);
  Value codes = b.bindingRows(binding++, format.paddedColumns(width), b.getI8Type());
  Value scales = b.bindingRows(binding++, groups, f32);
  Value sums = b.bindingRows(binding++, groups, format.hasZeros ? f32 : Type(b.getI32Type()));
  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    if (kept)
      emitNormalizeRow(b, source(t), width, norm, {kept, t});
    FloatRow row = kept ? FloatRow{kept, t} : source(t);
    emitQuantizeRow(b, row, width, kept ? RowNorm() : norm, format, {codes, scales, sums, t});
  });
}

} // namespace sinter::kern
