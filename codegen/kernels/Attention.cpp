// The attention kernel: flash attention (Dao et al. 2022) over the tiles of the cache. A unit is one kv head and a few
// tokens; the queries of the head's group are columns beside one another, so each key and value is read once for all of
// them.
//
// Keys have the token as the lane: sixteen scores of one column are head_dim multiplications of a broadcast query
// element with a row of the tile, without horizontal sums. Values have the head's column as the lane, and the factor
// that is broadcast is the softmax weight. Between the two, each block of tiles updates the running maximum and sum of
// every column (online softmax, Milakov & Gimelshein 2018); scores are kept in units of log2(e), so that weights are
// powers of two.
//
// Which token sees which is decided by positions alone. A score outside the window counts as the lowest float and its
// weight becomes exactly 0; only tiles up to the newest position are read, and only values of positions that some
// column sees, so what else the memory holds does not matter. Every unit's arithmetic is the same whoever computes it.

#include "codegen/kernels/AttentionPlan.h"
#include "codegen/kernels/Kernels.h"

#include <limits>

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

static constexpr int64_t kLanes = kCacheTile;
static constexpr double kLog2E = 1.44269504088896340736;
// Masked scores lie below every maximum, which starts above them: their difference is a large negative number, never 0.
static constexpr float kMasked = std::numeric_limits<float>::lowest();
static constexpr float kFirstMaximum = -1e30f;

// 2^x for x <= 0, as vectors; exactly 0 for x <= -127. The degree-6 polynomial through the Chebyshev nodes of [-1/2,
// 1/2] is off by 2.5e-9, less than the roundings of f32.
static Value emitPowerOfTwo(KernelBuilder &b, Value x) {
  static constexpr float kCoefficients[] = {
      0.000154614447f, 0.00134004282f, 0.00961805668f, 0.0555032723f, 0.240226509f, 0.693147207f, 1.0f};
  static constexpr float kRounding = 12582912.0f; // 1.5 * 2^23: the sum's last bits are the integer
  int64_t width = cast<VectorType>(x.getType()).getNumElements();
  x = b.maxf(x, b.splat(width, -127.0f));
  Value rounded = b.addf(x, b.splat(width, kRounding));
  Value rest = b.subf(x, b.subf(rounded, b.splat(width, kRounding)));
  Value power = b.splat(width, kCoefficients[0]);
  for (float coefficient : ArrayRef<float>(kCoefficients).drop_front())
    power = b.fma(power, rest, b.splat(width, coefficient));
  // The exponent field of 2^n is n + 127, and 0 for n = -127.
  Value exponent = arith::AddIOp::create(b, b.bitcast(rounded, b.getI32Type()), b.splat(width, 127));
  Value scale = arith::ShLIOp::create(b, exponent, b.splat(width, 23));
  return b.mulf(power, b.bitcast(scale, b.getF32Type()));
}

namespace {

// Tiles to read, in the cache or widened in scratch; both have the cache's five dimensions.
struct TileSource {
  CacheView tiles;
  Value keyPlane, valuePlane, head;
};

class AttentionEmitter {
public:
  AttentionEmitter(KernelBuilder &b, AttentionAttr spec)
      : b(b), spec(spec), plan(spec, b.target()), headDim(spec.getHeadDim()) {}

  void emit();

private:
  void loadQueries(Value kvHead, Value first, Value last);
  void widenTiles(const TileSource &source, const TileSource &staged, Value tile, Value tileCount);
  // Scores of a block of columns against a block of tiles, to scratch.
  void emitScores(const TileSource &source, Value column, Value tile, Value tileCount);
  // Masks the scores and turns them into weights in place; maxima and sums move on.
  void emitWeights(Value column, Value tile, Value tileCount);
  // Adds the block's weighted values to the columns' outputs.
  void emitOutputs(const TileSource &source, Value column, Value tile, Value tileCount, Value tokenCount);
  void storeOutputs(Value kvHead, Value first, Value last);

  // Index of a tile in its source; `local` counts from the block's first tile.
  Value place(Value tile, Value local) {
    return plan.staged ? local : b.rem(b.add(tile, local), spec.getCapacity() / kCacheTile);
  }
  // The columns of a head in vectors: (first column, width).
  SmallVector<std::pair<int64_t, int64_t>> headVectors() const {
    SmallVector<std::pair<int64_t, int64_t>> result;
    for (int64_t from = 0; from < headDim; from += kLanes)
      result.push_back({from, std::min(kLanes, headDim - from)});
    return result;
  }
  Value toI32(Value index) { return arith::IndexCastOp::create(b, b.getI32Type(), index); }

  KernelBuilder &b;
  AttentionAttr spec;
  AttentionPlan plan;
  int64_t headDim;
  Value qkv, out, position;
  Value queries;   // f32 [padded columns][head_dim], times scale * log2(e)
  Value limits;    // i32 [padded columns]: the position of a column's token
  Value maxima;    // f32 [padded columns]
  Value sums;      // f32 [padded columns][16], summed over lanes at the end
  Value outputs;   // f32 [padded columns][head_dim], not yet divided by the sum
  Value scores;    // f32 [block columns][block tiles * 16]
  Value rescaling; // f32 [block columns]: factors of what the columns had before a block
};

} // namespace

void AttentionEmitter::loadQueries(Value kvHead, Value first, Value last) {
  float scale = spec.getScale().getValueAsDouble() * kLog2E;
  b.loop(first, last, 1, [&](Value t) {
    Value place = toI32(b.add(position, t)), firstColumn = b.mul(b.sub(t, first), plan.group);
    b.loop(b.index(0), b.index(plan.group), 1, [&](Value head) {
      Value column = b.add(firstColumn, head), from = b.mul(b.add(b.mul(kvHead, plan.group), head), headDim);
      b.storeScalar(place, limits, {column});
      b.vectors(headDim, kLanes, [&](Value d, int64_t width) {
        b.store(b.mulf(b.load(qkv, {t, b.add(from, d)}, width), b.splat(width, scale)), queries, {column, d});
      });
    });
  });
  // Columns that only fill up the last block: queries of zeros, whose results nobody reads.
  Value active = b.mul(b.sub(last, first), plan.group);
  b.loop(active, b.index(plan.paddedColumns()), 1, [&](Value column) {
    b.storeScalar(toI32(b.add(position, first)), limits, {column});
    b.vectors(headDim, kLanes, [&](Value d, int64_t width) { b.store(b.splat(width, 0.0f), queries, {column, d}); });
  });
  b.loop(b.index(0), b.index(plan.paddedColumns()), 1, [&](Value column) {
    b.storeScalar(b.f32(kFirstMaximum), maxima, {column});
    b.store(b.splat(kLanes, 0.0f), sums, {column, b.index(0)});
    b.vectors(headDim, kLanes, [&](Value d, int64_t width) { b.store(b.splat(width, 0.0f), outputs, {column, d}); });
  });
}

void AttentionEmitter::widenTiles(const TileSource &source, const TileSource &staged, Value tile, Value tileCount) {
  b.loop(b.index(0), tileCount, 1, [&](Value local) {
    Value from = b.rem(b.add(tile, local), spec.getCapacity() / kCacheTile), zero = b.index(0);
    b.loop(zero, b.index(headDim), 1, [&](Value d) {
      b.store(b.loadF32(source.tiles.keys, {from, source.keyPlane, source.head, d, zero}, kLanes), staged.tiles.keys,
              {local, zero, zero, d, zero});
    });
    b.loop(zero, b.index(kCacheTile), 1, [&](Value token) {
      b.vectors(headDim, kLanes, [&](Value d, int64_t width) {
        b.store(b.loadF32(source.tiles.values, {from, source.valuePlane, source.head, token, d}, width),
                staged.tiles.values, {local, zero, zero, token, d});
      });
    });
  });
}

void AttentionEmitter::emitScores(const TileSource &source, Value column, Value tile, Value tileCount) {
  int64_t columns = plan.blockColumns, tiles = plan.scoreTiles, rows = plan.keyRowsPerLine;
  b.loop(b.index(0), tileCount, tiles, [&](Value firstTile) {
    // Past the last tile, the last one again: nobody reads its scores there.
    Values places;
    for (int64_t i = 0; i < tiles; ++i)
      places.push_back(place(tile, i ? b.min(b.add(firstTile, i), b.sub(tileCount, b.index(1))) : firstTile));

    auto multiplyRow = [&](Value d, ValueRange acc) {
      Values keys, sums;
      for (Value at : places)
        keys.push_back(b.loadF32(source.tiles.keys, {at, source.keyPlane, source.head, d, b.index(0)}, kLanes));
      for (int64_t c = 0; c < columns; ++c) {
        Value query = b.broadcast(b.loadScalar(queries, {b.add(column, c), d}), kLanes);
        for (int64_t i = 0; i < tiles; ++i)
          sums.push_back(b.fma(query, keys[i], acc[c * tiles + i]));
      }
      return sums;
    };
    Values sums(columns * tiles, b.splat(kLanes, 0.0f));
    sums = b.loop(b.index(0), b.index(headDim), rows, sums, [&](Value d, ValueRange carried) {
      // A tile's values lie like its keys, one plane on, and are next.
      if (plan.streams())
        for (Value at : places)
          b.prefetch(source.tiles.keys, {at, source.valuePlane, source.head, d, b.index(0)});
      Values sums(carried);
      for (int64_t row = 0; row < rows; ++row)
        sums = multiplyRow(b.add(d, row), sums);
      return sums;
    });
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t i = 0; i < tiles; ++i)
        b.store(sums[c * tiles + i], scores, {b.index(c), b.mul(b.add(firstTile, i), kCacheTile)});
  });
}

void AttentionEmitter::emitWeights(Value column, Value tile, Value tileCount) {
  int64_t columns = plan.blockColumns;
  SmallVector<int32_t> lanes = llvm::to_vector(llvm::seq<int32_t>(0, kLanes));
  Value lane =
      arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorType(kLanes, b.getI32Type()), ArrayRef(lanes)));
  Value zero = b.index(0), end = b.mul(tileCount, kCacheTile), masked = b.splat(kLanes, kMasked);
  Values largest = b.loop(zero, end, kLanes, Values(columns, masked), [&](Value token, ValueRange carried) {
    Value first = toI32(b.add(b.mul(tile, kCacheTile), token));
    Value places = arith::AddIOp::create(b, b.broadcast(first, kLanes), lane);
    Values next;
    for (int64_t c = 0; c < columns; ++c) {
      Value limit = b.broadcast(b.loadScalar(limits, {b.add(column, c)}), kLanes);
      Value visible = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, places, limit);
      if (int64_t window = spec.getWindow()) {
        Value floor = arith::SubIOp::create(b, limit, b.splat(kLanes, int32_t(window)));
        visible = arith::AndIOp::create(b, visible, arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, places, floor));
      }
      Value at = b.index(c), score = b.load(scores, {at, token}, kLanes);
      score = arith::SelectOp::create(b, visible, score, masked);
      b.store(score, scores, {at, token});
      next.push_back(b.maxf(score, carried[c]));
    }
    return next;
  });

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
      Value weight = emitPowerOfTwo(b, b.subf(b.load(scores, {c, token}, kLanes), maximum));
      b.store(weight, scores, {c, token});
      return Values{b.addf(carried[0], weight)};
    })[0];
    b.store(sum, sums, {at, zero});
  });
}

void AttentionEmitter::emitOutputs(const TileSource &source, Value column, Value tile, Value tileCount,
                                   Value tokenCount) {
  SmallVector<std::pair<int64_t, int64_t>> all = headVectors();
  for (size_t piece = 0; piece < all.size(); piece += plan.valueVectors) {
    ArrayRef<std::pair<int64_t, int64_t>> vectors = ArrayRef(all).slice(piece).take_front(plan.valueVectors);
    Values acc;
    for (int64_t c = 0; c < plan.blockColumns; ++c) {
      Value factor = b.loadScalar(rescaling, {b.index(c)});
      for (auto [from, width] : vectors)
        acc.push_back(b.mulf(b.load(outputs, {b.add(column, c), b.index(from)}, width), b.broadcast(factor, width)));
    }
    acc = b.loop(b.index(0), tileCount, 1, acc, [&](Value local, ValueRange carried) {
      Value at = place(tile, local), first = b.mul(local, kCacheTile);
      // The next block's tile, whose keys lie like these values; past the newest position the hint is for nothing.
      Value next = plan.streams() ? place(tile, b.add(local, plan.blockTiles)) : Value();
      Value tokens = b.min(b.sub(tokenCount, first), b.index(kCacheTile));
      return b.loop(b.index(0), tokens, 1, carried, [&](Value token, ValueRange acc) {
        Values values, sums;
        for (auto [from, width] : vectors) {
          values.push_back(
              b.loadF32(source.tiles.values, {at, source.valuePlane, source.head, token, b.index(from)}, width));
          if (plan.streams() && from % plan.elementsPerLine == 0)
            b.prefetch(source.tiles.values, {next, source.keyPlane, source.head, token, b.index(from)});
        }
        for (int64_t c = 0; c < plan.blockColumns; ++c) {
          Value weight = b.loadScalar(scores, {b.index(c), b.add(first, token)});
          for (size_t i = 0; i < vectors.size(); ++i)
            sums.push_back(b.fma(b.broadcast(weight, vectors[i].second), values[i], acc[c * vectors.size() + i]));
        }
        return sums;
      });
    });
    for (int64_t c = 0; c < plan.blockColumns; ++c)
      for (size_t i = 0; i < vectors.size(); ++i)
        b.store(acc[c * vectors.size() + i], outputs, {b.add(column, c), b.index(vectors[i].first)});
  }
}

void AttentionEmitter::storeOutputs(Value kvHead, Value first, Value last) {
  b.loop(first, last, 1, [&](Value t) {
    b.loop(b.index(0), b.index(plan.group), 1, [&](Value head) {
      Value column = b.add(b.mul(b.sub(t, first), plan.group), head);
      Value to = b.mul(b.add(b.mul(kvHead, plan.group), head), headDim);
      Value inverse = b.divf(b.f32(1), b.sumLanes(b.load(sums, {column, b.index(0)}, kLanes)));
      b.vectors(headDim, kLanes, [&](Value d, int64_t width) {
        b.store(b.mulf(b.load(outputs, {column, d}, width), b.broadcast(inverse, width)), out, {t, b.add(to, d)});
      });
    });
  });
}

void AttentionEmitter::emit() {
  int64_t heads = spec.getHeads(), kvHeads = spec.getKvHeads(), columns = plan.paddedColumns();
  Type f32 = b.getF32Type();
  qkv = b.bindingRows(0, rowStride((heads + 2 * kvHeads) * headDim), f32);
  CacheView cache = bindCache(b, 1, spec.getElement(), kvHeads, headDim);
  out = b.bindingRows(2, rowStride(heads * headDim), f32);
  position = b.scalar(Scalar::position);
  queries = b.scratch({columns, headDim}, f32);
  limits = b.scratch({columns}, b.getI32Type());
  maxima = b.scratch({columns}, f32);
  sums = b.scratch({columns, kLanes}, f32);
  outputs = b.scratch({columns, headDim}, f32);
  scores = b.scratch({plan.blockColumns, plan.blockTiles * kCacheTile}, f32);
  rescaling = b.scratch({plan.blockColumns}, f32);
  CacheView wide;
  if (plan.staged)
    wide = {b.scratch({plan.blockTiles, 1, 1, headDim, kCacheTile}, f32),
            b.scratch({plan.blockTiles, 1, 1, kCacheTile, headDim}, f32)};

  loopHeadBlocks(b, spec.getTokensPerUnit(), [&](Value kvHead, Value first, Value last) {
    Value zero = b.index(0);
    TileSource stored{cache, zero, b.index(1), kvHead}, staged{wide, zero, zero, zero};
    const TileSource &source = plan.staged ? staged : stored;
    loadQueries(kvHead, first, last);

    Value active = b.mul(b.sub(last, first), plan.group);
    Value activeBlocks = b.div(b.add(active, plan.blockColumns - 1), plan.blockColumns);
    Value end = b.add(position, last), firstTile = zero; // one past the newest position
    if (int64_t window = spec.getWindow()) {
      Value seen = b.add(b.add(position, first), 1); // positions the first token may see, without the window
      firstTile = b.div(b.sub(b.max(seen, b.index(window)), b.index(window)), kCacheTile);
    }
    Value endTile = b.div(b.add(end, kCacheTile - 1), kCacheTile);
    b.loop(firstTile, endTile, plan.blockTiles, [&](Value tile) {
      Value tileCount = b.min(b.sub(endTile, tile), b.index(plan.blockTiles));
      Value tokenCount = b.sub(b.min(end, b.mul(b.add(tile, tileCount), kCacheTile)), b.mul(tile, kCacheTile));
      if (plan.staged)
        widenTiles(stored, staged, tile, tileCount);
      b.loop(zero, activeBlocks, 1, [&](Value block) {
        Value column = b.mul(block, plan.blockColumns);
        emitScores(source, column, tile, tileCount);
        emitWeights(column, tile, tileCount);
        emitOutputs(source, column, tile, tileCount, tokenCount);
      });
    });
    storeOutputs(kvHead, first, last);
  });
}

void buildAttention(KernelBuilder &b, AttentionAttr spec) { AttentionEmitter(b, spec).emit(); }

} // namespace sinter::kern
