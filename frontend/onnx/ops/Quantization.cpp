// Quantizing and back. Scales and zero points are of the whole tensor, of an axis, or of blocks of an axis (opset 21).

#include "frontend/onnx/ops/Ops.h"

namespace sinter::onnx_import {

// A scale or zero point in the shape that broadcasts to x.
static Tensor spread(Node &node, const Tensor &scale, const Tensor &x, int64_t block) {
  Importer &im = node.importer;
  if (scale.count().is(1) && scale.rank() <= 1)
    return im.reshape(scale, {});
  const int64_t axis = node.axis(node.integer("axis", 1), x.rank());
  if (!block) {
    if (scale.rank() != 1)
      fail("a scale of rank " + std::to_string(scale.rank()) + " needs block_size");
    Shape shape(x.shape.size(), 1);
    shape[axis] = scale.shape[0];
    return im.reshape(scale, shape);
  }
  // Each block's, repeated.
  if (scale.rank() != x.rank())
    fail("the scale of blocks is of another rank than the tensor");
  Shape shape = scale.shape;
  shape[axis] = x.shape[axis];
  return im.compute(scale, {scale.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place(at);
    place[axis] = c.div(at[axis], c.index(block));
    return c.load(in[0], place);
  });
}

static std::pair<double, double> limits(ElemRef elem) {
  const unsigned bits = elem->packed;
  return elem->isUnsigned() ? std::pair(0.0, double((1ull << bits) - 1))
                            : std::pair(-double(1ull << (bits - 1)), double((1ull << (bits - 1)) - 1));
}

static Tensors quantize(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t block = node.integer("block_size", 0);
  Tensors inputs = {x, spread(node, node.in(1), x, block)};
  ElemRef elem = elem::u8();
  if (node.has(2)) {
    elem = node.in(2).elem;
    inputs.push_back(spread(node, node.in(2), x, block));
  } else if (int64_t type = node.integer("output_dtype", 0)) {
    elem = elemOf(static_cast<int>(type));
  }
  if (elem->isReal() || elem->bits > 16)
    fail(std::string("quantizes to ") + elem->name + ", expected integers of 4, 8 or 16 bits");
  auto [low, high] = limits(elem);
  return {im.map(inputs, elem, [&, low = low, high = high](Code &c, ValueRange v) {
    Value value = c.convert(v[0], x.elem, elem::f32()), scale = c.convert(v[1], inputs[1].elem, elem::f32());
    Value y = c.round(c.div(value, scale));
    if (v.size() > 2)
      y = c.add(y, c.convert(v[2], elem, elem::f32()));
    return c.convert(c.clamp(y, c.like(y, low), c.like(y, high)), elem::f32(), elem);
  })};
}

static Tensors dequantize(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t block = node.integer("block_size", 0);
  Tensors inputs = {x, spread(node, node.in(1), x, block)};
  if (node.has(2))
    inputs.push_back(spread(node, node.in(2), x, block));
  ElemRef elem = node.in(1).elem;
  if (int64_t type = node.integer("output_dtype", 0))
    elem = elemOf(static_cast<int>(type));
  return {im.map(inputs, elem, [&](Code &c, ValueRange v) {
    Value y = c.convert(v[0], x.elem, elem::i32());
    if (v.size() > 2)
      y = c.sub(y, c.convert(v[2], x.elem, elem::i32()));
    Value scaled = c.mul(c.convert(y, elem::i32(), elem::f32()), c.convert(v[1], inputs[1].elem, elem::f32()));
    return c.convert(scaled, elem::f32(), elem);
  })};
}

// To u8 by the range of the whole tensor, zero included.
static Tensors dynamicQuantize(Node &node) {
  Importer &im = node.importer;
  const Tensor x = node.in(0);
  if (x.elem != elem::f32())
    fail("takes f32");
  Tensor flat = im.reshape(x, {x.count()});
  Tensors range = im.loops(flat, {{elem::f32(), {}}, {elem::u8(), {}}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    Value zero = c.f32(0);
    Code::Values ends = c.loop(c.index(0), in[0].sizes[0], {zero, zero}, [&](Value i, ValueRange s) -> Code::Values {
      Value value = c.load(in[0], i);
      return {mlir::arith::MinNumFOp::create(c, s[0], value), mlir::arith::MaxNumFOp::create(c, s[1], value)};
    });
    Value scale = c.div(c.sub(ends[1], ends[0]), c.f32(255));
    // Nothing but zeros: any scale will do.
    Value point = c.round(c.clamp(c.neg(c.div(ends[0], scale)), zero, c.f32(255)));
    point = c.select(c.eq(scale, zero), zero, point);
    c.store(scale, out[0], {});
    c.store(c.convert(point, elem::f32(), elem::u8()), out[1], {});
  });
  Tensor codes = im.map({x, range[0], range[1]}, elem::u8(), [&](Code &c, ValueRange v) {
    Value scale = c.select(c.eq(v[1], c.f32(0)), c.f32(1), v[1]);
    Value y = c.add(c.round(c.div(v[0], scale)), c.convert(v[2], elem::u8(), elem::f32()));
    return c.convert(c.clamp(y, c.f32(0), c.f32(255)), elem::f32(), elem::u8());
  });
  return {codes, range[0], range[1]};
}

ArrayRef<Op> quantizationOps() {
  static const Op ops[] = {
      {"", "QuantizeLinear", 10, kNewest, quantize},
      {"", "DequantizeLinear", 10, kNewest, dequantize},
      {"", "DynamicQuantizeLinear", 11, kNewest, dynamicQuantize},
      {"com.microsoft", "QuantizeLinear", 1, 1, quantize},
      {"com.microsoft", "DequantizeLinear", 1, 1, dequantize},
  };
  return ops;
}

} // namespace sinter::onnx_import
