// Pools: one number of each window.

#include "frontend/onnx/ops/Window.h"

#include <cmath>

namespace sinter::onnx_import {

static std::vector<Value> emitAll(Importer &im, ArrayRef<Dim> dims) {
  std::vector<Value> values;
  for (const Dim &dim : dims)
    values.push_back(im.emit(dim));
  return values;
}

static Shape outputShape(const Tensor &x, const Window &window) {
  Shape shape = {x.shape[0], x.shape[1]};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return shape;
}

static SmallVector<Value> kernelSpace(Code &c, const Window &window) {
  SmallVector<Value> space;
  for (int64_t size : window.kernel)
    space.push_back(c.index(size));
  return space;
}

// The second output is where in the tensor the largest element is, counted in row-major or column-major order of the
// spatial axes.
static Tensors maxPool(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  Window window = readWindow(node, x, node.integers("kernel_shape"));
  const bool columnMajor = node.integer("storage_order", 0);
  std::vector<Value> before = emitAll(im, window.before);
  std::vector<TensorType> outputs = {{x.elem, outputShape(x, window)}};
  if (node.wants(1))
    outputs.push_back({elem::i64(), outputs[0].shape});
  mlir::Type type = computeType(x.elem, im.code.getContext());
  return im.loops(x, outputs, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel(out[0].sizes, [&](ValueRange at) {
      ValueRange sizes = ValueRange(in[0].sizes).drop_front(2);
      Value lowest = x.elem->isReal()       ? c.number(type, -INFINITY)
                     : x.elem->isUnsigned() ? c.number(type, 0)
                                            : c.number(type, -std::ldexp(1.0, x.elem->bits - 1));
      Code::Values best = c.loopNest(
          kernelSpace(c, window), {lowest, c.index(-1)}, [&](ValueRange k, ValueRange s) -> Code::Values {
            WindowPlace place = placeOf(c, window, before, sizes, at.drop_front(2), k);
            mlir::scf::IfOp branch =
                mlir::scf::IfOp::create(c, mlir::TypeRange{type, c.getIndexType()}, place.inside, true);
            mlir::OpBuilder::InsertionGuard guard(c);
            c.setInsertionPointToStart(branch.thenBlock());
            SmallVector<Value> from = {at[0], at[1]};
            from.append(place.at);
            Value value = c.load(in[0], from);
            SmallVector<Value> order = place.at, extents(sizes);
            if (columnMajor) {
              std::reverse(order.begin(), order.end());
              std::reverse(extents.begin(), extents.end());
            }
            Value where = c.linearize(order, extents);
            Value more = c.either(c.lt(s[0], value, x.elem->isUnsigned()), c.eq(s[1], c.index(-1)));
            mlir::scf::YieldOp::create(c, ValueRange{c.select(more, value, s[0]), c.select(more, where, s[1])});
            c.setInsertionPointToStart(branch.elseBlock());
            mlir::scf::YieldOp::create(c, s);
            return Code::Values(branch.getResults());
          });
      c.store(best[0], out[0], at);
      if (out.size() > 1) {
        Value plane = c.add(c.mul(at[0], in[0].sizes[1]), at[1]);
        c.store(c.fromIndex(c.add(c.mul(plane, c.product(sizes)), best[1]), c.getI64Type()), out[1], at);
      }
    });
  });
}

// Sums a function of the elements of a window and makes the result of the sum and of how many elements counted.
using Of = llvm::function_ref<Value(Code &c, Value x)>;
static Tensor sumPool(Node &node, const Window &window, bool countPadding, Of before,
                      llvm::function_ref<Value(Code &c, Value sum, Value count)> after) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  std::vector<Value> front = emitAll(im, window.before), back = emitAll(im, window.after);
  const ElemRef elem = x.elem;
  mlir::Type type = computeType(elem, im.code.getContext());
  return im.compute(x, {elem, outputShape(x, window)}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    ValueRange sizes = ValueRange(in[0].sizes).drop_front(2);
    Code::Values total = c.loopNest(
        kernelSpace(c, window), {c.number(type, 0), c.number(type, 0)},
        [&](ValueRange k, ValueRange s) -> Code::Values {
          WindowPlace place = placeOf(c, window, front, sizes, at.drop_front(2), k);
          SmallVector<Value> from = {at[0], at[1]};
          from.append(place.at);
          Value value = c.ifElse(type, place.inside, [&] { return before(c, c.load(in[0], from)); },
                                 [&] { return c.number(type, 0); });
          Value counted = place.inside;
          if (countPadding) {
            counted = c.boolean(true);
            for (size_t i = 0; i < window.rank(); ++i)
              counted = c.both(counted, c.lt(place.at[i], c.add(sizes[i], back[i])));
          }
          Value one = c.select(counted, c.number(type, 1), c.number(type, 0));
          return {c.add(s[0], value), c.add(s[1], one)};
        });
    return after(c, total[0], total[1]);
  });
}

static Tensors averagePool(Node &node) {
  Window window = readWindow(node, node.in(0), node.integers("kernel_shape"));
  return {sumPool(node, window, node.integer("count_include_pad", 0), [](Code &, Value x) { return x; },
                  [](Code &c, Value sum, Value count) { return c.div(sum, c.max(count, c.like(count, 1))); })};
}

static Tensors lpPool(Node &node) {
  Window window = readWindow(node, node.in(0), node.integers("kernel_shape"));
  const double p = static_cast<double>(node.integer("p", 2));
  return {sumPool(node, window, false,
                  [&](Code &c, Value x) -> Value {
                    x = c.abs(x);
                    return p == 1 ? x : p == 2 ? c.mul(x, x) : Value(mlir::math::PowFOp::create(c, x, c.like(x, p)));
                  },
                  [&](Code &c, Value sum, Value) -> Value {
                    return p == 1   ? sum
                           : p == 2 ? c.sqrt(sum)
                                    : Value(mlir::math::PowFOp::create(c, sum, c.like(sum, 1 / p)));
                  })};
}

// Over all spatial axes: reductions.
template <int which> static Tensors globalPool(Node &node) {
  static const char *const ops[] = {"ReduceMean", "ReduceMax"};
  const Tensor &x = node.in(0);
  if (x.rank() < 3)
    fail("takes [n, c, ...]");
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < x.rank(); ++i)
    axes.push_back(i);
  return {node.importer.call(ops[which], {x, node.importer.vectorOf(axes)})};
}

static Tensors globalLpPool(Node &node) {
  const Tensor &x = node.in(0);
  const int64_t p = node.integer("p", 2);
  if (x.rank() < 3 || (p != 1 && p != 2))
    fail("takes [n, c, ...] and p of 1 or 2");
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < x.rank(); ++i)
    axes.push_back(i);
  return {node.importer.call(p == 1 ? "ReduceL1" : "ReduceL2", {x, node.importer.vectorOf(axes)})};
}

// Puts elements back where MaxPool found them, zeros elsewhere.
static Tensors maxUnpool(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0), &indices = node.in(1);
  Shape shape = {x.shape[0], x.shape.size() > 1 ? x.shape[1] : Dim(1)};
  if (node.has(2)) {
    shape = im.sizesOf(node.in(2), "output_shape");
  } else {
    std::vector<int64_t> kernel = node.integers("kernel_shape"), strides = node.integers("strides"),
                         pads = node.integers("pads");
    const size_t rank = kernel.size();
    strides.resize(strides.empty() ? rank : strides.size(), 1);
    pads.resize(pads.empty() ? 2 * rank : pads.size(), 0);
    if (x.shape.size() != rank + 2 || strides.size() != rank || pads.size() != 2 * rank)
      fail("its kernel, strides and pads do not fit " + im.describe(x.shape));
    for (size_t i = 0; i < rank; ++i)
      shape.push_back((x.shape[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + rank]);
  }
  // Indices count elements of the tensor that the pool left behind: for a given output shape those of the smaller one.
  if (shape.size() != x.shape.size())
    fail("its output shape is of another rank than " + im.describe(x.shape));
  Shape inner = shape;
  if (node.has(2)) {
    std::vector<int64_t> kernel = node.integers("kernel_shape"), strides = node.integers("strides");
    strides.resize(strides.empty() ? kernel.size() : strides.size(), 1);
    for (size_t i = 0; i < kernel.size() && i + 2 < inner.size() && i < strides.size(); ++i)
      inner[i + 2] = (x.shape[i + 2] - 1) * strides[i] + kernel[i];
  }
  std::vector<Value> sizes = emitAll(im, inner);
  return im.loops({x, indices}, {{x.elem, shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    mlir::Type type = computeType(x.elem, c.getContext());
    c.loopNest(out[0].sizes, [&](ValueRange at) { c.store(c.number(type, 0), out[0], at); });
    c.loopNest(in[0].sizes, [&](ValueRange at) {
      Value flat = c.wrap(c.loadIndex(in[1], at), c.product(sizes));
      Code::Values to = c.delinearize(flat, sizes);
      for (size_t i = 0; i < to.size(); ++i)
        to[i] = c.wrap(to[i], out[0].sizes[i]);
      c.store(c.load(in[0], at), out[0], to);
    });
  });
}

ArrayRef<Op> poolingOps() {
  static const Op ops[] = {
      {"", "MaxPool", 1, kNewest, maxPool},
      {"", "AveragePool", 1, kNewest, averagePool},
      {"", "LpPool", 2, kNewest, lpPool},
      {"", "GlobalAveragePool", 1, kNewest, globalPool<0>},
      {"", "GlobalMaxPool", 1, kNewest, globalPool<1>},
      {"", "GlobalLpPool", 2, kNewest, globalLpPool},
      {"", "MaxUnpool", 9, kNewest, maxUnpool},
  };
  return ops;
}

} // namespace sinter::onnx_import
