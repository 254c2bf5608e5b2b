// Ops that say or change sizes and move nothing: their results are known before the model runs, or the same memory under
// another shape.

#include "frontend/onnx/ops/Ops.h"

#include <algorithm>
#include <cmath>

namespace sinter::onnx_import {

static Tensors identity(Node &node) {
  node.in(0);
  return {node.inputs[0]};
}

// Inference: nothing is dropped. The mask says that everything was kept.
static Tensors dropout(Node &node) {
  Importer &im = node.importer;
  if (node.has(2)) {
    std::vector<int64_t> training = im.integersOf(node.in(2), "training_mode");
    const bool drops = !node.has(1) || im.realsOf(node.in(1), "ratio").at(0) != 0;
    if (training.size() != 1 || (training[0] && drops))
      fail("drops at random (training_mode), which inference does not");
  }
  Tensors results = {node.in(0)};
  if (node.wants(1)) {
    const ElemRef elem = node.version >= 10 ? elem::boolean() : node.in(0).elem;
    results.push_back(im.compute({}, {elem, node.in(0).shape}, [&](Code &c, ArrayRef<Mem>, ValueRange) {
      return elem->isBool() ? c.boolean(true) : c.number(computeType(elem, c.getContext()), 1);
    }));
  }
  return results;
}

static Tensors shapeOf(Node &node) {
  const Shape &shape = node.in(0).shape;
  const int64_t rank = node.in(0).rank();
  auto place = [&](int64_t value) { return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank); };
  const int64_t begin = place(node.integer("start", 0)), end = std::max(begin, place(node.integer("end", rank)));
  std::vector<Dim> sizes(shape.begin() + begin, shape.begin() + end);
  return {node.importer.fromSizes(sizes, elem::i64(), {end - begin})};
}

static Tensors sizeOf(Node &node) {
  return {node.importer.fromSizes({node.in(0).count()}, elem::i64(), {})};
}

static Tensors constantOf(Node &node) {
  Importer &im = node.importer;
  if (const auto *value = node.find("value"))
    return {im.fromProto(value->t())};
  if (node.has("value_int")) {
    Tensor all = im.vectorOf({node.integer("value_int")});
    return {im.reshape(all, {})};
  }
  if (node.has("value_ints"))
    return {im.vectorOf(node.integers("value_ints"))};
  auto floats = [&](const std::vector<double> &values) {
    std::vector<uint8_t> bytes;
    for (double value : values) {
      std::vector<uint8_t> one = im.scalar(elem::f32(), value).content->bytes;
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    return im.constant(elem::f32(), {static_cast<int64_t>(values.size())}, bytes);
  };
  if (node.has("value_float"))
    return {im.reshape(floats({node.real("value_float")}), {})};
  if (node.has("value_floats"))
    return {floats(node.reals("value_floats"))};
  fail("has no value that is a dense tensor of numbers");
}

// Sizes given as a tensor's values; none is negative.
static Shape shapeFrom(Node &node, size_t input, const char *what) {
  Shape shape = node.importer.sizesOf(node.in(input), what);
  if (node.in(input).rank() != 1)
    fail(std::string(what) + " is not a vector");
  for (const Dim &dim : shape)
    if (dim.constant() && *dim.constant() < 0)
      fail(std::string(what) + " has a size of " + std::to_string(*dim.constant()));
  return shape;
}

static Tensors constantOfShape(Node &node) {
  Importer &im = node.importer;
  const Shape shape = shapeFrom(node, 0, "the shape");
  const auto *value = node.find("value");
  Tensor element = value ? im.fromProto(value->t()) : im.scalar(elem::f32(), 0);
  if (!element.count().is(1))
    fail("value has more than one element");
  // Small ones stay known: exporters fill shapes with them.
  if (!element.elem->isReal() && shape.size() <= 1) {
    const std::optional<int64_t> count = shape.empty() ? 1 : shape[0].constant();
    if (count && *count <= 1024)
      return {im.fromSizes(std::vector<Dim>(*count, im.knownIntegers(element)->front()), element.elem, shape)};
  }
  const double number = im.knownReals(element)->front();
  const int64_t integer = element.elem->isReal() ? 0 : im.knownIntegers(element)->front();
  return {im.compute({}, {element.elem, shape}, [&](Code &c, ArrayRef<Mem>, ValueRange) -> Value {
    mlir::Type type = computeType(element.elem, c.getContext());
    if (element.elem->isReal())
      return c.number(type, number);
    return mlir::arith::ConstantOp::create(c, mlir::cast<mlir::TypedAttr>(mlir::Attribute(c.getIntegerAttr(type, integer))));
  })};
}

// start + i * delta. Integers are sizes, known or not; others must be known to count the elements.
static Tensors range(Node &node) {
  Importer &im = node.importer;
  const Tensor start = node.in(0), limit = node.in(1), delta = node.in(2);
  const ElemRef elem = start.elem;
  for (const Tensor &input : node.inputs)
    if (!input.count().is(1) || input.elem != elem)
      fail("takes three scalars of one type");
  if (elem->isReal()) {
    const double from = im.realsOf(start, "start")[0], to = im.realsOf(limit, "limit")[0],
                 step = im.realsOf(delta, "delta")[0];
    const double count = std::ceil((to - from) / step);
    if (!(count <= 1e9))
      fail("has " + std::to_string(count) + " elements");
    return {im.compute({}, {elem, {std::max<int64_t>(static_cast<int64_t>(count), 0)}},
                       [&](Code &c, ArrayRef<Mem>, ValueRange at) {
                         mlir::Type type = computeType(elem, c.getContext());
                         return c.add(c.number(type, from), c.mul(c.fromIndex(at[0], type), c.number(type, step)));
                       })};
  }
  const Dim from = im.sizesOf(start, "start")[0], to = im.sizesOf(limit, "limit")[0],
            step = im.sizesOf(delta, "delta")[0];
  if (!step.constant() || step.is(0))
    fail("has a delta of " + im.describe(step) + ", expected a number that is known and not 0");
  const Dim length = *step.constant() > 0 ? im.dims.ceilDiv(to - from, step)
                                          : im.dims.ceilDiv(from - to, Dim(0) - step);
  const Dim count = im.dims.max(length, 0);
  if (std::optional<int64_t> known = count.constant(); known && *known <= 1024) {
    std::vector<Dim> values;
    for (int64_t i = 0; i < *known; ++i)
      values.push_back(from + step * i);
    return {im.fromSizes(values, elem, {count})};
  }
  Value first = im.emit(from), by = im.emit(step);
  return {im.compute({}, {elem, {count}}, [&](Code &c, ArrayRef<Mem>, ValueRange at) {
    return c.fromIndex(c.add(first, c.mul(at[0], by)), computeType(elem, c.getContext()));
  })};
}

static Tensors reshape(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  Shape shape;
  if (node.version >= 5) {
    if (node.in(1).rank() != 1)
      fail("the shape is not a vector");
    shape = im.sizesOf(node.in(1), "the shape");
  } else {
    std::vector<int64_t> sizes = node.integers("shape");
    shape.assign(sizes.begin(), sizes.end());
  }
  const bool keepZero = node.integer("allowzero", 0);
  int64_t open = -1;
  Dim others = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is(0) && !keepZero) {
      if (i >= input.shape.size())
        fail("axis " + std::to_string(i) + " has the size of an axis that the input does not have");
      shape[i] = input.shape[i];
    }
    if (shape[i].is(-1)) {
      if (open >= 0)
        fail("two sizes of the shape are -1");
      open = static_cast<int64_t>(i);
    } else if (shape[i].constant() && *shape[i].constant() < 0) {
      fail("the shape has a size of " + std::to_string(*shape[i].constant()));
    } else {
      others = others * shape[i];
    }
  }
  if (open >= 0) {
    if (others.is(0))
      fail("a size of -1 beside a size of 0 can be any");
    shape[open] = im.dims.floorDiv(input.count(), others);
  }
  return {im.reshape(input, shape)};
}

static Tensors flatten(Node &node) {
  const Tensor &input = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 1), input.rank(), /*end=*/true);
  Shape shape = {1, 1};
  for (int64_t i = 0; i < input.rank(); ++i)
    shape[i >= axis] = shape[i >= axis] * input.shape[i];
  return {node.importer.reshape(input, shape)};
}

// Axes of Squeeze, Unsqueeze and others: an attribute in old versions, then an input.
static std::optional<std::vector<int64_t>> axesOf(Node &node, int64_t asInput) {
  if (node.version < asInput)
    return node.has("axes") ? std::optional(node.integers("axes")) : std::nullopt;
  return node.has(1) ? std::optional(node.importer.integersOf(node.in(1), "axes")) : std::nullopt;
}

static Tensors squeeze(Node &node) {
  const Tensor &input = node.in(0);
  std::vector<bool> drop(input.shape.size());
  if (std::optional<std::vector<int64_t>> axes = axesOf(node, 13)) {
    for (int64_t axis : *axes) {
      const int64_t place = node.axis(axis, input.rank());
      if (!input.shape[place].is(1))
        node.importer.same(input.shape[place], 1, "squeezed sizes");
      drop[place] = true;
    }
  } else {
    for (size_t i = 0; i < drop.size(); ++i)
      drop[i] = input.shape[i].is(1);
  }
  Shape shape;
  for (size_t i = 0; i < drop.size(); ++i)
    if (!drop[i])
      shape.push_back(input.shape[i]);
  return {node.importer.reshape(input, shape)};
}

static Tensors unsqueeze(Node &node) {
  const Tensor &input = node.in(0);
  std::optional<std::vector<int64_t>> axes = axesOf(node, 13);
  if (!axes)
    fail("has no axes");
  const int64_t rank = input.rank() + static_cast<int64_t>(axes->size());
  std::vector<bool> isNew(rank);
  for (int64_t axis : *axes) {
    const int64_t place = node.axis(axis, rank);
    if (isNew[place])
      fail("axis " + std::to_string(axis) + " is named twice");
    isNew[place] = true;
  }
  Shape shape;
  for (int64_t i = 0, from = 0; i < rank; ++i)
    shape.push_back(isNew[i] ? Dim(1) : input.shape[from++]);
  return {node.importer.reshape(input, shape)};
}

static Tensors expand(Node &node) {
  const Shape shape = shapeFrom(node, 1, "the shape");
  return {node.importer.broadcastTo(node.in(0), shape)};
}

static Tensors eyeLike(Node &node) {
  const Tensor &input = node.in(0);
  if (input.rank() != 2)
    fail("takes a matrix");
  const int64_t k = node.integer("k", 0);
  const ElemRef elem = node.has("dtype") ? elemOf(static_cast<int>(node.integer("dtype"))) : input.elem;
  return {node.importer.compute({}, {elem, input.shape}, [&](Code &c, ArrayRef<Mem>, ValueRange at) {
    Value on = c.eq(c.add(at[0], c.index(k)), at[1]);
    return c.convert(on, elem::boolean(), elem);
  })};
}

ArrayRef<Op> shapeOps() {
  static const Op ops[] = {
      {"", "Identity", 1, kNewest, identity},
      {"", "Dropout", 6, kNewest, dropout},
      {"", "Shape", 1, kNewest, shapeOf},
      {"", "Size", 1, kNewest, sizeOf},
      {"", "Constant", 1, kNewest, constantOf},
      {"", "ConstantOfShape", 9, kNewest, constantOfShape},
      {"", "Range", 11, kNewest, range},
      {"", "Reshape", 1, kNewest, reshape},
      {"", "Flatten", 1, kNewest, flatten},
      {"", "Squeeze", 1, kNewest, squeeze},
      {"", "Unsqueeze", 1, kNewest, unsqueeze},
      {"", "Expand", 8, kNewest, expand},
      {"", "EyeLike", 9, kNewest, eyeLike},
  };
  return ops;
}

} // namespace sinter::onnx_import
