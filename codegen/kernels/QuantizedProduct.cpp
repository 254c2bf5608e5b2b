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

class QuantizedProduct {
public:
  QuantizedProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile)
      : b(b), operands(operands), format(operands.format), tile(tile), lanes(b.lanes()), vectors(tile.outputs / lanes) {
  }

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
    for (int64_t t = 0; t < tile.rows; ++t) {
      Value start =
          format.hasZeros ? b.splat(lanes, 0) : b.broadcast(b.loadScalar(operands.sums, {row(t), group}), lanes);
      sums.append(vectors, start);
    }
    Value codes = b.add(b.add(b.mul(block, format.blockBytes()), format.headBytes()), b.mul(tile.firstOutput, 4));
    Value quads = b.mul(group, format.group / 4);
    if (format.group <= kUnrolledColumns)
      return dotPiece(codes, quads, format.group, sums);
    int64_t pieceBytes = kUnrolledColumns * kTileRows * format.bits / 8;
    return b.loop(b.index(0), b.index(format.group / kUnrolledColumns), 1, sums, [&](Value piece, ValueRange now) {
      return dotPiece(b.add(codes, b.mul(piece, pieceBytes)), b.add(quads, b.mul(piece, kUnrolledColumns / 4)),
                      kUnrolledColumns, now);
    });
  }

  // `columns` columns: their weights from byte `codes` on, their activations from quad `quads` on.
  Values dotPiece(Value codes, Value quads, int64_t columns, ValueRange start) {
    Values sums(start);
    int64_t words = format.runWords(), runQuads = format.runColumns() / 4;
    for (int64_t run = 0; run < columns / format.runColumns(); ++run) {
      SmallVector<Values> weights; // [v][q]
      for (int64_t v = 0; v < vectors; ++v) {
        Values bytes;
        for (int64_t word = 0; word < words; ++word) {
          int64_t from = ((run * words + word) * kTileRows + v * lanes) * 4;
          bytes.push_back(b.load(operands.weights, b.add(codes, from), 4 * lanes));
        }
        weights.push_back(b.unpackQuads(format, bytes));
      }
      for (int64_t q = 0; q < runQuads; ++q)
        for (int64_t t = 0; t < tile.rows; ++t) {
          Value four = b.loadScalar(operands.codes, {row(t), b.add(quads, run * runQuads + q)});
          Value activations = b.bitcast(b.broadcast(four, lanes), b.getI8Type());
          for (int64_t v = 0; v < vectors; ++v) {
            Value &sum = sums[t * vectors + v];
            sum = b.dot(sum, weights[v][q], activations, format.maxCode());
          }
        }
    }
    return sums;
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
};

} // namespace

Values emitQuantizedProduct(KernelBuilder &b, const ProductOperands &operands, const ProductTile &tile) {
  return QuantizedProduct(b, operands, tile).run();
}

} // namespace sinter::kern
