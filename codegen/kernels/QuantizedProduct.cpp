// Products of 8-bit activation codes with packed 4-, 6- or 8-bit weight codes. Per group of columns the dot products are
// exact integers; then one conversion, one multiplication with the activations' scale and one multiply-add with the
// weights' scales bring them into f32 sums. Lanes are outputs, so nothing is ever added across lanes. A symmetric
// format's zero point costs nothing: the integer sums start at -zero * sum(activations), which the quantizer left in
// `sums`. A stored zero point takes one more multiply-add per group. The order of additions does not depend on the
// tile's shape, so one token gives the same bits alone as among others.

#include "codegen/kernels/Product.h"

namespace sinter::kern {

using namespace mlir;
using Values = KernelBuilder::Values;

namespace {

// Columns whose products are written out; larger groups loop over pieces of this many.
constexpr int64_t kUnrolledColumns = 32;
// Quads of activations that are loaded together.
constexpr int64_t kQuads = 4;

class QuantizedProduct {
public:
  QuantizedProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile)
      : b(b), operands(operands), format(operands.format), tile(tile), lanes(b.lanes()), vectors(tile.outputs / lanes),
        paired(b.target().rowPairs && tile.rows % 2 == 0) {}

  Values run() {
    int64_t groups = format.groups(operands.columns);
    Values zero(tile.rows * vectors, b.splat(lanes, 0.0f));
    Value firstBlock = b.mul(tile.tile, groups);
    return b.loop(b.index(0), b.index(groups), 1, zero, [&](Value group, ValueRange sums) {
      Value block = b.add(firstBlock, group);
      prefetch(block);
      return addGroup(group, block, sums);
    });
  }

private:
  Value row(int64_t t) { return b.add(tile.firstRow, t); }

  // The lines of a later block that this tile's outputs are in: heads and codes are rows of 2 and 4 bytes per output.
  void prefetch(Value block) {
    int64_t bytes = format.blockBytes();
    Value ahead = b.mul(b.add(block, (kPrefetchBytes + bytes - 1) / bytes), bytes);
    for (int64_t row = 0; row < format.headBytes(); row += 2 * kTileRows)
      b.prefetch(operands.weights, b.add(ahead, b.add(b.mul(tile.firstOutput, 2), row)));
    Value codes = b.add(ahead, b.mul(tile.firstOutput, 4));
    for (int64_t row = format.headBytes(); row < bytes; row += 4 * kTileRows)
      for (int64_t line = 0; line < 4 * tile.outputs; line += 64)
        b.prefetch(operands.weights, b.add(codes, row + line));
  }

  // The integer products of one group.
  Values dotGroup(Value group, Value block) {
    Values sums;
    // Shifted codes of a format whose zero is shifted to 0 need no starting value either.
    int64_t shift = b.codeShift(format.maxCode());
    bool fromZero = format.hasZeros || (shift && format.impliedZero == shift);
    for (int64_t t = 0; t < tile.rows; ++t) {
      Value start = fromZero ? b.splat(lanes, 0) : b.broadcast(b.loadScalar(operands.sums, {row(t), group}), lanes);
      sums.append(vectors, start);
    }
    if (paired)
      sums = toBlocks(sums);
    Value codes = b.add(b.add(b.mul(block, format.blockBytes()), format.headBytes()), b.mul(tile.firstOutput, 4));
    sums = dotColumns(codes, b.mul(group, format.group / 4), sums);
    return paired ? fromBlocks(sums) : sums;
  }

  // All columns of a group.
  Values dotColumns(Value codes, Value quads, ValueRange sums) {
    auto piece = [&](Value codes, Value quads, int64_t columns, ValueRange now) {
      return paired ? dotPairs(codes, quads, columns, now) : dotPiece(codes, quads, columns, now);
    };
    if (format.group <= kUnrolledColumns)
      return piece(codes, quads, format.group, sums);
    int64_t pieceBytes = kUnrolledColumns * kTileRows * format.bits / 8;
    return b.loop(b.index(0), b.index(format.group / kUnrolledColumns), 1, sums, [&](Value i, ValueRange now) {
      return piece(b.add(codes, b.mul(i, pieceBytes)), b.add(quads, b.mul(i, kUnrolledColumns / 4)), kUnrolledColumns,
                   now);
    });
  }

  // `columns` columns: their weights from byte `codes` on, their activations from quad `quads` on.
  Values dotPiece(Value codes, Value quads, int64_t columns, ValueRange start) {
    Values sums(start);
    int64_t runQuads = format.runColumns() / 4, runBytes = format.runWords() * kTileRows * 4;
    SmallVector<std::function<Value(int64_t)>> activations(tile.rows); // [t](quad of those loaded together)
    for (int64_t quad = 0; quad < columns / 4; ++quad) {
      if (quad % kQuads == 0)
        for (int64_t t = 0; t < tile.rows; ++t)
          activations[t] = b.loadBroadcasts(operands.codes, {row(t), b.add(quads, quad)}, kQuads, lanes);
      if (quad % runQuads == 0)
        loadWeights(b.add(codes, quad / runQuads * runBytes));
      for (int64_t t = 0; t < tile.rows; ++t) {
        Value four = b.bitcast(activations[t](quad % kQuads), b.getI8Type());
        for (int64_t v = 0; v < vectors; ++v) {
          Value &sum = sums[t * vectors + v];
          sum = b.dot(sum, weights[v][quad % runQuads], four, format.maxCode());
        }
      }
    }
    return sums;
  }

  // The same for pairs of rows, whose sums lie in blocks: two rows by two outputs in a register. Block h of pair p and
  // vector v, which is of its outputs 2h and 2h + 1, takes the place of row 2p + h.
  Values dotPairs(Value codes, Value quads, int64_t columns, ValueRange start) {
    Values blocks(start);
    int64_t runQuads = format.runColumns() / 4, runBytes = format.runWords() * kTileRows * 4;
    Values activations;     // [t]: four quads
    SmallVector<Values> at; // [quad of those at hand][v]
    for (int64_t quad = 0; quad < columns / 4; quad += 2) {
      if (quad % kQuads == 0) {
        activations.clear();
        for (int64_t t = 0; t < tile.rows; ++t)
          activations.push_back(b.load(operands.codes, {row(t), b.add(quads, quad)}, kQuads));
      }
      for (int64_t q = quad; q < quad + 2; ++q)
        if (q % runQuads == 0) {
          at.resize(q % 2 ? at.size() : 0);
          loadWeights(b.add(codes, q / runQuads * runBytes));
          for (int64_t r = 0; r < runQuads; ++r) {
            at.emplace_back();
            for (int64_t v = 0; v < vectors; ++v)
              at.back().push_back(b.bitcast(weights[v][r], b.getI32Type()));
          }
        }
      int64_t first = quad % std::max<int64_t>(runQuads, 2), s = quad % kQuads;
      for (int64_t v = 0; v < vectors; ++v)
        for (int64_t h = 0; h < 2; ++h) {
          Value pair = b.bitcast(shuffle(at[first][v], at[first + 1][v], {2 * h, 4 + 2 * h, 2 * h + 1, 5 + 2 * h}),
                                 b.getI8Type());
          for (int64_t t = 0; t < tile.rows; t += 2) {
            Value rows = b.bitcast(shuffle(activations[t], activations[t + 1], {s, s + 1, 4 + s, 5 + s}), b.getI8Type());
            Value &sum = blocks[(t + h) * vectors + v];
            sum = Dot2x2Op::create(b, sum.getType(), sum, rows, pair);
          }
        }
    }
    return blocks;
  }

  Value shuffle(Value x, Value y, ArrayRef<int64_t> lanes) { return vector::ShuffleOp::create(b, x, y, lanes); }

  Values toBlocks(ValueRange sums) { return exchange(sums, {0, 1, 4, 5}, {2, 3, 6, 7}); }
  Values fromBlocks(ValueRange blocks) { return exchange(blocks, {0, 1, 4, 5}, {2, 3, 6, 7}); }
  // Two registers of every pair become two others.
  Values exchange(ValueRange from, ArrayRef<int64_t> first, ArrayRef<int64_t> second) {
    Values to(from);
    for (int64_t t = 0; t < tile.rows; t += 2)
      for (int64_t v = 0; v < vectors; ++v) {
        Value x = from[t * vectors + v], y = from[(t + 1) * vectors + v];
        to[t * vectors + v] = shuffle(x, y, first);
        to[(t + 1) * vectors + v] = shuffle(x, y, second);
      }
    return to;
  }

  // All vectors of the tile's codes in the run at byte `at`, unpacked.
  void loadWeights(Value at) {
    weights.clear();
    for (int64_t v = 0; v < vectors; ++v) {
      Values bytes;
      for (int64_t word = 0; word < format.runWords(); ++word)
        bytes.push_back(b.load(operands.weights, b.add(at, (word * kTileRows + v * lanes) * 4), 4 * lanes));
      weights.push_back(b.unpackQuads(format, bytes));
      for (Value &quad : weights.back())
        quad = b.shiftCodes(quad, format.maxCode());
    }
  }

  Values addGroup(Value group, Value block, ValueRange before) {
    Values dots = dotGroup(group, block);
    Values weightScales, weightOffsets;
    Value scaleAt = b.add(b.mul(block, format.blockBytes() / 2), tile.firstOutput);
    for (int64_t v = 0; v < vectors; ++v) {
      Value scale = b.loadF32(operands.weightScales, b.add(scaleAt, v * lanes), lanes);
      weightScales.push_back(scale);
      if (format.hasZeros)
        weightOffsets.push_back(
            b.mulf(scale, b.loadF32(operands.weightScales, b.add(scaleAt, kTileRows + v * lanes), lanes)));
    }
    Values after;
    for (int64_t t = 0; t < tile.rows; ++t) {
      Value scale = b.broadcast(b.loadScalar(operands.scales, {row(t), group}), lanes);
      Value offset =
          format.hasZeros ? b.broadcast(b.negf(b.loadScalar(operands.sums, {row(t), group})), lanes) : Value();
      for (int64_t v = 0; v < vectors; ++v) {
        Value dot = arith::SIToFPOp::create(b, b.vectorType(lanes, b.getF32Type()), dots[t * vectors + v]);
        Value sum = b.fma(b.mulf(dot, scale), weightScales[v], before[t * vectors + v]);
        after.push_back(offset ? b.fma(weightOffsets[v], offset, sum) : sum);
      }
    }
    return after;
  }

  KernelBuilder &b;
  const ProductOperands &operands;
  const Format &format;
  const ProductTile &tile;
  const int64_t lanes, vectors;
  const bool paired;
  SmallVector<Values> weights; // [v][quad of a run]: what is at hand
};

} // namespace

Values emitQuantizedProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile) {
  return QuantizedProduct(b, operands, tile).run();
}

} // namespace sinter::kern
