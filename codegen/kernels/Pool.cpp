// What makes one embedding of a text's rows: the pool kernel, whose units are 32 columns of all rows, and the unit kernel,
// which divides rows by their length.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

#include <limits>

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

// Rows are padded to 32 columns, so a unit's columns are always there.
void buildPool(KernelBuilder &b, PoolAttr spec) {
  int64_t stride = rowStride(spec.getWidth()), lanes = b.lanes(), vectors = kTileRows / lanes;
  Value in = b.bindingRows(0, stride, b.getF32Type()), out = b.bindingRows(1, stride, b.getF32Type());
  Value tokens = b.scalar(Scalar::tokens), zero = b.index(0);
  tx::Pooling pooling = spec.getPooling();
  b.loop(b.begin(), b.end(), 1, [&](Value unit) {
    auto load = [&](Value row) {
      Values columns;
      for (int64_t v = 0; v < vectors; ++v)
        columns.push_back(b.load(in, {row, b.add(b.mul(unit, kTileRows), v * lanes)}, lanes));
      return columns;
    };
    Values result;
    if (pooling == tx::Pooling::first) {
      result = load(zero);
    } else if (pooling == tx::Pooling::last) {
      result = load(b.sub(tokens, b.index(1)));
    } else {
      float start = pooling == tx::Pooling::max ? std::numeric_limits<float>::lowest() : 0.0f;
      result = b.loop(zero, tokens, 1, Values(vectors, b.splat(lanes, start)), [&](Value row, ValueRange before) {
        Values columns = load(row);
        for (int64_t v = 0; v < vectors; ++v)
          columns[v] =
              pooling == tx::Pooling::max ? b.maxf(columns[v], before[v]) : b.addf(before[v], columns[v]);
        return columns;
      });
    }
    if (pooling == tx::Pooling::mean) {
      Value count = arith::IndexCastOp::create(b, b.getI32Type(), tokens);
      Value divisor = b.broadcast(arith::SIToFPOp::create(b, b.getF32Type(), count), lanes);
      for (Value &column : result)
        column = b.divf(column, divisor);
    }
    for (int64_t v = 0; v < vectors; ++v)
      b.store(result[v], out, {zero, b.add(b.mul(unit, kTileRows), v * lanes)});
  });
}

void buildUnit(KernelBuilder &b, UnitAttr spec) {
  int64_t width = spec.getWidth(), stride = rowStride(width), lanes = b.lanes();
  Value in = b.bindingRows(0, stride, b.getF32Type()), out = b.bindingRows(1, stride, b.getF32Type());
  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    Value zeros = b.splat(lanes, 0.0f);
    Value squares = b.vectors(width, lanes, zeros, [&](Value i, int64_t count, ValueRange before) {
      Value x = b.load(in, {t, i}, count);
      return Values{b.addf(before[0], b.widen(b.mulf(x, x), zeros))};
    })[0];
    Value length = math::SqrtOp::create(b, b.sumLanes(squares));
    Value inverse = b.divf(b.f32(1), b.maxf(length, b.f32(1e-12f)));
    b.vectors(width, lanes, [&](Value i, int64_t count) {
      b.store(b.mulf(b.load(in, {t, i}, count), b.broadcast(inverse, count)), out, {t, i});
    });
  });
}

} // namespace sinter::kern
