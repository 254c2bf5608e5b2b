// Attention from keys to softmax weights. Scores come from floats or, with a coded cache, from dot products of codes; then
// each block of tiles moves the running maximum and sum of every column (online softmax, Milakov & Gimelshein 2018).
// Scores are in units of log2(e), so weights are powers of two.

#include "codegen/kernels/AttentionEmitter.h"
#include "codegen/kernels/Softmax.h"

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

static constexpr int64_t kLanes = kCacheTile;
// Each column's products with sixteen tokens of each place.
Values AttentionEmitter::multiplyKeys(ArrayRef<Value> places, Value column) {
  const TileSource &source = keySource();
  Values start(plan.blockColumns * places.size(), b.splat(kLanes, 0.0f));
  return b.loop(b.index(0), b.index(headDim), plan.keyRowsPerLine, start, [&](Value d, ValueRange carried) {
    // A tile's values lie like its keys, and are next.
    if (plan.streams())
      for (Value at : places)
        stored.tiles.prefetchLine(b, CacheView::values, at, stored.head, b.div(d, plan.keyRowsPerLine));
    Values sums(carried);
    for (int64_t row = 0; row < plan.keyRowsPerLine; ++row) {
      Values keys;
      for (Value at : places)
        keys.push_back(source.tiles.loadKeys(b, at, source.head, b.add(d, row)));
      for (int64_t c = 0; c < plan.blockColumns; ++c) {
        Value query = b.broadcast(b.loadScalar(queries, {b.add(column, c), b.add(d, row)}), kLanes);
        for (auto [i, key] : llvm::enumerate(keys)) {
          Value &sum = sums[c * places.size() + i];
          sum = b.fma(query, key, sum);
        }
      }
    }
    return sums;
  });
}

// The same from codes: exact integers, then times both scales.
Values AttentionEmitter::dotKeys(ArrayRef<Value> places, Value column) {
  Values start;
  for (int64_t c = 0; c < plan.blockColumns; ++c)
    start.append(places.size(), b.broadcast(b.loadScalar(queryStarts, {b.add(column, c)}), kLanes));
  Values dots = b.loop(b.index(0), b.index(plan.quads), plan.quadsPerStep, start, [&](Value first, ValueRange carried) {
    Values sums(carried);
    for (int64_t step = 0; step < plan.quadsPerStep; ++step) {
      Value quad = b.add(first, step);
      Values codes;
      for (Value at : places) {
        codes.push_back(b.shiftCodes(stored.tiles.loadKeyCodes(b, at, stored.head, quad), kLargestKeyCode));
        if (plan.streams()) // the scales are a line of their own, before the codes
          stored.tiles.prefetchLine(b, CacheView::values, at, stored.head, b.add(quad, 1));
      }
      for (int64_t c = 0; c < plan.blockColumns; ++c) {
        Value four = b.loadScalar(queryQuads, {b.add(column, c), quad});
        Value query = b.bitcast(b.broadcast(four, kLanes), b.getI8Type());
        for (auto [i, code] : llvm::enumerate(codes)) {
          Value &sum = sums[c * places.size() + i];
          sum = b.dot(sum, code, query, kLargestKeyCode);
        }
      }
    }
    return sums;
  });
  Values keyScales, scores;
  for (Value at : places)
    keyScales.push_back(stored.tiles.loadKeyScales(b, at, stored.head));
  for (int64_t c = 0; c < plan.blockColumns; ++c) {
    Value scale = b.broadcast(b.loadScalar(queryScales, {b.add(column, c)}), kLanes);
    for (auto [i, keyScale] : llvm::enumerate(keyScales))
      scores.push_back(b.mulf(b.toFloats(dots[c * places.size() + i]), b.mulf(keyScale, scale)));
  }
  return scores;
}

void AttentionEmitter::emitScores(const TileBlock &block, Value column) {
  int64_t tiles = plan.scoreTiles;
  b.loop(b.index(0), block.tileCount, tiles, [&](Value firstTile) {
    // Past the last tile, the last one again: nobody reads its scores there.
    Values places;
    for (int64_t i = 0; i < tiles; ++i)
      places.push_back(keyPlace(block, i ? b.min(b.add(firstTile, i), b.sub(block.tileCount, b.index(1))) : firstTile));
    Values products = stored.tiles.coded() ? dotKeys(places, column) : multiplyKeys(places, column);
    for (int64_t c = 0; c < plan.blockColumns; ++c)
      for (int64_t i = 0; i < tiles; ++i)
        b.store(products[c * tiles + i], scores, {b.index(c), b.mul(b.add(firstTile, i), kCacheTile)});
  });
}

// The largest score of each column, by lanes. Masked scores are replaced.
Values AttentionEmitter::findMaxima(const TileBlock &block, Value column, bool masked) {
  SmallVector<int32_t> lanes = llvm::to_vector(llvm::seq<int32_t>(0, kLanes));
  Value lane =
      arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorType(kLanes, b.getI32Type()), ArrayRef(lanes)));
  Value end = b.mul(block.tileCount, kCacheTile), lowest = b.splat(kLanes, kMasked);
  return b.loop(b.index(0), end, kLanes, Values(plan.blockColumns, lowest), [&](Value token, ValueRange carried) {
    Value first = toI32(b.add(b.mul(block.tile, kCacheTile), token));
    Value places = arith::AddIOp::create(b, b.broadcast(first, kLanes), lane);
    Values next;
    for (int64_t c = 0; c < plan.blockColumns; ++c) {
      Value at = b.index(c), score = b.load(scores, {at, token}, kLanes);
      if (masked) {
        Value limit = b.broadcast(b.loadScalar(limits, {b.add(column, c)}), kLanes);
        Value visible = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, places, limit);
        if (int64_t window = spec.getWindow()) {
          Value floor = arith::SubIOp::create(b, limit, b.splat(kLanes, int32_t(window)));
          visible =
              arith::AndIOp::create(b, visible, arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, places, floor));
        }
        score = arith::SelectOp::create(b, visible, score, lowest);
        b.store(score, scores, {at, token});
      }
      next.push_back(b.maxf(score, carried[c]));
    }
    return next;
  });
}

void AttentionEmitter::emitWeights(const TileBlock &block, Value column) {
  int64_t columns = plan.blockColumns;
  Value zero = b.index(0), end = b.mul(block.tileCount, kCacheTile);
  Values largest = b.ifElse(
      block.visible, [&] { return findMaxima(block, column, /*masked=*/false); },
      [&] { return findMaxima(block, column, /*masked=*/true); });

  Values blockMaxima;
  for (Value lanes : largest)
    blockMaxima.push_back(b.maxLanes(lanes));
  VectorType type = b.vectorType(columns, b.getF32Type());
  Value before = b.load(maxima, {column}, columns);
  Value now = b.maxf(vector::FromElementsOp::create(b, type, blockMaxima), before);
  b.store(now, maxima, {column});
  b.store(emitPowerOfTwo(b, b.subf(before, now)), rescaling, {zero});

  b.loop(zero, b.index(columns), 1, [&](Value c) {
    Value at = b.add(column, c), maximum = b.broadcast(b.loadScalar(maxima, {at}), kLanes);
    Value factor = b.broadcast(b.loadScalar(rescaling, {c}), kLanes);
    Value sum = b.mulf(b.load(sums, {at, zero}, kLanes), factor);
    sum = b.loop(zero, end, kLanes, sum, [&](Value token, ValueRange carried) {
      Value weight = emitPowerOfTwo(b, b.subf(b.load(scores, {c, token}, kLanes), maximum)), factor = weight;
      if (stored.tiles.coded()) {
        Value at = cachePlace(block, b.div(token, kCacheTile));
        factor = b.mulf(weight, stored.tiles.loadValueScales(b, at, stored.head));
      }
      b.store(factor, scores, {c, token});
      return Values{b.addf(carried[0], weight)};
    })[0];
    b.store(sum, sums, {at, zero});
  });
}

} // namespace sinter::kern
