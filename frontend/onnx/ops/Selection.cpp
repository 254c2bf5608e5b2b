// The largest elements of rows.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

// k times the best element that comes after the one before it, in the order of values and, among equal ones, of places.
static Tensors topK(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", -1), x.rank());
  const bool largest = node.integer("largest", 1), isUnsigned = x.elem->isUnsigned();
  Dim k = node.version < 10 ? Dim(node.integer("k")) : im.sizesOf(node.in(1), "k").at(0);
  Shape shape = x.shape;
  shape[axis] = k;
  return im.loops(x, {{x.elem, shape}, {elem::i64(), shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    SmallVector<Value> rows(out[0].sizes);
    rows.erase(rows.begin() + axis);
    c.parallel(rows, [&](ValueRange row) {
      auto at = [&](Value i) {
        SmallVector<Value> place(row);
        place.insert(place.begin() + axis, i);
        return place;
      };
      auto comesFirst = [&](Value a, Value i, Value b, Value j) {
        Value better = largest ? c.lt(b, a, isUnsigned) : c.lt(a, b, isUnsigned);
        return c.either(better, c.both(c.eq(a, b), c.lt(i, j)));
      };
      Value first = c.load(in[0], at(c.index(0)));
      c.loop(c.index(0), out[0].sizes[axis], {first, c.index(-1)}, [&](Value rank, ValueRange last) -> Code::Values {
        Code::Values best = c.loop(
            c.index(0), in[0].sizes[axis], {first, c.index(-1)}, [&](Value i, ValueRange s) -> Code::Values {
              Value value = c.load(in[0], at(i));
              Value isLeft = c.either(c.eq(rank, c.index(0)), comesFirst(last[0], last[1], value, i));
              Value better = c.either(c.eq(s[1], c.index(-1)), comesFirst(value, i, s[0], s[1]));
              Value take = c.both(isLeft, better);
              return {c.select(take, value, s[0]), c.select(take, i, s[1])};
            });
        c.store(best[0], out[0], at(rank));
        c.store(c.fromIndex(best[1], c.getI64Type()), out[1], at(rank));
        return best;
      });
    });
  });
}

ArrayRef<Op> selectionOps() {
  static const Op ops[] = {
      {"", "TopK", 1, kNewest, topK},
  };
  return ops;
}

} // namespace sinter::onnx_import
