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
// With a coded cache the queries are quantized as well and scores are integer products of codes, exact but for that;
// the values' scales are folded into the softmax weights.
//
// Which token sees which is decided by positions alone. A score outside the window counts as the lowest float and its
// weight becomes exactly 0; only tiles up to the newest position are read, and only values of positions that some
// column sees, so what else the memory holds does not matter. Every unit's arithmetic is the same whoever computes it.

#include "codegen/kernels/AttentionEmitter.h"
#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/RowStages.h"
#include "codegen/kernels/Softmax.h"

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

static constexpr int64_t kLanes = kCacheTile;

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
  if (stored.tiles.coded())
    quantizeQueries(b.index(plan.paddedColumns()));
  b.loop(b.index(0), b.index(plan.paddedColumns()), 1, [&](Value column) {
    b.storeScalar(b.f32(kFirstMaximum), maxima, {column});
    b.store(b.splat(kLanes, 0.0f), sums, {column, b.index(0)});
    b.vectors(headDim, kLanes, [&](Value d, int64_t width) { b.store(b.splat(width, 0.0f), outputs, {column, d}); });
  });
}

void AttentionEmitter::quantizeQueries(Value columns) {
  b.loop(b.index(0), columns, 1, [&](Value column) {
    QuantizedColumns query = emitQuantizeColumns(
        b, headDim, [&](Value d, int64_t width) { return b.load(queries, {column, d}, width); },
        [&](Value d, Value codes) { b.store(b.quads(codes, /*filler=*/0), queryQuads, {column, b.div(d, 4)}); });
    b.storeScalar(query.scale, queryScales, {column});
    b.storeScalar(arith::MulIOp::create(b, query.sum, b.i32(b.codeShift(kLargestKeyCode) - kCacheKeyZero)), queryStarts, {column});
  });
}

void AttentionEmitter::widenTiles(const TileBlock &block) {
  b.loop(b.index(0), block.tileCount, 1, [&](Value local) {
    Value from = cachePlace(block, local), zero = b.index(0);
    if (plan.stagedKeys)
      b.loop(zero, b.index(headDim), 1, [&](Value d) {
        staged.tiles.storeKeys(b, stored.tiles.loadKeys(b, from, stored.head, d), local, d);
      });
    b.loop(zero, b.index(kCacheTile), 1, [&](Value token) {
      b.vectors(headDim, kLanes, [&](Value d, int64_t width) {
        staged.tiles.storeValues(b, stored.tiles.loadValues(b, from, stored.head, token, d, width), local, token, d);
      });
    });
  });
}

void AttentionEmitter::emitOutputs(const TileBlock &block, Value column) {
  const TileSource &source = valueSource();
  int64_t lineElements = 64 / plan.elementBytes, scaleBytes = stored.tiles.coded() ? 64 : 0;
  SmallVector<std::pair<int64_t, int64_t>> all; // the columns of a head in vectors: (first column, width)
  for (int64_t from = 0; from < headDim; from += kLanes)
    all.push_back({from, std::min(kLanes, headDim - from)});
  for (size_t piece = 0; piece < all.size(); piece += plan.valueVectors) {
    ArrayRef<std::pair<int64_t, int64_t>> vectors = ArrayRef(all).slice(piece).take_front(plan.valueVectors);
    Values acc;
    for (int64_t c = 0; c < plan.blockColumns; ++c) {
      Value factor = b.loadScalar(rescaling, {b.index(c)});
      for (auto [from, width] : vectors)
        acc.push_back(b.mulf(b.load(outputs, {b.add(column, c), b.index(from)}, width), b.broadcast(factor, width)));
    }
    acc = b.loop(b.index(0), block.tileCount, 1, acc, [&](Value local, ValueRange carried) {
      Value at = valuePlace(block, local), first = b.mul(local, kCacheTile);
      // The next block's tile, whose keys lie like these values; past the newest position the hint is for nothing.
      Value next = plan.streams() ? cachePlace(block, b.add(local, plan.blockTiles)) : Value();
      Value tokens = b.min(b.sub(block.tokenCount, first), b.index(kCacheTile));
      return b.loop(b.index(0), tokens, 1, carried, [&](Value token, ValueRange acc) {
        Values values, sums;
        for (auto [from, width] : vectors) {
          values.push_back(source.tiles.loadValues(b, at, source.head, token, b.index(from), width));
          if (plan.streams() && from % lineElements == 0) {
            Value byte = b.add(b.mul(token, plan.rowElements * plan.elementBytes), from * plan.elementBytes + scaleBytes);
            stored.tiles.prefetchLine(b, CacheView::keys, next, stored.head, b.div(byte, 64));
          }
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
  stored.tiles = CacheView(b, 1, spec.getElement(), kvHeads, headDim);
  out = b.bindingRows(2, rowStride(heads * headDim), f32);
  position = b.scalar(Scalar::position);
  queries = b.scratch({columns, headDim}, f32);
  limits = b.scratch({columns}, b.getI32Type());
  maxima = b.scratch({columns}, f32);
  sums = b.scratch({columns, kLanes}, f32);
  outputs = b.scratch({columns, headDim}, f32);
  scores = b.scratch({plan.blockColumns, plan.blockTiles * kCacheTile}, f32);
  rescaling = b.scratch({plan.blockColumns}, f32);
  if (stored.tiles.coded()) {
    queryQuads = b.scratch({columns, plan.quads}, b.getI32Type());
    queryScales = b.scratch({columns}, f32);
    queryStarts = b.scratch({columns}, b.getI32Type());
  }
  if (plan.staged)
    staged = {CacheView::scratch(b, plan.blockTiles, headDim, plan.stagedKeys), b.index(0)};

  loopHeadBlocks(b, spec.getTokensPerUnit(), [&](Value kvHead, Value first, Value last) {
    Value zero = b.index(0);
    stored.head = kvHead;
    loadQueries(kvHead, first, last);

    Value active = b.mul(b.sub(last, first), plan.group);
    Value activeBlocks = b.div(b.add(active, plan.blockColumns - 1), plan.blockColumns);
    Value end = b.add(position, last), firstTile = zero; // one past the newest position
    if (int64_t window = spec.getWindow()) {
      Value seen = b.add(b.add(position, first), 1); // positions the first token may see, without the window
      firstTile = b.div(b.sub(b.max(seen, b.index(window)), b.index(window)), kCacheTile);
    }
    Value endTile = b.div(b.add(end, kCacheTile - 1), kCacheTile);
    Value seenByAll = b.add(b.add(position, first), 1); // one past the newest that the first token sees
    b.loop(firstTile, endTile, plan.blockTiles, [&](Value tile) {
      TileBlock tiles;
      tiles.tile = tile;
      tiles.tileCount = b.min(b.sub(endTile, tile), b.index(plan.blockTiles));
      Value from = b.mul(tile, kCacheTile), until = b.mul(b.add(tile, tiles.tileCount), kCacheTile);
      tiles.tokenCount = b.sub(b.min(end, until), from);
      tiles.visible = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, until, seenByAll);
      if (int64_t window = spec.getWindow())
        tiles.visible = arith::AndIOp::create(
            b, tiles.visible, arith::CmpIOp::create(b, arith::CmpIPredicate::uge, b.add(from, window), end));
      if (plan.staged)
        widenTiles(tiles);
      b.loop(zero, activeBlocks, 1, [&](Value block) {
        Value column = b.mul(block, plan.blockColumns);
        emitScores(tiles, column);
        emitWeights(tiles, column);
        emitOutputs(tiles, column);
      });
    });
    storeOutputs(kvHead, first, last);
  });
}

void buildAttention(KernelBuilder &b, AttentionAttr spec) { AttentionEmitter(b, spec).emit(); }

} // namespace sinter::kern
