// Reductions over axes. The kept axes are shared out among threads; the reduced ones are loops that carry an accumulator,
// f32 for halves. Sums may be added in another order, so that the innermost loop becomes vectors: an order that the target
// fixes, not the number of threads.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

// Which axes a reduction takes: an attribute, since `asInput` an input; all if there are none.
static std::vector<bool> reducedAxes(Node &node, int64_t asInput) {
  const Tensor &input = node.in(0);
  std::vector<int64_t> axes;
  if (node.version < asInput)
    axes = node.integers("axes");
  else if (node.has(1))
    axes = node.importer.integersOf(node.in(1), "axes");
  const bool none = axes.empty() && node.version >= asInput && node.integer("noop_with_empty_axes", 0);
  std::vector<bool> reduced(input.shape.size(), axes.empty() && !none);
  for (int64_t axis : axes)
    reduced[node.axis(axis, input.rank())] = true;
  return reduced;
}

struct Reduction {
  double initial; // of sums and products; of extremes the first element is
  Value (*before)(Code &c, Value x);
  Value (*join)(Code &c, Value a, Value b, bool isUnsigned);
  Value (*after)(Code &c, Value x, Value count);
};

static Value same(Code &, Value x) { return x; }
static Value square(Code &c, Value x) { return c.mul(x, x); }
static Value magnitude(Code &c, Value x) { return c.abs(x); }
static Value sum(Code &c, Value a, Value b, bool) { return addReordered(c, a, b); }
static Value product(Code &c, Value a, Value b, bool) { return c.mul(a, b); }
static Value least(Code &c, Value a, Value b, bool u) {
  return a.getType().isInteger(1) ? c.both(a, b) : c.min(a, b, u);
}
static Value most(Code &c, Value a, Value b, bool u) {
  return a.getType().isInteger(1) ? c.either(a, b) : c.max(a, b, u);
}
static Value done(Code &, Value x, Value) { return x; }
static Value root(Code &c, Value x, Value) { return c.sqrt(x); }
static Value logarithm(Code &c, Value x, Value) { return c.log(x); }
static Value mean(Code &c, Value x, Value count) {
  Value n = c.fromIndex(count, x.getType());
  return c.div(x, n);
}

// Calls `body` for every element that reduces into the one at `kept`.
static Code::Values overReduced(Code &c, const Mem &input, const std::vector<bool> &reduced, ValueRange kept,
                                ValueRange carried,
                                llvm::function_ref<Code::Values(ValueRange at, ValueRange carried)> body) {
  SmallVector<Value> sizes;
  for (size_t i = 0; i < reduced.size(); ++i)
    if (reduced[i])
      sizes.push_back(input.sizes[i]);
  return c.loopNest(sizes, carried, [&](ValueRange inner, ValueRange state) {
    SmallVector<Value> at;
    size_t nextKept = 0, nextInner = 0;
    for (bool isReduced : reduced)
      at.push_back(isReduced ? inner[nextInner++] : kept[nextKept++]);
    return body(at, state);
  });
}

// What the result looks like with and without reduced axes.
static Shape keptShape(const Shape &shape, const std::vector<bool> &reduced, bool keep) {
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i)
    if (!reduced[i] || keep)
      result.push_back(reduced[i] ? Dim(1) : shape[i]);
  return result;
}

static Value smallest(Code &c, ElemRef elem) {
  mlir::Type type = computeType(elem, c.getContext());
  if (elem->isReal())
    return c.number(type, -INFINITY);
  if (elem->isUnsigned())
    return c.number(type, 0);
  return mlir::arith::ConstantOp::create(c, c.getIntegerAttr(type, llvm::APInt::getSignedMinValue(elem->bits)));
}
static Value largest(Code &c, ElemRef elem) {
  mlir::Type type = computeType(elem, c.getContext());
  if (elem->isReal())
    return c.number(type, INFINITY);
  if (elem->isBool())
    return c.boolean(true);
  return mlir::arith::ConstantOp::create(c, c.getIntegerAttr(type, elem->isUnsigned()
                                                                        ? llvm::APInt::getMaxValue(elem->bits)
                                                                        : llvm::APInt::getSignedMaxValue(elem->bits)));
}

static Tensor reduce(Importer &im, const Tensor &input, const std::vector<bool> &reduced, bool keep,
                     const Reduction &rule) {
  const ElemRef elem = input.elem;
  Tensor result = im.loops(
      input, {{elem, keptShape(input.shape, reduced, false)}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
        SmallVector<Value> sizes;
        for (size_t i = 0; i < reduced.size(); ++i)
          if (reduced[i])
            sizes.push_back(in[0].sizes[i]);
        Value count = c.product(sizes);
        c.parallel(out[0].sizes, [&](ValueRange kept) {
          mlir::Type type = computeType(elem, c.getContext());
          Value initial = rule.join == least   ? largest(c, elem)
                          : rule.join == most ? smallest(c, elem)
                                              : c.number(type, rule.initial);
          Code::Values total =
              overReduced(c, in[0], reduced, kept, initial, [&](ValueRange at, ValueRange state) -> Code::Values {
                return {rule.join(c, state[0], rule.before(c, c.load(in[0], at)), elem->isUnsigned())};
              });
          c.store(rule.after(c, total[0], count), out[0], kept);
        });
      })[0];
  return keep ? im.reshape(result, keptShape(input.shape, reduced, true)) : result;
}

static constexpr Reduction kSum = {0, same, sum, done}, kMean = {0, same, sum, mean},
                           kProduct = {1, same, product, done}, kMin = {0, same, least, done},
                           kMax = {0, same, most, done}, kL1 = {0, magnitude, sum, done},
                           kL2 = {0, square, sum, root}, kSumSquare = {0, square, sum, done},
                           kLogSum = {0, same, sum, logarithm};

template <const Reduction &rule, int asInput> static Tensors reduceOp(Node &node) {
  if (node.in(0).elem->isBool() && rule.join != least && rule.join != most)
    fail("takes numbers, its input is bool");
  std::vector<bool> reduced = reducedAxes(node, asInput);
  return {reduce(node.importer, node.in(0), reduced, node.integer("keepdims", 1), rule)};
}

// log(sum(exp(x))), with the largest x taken out.
template <int asInput> static Tensors reduceLogSumExp(Node &node) {
  Importer &im = node.importer;
  std::vector<bool> reduced = reducedAxes(node, asInput);
  const ElemRef elem = node.in(0).elem;
  Tensor top = reduce(im, node.in(0), reduced, true, kMax);
  Tensor powers = im.map({node.in(0), top}, elem, [](Code &c, ValueRange x) { return c.exp(c.sub(x[0], x[1])); });
  Tensor total = reduce(im, powers, reduced, true, kLogSum);
  Tensor result = im.map({total, top}, elem, [](Code &c, ValueRange x) { return c.add(x[0], x[1]); });
  return {im.reshape(result, keptShape(node.in(0).shape, reduced, node.integer("keepdims", 1)))};
}

// The index of the largest or smallest element of an axis: the first, or the last of several.
template <bool largestWins> static Tensors argOf(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 0), input.rank());
  const bool last = node.integer("select_last_index", 0), isUnsigned = input.elem->isUnsigned();
  std::vector<bool> reduced(input.shape.size());
  reduced[axis] = true;
  Tensor result = im.loops(
      input, {{elem::i64(), keptShape(input.shape, reduced, false)}},
      [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
        c.parallel(out[0].sizes, [&](ValueRange kept) {
          Value edge = largestWins ? smallest(c, input.elem) : largest(c, input.elem);
          Code::Values found = overReduced(
              c, in[0], reduced, kept, {edge, c.index(-1)}, [&](ValueRange at, ValueRange s) -> Code::Values {
                Value x = c.load(in[0], at);
                Value better = last ? (largestWins ? c.le(s[0], x, isUnsigned) : c.le(x, s[0], isUnsigned))
                                    : (largestWins ? c.lt(s[0], x, isUnsigned) : c.lt(x, s[0], isUnsigned));
                better = c.either(better, c.eq(s[1], c.index(-1)));
                return {c.select(better, x, s[0]), c.select(better, at[axis], s[1])};
              });
          c.store(c.fromIndex(found[1], c.getI64Type()), out[0], kept);
        });
      })[0];
  return {im.reshape(result, keptShape(input.shape, reduced, node.integer("keepdims", 1)))};
}

// Sums or products of all elements of an axis so far.
template <bool multiply> static Tensors cumulate(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  const int64_t axis = node.axis(im.integersOf(node.in(1), "axis").at(0), input.rank());
  const bool exclusive = node.integer("exclusive", 0), reverse = node.integer("reverse", 0);
  return im.loops(input, {{input.elem, input.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    SmallVector<Value> lines(in[0].sizes);
    lines.erase(lines.begin() + axis);
    c.parallel(lines, [&](ValueRange line) {
      Value size = in[0].sizes[axis];
      Value start = c.number(computeType(input.elem, c.getContext()), multiply ? 1 : 0);
      c.loop(c.index(0), size, start, [&](Value i, ValueRange s) -> Code::Values {
        SmallVector<Value> at(line);
        at.insert(at.begin() + axis, reverse ? c.sub(c.sub(size, c.index(1)), i) : i);
        Value x = c.load(in[0], at);
        Value next = multiply ? c.mul(s[0], x) : c.add(s[0], x);
        c.store(exclusive ? s[0] : next, out[0], at);
        return {next};
      });
    });
  });
}

ArrayRef<Op> reductionOps() {
  static const Op ops[] = {
      {"", "ReduceSum", 1, kNewest, reduceOp<kSum, 13>},
      {"", "ReduceMean", 1, kNewest, reduceOp<kMean, 18>},
      {"", "ReduceProd", 1, kNewest, reduceOp<kProduct, 18>},
      {"", "ReduceMin", 1, kNewest, reduceOp<kMin, 18>},
      {"", "ReduceMax", 1, kNewest, reduceOp<kMax, 18>},
      {"", "ReduceL1", 1, kNewest, reduceOp<kL1, 18>},
      {"", "ReduceL2", 1, kNewest, reduceOp<kL2, 18>},
      {"", "ReduceSumSquare", 1, kNewest, reduceOp<kSumSquare, 18>},
      {"", "ReduceLogSum", 1, kNewest, reduceOp<kLogSum, 18>},
      {"", "ReduceLogSumExp", 1, kNewest, reduceLogSumExp<18>},
      {"", "ArgMax", 1, kNewest, argOf<true>},
      {"", "ArgMin", 1, kNewest, argOf<false>},
      {"", "CumSum", 11, kNewest, cumulate<false>},
      {"", "CumProd", 26, 99, cumulate<true>},
  };
  return ops;
}

} // namespace sinter::onnx_import
