// How attention is cut: which sizes its register tiles and blocks have for one spec on one target. Only numbers; the
// ops are in Attention.cpp.
#pragma once

#include "codegen/kernels/CacheView.h"

#include <algorithm>

namespace sinter::kern {

struct AttentionPlan {
  // Queries of a unit are columns: column = token * group + head of the group. They are worked on `blockColumns` at a
  // time.
  int64_t group, columns, blockColumns, columnBlocks;
  // Scores: blockColumns x scoreTiles vectors of sixteen tokens stay in registers. A step of the online softmax covers
  // blockTiles tiles, a multiple of scoreTiles.
  int64_t scoreTiles, blockTiles;
  // Outputs: blockColumns x valueVectors vectors of sixteen columns of a head stay in registers.
  int64_t valueVectors;
  // Of the cache: bytes of an element, elements of a token's value with padding, whole rows of keys in a line of 64
  // bytes.
  int64_t elementBytes, rowElements, keyRowsPerLine;
  // Of coded keys: quads of columns, and how many are multiplied in one step of the loop.
  int64_t quads, quadsPerStep;
  // Tiles are widened to f32 in scratch first: worth it where more than one block of columns reads them. Coded keys are
  // multiplied as they are.
  bool staged, stagedKeys;

  // Every key and value is read once, straight from memory: what comes next is prefetched.
  bool streams() const { return columnBlocks == 1; }
  int64_t paddedColumns() const { return columnBlocks * blockColumns; }

  AttentionPlan(AttentionAttr spec, const Target &target) {
    group = spec.getHeads() / spec.getKvHeads();
    columns = group * spec.getTokensPerUnit();
    // Registers, in vectors of sixteen floats: 32, 8 or 4. A register tile needs its accumulators, one vector per row
    // or column of values it multiplies, and one for the broadcast factor; AVX-512 keeps four more for masks'
    // constants.
    int64_t vectors = target.registers * target.vectorBytes / 64;
    int64_t usable = vectors == 32 ? 28 : vectors;
    int64_t mostColumns = vectors == 32 ? 8 : vectors - 2;
    columnBlocks = (columns + mostColumns - 1) / mostColumns;
    blockColumns = (columns + columnBlocks - 1) / columnBlocks;

    auto fits = [&](int64_t count) { return blockColumns * count + count + 1 <= usable; };
    for (scoreTiles = 8; scoreTiles > 1 && !fits(scoreTiles);)
      scoreTiles /= 2;
    int64_t headVectors = (spec.getHeadDim() + kCacheTile - 1) / kCacheTile;
    int64_t most = 1;
    while (most < headVectors && fits(most + 1))
      ++most;
    int64_t pieces = (headVectors + most - 1) / most;
    valueVectors = (headVectors + pieces - 1) / pieces;

    mlir::Type element = spec.getElement();
    elementBytes = element.getIntOrFloatBitWidth() / 8;
    rowElements = cacheRowElements(element, spec.getHeadDim());
    int64_t rowsPerLine = std::max<int64_t>(1, 64 / elementBytes / kCacheTile);
    keyRowsPerLine = spec.getHeadDim() % rowsPerLine ? 1 : rowsPerLine;
    quads = (spec.getHeadDim() + 3) / 4;
    for (quadsPerStep = 4; quads % quadsPerStep;)
      quadsPerStep /= 2;
    staged = columnBlocks > 1 && !element.isF32();
    stagedKeys = staged && !element.isInteger(8);
    // What a block's columns share stays in the first-level cache: up to 32 KiB of keys and values as f32.
    blockTiles = std::clamp<int64_t>(256 / spec.getHeadDim() / scoreTiles * scoreTiles, scoreTiles, 8);
  }
};

} // namespace sinter::kern
