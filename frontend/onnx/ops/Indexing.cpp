// Ops that read or write at places which other tensors name. Indices are data: one outside of its axis is made to lie inside,
// so that whatever a model is given, it touches only its own memory.

#include "frontend/onnx/ops/Ops.h"

namespace sinter::onnx_import {

Tensor gather(Importer &im, const Tensor &data, const Tensor &indices, int64_t axis) {
  // Of known sizes: what exporters compute shapes with.
  if (data.rank() == 1) {
    std::optional<std::vector<Dim>> values = im.knownSizes(data);
    std::optional<std::vector<int64_t>> at = im.knownIntegers(indices);
    if (values && at) {
      std::vector<Dim> result;
      const int64_t size = static_cast<int64_t>(values->size());
      for (int64_t i : *at) {
        if (i < -size || i >= size)
          fail("index " + std::to_string(i) + " is not in an axis of " + std::to_string(size));
        result.push_back((*values)[i < 0 ? i + size : i]);
      }
      return im.fromSizes(result, data.elem, indices.shape);
    }
  }
  Shape shape(data.shape.begin(), data.shape.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), data.shape.begin() + axis + 1, data.shape.end());
  const size_t rank = indices.shape.size();
  return im.compute({data, indices}, {data.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place(at.begin(), at.begin() + axis);
    place.push_back(c.wrap(c.loadIndex(in[1], at.slice(axis, rank)), in[0].sizes[axis]));
    place.append(at.begin() + axis + rank, at.end());
    return c.load(in[0], place);
  });
}

static Tensors gatherOp(Node &node) {
  return {gather(node.importer, node.in(0), node.in(1), node.axis(node.integer("axis", 0), node.in(0).rank()))};
}

static Tensors gatherElements(Node &node) {
  const Tensor &data = node.in(0), &indices = node.in(1);
  const int64_t axis = node.axis(node.integer("axis", 0), data.rank());
  if (indices.rank() != data.rank())
    fail("indices and data are of different rank");
  return {node.importer.compute({data, indices}, {data.elem, indices.shape},
                                [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
                                  SmallVector<Value> place;
                                  for (size_t i = 0; i < at.size(); ++i)
                                    place.push_back(static_cast<int64_t>(i) == axis
                                                        ? c.wrap(c.loadIndex(in[1], at), in[0].sizes[i])
                                                        : c.wrap(at[i], in[0].sizes[i]));
                                  return c.load(in[0], place);
                                })};
}

// The last axis of indices is a place in data, after the axes of batches.
static Tensors gatherNd(Node &node) {
  const Tensor &data = node.in(0), &indices = node.in(1);
  const int64_t batch = node.integer("batch_dims", 0);
  const std::optional<int64_t> depth = indices.rank() ? indices.shape.back().constant() : std::nullopt;
  if (!depth || *depth < 1 || batch < 0 || batch >= indices.rank() || batch + *depth > data.rank())
    fail("indices do not name places in the data");
  Shape shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), data.shape.begin() + batch + *depth, data.shape.end());
  const size_t outer = indices.shape.size() - 1;
  return {node.importer.compute({data, indices}, {data.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> place(at.begin(), at.begin() + batch), from(at.begin(), at.begin() + outer);
    for (int64_t i = 0; i < *depth; ++i) {
      from.push_back(c.index(i));
      place.push_back(c.wrap(c.loadIndex(in[1], from), in[0].sizes[batch + i]));
      from.pop_back();
    }
    place.append(at.begin() + outer, at.end());
    return c.load(in[0], place);
  })};
}

//===-- Scattering -------------------------------------------------------------------------------------------------===//

// How an update meets what is there.
static Value combine(Code &c, const std::string &how, Value old, Value update, bool isUnsigned) {
  if (how == "add")
    return c.add(old, update);
  if (how == "mul")
    return c.mul(old, update);
  if (how == "min")
    return c.min(old, update, isUnsigned);
  if (how == "max")
    return c.max(old, update, isUnsigned);
  return update;
}

// Copies the data and then applies updates one after another, since several may name one place: one thread.
using Place = llvm::function_ref<SmallVector<Value>(Code &c, const Mem &data, const Mem &indices, ValueRange at)>;
static Tensor scatter(Node &node, const Tensor &data, const Tensor &indices, const Tensor &updates,
                      const std::string &how, Place place) {
  if (how != "none" && how != "add" && how != "mul" && how != "min" && how != "max")
    fail("reduction is '" + how + "', expected none, add, mul, min or max");
  if (updates.elem != data.elem)
    fail("updates and data are of different type");
  return node.importer.loops({data, indices, updates}, {{data.elem, data.shape}},
                             [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
                               c.loopNest(in[0].sizes, [&](ValueRange at) { c.store(c.load(in[0], at), out[0], at); });
                               c.loopNest(in[2].sizes, [&](ValueRange at) {
                                 SmallVector<Value> to = place(c, in[0], in[1], at);
                                 Value value = combine(c, how, c.load(out[0], to), c.load(in[2], at),
                                                       data.elem->isUnsigned());
                                 c.store(value, out[0], to);
                               });
                             })[0];
}

static Tensors scatterElements(Node &node) {
  const Tensor &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  const int64_t axis = node.axis(node.integer("axis", 0), data.rank());
  if (indices.rank() != data.rank() || updates.rank() != data.rank())
    fail("data, indices and updates are of different rank");
  for (int64_t i = 0; i < data.rank(); ++i)
    node.importer.same(indices.shape[i], updates.shape[i], "sizes of indices and updates");
  return {scatter(node, data, indices, updates, node.text("reduction", "none"),
                  [&](Code &c, const Mem &data, const Mem &indices, ValueRange at) {
                    SmallVector<Value> to;
                    for (size_t i = 0; i < at.size(); ++i)
                      to.push_back(c.wrap(static_cast<int64_t>(i) == axis ? c.loadIndex(indices, at) : at[i],
                                          data.sizes[i]));
                    return to;
                  })};
}

static Tensors scatterNd(Node &node) {
  const Tensor &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  const std::optional<int64_t> depth = indices.rank() ? indices.shape.back().constant() : std::nullopt;
  if (!depth || *depth < 1 || *depth > data.rank() || updates.rank() != indices.rank() - 1 + data.rank() - *depth)
    fail("indices and updates do not fit the data");
  const size_t outer = indices.shape.size() - 1;
  for (size_t i = 0; i < outer; ++i)
    node.importer.same(indices.shape[i], updates.shape[i], "sizes of indices and updates");
  return {scatter(node, data, indices, updates, node.text("reduction", "none"),
                  [&](Code &c, const Mem &data, const Mem &indices, ValueRange at) {
                    SmallVector<Value> from(at.begin(), at.begin() + outer), to;
                    for (int64_t i = 0; i < *depth; ++i) {
                      from.push_back(c.index(i));
                      to.push_back(c.wrap(c.loadIndex(indices, from), data.sizes[i]));
                      from.pop_back();
                    }
                    for (size_t i = outer; i < at.size(); ++i)
                      to.push_back(c.wrap(at[i], data.sizes[to.size()]));
                    return to;
                  })};
}

// Writes rows into a cache at places that are given (opset 24), counting round its end with mode circular.
static Tensors tensorScatter(Node &node) {
  Importer &im = node.importer;
  const Tensor &cache = node.in(0), &update = node.in(1);
  const int64_t axis = node.axis(node.integer("axis", -2), cache.rank());
  const bool circular = node.text("mode", "linear") == "circular";
  if (cache.rank() != update.rank() || cache.elem != update.elem || axis == 0)
    fail("takes a cache and an update of one rank and type, and no batch axis");
  Tensors inputs = {cache, update};
  if (node.has(2))
    inputs.push_back(node.in(2));
  return {im.loops(inputs, {{cache.elem, cache.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.loopNest(in[0].sizes, [&](ValueRange at) { c.store(c.load(in[0], at), out[0], at); });
    c.loopNest(in[1].sizes, [&](ValueRange at) {
      SmallVector<Value> to(at);
      Value begin = in.size() > 2 ? c.loadIndex(in[2], at[0]) : c.index(0);
      Value place = c.add(begin, at[axis]);
      if (circular)
        place = mlir::arith::RemUIOp::create(c, place, in[0].sizes[axis]);
      to[axis] = c.wrap(place, in[0].sizes[axis]);
      c.store(c.load(in[1], at), out[0], to);
    });
  })};
}

//===-- One of many ------------------------------------------------------------------------------------------------===//

static Tensors oneHot(Node &node) {
  Importer &im = node.importer;
  const Tensor &indices = node.in(0), &values = node.in(2);
  const int64_t axis = node.axis(node.integer("axis", -1), indices.rank() + 1);
  Dim depth;
  if (node.in(1).elem->isReal())
    depth = static_cast<int64_t>(im.realsOf(node.in(1), "depth").at(0));
  else
    depth = im.sizesOf(node.in(1), "depth").at(0);
  if (values.rank() != 1)
    fail("values are not a vector of two");
  Shape shape = indices.shape;
  shape.insert(shape.begin() + axis, depth);
  Value size = im.emit(depth);
  return {im.compute({indices, values}, {values.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> from(at);
    from.erase(from.begin() + axis);
    Value raw = c.load(in[0], from);
    Value i = c.toIndex(c.convert(raw, indices.elem, elem::i64()));
    i = c.select(c.lt(i, c.index(0)), c.add(i, size), i);
    return c.select(c.eq(i, at[axis]), c.load(in[1], c.index(1)), c.load(in[1], c.index(0)));
  })};
}

// Elements of an axis, or of everything, whose condition is true; which are, must be known.
static Tensors compress(Node &node) {
  Importer &im = node.importer;
  Tensor input = node.in(0);
  std::vector<int64_t> condition = im.integersOf(node.in(1), "the condition"), kept;
  const bool hasAxis = node.has("axis");
  if (!hasAxis)
    input = im.reshape(input, {input.count()});
  const int64_t axis = hasAxis ? node.axis(node.integer("axis"), input.rank()) : 0;
  for (size_t i = 0; i < condition.size(); ++i)
    if (condition[i])
      kept.push_back(static_cast<int64_t>(i));
  return {gather(im, input, im.vectorOf(kept), axis)};
}

ArrayRef<Op> indexOps() {
  static const Op ops[] = {
      {"", "Gather", 1, kNewest, gatherOp},
      {"", "GatherElements", 11, kNewest, gatherElements},
      {"", "GatherND", 11, kNewest, gatherNd},
      {"", "Scatter", 9, kNewest, scatterElements},
      {"", "ScatterElements", 11, kNewest, scatterElements},
      {"", "ScatterND", 11, kNewest, scatterNd},
      {"", "TensorScatter", 24, kNewest, tensorScatter},
      {"", "OneHot", 9, kNewest, oneHot},
      {"", "Compress", 9, kNewest, compress},
  };
  return ops;
}

} // namespace sinter::onnx_import
