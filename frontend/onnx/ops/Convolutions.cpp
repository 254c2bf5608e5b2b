// Convolutions as matrix products: the elements under each window become a column, and the weights multiply all columns.

#include "frontend/onnx/ops/Window.h"

namespace sinter::onnx_import {

static Dim productOf(ArrayRef<Dim> dims) {
  Dim result = 1;
  for (const Dim &dim : dims)
    result = result * dim;
  return result;
}

static std::vector<int64_t> knownShape(const Tensor &tensor, size_t from, const char *what) {
  std::vector<int64_t> sizes;
  for (size_t i = from; i < tensor.shape.size(); ++i) {
    if (!tensor.shape[i].constant())
      fail(std::string(what) + " has sizes that are not known");
    sizes.push_back(*tensor.shape[i].constant());
  }
  return sizes;
}

// [n, c, spatial] -> [n, groups, c / groups * kernel, windows]; what is outside of the input is 0.
static Tensor columnsOf(Importer &im, const Tensor &x, const Window &window, int64_t groups) {
  const Dim each = im.dims.floorDiv(x.shape[1], groups);
  Shape shape = {x.shape[0], groups, each};
  for (int64_t size : window.kernel)
    shape.push_back(size);
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  std::vector<Value> before;
  for (const Dim &pad : window.before)
    before.push_back(im.emit(pad));
  Value perGroup = im.emit(each);
  const size_t rank = window.rank();
  Tensor columns = im.compute(x, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    WindowPlace place = placeOf(c, window, before, ValueRange(in[0].sizes).drop_front(2), at.drop_front(3 + rank),
                                at.slice(3, rank));
    SmallVector<Value> from = {at[0], c.add(c.mul(at[1], perGroup), at[2])};
    from.append(place.at);
    mlir::Type type = computeType(x.elem, c.getContext());
    return c.ifElse(type, place.inside, [&] { return c.load(in[0], from); }, [&] { return c.number(type, 0); });
  });
  Dim kernel = 1;
  for (int64_t size : window.kernel)
    kernel = kernel * size;
  return im.reshape(columns, {x.shape[0], groups, each * kernel, productOf(window.output)});
}

// Everything but the bias; sums in `sum`.
static Tensor convolve(Node &node, const Tensor &x, const Tensor &weights, ElemRef sum) {
  Importer &im = node.importer;
  const int64_t groups = node.integer("group", 1);
  if (weights.rank() < 3 || x.rank() != weights.rank())
    fail("takes [n, c, ...] and weights of the same rank");
  if (groups < 1 || groups > INT32_MAX)
    fail("has " + std::to_string(groups) + " groups");
  std::vector<int64_t> kernel = knownShape(weights, 2, "the kernel");
  if (node.has("kernel_shape") && node.integers("kernel_shape") != kernel)
    fail("kernel_shape is not the shape of the weights");
  im.same(weights.shape[1] * groups, x.shape[1], "channels of input and weights");
  const Dim outputs = im.dims.floorDiv(weights.shape[0], groups);
  im.same(outputs * groups, weights.shape[0], "outputs of all groups");
  Window window = readWindow(node, x, kernel);
  Tensor columns = columnsOf(im, x, window, groups);
  Tensor matrix = im.reshape(weights, {1, groups, outputs, columns.shape[2]});
  Tensor product = matmul(im, matrix, columns, sum);
  Shape shape = {x.shape[0], weights.shape[0]};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return im.reshape(product, shape);
}

static Tensor perChannel(Importer &im, const Tensor &values, int64_t rank) {
  if (values.count().is(1))
    return im.reshape(values, {});
  Shape shape = {values.count()};
  for (int64_t i = 2; i < rank; ++i)
    shape.push_back(1);
  return im.reshape(values, shape);
}

static Tensors conv(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const ElemRef sum = x.elem->bits == 16 ? elem::f32() : x.elem;
  if (!x.elem->isReal() || node.in(1).elem != x.elem)
    fail("takes floats of one type");
  Tensor y = convolve(node, x, node.in(1), sum);
  if (!node.has(2))
    return {y};
  return {im.map({y, perChannel(im, node.in(2), y.rank())}, y.elem,
                 [](Code &c, ValueRange v) { return c.add(v[0], v[1]); })};
}

static Tensor withoutZero(Importer &im, const Tensor &x, Tensor zero) {
  return im.map(zero.exists() ? Tensors{x, zero} : Tensors{x}, elem::i32(), [&](Code &c, ValueRange v) {
    Value y = c.convert(v[0], x.elem, elem::i32());
    return v.size() > 1 ? c.sub(y, c.convert(v[1], zero.elem, elem::i32())) : y;
  });
}

// Of the weights: one, or one for each output channel.
static Tensor weightZero(Importer &im, const Tensor &zero, const Tensor &weights) {
  if (zero.count().is(1))
    return im.reshape(zero, {});
  Shape shape(weights.shape.size(), 1);
  shape[0] = zero.count();
  return im.reshape(zero, shape);
}

static Tensors convInteger(Node &node) {
  Importer &im = node.importer;
  Tensor x = withoutZero(im, node.in(0), node.has(2) ? im.reshape(node.in(2), {}) : Tensor());
  Tensor w = withoutZero(im, node.in(1), node.has(3) ? weightZero(im, node.in(3), node.in(1)) : Tensor());
  return {convolve(node, x, w, elem::i32())};
}

static Tensors qlinearConv(Node &node) {
  Importer &im = node.importer;
  Tensor x = withoutZero(im, node.in(0), im.reshape(node.in(2), {}));
  Tensor w = withoutZero(im, node.in(3), weightZero(im, node.in(5), node.in(3)));
  Tensor y = convolve(node, x, w, elem::i32());
  const ElemRef elem = node.in(7).elem;
  Tensors inputs = {y, im.reshape(node.in(1), {}), perChannel(im, node.in(4), y.rank()), im.reshape(node.in(6), {}),
                    im.reshape(node.in(7), {})};
  if (node.has(8))
    inputs.push_back(perChannel(im, node.in(8), y.rank()));
  return {im.map(inputs, elem, [&](Code &c, ValueRange v) {
    Value sum = v.size() > 5 ? c.add(v[0], v[5]) : v[0];
    Value scale = c.div(c.mul(v[1], v[2]), v[3]);
    Value result = c.add(c.round(c.mul(c.convert(sum, elem::i32(), elem::f32()), scale)),
                         c.convert(v[4], elem, elem::f32()));
    const bool u = elem->isUnsigned();
    return c.convert(c.clamp(result, c.like(result, u ? 0 : -128), c.like(result, u ? 255 : 127)), elem::f32(), elem);
  })};
}

// Each element of the result gathers the inputs whose windows cover it.
static Tensors convTranspose(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0), &weights = node.in(1);
  const int64_t groups = node.integer("group", 1);
  const size_t rank = x.shape.size() < 2 ? 0 : x.shape.size() - 2;
  if (rank == 0 || weights.rank() != x.rank() || groups < 1)
    fail("takes [n, c, ...] and weights of the same rank");
  std::vector<int64_t> kernel = knownShape(weights, 2, "the kernel");
  auto perAxis = [&](const char *name, int64_t otherwise) {
    std::vector<int64_t> values = node.integers(name);
    values.resize(values.empty() ? rank : values.size(), otherwise);
    if (values.size() != rank)
      fail(std::string(name) + " has " + std::to_string(values.size()) + " numbers for " + std::to_string(rank) + " axes");
    return values;
  };
  std::vector<int64_t> strides = perAxis("strides", 1), dilations = perAxis("dilations", 1),
                       extra = perAxis("output_padding", 0), wanted = node.integers("output_shape"),
                       pads = node.integers("pads");
  for (size_t i = 0; i < rank; ++i)
    if (strides[i] < 1 || dilations[i] < 1 || kernel[i] < 1)
      fail("has strides, dilations or a kernel that are not positive");
  pads.resize(pads.empty() ? 2 * rank : pads.size(), 0);
  if (pads.size() != 2 * rank || (!wanted.empty() && wanted.size() != rank))
    fail("pads or output_shape do not fit its " + std::to_string(rank) + " axes");
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const Dim inputs = im.dims.floorDiv(x.shape[1], groups), outputs = weights.shape[1];
  im.same(weights.shape[0], x.shape[1], "channels of input and weights");
  Shape shape = {x.shape[0], outputs * groups};
  std::vector<Value> before;
  for (size_t i = 0; i < rank; ++i) {
    Dim full = (x.shape[i + 2] - 1) * strides[i] + extra[i] + ((kernel[i] - 1) * dilations[i] + 1);
    Dim begin = pads[i], size = full - pads[i] - pads[i + rank];
    if (!wanted.empty() || automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      size = wanted.empty() ? x.shape[i + 2] * strides[i] : Dim(wanted[i]);
      Dim all = full - size, half = im.dims.floorDiv(all, 2);
      begin = automatic == "SAME_UPPER" ? half : all - half;
    }
    shape.push_back(size);
    before.push_back(im.emit(begin));
  }
  Value inputsOfGroup = im.emit(inputs), outputsOfGroup = im.emit(outputs);
  Tensors operands = {x, weights};
  if (node.has(2))
    operands.push_back(node.in(2));
  return {im.compute(operands, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    mlir::Type type = computeType(x.elem, c.getContext());
    Value group = c.div(at[1], outputsOfGroup), channel = c.sub(at[1], c.mul(group, outputsOfGroup));
    SmallVector<Value> space = {inputsOfGroup};
    for (int64_t size : kernel)
      space.push_back(c.index(size));
    Value start = in.size() > 2 ? c.load(in[2], at[1]) : c.number(type, 0);
    return c.loopNest(space, start, [&](ValueRange inner, ValueRange s) -> Code::Values {
      Value inChannel = c.add(c.mul(group, inputsOfGroup), inner[0]), valid = c.boolean(true);
      SmallVector<Value> from = {at[0], inChannel}, weight = {inChannel, channel};
      for (size_t i = 0; i < rank; ++i) {
        Value here = c.sub(c.add(at[i + 2], before[i]), c.mul(inner[i + 1], c.index(dilations[i])));
        Value stride = c.index(strides[i]);
        Value place = mlir::arith::DivSIOp::create(c, here, stride);
        valid = c.both(valid, c.both(c.eq(c.mul(place, stride), here),
                                     c.both(c.le(c.index(0), here), c.lt(place, in[0].sizes[i + 2]))));
        from.push_back(place);
        weight.push_back(inner[i + 1]);
      }
      return {c.ifElse(type, valid,
                       [&] { return c.add(s[0], c.mul(c.load(in[0], from), c.load(in[1], weight))); },
                       [&] { return s[0]; })};
    })[0];
  })};
}

ArrayRef<Op> convolutionOps() {
  static const Op ops[] = {
      {"", "Conv", 1, kNewest, conv},
      {"", "ConvInteger", 10, kNewest, convInteger},
      {"", "QLinearConv", 10, kNewest, qlinearConv},
      {"", "ConvTranspose", 1, kNewest, convTranspose},
  };
  return ops;
}

} // namespace sinter::onnx_import
