// Reading and writing tiles of the cache. Keys have the token as the lane, so that attention multiplies sixteen tokens at
// once; a key is therefore scattered, one element per row of its tile, or four bytes per quad of codes. That is a few
// hundredths of a percent of a step. Values have the column as the lane and are stored as they come.
//
// Codes of keys are unsigned, with 128 for zero, and lie in quads of columns: the operand of kern.dot. Codes of values
// are signed, since they are converted to floats.

#include "codegen/kernels/CacheView.h"
#include "codegen/kernels/RowStages.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kLanes = kCacheTile;
static constexpr int64_t kScaleBytes = kCacheTile * 4;

CacheView::CacheView(KernelBuilder &b, int64_t binding, Type element, int64_t kvHeads, int64_t headDim)
    : isCoded(element.isInteger(8)), headDim(headDim), headBytes(cacheHeadBytes(element, headDim)) {
  auto view = [&](ArrayRef<int64_t> block, Type type) -> Value {
    SmallVector<int64_t> shape = {ShapedType::kDynamic, 2, kvHeads};
    shape.append(block.begin(), block.end());
    return BindingOp::create(b, MemRefType::get(shape, type), binding);
  };
  bytes = view({headBytes}, b.getI8Type());
  if (isCoded) {
    words = view({headBytes / 4}, b.getI32Type());
    scales = view({headBytes / 4}, b.getF32Type());
  } else {
    keyRows = view({headDim, kCacheTile}, element);
    valueRows = view({kCacheTile, headDim}, element);
  }
}

CacheView CacheView::scratch(KernelBuilder &b, int64_t tiles, int64_t headDim, bool withKeys) {
  CacheView result;
  result.headDim = headDim;
  result.valuePlane = 0;
  if (withKeys)
    result.keyRows = b.scratch({tiles, 1, 1, headDim, kCacheTile}, b.getF32Type());
  result.valueRows = b.scratch({tiles, 1, 1, kCacheTile, headDim}, b.getF32Type());
  return result;
}

Value CacheView::loadKeys(KernelBuilder &b, Value tile, Value head, Value d) const {
  return b.loadF32(keyRows, {tile, b.index(0), head, d, b.index(0)}, kLanes);
}

Value CacheView::loadKeyCodes(KernelBuilder &b, Value tile, Value head, Value quad) const {
  return b.load(bytes, {tile, b.index(0), head, b.add(b.mul(quad, 4 * kLanes), kScaleBytes)}, 4 * kLanes);
}

Value CacheView::loadKeyScales(KernelBuilder &b, Value tile, Value head) const {
  return b.load(scales, {tile, b.index(0), head, b.index(0)}, kLanes);
}

Value CacheView::loadValueScales(KernelBuilder &b, Value tile, Value head) const {
  return b.load(scales, {tile, b.index(1), head, b.index(0)}, kLanes);
}

Value CacheView::loadValues(KernelBuilder &b, Value tile, Value head, Value token, Value column, int64_t width) const {
  if (!isCoded)
    return b.loadF32(valueRows, {tile, planeIndex(b, values), head, token, column}, width);
  int64_t row = (headBytes - kScaleBytes) / kCacheTile;
  Value at = b.add(b.add(b.mul(token, row), kScaleBytes), column);
  return b.toFloats(b.load(bytes, {tile, b.index(1), head, at}, width));
}

void CacheView::storeKeys(KernelBuilder &b, Value keys, Value tile, Value d) const {
  b.store(keys, keyRows, {tile, b.index(0), b.index(0), d, b.index(0)});
}

void CacheView::storeValues(KernelBuilder &b, Value values, Value tile, Value token, Value column) const {
  b.store(values, valueRows, {tile, b.index(0), b.index(0), token, column});
}

void CacheView::append(KernelBuilder &b, Value tile, Value head, Value token, Columns key, Columns value) const {
  Value plane0 = b.index(0), plane1 = b.index(1);
  if (!isCoded) {
    b.vectors(headDim, kLanes, [&](Value d, int64_t width) {
      b.scatterF32(key(d, width), keyRows, {tile, plane0, head, d, token}, /*dimension=*/3);
      b.storeF32(value(d, width), valueRows, {tile, plane1, head, token, d});
    });
    return;
  }
  QuantizedColumns keys = emitQuantizeColumns(b, headDim, key, [&](Value d, Value codes) {
    int64_t width = cast<VectorType>(codes.getType()).getNumElements();
    codes = b.quads(arith::AddIOp::create(b, codes, b.splat(width, kCacheKeyZero)), kCacheKeyZero);
    for (int64_t quad = 0; quad < (width + 3) / 4; ++quad) {
      Value row = b.mul(b.add(b.div(d, 4), quad), kLanes);
      b.storeScalar(vector::ExtractOp::create(b, codes, quad), words,
                    {tile, plane0, head, b.add(b.add(row, token), kScaleBytes / 4)});
    }
  });
  b.storeScalar(keys.scale, scales, {tile, plane0, head, token});
  int64_t row = (headBytes - kScaleBytes) / kCacheTile;
  Value first = b.add(b.mul(token, row), kScaleBytes);
  QuantizedColumns values = emitQuantizeColumns(
      b, headDim, value, [&](Value d, Value codes) { b.store(b.toBytes(codes), bytes, {tile, plane1, head, b.add(first, d)}); });
  b.storeScalar(values.scale, scales, {tile, plane1, head, token});
}

void CacheView::prefetchLine(KernelBuilder &b, Plane plane, Value tile, Value head, Value line) const {
  b.prefetch(bytes, {tile, planeIndex(b, plane), head, b.mul(line, 64)});
}

} // namespace sinter::kern
