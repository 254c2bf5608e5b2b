// The rotate_append kernel: between the fused QKV product and attention. For every token of its unit it normalizes (if
// the family does) and rotates the queries of one kv head's group and its key, in place, and writes key and value to
// the cache.

#include "codegen/kernels/CacheView.h"
#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/RowStages.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kLanes = 16;

// Turns the pairs of one head, whose columns start at `head.column`, by row `head.index` of the table.
static void emitRotate(KernelBuilder &b, FloatRow head, RotateAppendAttr spec, Value table) {
  int64_t pairs = spec.getRotaryDims() / 2;
  bool interleaved = spec.getStyle() == tx::RopeStyle::interleaved;
  b.vectors(pairs, kLanes, [&](Value i, int64_t width) {
    Value cosine = b.load(table, {head.index, i}, width);
    Value sine = b.load(table, {head.index, b.add(i, pairs)}, width);
    Value at = b.add(head.column, interleaved ? b.mul(i, 2) : i), x, y;
    if (interleaved) {
      vector::DeinterleaveOp split =
          vector::DeinterleaveOp::create(b, b.load(head.buffer, {head.index, at}, 2 * width));
      x = split.getRes1(), y = split.getRes2();
    } else {
      x = b.load(head.buffer, {head.index, at}, width);
      y = b.load(head.buffer, {head.index, b.add(at, pairs)}, width);
    }
    Value turnedX = b.subf(b.mulf(x, cosine), b.mulf(y, sine));
    Value turnedY = b.addf(b.mulf(y, cosine), b.mulf(x, sine));
    if (interleaved)
      return b.store(vector::InterleaveOp::create(b, turnedX, turnedY), head.buffer, {head.index, at});
    b.store(turnedX, head.buffer, {head.index, at});
    b.store(turnedY, head.buffer, {head.index, b.add(at, pairs)});
  });
}

void buildRotateAppend(KernelBuilder &b, RotateAppendAttr spec) {
  int64_t heads = spec.getHeads(), kvHeads = spec.getKvHeads(), headDim = spec.getHeadDim(), group = heads / kvHeads;
  Type f32 = b.getF32Type();
  int64_t binding = 0;
  Value qkv = b.bindingRows(binding++, rowStride((heads + 2 * kvHeads) * headDim), f32), table;
  if (spec.getRotaryDims())
    table = b.bindingRows(binding++, rowStride(spec.getRotaryDims()), f32);
  auto bindNorm = [&](NormSpecAttr norm) {
    RowNorm result;
    if (!norm)
      return result;
    result.spec = norm;
    result.weight = b.binding(binding++, f32);
    if (norm.getBias())
      result.bias = b.binding(binding++, f32);
    return result;
  };
  RowNorm queryNorm = bindNorm(spec.getQueryNorm()), keyNorm = bindNorm(spec.getKeyNorm());
  CacheView cache(b, binding++, spec.getElement(), kvHeads, headDim);
  Value position = b.scalar(Scalar::position);

  auto finishHead = [&](FloatRow head, const RowNorm &norm) {
    if (norm.spec)
      emitNormalizeRow(b, head, headDim, norm, head);
    if (table)
      emitRotate(b, head, spec, table);
  };
  loopHeadBlocks(b, spec.getTokensPerUnit(), [&](Value kvHead, Value first, Value last) {
    b.loop(first, last, 1, [&](Value t) {
      Value firstQuery = b.mul(kvHead, group * headDim), key = b.add(b.mul(kvHead, headDim), heads * headDim);
      b.loop(b.index(0), b.index(group), 1, [&](Value query) {
        finishHead({qkv, t, b.add(firstQuery, b.mul(query, headDim))}, queryNorm);
      });
      finishHead({qkv, t, key}, keyNorm);

      Value place = b.add(position, t), values = b.add(key, kvHeads * headDim);
      Value tile = b.rem(b.div(place, kCacheTile), spec.getCapacity() / kCacheTile);
      cache.append(
          b, tile, kvHead, b.rem(place, kCacheTile),
          [&](Value d, int64_t width) { return b.load(qkv, {t, b.add(key, d)}, width); },
          [&](Value d, int64_t width) { return b.load(qkv, {t, b.add(values, d)}, width); });
    });
  });
}

} // namespace sinter::kern
