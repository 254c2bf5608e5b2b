// Resampling. Each axis that changes gives a few taps, places in the input and weights; a result is the sum over all
// combinations. Coordinates are computed in f64, so that rounding to the nearest element is the same as where ONNX defined
// it.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>
#include <functional>

namespace sinter::onnx_import {

namespace {

struct Tap {
  Value index, weight; // index into the axis, f32
};

struct Resampling {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool excludeOutside = false;
};

// An axis that changes.
struct Axis {
  int64_t number;
  std::optional<double> scale; // none: output / input
  double from = 0, to = 1;     // of tf_crop_and_resize
};

} // namespace

// Where an output element lies in the input.
static Value coordinate(Code &c, const Resampling &r, const Axis &axis, Value at, Value in, Value out) {
  mlir::Type f64 = c.getF64Type();
  auto n = [&](double value) { return c.number(f64, value); };
  Value x = c.fromIndex(at, f64), inSize = c.fromIndex(in, f64), outSize = c.fromIndex(out, f64);
  Value scale = axis.scale ? n(*axis.scale) : c.div(outSize, inSize);
  Value isOne = c.le(outSize, n(1));
  if (r.coordinates == "asymmetric")
    return c.div(x, scale);
  if (r.coordinates == "align_corners") {
    if (axis.scale) // of a size that is not whole
      outSize = c.mul(scale, inSize);
    return c.select(isOne, n(0), c.div(c.mul(x, c.sub(inSize, n(1))), c.sub(outSize, n(1))));
  }
  if (r.coordinates == "tf_half_pixel_for_nn")
    return c.div(c.add(x, n(0.5)), scale);
  if (r.coordinates == "tf_crop_and_resize") {
    Value last = c.sub(inSize, n(1));
    Value step = c.div(c.mul(n(axis.to - axis.from), last), c.sub(outSize, n(1)));
    return c.select(isOne, c.mul(n((axis.from + axis.to) / 2), last),
                    c.add(c.mul(n(axis.from), last), c.mul(x, step)));
  }
  Value half = c.sub(c.div(c.add(x, n(0.5)), scale), n(0.5));
  if (r.coordinates == "pytorch_half_pixel")
    return c.select(isOne, n(0), half);
  if (r.coordinates == "half_pixel_symmetric") {
    Value adjustment = c.div(outSize, c.mul(scale, inSize));
    Value offset = c.mul(c.div(inSize, n(2)), c.sub(n(1), adjustment));
    return c.add(offset, half);
  }
  return half;
}

static SmallVector<Tap> tapsOf(Code &c, const Resampling &r, Value x, Value size) {
  mlir::Type f64 = c.getF64Type();
  auto n = [&](double value) { return c.number(f64, value); };
  auto toIndex = [&](Value v) {
    Value limited = c.clamp(v, n(-1e9), n(1e9));
    return c.toIndex(mlir::arith::FPToSIOp::create(c, c.getI64Type(), limited));
  };
  auto inside = [&](Value i) { return c.max(c.min(i, c.sub(size, c.index(1))), c.index(0)); };
  auto narrow = [&](Value v) -> Value { return mlir::arith::TruncFOp::create(c, c.getF32Type(), v); };
  if (r.mode == "nearest") {
    Value whole = r.nearest == "floor"               ? c.floor(x)
                  : r.nearest == "ceil"              ? c.ceil(x)
                  : r.nearest == "round_prefer_ceil" ? c.floor(c.add(x, n(0.5)))
                                                     : c.ceil(c.sub(x, n(0.5)));
    return {{inside(toIndex(whole)), c.f32(1)}};
  }
  Value base = c.floor(x), t = c.sub(x, base), first = toIndex(base);
  SmallVector<Tap> taps;
  if (r.mode == "linear") {
    taps = {{first, narrow(c.sub(n(1), t))}, {c.add(first, c.index(1)), narrow(t)}};
  } else {
    const double a = r.cubic;
    auto polynomial = [&](Value v, std::initializer_list<double> coefficients) { // highest power first
      Value result = n(0);
      for (double coefficient : coefficients)
        result = c.add(c.mul(result, v), n(coefficient));
      return result;
    };
    auto outer = [&](Value v) { return polynomial(v, {a, -5 * a, 8 * a, -4 * a}); }; // 1 <= v < 2
    auto inner = [&](Value v) { return polynomial(v, {a + 2, -(a + 3), 0, 1}); };    // v < 1
    Value rest = c.sub(n(1), t);
    Value weights[] = {outer(c.add(t, n(1))), inner(t), inner(rest), outer(c.add(rest, n(1)))};
    for (int64_t i = 0; i < 4; ++i)
      taps.push_back({c.add(first, c.index(i - 1)), narrow(weights[i])});
  }
  if (r.excludeOutside) {
    Value sum = c.f32(0);
    for (Tap &tap : taps) {
      Value isInside = c.both(c.le(c.index(0), tap.index), c.lt(tap.index, size));
      tap.weight = c.select(isInside, tap.weight, c.f32(0));
      sum = c.add(sum, tap.weight);
    }
    for (Tap &tap : taps)
      tap.weight = c.div(tap.weight, sum);
  }
  for (Tap &tap : taps)
    tap.index = inside(tap.index);
  return taps;
}

static Tensor resample(Importer &im, const Tensor &x, const Shape &shape, const Resampling &r,
                       const std::vector<Axis> &axes, double outsideValue) {
  if (axes.empty())
    return x;
  if (axes.size() > 3 && r.mode != "nearest")
    fail("changes " + std::to_string(axes.size()) + " axes; up to three are supported in mode " + r.mode);
  const ElemRef elem = x.elem;
  mlir::Type type = computeType(elem, im.code.getContext());
  std::vector<Value> extents;
  for (const Dim &dim : shape)
    extents.push_back(im.emit(dim));
  return im.compute(x, {elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) -> Value {
    std::vector<SmallVector<Tap>> taps;
    Value inside = c.boolean(true);
    for (const Axis &axis : axes) {
      Value size = in[0].sizes[axis.number];
      Value where = coordinate(c, r, axis, at[axis.number], size, extents[axis.number]);
      if (r.coordinates == "tf_crop_and_resize") {
        mlir::Type f64 = c.getF64Type();
        Value last = c.fromIndex(c.sub(size, c.index(1)), f64);
        inside = c.both(inside, c.both(c.le(c.number(f64, 0), where), c.le(where, last)));
      }
      taps.push_back(tapsOf(c, r, where, size));
    }
    SmallVector<Value> place(at);
    std::function<Value(size_t)> sum = [&](size_t depth) -> Value {
      if (depth == axes.size()) {
        Value value = c.load(in[0], place);
        return r.mode == "nearest" ? value : c.convert(value, elem, elem::f32());
      }
      Value total;
      for (const Tap &tap : taps[depth]) {
        place[axes[depth].number] = tap.index;
        Value part = sum(depth + 1);
        if (r.mode != "nearest")
          part = c.mul(part, tap.weight);
        total = total ? c.add(total, part) : part;
      }
      return total;
    };
    Value y = sum(0);
    if (r.mode != "nearest")
      y = c.convert(y, elem::f32(), elem);
    return r.coordinates == "tf_crop_and_resize" ? c.select(inside, y, c.number(type, outsideValue)) : y;
  });
}

// An axis times a factor, rounded down.
static Dim scaled(const Dim &size, double scale) {
  if (size.constant()) {
    const double result = std::floor(double(*size.constant()) * scale);
    if (!(result >= 0 && result < 1e9))
      fail("scales an axis by " + std::to_string(scale));
    return static_cast<int64_t>(result);
  }
  if (scale != std::floor(scale) || scale < 1 || scale > 1e6)
    fail("scales an axis whose size is not known by " + std::to_string(scale) + ", expected a whole number");
  return size * static_cast<int64_t>(scale);
}

static Tensors resize(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  Resampling r = {node.text("mode", "nearest"),
                  node.text("coordinate_transformation_mode", node.version < 11 ? "asymmetric" : "half_pixel"),
                  node.text("nearest_mode", node.version < 11 ? "floor" : "round_prefer_floor"),
                  node.real("cubic_coeff_a", -0.75), node.integer("exclude_outside", 0) != 0};
  if (r.mode == "bilinear")
    r.mode = "linear";
  if ((r.mode != "nearest" && r.mode != "linear" && r.mode != "cubic") || node.integer("antialias", 0))
    fail("mode is '" + r.mode + "'" + (node.integer("antialias", 0) ? " with antialias" : "") +
         ", expected nearest, linear or cubic without");
  std::vector<int64_t> axes = node.integers("axes");
  if (axes.empty())
    for (int64_t i = 0; i < x.rank(); ++i)
      axes.push_back(i);
  const size_t scalesInput = node.version < 11 ? 1 : 2;
  std::vector<double> scales, roi;
  std::vector<Dim> sizes;
  if (node.has(scalesInput))
    scales = im.realsOf(node.in(scalesInput), "scales");
  if (scales.empty() && node.has(3))
    sizes = im.sizesOf(node.in(3), "sizes");
  if (r.coordinates == "tf_crop_and_resize")
    roi = im.realsOf(node.in(1), "roi");
  const size_t count = scales.empty() ? sizes.size() : scales.size();
  if (count != axes.size() || (!roi.empty() && roi.size() != 2 * count))
    fail("has " + std::to_string(count) + " scales or sizes for " + std::to_string(axes.size()) + " axes");
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  std::optional<double> common;
  if (policy != "stretch" && !sizes.empty()) {
    for (size_t i = 0; i < count; ++i) {
      const Dim &size = x.shape[node.axis(axes[i], x.rank())];
      if (!sizes[i].constant() || !size.constant())
        fail("keeps the aspect ratio of sizes that are not known");
      const double ratio = double(*sizes[i].constant()) / double(*size.constant());
      common = !common ? ratio : policy == "not_larger" ? std::min(*common, ratio) : std::max(*common, ratio);
    }
  }
  Shape shape = x.shape;
  std::vector<Axis> changing;
  for (size_t i = 0; i < count; ++i) {
    Axis axis = {node.axis(axes[i], x.rank()), std::nullopt};
    const Dim &size = x.shape[axis.number];
    if (common) {
      shape[axis.number] = static_cast<int64_t>(std::floor(double(*size.constant()) * *common + 0.5));
      axis.scale = *common;
    } else if (scales.empty()) {
      shape[axis.number] = sizes[i];
    } else {
      axis.scale = scales[i];
      shape[axis.number] = scaled(size, scales[i]);
    }
    if (!roi.empty()) {
      axis.from = roi[i];
      axis.to = roi[i + count];
    }
    const bool crops = !roi.empty() && (axis.from != 0 || axis.to != 1);
    if (shape[axis.number] != size || crops || (axis.scale && *axis.scale != 1))
      changing.push_back(axis);
  }
  return {resample(im, x, shape, r, changing, node.real("extrapolation_value", 0))};
}

static Tensors upsample(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  std::vector<double> scales = node.version < 9 ? node.reals("scales") : im.realsOf(node.in(1), "scales");
  Resampling r = {node.text("mode", "nearest"), "asymmetric", "floor"};
  if (r.mode == "bilinear")
    r.mode = "linear";
  if (scales.size() != x.shape.size() || (r.mode != "nearest" && r.mode != "linear"))
    fail("has " + std::to_string(scales.size()) + " scales and mode '" + r.mode + "'");
  Shape shape = x.shape;
  std::vector<Axis> changing;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (scales[i] != 1) {
      shape[i] = scaled(x.shape[i], scales[i]);
      changing.push_back({i, scales[i]});
    }
  return {resample(im, x, shape, r, changing, 0)};
}

//===-- Sampling at places that are data ---------------------------------------------------------------------------===//

// An element, or 0 outside of the axes; or the nearest inside.
static Value pixel(Code &c, const Mem &x, ValueRange prefix, ValueRange at, bool border) {
  SmallVector<Value> place(prefix);
  Value inside = c.boolean(true);
  for (size_t i = 0; i < at.size(); ++i) {
    Value size = x.sizes[prefix.size() + i];
    inside = c.both(inside, c.both(c.le(c.index(0), at[i]), c.lt(at[i], size)));
    place.push_back(c.max(c.min(at[i], c.sub(size, c.index(1))), c.index(0)));
  }
  Value value = c.load(x, place);
  return border ? value : c.select(inside, value, c.like(value, 0));
}

// Mirrors a coordinate into [low, high].
static Value mirror(Code &c, Value x, Value low, Value high) {
  Value span = c.sub(high, low), distance = c.abs(c.sub(x, low));
  Value safe = c.select(c.le(span, c.like(span, 0)), c.like(span, 1), span);
  Value turns = c.floor(c.div(distance, safe)), rest = c.sub(distance, c.mul(turns, safe));
  Value isOdd = c.ne(c.sub(turns, c.mul(c.like(x, 2), c.floor(c.div(turns, c.like(x, 2))))), c.like(x, 0));
  Value folded = c.select(isOdd, c.sub(high, rest), c.add(low, rest));
  return c.select(c.le(span, c.like(span, 0)), low, folded);
}

// [n, c, d...] at grid [n, out..., axes], whose coordinates run from -1 to 1, the last axis first.
static Tensors gridSample(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0), &grid = node.in(1);
  std::string mode = node.text("mode", node.version < 20 ? "bilinear" : "linear"), padding = node.text("padding_mode", "zeros");
  const bool align = node.integer("align_corners", 0);
  if (mode == "bilinear")
    mode = "linear";
  if (mode == "bicubic")
    mode = "cubic";
  const size_t rank = x.shape.size() < 3 ? 0 : x.shape.size() - 2;
  if (rank == 0 || grid.rank() != x.rank() || !grid.shape.back().is(static_cast<int64_t>(rank)) || rank > 3)
    fail("takes [n, c, ...] and a grid of as many coordinates as there are spatial axes");
  if ((mode != "linear" && mode != "cubic" && mode != "nearest") ||
      (padding != "zeros" && padding != "border" && padding != "reflection"))
    fail("mode is '" + mode + "' and padding_mode '" + padding + "'");
  Shape shape = {x.shape[0], x.shape[1]};
  shape.insert(shape.end(), grid.shape.begin() + 1, grid.shape.end() - 1);
  return {im.compute({x, grid}, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    std::vector<SmallVector<Tap>> taps;
    auto n = [&](double value) { return c.f32(value); };
    for (size_t axis = 0; axis < rank; ++axis) {
      SmallVector<Value> from = {at[0]};
      from.append(at.begin() + 2, at.end());
      from.push_back(c.index(static_cast<int64_t>(rank - 1 - axis)));
      Value g = c.convert(c.load(in[1], from), grid.elem, elem::f32());
      Value size = c.fromIndex(in[0].sizes[axis + 2], c.getF32Type());
      Value where = align ? c.mul(c.div(c.add(g, n(1)), n(2)), c.sub(size, n(1)))
                          : c.div(c.sub(c.mul(c.add(g, n(1)), size), n(1)), n(2));
      Value low = align ? n(0) : n(-0.5), high = align ? c.sub(size, n(1)) : c.sub(size, n(0.5));
      auto pad = [&](Value v) {
        if (padding == "border")
          return c.clamp(v, n(0), c.sub(size, n(1)));
        return padding == "reflection" ? mirror(c, v, low, high) : v;
      };
      auto toIndex = [&](Value v) {
        return c.toIndex(mlir::arith::FPToSIOp::create(c, c.getI64Type(), c.clamp(v, n(-1e9), n(1e9))));
      };
      SmallVector<Tap> list;
      if (mode == "nearest") {
        list = {{toIndex(pad(c.round(where))), n(1)}};
      } else if (mode == "linear") {
        where = pad(where);
        Value base = c.floor(where), t = c.sub(where, base);
        list = {{toIndex(base), c.sub(n(1), t)}, {c.add(toIndex(base), c.index(1)), t}};
      } else {
        Value base = c.floor(where), t = c.sub(where, base), rest = c.sub(n(1), t);
        const double a = -0.75;
        auto polynomial = [&](Value v, std::initializer_list<double> coefficients) {
          Value result = n(0);
          for (double coefficient : coefficients)
            result = c.add(c.mul(result, v), n(coefficient));
          return result;
        };
        auto outer = [&](Value v) { return polynomial(v, {a, -5 * a, 8 * a, -4 * a}); };
        auto inner = [&](Value v) { return polynomial(v, {a + 2, -(a + 3), 0, 1}); };
        Value weights[] = {outer(c.add(t, n(1))), inner(t), inner(rest), outer(c.add(rest, n(1)))};
        for (int64_t i = 0; i < 4; ++i)
          list.push_back({toIndex(pad(c.add(base, n(double(i - 1))))), weights[i]});
      }
      taps.push_back(list);
    }
    SmallVector<Value> place(rank);
    std::function<Value(size_t)> sum = [&](size_t depth) -> Value {
      if (depth == rank)
        return c.convert(pixel(c, in[0], at.take_front(2), place, padding != "zeros"), x.elem, elem::f32());
      Value total;
      for (const Tap &tap : taps[depth]) {
        place[depth] = tap.index;
        Value part = c.mul(sum(depth + 1), tap.weight);
        total = total ? c.add(total, part) : part;
      }
      return total;
    };
    return c.convert(sum(0), elem::f32(), x.elem);
  })};
}

// Averages (or maxima) of samples in the bins of regions [x1, y1, x2, y2].
static Tensors roiAlign(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0), &rois = node.in(1), &batches = node.in(2);
  const int64_t height = node.integer("output_height", 1), width = node.integer("output_width", 1),
                ratio = node.integer("sampling_ratio", 0);
  const double scale = node.real("spatial_scale", 1);
  const bool average = node.text("mode", "avg") == "avg";
  const bool half = node.text("coordinate_transformation_mode", node.version < 16 ? "output_half_pixel" : "half_pixel") ==
                    "half_pixel";
  if (x.rank() != 4 || rois.rank() != 2 || batches.rank() != 1 || height < 1 || width < 1 || ratio < 0)
    fail("takes [n, c, h, w], regions [r, 4] and batches [r]");
  return {im.compute({x, rois, batches}, {x.elem, {rois.shape[0], x.shape[1], height, width}},
                     [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    auto n = [&](double value) { return c.f32(value); };
    auto corner = [&](int64_t i) {
      return c.sub(c.mul(c.load(in[1], {at[0], c.index(i)}), n(scale)), n(half ? 0.5 : 0));
    };
    Value batch = c.wrap(c.loadIndex(in[2], at[0]), in[0].sizes[0]);
    Value starts[] = {corner(1), corner(0)}, ends[] = {corner(3), corner(2)}, bins[2], counts[2];
    for (int i = 0; i < 2; ++i) {
      Value span = c.sub(ends[i], starts[i]);
      if (!half)
        span = c.max(span, n(1));
      bins[i] = c.div(span, n(double(i ? width : height)));
      counts[i] = ratio ? c.index(ratio)
                        : c.max(c.toIndex(mlir::arith::FPToSIOp::create(c, c.getI64Type(), c.clamp(c.ceil(bins[i]), n(0), n(1e6)))),
                                c.index(1));
    }
    Code::Values total = c.loopNest({counts[0], counts[1]}, {n(average ? 0 : -INFINITY)}, [&](ValueRange s, ValueRange state) -> Code::Values {
      Value where[2], low[2], high[2], t[2], valid = c.boolean(true);
      for (int i = 0; i < 2; ++i) {
        Value part = c.div(c.add(c.fromIndex(s[i], c.getF32Type()), n(0.5)), c.fromIndex(counts[i], c.getF32Type()));
        Value y = c.add(starts[i], c.mul(bins[i], c.add(c.fromIndex(at[2 + i], c.getF32Type()), part)));
        Value size = c.fromIndex(in[0].sizes[2 + i], c.getF32Type());
        valid = c.both(valid, c.both(c.le(n(-1), y), c.le(y, size)));
        where[i] = c.clamp(y, n(0), c.sub(size, n(1)));
        Value base = c.floor(where[i]);
        t[i] = c.sub(where[i], base);
        low[i] = c.toIndex(mlir::arith::FPToSIOp::create(c, c.getI64Type(), base));
        high[i] = c.min(c.add(low[i], c.index(1)), c.sub(in[0].sizes[2 + i], c.index(1)));
      }
      auto part = [&](int row, int column) {
        Value weight = c.mul(row ? t[0] : c.sub(n(1), t[0]), column ? t[1] : c.sub(n(1), t[1]));
        return c.mul(weight, c.load(in[0], {batch, at[1], row ? high[0] : low[0], column ? high[1] : low[1]}));
      };
      if (average) {
        Value sum = c.add(c.add(part(0, 0), part(0, 1)), c.add(part(1, 0), part(1, 1)));
        return {c.add(state[0], c.select(valid, sum, n(0)))};
      }
      Value best = c.max(c.max(part(0, 0), part(0, 1)), c.max(part(1, 0), part(1, 1)));
      return {c.max(state[0], c.select(valid, best, n(0)))};
    });
    Value samples = c.fromIndex(c.mul(counts[0], counts[1]), c.getF32Type());
    return average ? c.div(total[0], samples) : total[0];
  })};
}

// Columns of windows [n, c * kernel, windows] added up where they came from: [n, c, image].
static Tensors columnsToImage(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  std::vector<int64_t> image = im.integersOf(node.in(1), "image_shape"), block = im.integersOf(node.in(2), "block_shape"),
                       strides = node.integers("strides"), dilations = node.integers("dilations"), pads = node.integers("pads");
  const size_t rank = image.size();
  strides.resize(strides.empty() ? rank : strides.size(), 1);
  dilations.resize(dilations.empty() ? rank : dilations.size(), 1);
  pads.resize(pads.empty() ? 2 * rank : pads.size(), 0);
  if (x.rank() != 3 || block.size() != rank || strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank || rank == 0)
    fail("takes [n, c * block, windows] and sizes for each axis of the image");
  int64_t volume = 1;
  Shape shape = {x.shape[0], 1};
  std::vector<int64_t> windows;
  for (size_t i = 0; i < rank; ++i) {
    if (block[i] < 1 || image[i] < 1 || strides[i] < 1 || dilations[i] < 1 || block[i] > 65536 || image[i] > INT32_MAX)
      fail("has sizes that make no sense");
    volume *= block[i];
    shape.push_back(image[i]);
    windows.push_back((image[i] + pads[i] + pads[i + rank] - dilations[i] * (block[i] - 1) - 1) / strides[i] + 1);
    if (volume > (1 << 24))
      fail("has blocks that are too large");
  }
  shape[1] = im.dims.floorDiv(x.shape[1], volume);
  return {im.compute(x, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    mlir::Type type = computeType(x.elem, c.getContext());
    SmallVector<Value> space, windowSizes;
    for (size_t i = 0; i < rank; ++i) {
      space.push_back(c.index(block[i]));
      windowSizes.push_back(c.index(windows[i]));
    }
    return c.loopNest(space, c.number(type, 0), [&](ValueRange k, ValueRange s) -> Code::Values {
      Value valid = c.boolean(true);
      SmallVector<Value> window;
      for (size_t i = 0; i < rank; ++i) {
        Value here = c.sub(c.add(at[i + 2], c.index(pads[i])), c.mul(k[i], c.index(dilations[i])));
        Value place = mlir::arith::DivSIOp::create(c, here, c.index(strides[i]));
        valid = c.both(valid, c.both(c.eq(c.mul(place, c.index(strides[i])), here),
                                     c.both(c.le(c.index(0), here), c.lt(place, windowSizes[i]))));
        window.push_back(place);
      }
      Value row = c.add(c.mul(at[1], c.index(volume)), c.linearize(k, space));
      return {c.ifElse(type, valid, [&] { return c.add(s[0], c.load(in[0], {at[0], row, c.linearize(window, windowSizes)})); },
                       [&] { return s[0]; })};
    })[0];
  })};
}

// Coordinates from -1 to 1 turned by matrices: [n, out..., axes].
static Tensors affineGrid(Node &node) {
  Importer &im = node.importer;
  const Tensor &theta = node.in(0);
  std::vector<Dim> size = im.sizesOf(node.in(1), "size");
  const bool align = node.integer("align_corners", 0);
  const int64_t rank = static_cast<int64_t>(size.size()) - 2;
  if (theta.rank() != 3 || rank < 2 || rank > 3 || !theta.shape[1].is(rank) || !theta.shape[2].is(rank + 1))
    fail("takes matrices [n, axes, axes + 1] and a size of 4 or 5 axes");
  Shape shape = {size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(rank);
  std::vector<Value> extents;
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(im.emit(size[i + 2]));
  return {im.compute(theta, {theta.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    mlir::Type type = computeType(theta.elem, c.getContext());
    auto n = [&](double value) { return c.number(type, value); };
    Value sum = c.load(in[0], {at[0], at.back(), c.index(rank)});
    for (int64_t i = 0; i < rank; ++i) { // coordinate i is the axis counted from the last
      const int64_t axis = rank - 1 - i;
      Value size = c.fromIndex(extents[axis], type), here = c.fromIndex(at[1 + axis], type);
      Value last = c.max(c.sub(size, n(1)), n(1));
      Value x = align ? c.sub(c.div(c.mul(n(2), here), last), n(1))
                      : c.sub(c.div(c.add(c.mul(n(2), here), n(1)), size), n(1));
      sum = c.add(sum, c.mul(c.load(in[0], {at[0], at.back(), c.index(i)}), x));
    }
    return sum;
  })};
}

ArrayRef<Op> imageOps() {
  static const Op ops[] = {
      {"", "Resize", 10, kNewest, resize},
      {"", "Upsample", 7, 9, upsample},
      {"", "GridSample", 16, kNewest, gridSample},
      {"", "RoiAlign", 10, kNewest, roiAlign},
      {"", "Col2Im", 18, kNewest, columnsToImage},
      {"", "AffineGrid", 20, kNewest, affineGrid},
  };
  return ops;
}

} // namespace sinter::onnx_import
