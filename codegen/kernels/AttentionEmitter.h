// The kernel of attention under construction: what its parts share. Attention.cpp has the loops, the queries and the
// outputs, AttentionScores.cpp what lies between keys and softmax weights.
#pragma once

#include "codegen/kernels/AttentionPlan.h"

namespace sinter::kern {

// Tiles of one head, in the cache or widened in scratch.
struct TileSource {
  CacheView tiles;
  mlir::Value head;
};

// A block of tiles: what one step of the online softmax covers.
struct TileBlock {
  mlir::Value tile, tileCount; // the first, in tiles of the sequence
  mlir::Value tokenCount;      // up to the newest position
  mlir::Value visible;         // i1: every token of it is seen by every column of the unit
};

class AttentionEmitter {
public:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;

  AttentionEmitter(KernelBuilder &b, AttentionAttr spec)
      : b(b), spec(spec), plan(spec, b.target()), headDim(spec.getHeadDim()) {}

  void emit();

private:
  void loadQueries(Value kvHead, Value first, Value last);
  void quantizeQueries(Value columns);
  void widenTiles(const TileBlock &block);
  // Scores of a block of columns against a block of tiles, to scratch.
  void emitScores(const TileBlock &block, Value column);
  Values multiplyKeys(llvm::ArrayRef<Value> places, Value column);
  Values dotKeys(llvm::ArrayRef<Value> places, Value column);
  // Masks the scores and turns them into weights in place; maxima and sums move on.
  void emitWeights(const TileBlock &block, Value column);
  Values findMaxima(const TileBlock &block, Value column, bool masked);
  // Adds the block's weighted values to the columns' outputs.
  void emitOutputs(const TileBlock &block, Value column);
  void storeOutputs(Value kvHead, Value first, Value last);

  // Index of a block's tile in the cache, and where keys and values are read from.
  Value cachePlace(const TileBlock &block, Value local) {
    return b.rem(b.add(block.tile, local), spec.getCapacity() / kCacheTile);
  }
  Value keyPlace(const TileBlock &block, Value local) {
    return plan.stagedKeys ? local : cachePlace(block, local);
  }
  Value valuePlace(const TileBlock &block, Value local) {
    return plan.staged ? local : cachePlace(block, local);
  }
  const TileSource &keySource() const { return plan.stagedKeys ? staged : stored; }
  const TileSource &valueSource() const { return plan.staged ? staged : stored; }
  Value toI32(Value index) { return mlir::arith::IndexCastOp::create(b, b.getI32Type(), index); }

  KernelBuilder &b;
  AttentionAttr spec;
  AttentionPlan plan;
  int64_t headDim;
  Value qkv, out, position;
  TileSource stored, staged;
  Value queries;     // f32 [padded columns][head_dim], times scale * log2(e)
  Value queryQuads;  // coded caches only: the same as codes, four to a word, i32 [padded columns][quads],
  Value queryScales; // f32 [padded columns], and
  Value queryStarts; // i32 [padded columns]: what dot products with unsigned codes start from
  Value limits;      // i32 [padded columns]: the position of a column's token
  Value maxima;      // f32 [padded columns]
  Value sums;        // f32 [padded columns][16], summed over lanes at the end
  Value outputs;     // f32 [padded columns][head_dim], not yet divided by the sum
  Value scores;      // f32 [block columns][block tiles * 16]
  Value rescaling;   // f32 [block columns]: factors of what the columns had before a block
};

} // namespace sinter::kern
