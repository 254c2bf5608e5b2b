// Products of 8-bit activation codes with packed 4- or 8-bit weight codes. Per group of columns the dot products are
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
      if (tile.stream)
        prefetch(block);
      return addGroup(group, block, sums);
    });
  }

private:
  Value row(int64_t t) { return b.add(tile.firstRow, t); }

  void prefetch(Value block) {
    int64_t bytes = format.blockBytes();
    Value ahead = b.mul(b.add(block, (kPrefetchBytes + bytes - 1) / bytes), bytes);
    for (int64_t line = 0; line < bytes; line += 64)
      b.prefetch(operands.weights, b.add(ahead, line));
  }

  // The integer products of one group.
  Values dotGroup(Value group, Value block) {
    Values sums;
    for (int64_t t = 0; t < tile.rows; ++t) {
      Value start =
          format.hasZeros ? b.splat(lanes, 0) : b.broadcast(b.loadScalar(operands.sums, {row(t), group}), lanes);
      sums.append(vectors, start);
    }
    int64_t headBytes = kTileRows * 2 * (format.hasZeros ? 2 : 1);
    Value codes = b.add(b.add(b.mul(block, format.blockBytes()), headBytes), b.mul(tile.firstOutput, 4));
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
    int64_t quadsPerLoad = 8 / format.bits;
    for (int64_t load = 0; load < columns / 4 / quadsPerLoad; ++load) {
      SmallVector<Values> weights; // [v][q]
      for (int64_t v = 0; v < vectors; ++v)
        weights.push_back(
            unpack(b.load(operands.weights, b.add(codes, (load * kTileRows + v * lanes) * 4), 4 * lanes)));
      for (int64_t q = 0; q < quadsPerLoad; ++q)
        for (int64_t t = 0; t < tile.rows; ++t) {
          Value four = b.loadScalar(operands.codes, {row(t), b.add(quads, load * quadsPerLoad + q)});
          Value activations = b.bitcast(b.broadcast(four, lanes), b.getI8Type());
          for (int64_t v = 0; v < vectors; ++v) {
            Value &sum = sums[t * vectors + v];
            sum = b.dot(sum, weights[v][q], activations, format.maxCode());
          }
        }
    }
    return sums;
  }

  // The quads that a load of packed bytes holds, in order.
  Values unpack(Value bytes) {
    if (format.bits == 8)
      return {bytes};
    auto all = [&](int8_t value) -> Value {
      VectorType type = cast<VectorType>(bytes.getType());
      return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getI8IntegerAttr(value)));
    };
    Value low = arith::AndIOp::create(b, bytes, all(15));
    Value high = arith::ShRUIOp::create(b, bytes, all(4));
    return {low, high};
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
