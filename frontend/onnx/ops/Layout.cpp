// Ops that move elements to other places: each element of the result is one of the inputs', found by index arithmetic.

#include "frontend/onnx/ops/Ops.h"

#include <algorithm>

namespace sinter::onnx_import {

static Tensors transpose(Node &node) {
  const Tensor &input = node.in(0);
  std::vector<int64_t> permutation = node.integers("perm");
  if (!node.has("perm"))
    for (int64_t i = input.rank(); i-- > 0;)
      permutation.push_back(i);
  std::vector<bool> seen(input.shape.size());
  if (permutation.size() != seen.size())
    fail("perm has " + std::to_string(permutation.size()) + " axes, the input " + std::to_string(input.rank()));
  for (int64_t &axis : permutation) {
    axis = node.axis(axis, input.rank());
    if (seen[axis])
      fail("perm names axis " + std::to_string(axis) + " twice");
    seen[axis] = true;
  }
  return {node.importer.transpose(input, permutation)};
}

//===-- Joining and cutting ----------------------------------------------------------------------------------------===//

Tensor concat(Importer &im, ArrayRef<Tensor> inputs, int64_t axis) {
  Shape shape = inputs[0].shape;
  std::vector<Dim> begins;
  Dim end = 0;
  bool known = true;
  std::vector<Dim> values;
  for (const Tensor &input : inputs) {
    if (input.shape.size() != shape.size() || input.elem != inputs[0].elem)
      fail("joins tensors of different rank or type");
    for (size_t i = 0; i < shape.size(); ++i)
      if (static_cast<int64_t>(i) != axis)
        shape[i] = im.same(shape[i], input.shape[i], "sizes of joined tensors");
    begins.push_back(end);
    end = end + input.shape[axis];
    std::optional<std::vector<Dim>> sizes = shape.size() == 1 ? im.knownSizes(input) : std::nullopt;
    if (sizes)
      values.insert(values.end(), sizes->begin(), sizes->end());
    known &= sizes.has_value();
  }
  shape[axis] = end;
  if (known)
    return im.fromSizes(values, inputs[0].elem, shape);
  std::vector<Value> starts;
  for (const Dim &begin : begins)
    starts.push_back(im.emit(begin));
  // Of two parts, those that are empty are left out.
  Tensors parts;
  std::vector<Value> offsets;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].shape[axis].is(0)) {
      parts.push_back(inputs[i]);
      offsets.push_back(starts[i]);
    }
  if (parts.size() == 1)
    return parts[0];
  return im.loops(parts, {{inputs[0].elem, shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    // Rows of the result: everything before the axis is shared out.
    SmallVector<Value> before(out[0].sizes.begin(), out[0].sizes.begin() + axis);
    auto copyParts = [&](ValueRange row) {
      for (size_t part = 0; part < in.size(); ++part) {
        SmallVector<Value> inner(in[part].sizes.begin() + axis, in[part].sizes.end());
        c.loopNest(inner, [&](ValueRange at) {
          SmallVector<Value> from(row), to(row);
          from.append(at.begin(), at.end());
          to.push_back(c.add(at[0], offsets[part]));
          to.append(at.begin() + 1, at.end());
          c.store(c.load(in[part], from), out[0], to);
        });
      }
    };
    c.parallel(before, copyParts);
  })[0];
}

static Tensors concatOp(Node &node) {
  if (node.inputs.empty())
    fail("joins no tensors");
  for (size_t i = 0; i < node.inputs.size(); ++i)
    node.in(i);
  const int64_t axis = node.axis(node.integer("axis", node.version < 4 ? std::optional<int64_t>(1) : std::nullopt),
                                 node.in(0).rank());
  return {concat(node.importer, node.inputs, axis)};
}

Tensor slice(Importer &im, const Tensor &input, int64_t axis, const Dim &begin, const Dim &size) {
  if (begin.is(0) && size == input.shape[axis])
    return input;
  Shape shape = input.shape;
  shape[axis] = size;
  Value from = im.emit(begin);
  return im.compute(input, {input.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place(at);
    place[axis] = c.add(place[axis], from);
    return c.load(in[0], place);
  });
}

static Tensors split(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 0), input.rank());
  std::vector<Dim> sizes;
  if (node.version < 13) {
    for (int64_t size : node.integers("split"))
      sizes.push_back(size);
  } else if (node.has(1)) {
    sizes = im.sizesOf(node.in(1), "split");
  }
  if (sizes.empty()) {
    const int64_t parts = node.integer("num_outputs", static_cast<int64_t>(node.outputs()));
    if (parts < 1)
      fail("has " + std::to_string(parts) + " parts");
    Dim size = im.dims.ceilDiv(input.shape[axis], parts);
    for (int64_t i = 0; i + 1 < parts; ++i)
      sizes.push_back(size);
    sizes.push_back(input.shape[axis] - size * (parts - 1));
  }
  Dim sum = 0;
  for (const Dim &size : sizes) {
    if (size.constant() && *size.constant() < 0)
      fail("has a part of size " + std::to_string(*size.constant()));
    sum = sum + size;
  }
  im.same(sum, input.shape[axis], "parts and the whole of a split");
  Tensors parts;
  Dim begin = 0;
  std::optional<std::vector<Dim>> known = input.rank() == 1 ? im.knownSizes(input) : std::nullopt;
  for (const Dim &size : sizes) {
    if (known && begin.constant() && size.constant()) {
      auto from = known->begin() + *begin.constant();
      parts.push_back(im.fromSizes({from, from + *size.constant()}, input.elem, {size}));
    } else {
      parts.push_back(slice(im, input, axis, begin, size));
    }
    begin = begin + size;
  }
  return parts;
}

// One axis of Slice: where it begins and how far apart its elements are.
static Tensors sliceOp(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  std::vector<Dim> starts, ends, axes, steps;
  if (node.version < 10) {
    for (auto [name, list] : {std::pair("starts", &starts), {"ends", &ends}, {"axes", &axes}})
      for (int64_t value : node.integers(name))
        list->push_back(value);
  } else {
    starts = im.sizesOf(node.in(1), "starts");
    ends = im.sizesOf(node.in(2), "ends");
    axes = node.has(3) ? im.sizesOf(node.in(3), "axes") : axes;
    steps = node.has(4) ? im.sizesOf(node.in(4), "steps") : steps;
  }
  if (axes.empty())
    for (size_t i = 0; i < starts.size(); ++i)
      axes.push_back(static_cast<int64_t>(i));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size())
    fail("starts, ends, axes and steps are of different length");

  Shape shape = input.shape;
  std::vector<Dim> begin(shape.size(), 0);
  std::vector<int64_t> step(shape.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    if (!axes[i].constant() || !steps[i].constant() || steps[i].is(0))
      fail("axes and steps must be known, and no step 0");
    const int64_t axis = node.axis(*axes[i].constant(), input.rank()), by = *steps[i].constant();
    const Dim &size = input.shape[axis];
    // Ends far outside are INT64_MAX and the like; what may be negative counts from the end.
    auto place = [&](const Dim &value, int64_t low, const Dim &high) -> Dim {
      if (value.constant() && *value.constant() >= INT32_MAX)
        return high;
      if (value.constant() && *value.constant() <= -INT32_MAX)
        return low;
      const bool negative = im.dims.range(value).high < 0;
      Dim result = negative ? value + size : value;
      return im.dims.max(im.dims.min(result, high), low);
    };
    begin[axis] = by > 0 ? place(starts[i], 0, size) : place(starts[i], 0, size - 1);
    const Dim end = by > 0 ? place(ends[i], 0, size) : place(ends[i], -1, size - 1);
    const Dim length = by > 0 ? im.dims.ceilDiv(end - begin[axis], by) : im.dims.ceilDiv(begin[axis] - end, -by);
    shape[axis] = im.dims.max(length, 0);
    step[axis] = by;
  }
  if (shape == input.shape && std::all_of(step.begin(), step.end(), [](int64_t by) { return by == 1; }))
    return {input};
  if (std::optional<std::vector<Dim>> known = input.rank() == 1 ? im.knownSizes(input) : std::nullopt;
      known && begin[0].constant() && shape[0].constant()) {
    std::vector<Dim> values;
    for (int64_t i = 0; i < *shape[0].constant(); ++i)
      values.push_back((*known)[*begin[0].constant() + i * step[0]]);
    return {im.fromSizes(values, input.elem, shape)};
  }
  std::vector<Value> from;
  for (const Dim &dim : begin)
    from.push_back(im.emit(dim));
  return {im.compute(input, {input.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place;
    for (size_t i = 0; i < step.size(); ++i)
      place.push_back(c.add(from[i], c.mul(at[i], c.index(step[i]))));
    return c.load(in[0], place);
  })};
}

//===-- Padding and repeating --------------------------------------------------------------------------------------===//

// Mirrors an index that lies outside of [0, size) at the first and the last element.
static Value reflect(Code &c, Value i, Value size) {
  Value period = c.max(c.mul(c.index(2), c.sub(size, c.index(1))), c.index(1));
  Value folded = mlir::arith::RemSIOp::create(c, c.abs(i), period);
  return c.select(c.lt(folded, size), folded, c.sub(period, folded));
}

static Tensors pad(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  const std::string mode = node.text("mode", "constant");
  std::vector<Dim> pads;
  Tensor fill;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < input.rank(); ++i)
    axes.push_back(i);
  if (node.version < 11) {
    for (int64_t each : node.integers(node.version < 2 ? "paddings" : "pads"))
      pads.push_back(each);
    fill = im.scalar(input.elem, node.real("value", 0));
  } else {
    pads = im.sizesOf(node.in(1), "pads");
    fill = node.has(2) ? node.in(2) : im.scalar(input.elem, 0);
    if (node.has(3)) {
      axes = im.integersOf(node.in(3), "axes");
      for (int64_t &axis : axes)
        axis = node.axis(axis, input.rank());
    }
  }
  if (pads.size() != 2 * axes.size())
    fail("has " + std::to_string(pads.size()) + " pads for " + std::to_string(axes.size()) + " axes");
  if (fill.elem != input.elem || !fill.count().is(1))
    fail("fills with what is not one element of the input's type");
  Shape shape = input.shape;
  std::vector<Value> before(shape.size(), im.emit(0));
  for (size_t i = 0; i < axes.size(); ++i) {
    shape[axes[i]] = shape[axes[i]] + pads[i] + pads[i + axes.size()];
    before[axes[i]] = im.emit(pads[i]);
  }
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    fail("mode is '" + mode + "', expected constant, edge, reflect or wrap");
  fill = im.reshape(fill, {});
  return {im.compute({input, fill}, {input.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place;
    Value inside = c.boolean(true);
    for (size_t i = 0; i < shape.size(); ++i) {
      Value from = c.sub(at[i], before[i]), size = in[0].sizes[i];
      if (mode == "constant") {
        inside = c.both(inside, c.both(c.le(c.index(0), from), c.lt(from, size)));
        place.push_back(from);
      } else if (mode == "edge") {
        place.push_back(c.clamp(from, c.index(0), c.sub(size, c.index(1))));
      } else if (mode == "wrap") {
        Value rest = mlir::arith::RemSIOp::create(c, from, size);
        place.push_back(c.select(c.lt(rest, c.index(0)), c.add(rest, size), rest));
      } else {
        place.push_back(reflect(c, from, size));
      }
    }
    if (mode != "constant")
      return c.load(in[0], place);
    return c.ifElse(computeType(input.elem, c.getContext()), inside, [&] { return c.load(in[0], place); },
                    [&] { return c.load(in[1], {}); });
  })};
}

static Tensors tile(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  std::vector<Dim> repeats = im.sizesOf(node.in(1), "repeats");
  if (repeats.size() != input.shape.size())
    fail("has " + std::to_string(repeats.size()) + " repeats for a tensor of rank " + std::to_string(input.rank()));
  Shape shape;
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (im.dims.range(repeats[i]).low < 0)
      fail("repeats an axis " + im.describe(repeats[i]) + " times");
    shape.push_back(input.shape[i] * repeats[i]);
  }
  if (shape == input.shape)
    return {input};
  return {im.compute(input, {input.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place;
    for (size_t i = 0; i < shape.size(); ++i)
      place.push_back(repeats[i].is(1) ? at[i] : Value(mlir::arith::RemUIOp::create(c, at[i], in[0].sizes[i])));
    return c.load(in[0], place);
  })};
}

// [n, c, h, w] cut and joined in the axes of blocks: a reshape, a transpose, a reshape.
static Tensors depthToSpace(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t block = node.integer("blocksize");
  const std::string mode = node.text("mode", "DCR");
  if (x.rank() != 4 || block < 1 || block > 65536 || (mode != "DCR" && mode != "CRD"))
    fail("takes [n, c, h, w], a positive blocksize and mode DCR or CRD");
  const Dim depth = im.dims.floorDiv(x.shape[1], block * block);
  im.same(depth * (block * block), x.shape[1], "channels and those of blocks");
  const bool dcr = mode == "DCR";
  Tensor six = im.reshape(x, dcr ? Shape{x.shape[0], block, block, depth, x.shape[2], x.shape[3]}
                                 : Shape{x.shape[0], depth, block, block, x.shape[2], x.shape[3]});
  six = im.transpose(six, dcr ? ArrayRef<int64_t>{0, 3, 4, 1, 5, 2} : ArrayRef<int64_t>{0, 1, 4, 2, 5, 3});
  return {im.reshape(six, {x.shape[0], depth, x.shape[2] * block, x.shape[3] * block})};
}

static Tensors spaceToDepth(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t block = node.integer("blocksize");
  if (x.rank() != 4 || block < 1 || block > 65536)
    fail("takes [n, c, h, w] and a positive blocksize");
  const Dim height = im.dims.floorDiv(x.shape[2], block), width = im.dims.floorDiv(x.shape[3], block);
  Tensor six = im.reshape(x, {x.shape[0], x.shape[1], height, block, width, block});
  six = im.transpose(six, {0, 3, 5, 1, 2, 4});
  return {im.reshape(six, {x.shape[0], x.shape[1] * (block * block), height, width})};
}

static Tensors reverseSequence(Node &node) {
  const Tensor &x = node.in(0);
  const int64_t batch = node.integer("batch_axis", 1), time = node.integer("time_axis", 0);
  if (x.rank() < 2 || batch + time != 1 || batch * time != 0 || node.in(1).rank() != 1)
    fail("takes batch_axis and time_axis 0 and 1, and a vector of lengths");
  return {node.importer.compute({x, node.in(1)}, {x.elem, x.shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    Value length = c.clamp(c.loadIndex(in[1], at[batch]), c.index(0), in[0].sizes[time]);
    SmallVector<Value> place(at);
    place[time] = c.select(c.lt(at[time], length), c.sub(c.sub(length, c.index(1)), at[time]), at[time]);
    return c.load(in[0], place);
  })};
}

static Tensors trilu(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const bool upper = node.integer("upper", 1);
  if (x.rank() < 2)
    fail("takes matrices");
  Tensor k = node.has(1) ? im.reshape(node.in(1), {}) : im.reshape(im.vectorOf({0}), {});
  return {im.compute({x, k}, {x.elem, x.shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    Value shift = c.loadIndex(in[1], {});
    Value row = c.add(at[at.size() - 2], shift), column = at.back();
    Value keep = upper ? c.le(row, column) : c.le(column, row);
    Value x = c.load(in[0], at);
    return c.select(keep, x, c.like(x, 0));
  })};
}

static Tensors centerCropPad(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  std::vector<Dim> wanted = im.sizesOf(node.in(1), "the shape");
  std::vector<int64_t> axes = node.integers("axes");
  if (!node.has("axes"))
    for (int64_t i = 0; i < x.rank(); ++i)
      axes.push_back(i);
  if (axes.size() != wanted.size())
    fail("has a shape of " + std::to_string(wanted.size()) + " sizes for " + std::to_string(axes.size()) + " axes");
  Shape shape = x.shape;
  std::vector<Value> shift(shape.size(), im.emit(0));
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = node.axis(axes[i], x.rank());
    // Cut: half of what is too much, rounded down, in front. Fill: the same.
    Dim more = wanted[i] - x.shape[axis];
    std::optional<int64_t> known = more.constant();
    if (!known)
      fail("changes an axis whose size is not known");
    shift[axis] = im.emit(*known >= 0 ? -(*known / 2) : (-*known) / 2);
    shape[axis] = wanted[i];
  }
  return {im.compute(x, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place;
    Value inside = c.boolean(true);
    for (size_t i = 0; i < shape.size(); ++i) {
      place.push_back(c.add(at[i], shift[i]));
      inside = c.both(inside, c.both(c.le(c.index(0), place[i]), c.lt(place[i], in[0].sizes[i])));
    }
    mlir::Type type = computeType(x.elem, c.getContext());
    return c.ifElse(type, inside, [&] { return c.load(in[0], place); }, [&] { return c.number(type, 0); });
  })};
}

ArrayRef<Op> layoutOps() {
  static const Op ops[] = {
      {"", "Transpose", 1, kNewest, transpose},
      {"", "Concat", 1, kNewest, concatOp},
      {"", "Split", 2, kNewest, split},
      {"", "Slice", 1, kNewest, sliceOp},
      {"", "Pad", 1, kNewest, pad},
      {"", "Tile", 6, kNewest, tile},
      {"", "DepthToSpace", 1, kNewest, depthToSpace},
      {"", "SpaceToDepth", 1, kNewest, spaceToDepth},
      {"", "ReverseSequence", 10, kNewest, reverseSequence},
      {"", "Trilu", 14, kNewest, trilu},
      {"", "CenterCropPad", 18, kNewest, centerCropPad},
  };
  return ops;
}

} // namespace sinter::onnx_import
