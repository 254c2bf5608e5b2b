// Products of f32 rows with packed f32, f16 or bf16 weights: per column, one vector of weights per register of outputs,
// one broadcast activation per row, one multiply-add each. Tiles with few sums would wait for the latency of the
// multiply-add, so they keep several partial sums, each for every second or fourth column.

#include "codegen/kernels/Product.h"

#include <algorithm>

namespace sinter::kern {

using namespace mlir;
using Values = KernelBuilder::Values;

namespace {

// Columns per step of the loop; also the most partial sums.
constexpr int64_t kStep = 4;
// Independent multiply-adds that keep the units busy: two units of latency four.
constexpr int64_t kInFlight = 8;

class FloatProduct {
public:
  FloatProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile)
      : b(b), operands(operands), tile(tile), lanes(b.lanes()), vectors(tile.outputs / lanes),
        sums(tile.rows * vectors), chains(sums >= kInFlight ? 1 : std::min(kStep, kInFlight / sums)) {}

  Values run() {
    int64_t columns = operands.columns, whole = columns / kStep * kStep;
    Values partial(chains * sums, b.splat(lanes, 0.0f));
    partial = b.loop(b.index(0), b.index(whole), kStep, partial, [&](Value column, ValueRange before) {
      Values after(before);
      prefetch(column);
      SmallVector<std::function<Value(int64_t)>> rows; // [t](column of the step)
      for (int64_t t = 0; t < tile.rows; ++t)
        rows.push_back(b.loadBroadcasts(operands.floats, {b.add(tile.firstRow, t), column}, kStep, lanes));
      for (int64_t i = 0; i < kStep; ++i)
        addColumn(b.add(column, i), [&](int64_t t) { return rows[t](i); },
                  MutableArrayRef<Value>(after).slice(i % chains * sums, sums));
      return after;
    });
    for (int64_t column = whole; column < columns; ++column)
      addColumn(
          b.index(column),
          [&](int64_t t) {
            return b.broadcast(b.loadScalar(operands.floats, {b.add(tile.firstRow, t), b.index(column)}), lanes);
          },
          MutableArrayRef<Value>(partial).take_front(sums));
    for (int64_t width = chains; width > 1; width /= 2)
      for (int64_t i = 0; i < width / 2 * sums; ++i)
        partial[i] = b.addf(partial[i], partial[i + width / 2 * sums]);
    partial.resize(sums);
    return partial;
  }

private:
  // Index of output `firstOutput` in a column of the tile.
  Value weightAt(Value column) {
    return b.add(b.mul(b.add(b.mul(tile.tile, operands.columns), column), kTileRows), tile.firstOutput);
  }

  void prefetch(Value column) {
    int64_t elementBytes = operands.format.bits / 8;
    Value ahead = b.add(weightAt(column), kPrefetchBytes / elementBytes);
    for (int64_t byte = 0; byte < kStep * kTileRows * elementBytes; byte += 64)
      b.prefetch(operands.weights, b.add(ahead, byte / elementBytes));
  }

  // `row(t)`: the column of row t, broadcast.
  void addColumn(Value column, function_ref<Value(int64_t)> row, MutableArrayRef<Value> into) {
    Values weights;
    Value at = weightAt(column);
    for (int64_t v = 0; v < vectors; ++v)
      weights.push_back(b.loadF32(operands.weights, b.add(at, v * lanes), lanes));
    for (int64_t t = 0; t < tile.rows; ++t) {
      Value x = row(t);
      for (int64_t v = 0; v < vectors; ++v)
        into[t * vectors + v] = b.fma(x, weights[v], into[t * vectors + v]);
    }
  }

  KernelBuilder &b;
  const ProductOperands &operands;
  const ProductTile &tile;
  const int64_t lanes, vectors, sums, chains;
};

} // namespace

Values emitFloatProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile) {
  return FloatProduct(b, operands, tile).run();
}

} // namespace sinter::kern
