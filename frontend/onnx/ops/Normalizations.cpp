// Softmax and the family of norms: one kernel each, whose rows are shared out among threads. Whatever the elements are, sums
// are in f32 (of f64, in f64).

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

static ElemRef wideOf(ElemRef elem) { return elem->bits == 64 ? elem : elem::f32(); }

// A tensor as [outer, axes, inner], the same memory.
struct Folded {
  Tensor tensor;
  Dim outer = 1, middle = 1, inner = 1;
};
static Folded fold(Importer &im, const Tensor &input, int64_t begin, int64_t end) {
  Folded result;
  for (int64_t i = 0; i < input.rank(); ++i) {
    Dim &part = i < begin ? result.outer : i < end ? result.middle : result.inner;
    part = part * input.shape[i];
  }
  result.tensor = im.reshape(input, {result.outer, result.middle, result.inner});
  return result;
}

Tensor softmax(Importer &im, const Tensor &input, int64_t axis, bool log) {
  Folded x = fold(im, input, axis, axis + 1);
  const ElemRef elem = input.elem;
  mlir::Type type = computeType(elem, im.code.getContext());
  Tensor result = im.loops(
      x.tensor, {{elem, x.tensor.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
        Value zero = c.index(0), size = in[0].sizes[1];
        c.parallel({in[0].sizes[0], in[0].sizes[2]}, [&](ValueRange row) {
          auto load = [&](Value i) { return c.load(in[0], {row[0], i, row[1]}); };
          Value top = c.loop(zero, size, c.number(type, -INFINITY), [&](Value i, ValueRange s) -> Code::Values {
            return {mlir::arith::MaxNumFOp::create(c, s[0], load(i))};
          })[0];
          // A row of -infinity has no largest number: 0 / 0, as everywhere.
          Value total = c.loop(zero, size, c.number(type, 0), [&](Value i, ValueRange s) -> Code::Values {
            Value power = c.exp(c.sub(load(i), top));
            if (!log)
              c.store(power, out[0], {row[0], i, row[1]});
            return {addReordered(c, s[0], power)};
          })[0];
          Value scale = log ? c.log(total) : c.div(c.number(type, 1), total);
          c.loop(zero, size, [&](Value i) {
            SmallVector<Value> at = {row[0], i, row[1]};
            c.store(log ? c.sub(c.sub(load(i), top), scale) : c.mul(c.load(out[0], at), scale), out[0], at);
          });
        });
      })[0];
  return im.reshape(result, input.shape);
}

// Until opset 12 the input is seen as a matrix, whose columns begin at the axis.
template <bool log> static Tensors softmaxOp(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  if (node.version >= 13)
    return {softmax(im, input, node.axis(node.integer("axis", -1), input.rank()), log)};
  Folded x = fold(im, input, node.axis(node.integer("axis", 1), input.rank(), true), input.rank());
  return {im.reshape(softmax(im, im.reshape(x.tensor, {x.outer, x.middle}), 1, log), input.shape)};
}

// One at the largest element of each row, the first of several.
static Tensors hardmax(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  int64_t begin = node.axis(node.integer("axis", node.version >= 13 ? -1 : 1), input.rank(), node.version < 13);
  Folded x = fold(im, input, begin, node.version >= 13 ? begin + 1 : input.rank());
  mlir::Type type = computeType(input.elem, im.code.getContext());
  Tensor result = im.loops(x.tensor, {{input.elem, x.tensor.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel({in[0].sizes[0], in[0].sizes[2]}, [&](ValueRange row) {
      Code::Values top = c.loop(c.index(0), in[0].sizes[1], {c.number(type, -INFINITY), c.index(0)},
                                [&](Value i, ValueRange s) -> Code::Values {
                                  Value x = c.load(in[0], {row[0], i, row[1]}), more = c.lt(s[0], x);
                                  return {c.select(more, x, s[0]), c.select(more, i, s[1])};
                                });
      c.loop(c.index(0), in[0].sizes[1], [&](Value i) {
        c.store(c.convert(c.eq(i, top[1]), elem::boolean(), input.elem), out[0], {row[0], i, row[1]});
      });
    });
  })[0];
  return {im.reshape(result, input.shape)};
}

//===-- Norms ------------------------------------------------------------------------------------------------------===//

Tensors normalize(Importer &im, const Tensor &input, int64_t axis, double epsilon, bool rms, const Tensor &scale,
                  const Tensor &bias, bool statistics) {
  Folded x = fold(im, input, axis, input.rank());
  const ElemRef elem = input.elem, wide = wideOf(elem);
  mlir::Type type = computeType(wide, im.code.getContext());
  Tensors inputs = {im.reshape(x.tensor, {x.outer, x.middle})};
  // Weights of the normalized shape, or what broadcasts to it.
  Shape normalized(input.shape.begin() + axis, input.shape.end());
  for (const Tensor *weight : {&scale, &bias})
    if (weight->exists()) {
      Tensor full = weight->shape == normalized ? *weight : im.broadcastTo(*weight, normalized);
      inputs.push_back(im.reshape(full, {x.middle}));
    }
  std::vector<TensorType> outputs = {{elem, {x.outer, x.middle}}};
  if (statistics)
    outputs.insert(outputs.end(), 2, {wide, {x.outer}});
  Tensors results = im.loops(inputs, outputs, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    Value zero = c.index(0), size = in[0].sizes[1];
    Value inverse = c.div(c.number(type, 1), c.fromIndex(size, type));
    c.parallel(in[0].sizes[0], [&](ValueRange row) {
      auto load = [&](Value i) { return c.convert(c.load(in[0], {row[0], i}), elem, wide); };
      Value mean = c.number(type, 0);
      if (!rms)
        mean = c.mul(inverse, c.loop(zero, size, mean, [&](Value i, ValueRange s) -> Code::Values {
          return {addReordered(c, s[0], load(i))};
        })[0]);
      Value squares = c.loop(zero, size, c.number(type, 0), [&](Value i, ValueRange s) -> Code::Values {
        Value centered = rms ? load(i) : c.sub(load(i), mean);
        return {addReordered(c, s[0], c.mul(centered, centered))};
      })[0];
      Value deviation = c.sqrt(c.add(c.mul(squares, inverse), c.number(type, epsilon)));
      Value factor = c.div(c.number(type, 1), deviation);
      c.loop(zero, size, [&](Value i) {
        Value y = c.mul(rms ? load(i) : c.sub(load(i), mean), factor);
        size_t next = 1;
        if (scale.exists())
          y = c.mul(y, c.convert(c.load(in[next++], i), scale.elem, wide));
        if (bias.exists())
          y = c.add(y, c.convert(c.load(in[next], i), bias.elem, wide));
        c.store(c.convert(y, wide, elem), out[0], {row[0], i});
      });
      if (statistics) {
        c.store(mean, out[1], row);
        c.store(factor, out[2], row);
      }
    });
  });
  results[0] = im.reshape(results[0], input.shape);
  Shape reduced(input.shape.begin(), input.shape.begin() + axis);
  reduced.resize(input.shape.size(), 1);
  for (size_t i = 1; i < results.size(); ++i)
    results[i] = im.reshape(results[i], reduced);
  return results;
}

static Tensors layerNormalization(Node &node) {
  const Tensor &x = node.in(0);
  return normalize(node.importer, x, node.axis(node.integer("axis", -1), x.rank()), node.real("epsilon", 1e-5), false,
                   node.in(1), node.has(2) ? node.in(2) : Tensor(), node.wants(1) || node.wants(2));
}

static Tensors rmsNormalization(Node &node) {
  const Tensor &x = node.in(0);
  return normalize(node.importer, x, node.axis(node.integer("axis", -1), x.rank()), node.real("epsilon", 1e-5), true,
                   node.in(1), Tensor());
}

// com.microsoft's: input + skip + bias, normalized; the sum is the fourth output.
template <bool rms> static Tensors skipNormalization(Node &node) {
  Importer &im = node.importer;
  const size_t biasInput = rms ? 3 : 4;
  Tensors terms = {node.in(0), node.in(1)};
  if (node.has(biasInput))
    terms.push_back(node.in(biasInput));
  Tensor sum = im.map(terms, node.in(0).elem, [](Code &c, ValueRange x) {
    Value total = c.add(x[0], x[1]);
    return x.size() > 2 ? c.add(total, x[2]) : total;
  });
  Tensors results = normalize(im, sum, sum.rank() - 1, node.real("epsilon", rms ? 1e-6 : 1e-12), rms, node.in(2),
                              !rms && node.has(3) ? node.in(3) : Tensor(), node.wants(1) || node.wants(2));
  results.resize(3);
  results.push_back(sum);
  return results;
}

// Mean and deviation of each channel of each sample, or of each group of channels.
static Tensor perGroup(Importer &im, const Tensor &x, Dim groups, double epsilon) {
  if (x.rank() < 2)
    fail("takes [n, c, ...]");
  Dim rest = im.dims.floorDiv(x.count(), x.shape[0] * groups);
  Tensor folded = im.reshape(x, {x.shape[0], groups, rest});
  return im.reshape(normalize(im, folded, 2, epsilon, false, Tensor(), Tensor())[0], x.shape);
}

static Tensor perChannel(Importer &im, const Tensor &weight, int64_t rank) {
  Shape shape = {weight.count()};
  for (int64_t i = 2; i < rank; ++i)
    shape.push_back(1);
  return im.reshape(weight, shape);
}

static Tensor scaleAndShift(Importer &im, const Tensor &x, const Tensor &scale, const Tensor &bias) {
  return im.map({x, scale, bias}, x.elem, [&](Code &c, ValueRange v) {
    return c.add(c.mul(v[0], c.convert(v[1], scale.elem, x.elem)), c.convert(v[2], bias.elem, x.elem));
  });
}

static Tensors instanceNormalization(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  if (x.rank() < 2)
    fail("takes [n, c, ...]");
  Tensor y = perGroup(im, x, x.shape[1], node.real("epsilon", 1e-5));
  return {scaleAndShift(im, y, perChannel(im, node.in(1), x.rank()), perChannel(im, node.in(2), x.rank()))};
}

static Tensors groupNormalization(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  if (x.rank() < 2)
    fail("takes [n, c, ...]");
  const int64_t groups = node.integer("num_groups");
  if (groups < 1)
    fail("has " + std::to_string(groups) + " groups");
  Tensor y = perGroup(im, x, groups, node.real("epsilon", 1e-5)), scale = node.in(1), bias = node.in(2);
  if (node.version < 21) { // weights of groups
    const Dim each = im.dims.floorDiv(x.shape[1], groups);
    for (Tensor *weight : {&scale, &bias})
      *weight = im.reshape(im.broadcastTo(im.reshape(*weight, {groups, 1}), {groups, each}), {x.shape[1]});
  }
  return {scaleAndShift(im, y, perChannel(im, scale, x.rank()), perChannel(im, bias, x.rank()))};
}

static Tensors batchNormalization(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const double epsilon = node.real("epsilon", 1e-5), momentum = node.real("momentum", 0.9);
  const bool training = node.version >= 14 ? node.integer("training_mode", 0) : false;
  if ((node.version < 9 && !node.integer("spatial", 1)) || x.rank() < 1)
    fail("takes [n, c, ...] and normalizes channels only");
  const ElemRef wide = wideOf(x.elem);
  Tensor mean = node.in(3), variance = node.in(4);
  Tensors results(1);
  if (training) {
    // Of this batch, and blended into the running ones.
    Tensor byChannel = x;
    if (x.rank() >= 2) {
      std::vector<int64_t> order = {1, 0};
      for (int64_t i = 2; i < x.rank(); ++i)
        order.push_back(i);
      byChannel = im.transpose(x, order);
    }
    const Dim each = im.dims.floorDiv(x.count(), x.shape[1]);
    Tensors statistics = normalize(im, im.reshape(byChannel, {x.shape[1], each}), 1, 0, false, Tensor(), Tensor(), true);
    Tensor batchMean = im.reshape(statistics[1], {x.shape[1]}), factor = im.reshape(statistics[2], {x.shape[1]});
    Tensor batchVariance = im.map(factor, wide, [](Code &c, ValueRange f) {
      return c.div(c.like(f[0], 1), c.mul(f[0], f[0]));
    });
    auto blend = [&](const Tensor &old, const Tensor &now) {
      return im.map({old, now}, old.elem, [&](Code &c, ValueRange v) {
        Value a = c.convert(v[0], old.elem, wide);
        Value sum = c.add(c.mul(a, c.like(a, momentum)), c.mul(v[1], c.like(v[1], 1 - momentum)));
        return c.convert(sum, wide, old.elem);
      });
    };
    results.push_back(blend(mean, batchMean));
    results.push_back(blend(variance, batchVariance));
    mean = batchMean;
    variance = batchVariance;
  }
  auto channel = [&](const Tensor &weight) { return x.rank() < 2 ? weight : perChannel(im, weight, x.rank()); };
  Tensors inputs = {x, channel(node.in(1)), channel(node.in(2)), channel(mean), channel(variance)};
  results[0] = im.map(inputs, x.elem, [&](Code &c, ValueRange v) {
    SmallVector<Value> w;
    for (size_t i = 0; i < inputs.size(); ++i)
      w.push_back(c.convert(v[i], inputs[i].elem, wide));
    Value factor = c.div(w[1], c.sqrt(c.add(w[4], c.like(w[4], epsilon))));
    return c.convert(c.add(c.mul(c.sub(w[0], w[3]), factor), w[2]), wide, x.elem);
  });
  return results;
}

// y = x / (bias + alpha / size * sum of squares of the channels around)^beta
static Tensors localResponse(Node &node) {
  const Tensor &x = node.in(0);
  const int64_t size = node.integer("size");
  const double alpha = node.real("alpha", 1e-4), beta = node.real("beta", 0.75), bias = node.real("bias", 1);
  if (x.rank() < 2 || size < 1 || size > 65536)
    fail("takes [n, c, ...] and a positive size");
  return {node.importer.compute(x, {x.elem, x.shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) -> Value {
    Value low = c.max(c.sub(at[1], c.index((size - 1) / 2)), c.index(0));
    Value high = c.min(c.add(at[1], c.index(size / 2 + 1)), in[0].sizes[1]);
    Value here = c.load(in[0], at);
    Value squares = c.loop(low, high, c.like(here, 0), [&](Value i, ValueRange s) -> Code::Values {
      SmallVector<Value> place(at);
      place[1] = i;
      Value other = c.load(in[0], place);
      return {c.add(s[0], c.mul(other, other))};
    })[0];
    Value base = c.add(c.like(here, bias), c.mul(c.like(here, alpha / double(size)), squares));
    return c.div(here, mlir::math::PowFOp::create(c, base, c.like(here, beta)));
  })};
}

// x / (L1 or L2 norm of the axis)
static Tensors lpNormalization(Node &node) {
  Importer &im = node.importer;
  const Tensor &input = node.in(0);
  const int64_t p = node.integer("p", 2), axis = node.axis(node.integer("axis", -1), input.rank());
  if (p != 1 && p != 2)
    fail("p is " + std::to_string(p) + ", expected 1 or 2");
  Folded x = fold(im, input, axis, axis + 1);
  Tensor result = im.loops(x.tensor, {{input.elem, x.tensor.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel({in[0].sizes[0], in[0].sizes[2]}, [&](ValueRange row) {
      auto load = [&](Value i) { return c.load(in[0], {row[0], i, row[1]}); };
      Value zero = c.number(computeType(input.elem, c.getContext()), 0);
      Value norm = c.loop(c.index(0), in[0].sizes[1], zero, [&](Value i, ValueRange s) -> Code::Values {
        Value x = load(i);
        return {addReordered(c, s[0], p == 1 ? c.abs(x) : c.mul(x, x))};
      })[0];
      norm = p == 1 ? norm : c.sqrt(norm);
      Value isZero = c.eq(norm, zero);
      c.loop(c.index(0), in[0].sizes[1], [&](Value i) {
        c.store(c.select(isZero, zero, c.div(load(i), norm)), out[0], {row[0], i, row[1]});
      });
    });
  })[0];
  return {im.reshape(result, input.shape)};
}

// (x - mean) / (deviation + 1e-9) over axes
static Tensors meanVariance(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  std::vector<int64_t> axes = node.has("axes") ? node.integers("axes") : std::vector<int64_t>{0, 2, 3}, order;
  std::vector<bool> reduced(x.shape.size());
  for (int64_t axis : axes)
    reduced[node.axis(axis, x.rank())] = true;
  for (bool wanted : {false, true})
    for (int64_t i = 0; i < x.rank(); ++i)
      if (reduced[i] == wanted)
        order.push_back(i);
  int64_t kept = 0;
  for (bool isReduced : reduced)
    kept += !isReduced;
  std::vector<int64_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    back[order[i]] = static_cast<int64_t>(i);
  Tensor y = normalize(im, im.transpose(x, order), kept, 1e-18, false, Tensor(), Tensor())[0];
  return {im.transpose(y, back)};
}

ArrayRef<Op> normalizationOps() {
  static const Op ops[] = {
      {"", "Softmax", 1, kNewest, softmaxOp<false>},
      {"", "LogSoftmax", 1, kNewest, softmaxOp<true>},
      {"", "Hardmax", 1, kNewest, hardmax},
      {"", "LayerNormalization", 17, kNewest, layerNormalization},
      {"", "LayerNormalization", 1, 16, layerNormalization}, // as exporters of com.microsoft's time wrote it
      {"", "SimplifiedLayerNormalization", 1, kNewest, rmsNormalization},
      {"", "RMSNormalization", 23, kNewest, rmsNormalization},
      {"com.microsoft", "SimplifiedLayerNormalization", 1, 1, rmsNormalization},
      {"com.microsoft", "SkipLayerNormalization", 1, 1, skipNormalization<false>},
      {"com.microsoft", "SkipSimplifiedLayerNormalization", 1, 1, skipNormalization<true>},
      {"sinter", "LayerNormalization", 1, 1, layerNormalization},
      {"sinter", "RMSNormalization", 1, 1, rmsNormalization},
      {"", "InstanceNormalization", 6, kNewest, instanceNormalization},
      {"", "GroupNormalization", 18, kNewest, groupNormalization},
      {"", "BatchNormalization", 7, kNewest, batchNormalization},
      {"", "LRN", 1, kNewest, localResponse},
      {"", "LpNormalization", 1, kNewest, lpNormalization},
      {"", "MeanVarianceNormalization", 9, kNewest, meanVariance},
  };
  return ops;
}

} // namespace sinter::onnx_import
