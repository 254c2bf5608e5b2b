// Windows and Fourier transforms. A transform is the sum that defines it, in f64: signals have some hundreds of samples, for
// which a fast transform's kernel would cost more to compile than it saves.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)
struct Terms {
  double a0, a1, a2;
};
static constexpr Terms kHann = {0.5, 0.5, 0}, kHamming = {25.0 / 46, 1 - 25.0 / 46, 0}, kBlackman = {0.42, 0.5, 0.08};

template <const Terms &terms> static Tensors window(Node &node) {
  Importer &im = node.importer;
  const int64_t size = im.integersOf(node.in(0), "the size").at(0);
  const ElemRef elem = elemOf(static_cast<int>(node.integer("output_datatype", 1)));
  const bool periodic = node.integer("periodic", 1);
  if (size < 0 || size > (1 << 24))
    fail("has a size of " + std::to_string(size));
  const double turn = 2 * M_PI / std::max<double>(double(periodic ? size : size - 1), 1);
  return {im.compute({}, {elem, {size}}, [&](Code &c, ArrayRef<Mem>, ValueRange at) {
    Value angle = c.mul(c.fromIndex(at[0], c.getF32Type()), c.f32(turn));
    Value first = mlir::math::CosOp::create(c, angle);
    Value second = mlir::math::CosOp::create(c, c.mul(angle, c.f32(2)));
    Value y = c.add(c.sub(c.f32(terms.a0), c.mul(c.f32(terms.a1), first)), c.mul(c.f32(terms.a2), second));
    return c.convert(y, elem::f32(), elem);
  })};
}

// cos and sin of 2 pi k / n in f64: the quarter of the turn that is nearest by integer arithmetic, and Taylor's series for
// what is left, at most an eighth.
static std::pair<Value, Value> phase(Code &c, Value k, Value n) {
  mlir::Type f64 = c.getF64Type();
  Value four = c.mul(mlir::arith::RemUIOp::create(c, k, n), c.index(4));
  Value twice = c.mul(n, c.index(2));
  Value quarter = mlir::arith::DivUIOp::create(c, c.add(c.mul(four, c.index(2)), n), twice);
  Value rest = c.sub(four, c.mul(quarter, n));
  Value r = c.mul(c.div(c.fromIndex(rest, f64), c.fromIndex(n, f64)), c.number(f64, M_PI / 2)), z = c.mul(r, r);
  auto series = [&](int first) { // 1 - z / (f (f + 1)) + ..., from 1 for the cosine, 2 for the sine
    Value sum = c.number(f64, 1);
    for (int i = first + 14; i >= first; i -= 2)
      sum = c.sub(c.number(f64, 1), c.mul(c.mul(z, c.number(f64, 1.0 / (i * (i + 1)))), sum));
    return sum;
  };
  Value cosine = series(1), sine = c.mul(r, series(2));
  Value turn = mlir::arith::RemUIOp::create(c, quarter, c.index(4));
  Value isOdd = c.eq(mlir::arith::RemUIOp::create(c, turn, c.index(2)), c.index(1));
  Value x = c.select(isOdd, sine, cosine), y = c.select(isOdd, cosine, sine);
  Value flipX = c.either(c.eq(turn, c.index(1)), c.eq(turn, c.index(2))), flipY = c.le(c.index(2), turn);
  return {c.select(flipX, c.neg(x), x), c.select(flipY, c.neg(y), y)};
}

// Sum over k of sample(k) * e^(-+ 2 pi i k m / n), in f64.
static std::pair<Value, Value> transform(Code &c, Value samples, Value m, Value n, bool inverse,
                                         llvm::function_ref<std::pair<Value, Value>(Value k)> sample) {
  mlir::Type f64 = c.getF64Type();
  Value zero = c.number(f64, 0);
  Code::Values total = c.loop(c.index(0), samples, {zero, zero}, [&](Value k, ValueRange s) -> Code::Values {
    auto [cosine, sine] = phase(c, c.mul(k, m), n);
    auto [narrowRe, narrowIm] = sample(k);
    Value re = mlir::arith::ExtFOp::create(c, f64, narrowRe), im = mlir::arith::ExtFOp::create(c, f64, narrowIm);
    Value turned = inverse ? c.neg(sine) : sine; // e^(-ix) = cos x - i sin x
    return {c.add(s[0], c.add(c.mul(re, cosine), c.mul(im, turned))),
            c.add(s[1], c.sub(c.mul(im, cosine), c.mul(re, turned)))};
  });
  return {mlir::arith::TruncFOp::create(c, c.getF32Type(), total[0]),
          mlir::arith::TruncFOp::create(c, c.getF32Type(), total[1])};
}

// [..., samples, ..., 1 or 2] -> [..., frequencies, ..., 2]
static Tensors dft(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  int64_t axis = 1;
  if (node.version >= 20)
    axis = node.has(2) ? im.integersOf(node.in(2), "axis").at(0) : -2;
  else
    axis = node.integer("axis", 1);
  axis = node.axis(axis, x.rank());
  const bool inverse = node.integer("inverse", 0), half = node.integer("onesided", 0);
  const bool complex = x.shape.back().is(2);
  if (x.elem != elem::f32() || axis == x.rank() - 1 || (!complex && !x.shape.back().is(1)))
    fail("takes f32 [..., 1 or 2] and an axis of samples");
  Dim length = node.has(1) ? im.sizesOf(node.in(1), "dft_length").at(0) : x.shape[axis];
  Shape shape = x.shape;
  shape[axis] = half ? im.dims.floorDiv(length, 2) + 1 : length;
  shape.back() = 2;
  Value n = im.emit(length), used = im.emit(im.dims.min(length, x.shape[axis]));
  return {im.compute(x, {x.elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    auto [re, imaginary] = transform(c, used, at[axis], n, inverse, [&](Value k) -> std::pair<Value, Value> {
      SmallVector<Value> place(at);
      place[axis] = k;
      place.back() = c.index(0);
      Value real = c.load(in[0], place);
      if (!complex)
        return {real, c.f32(0)};
      place.back() = c.index(1);
      return {real, c.load(in[0], place)};
    });
    Value y = c.select(c.eq(at.back(), c.index(0)), re, imaginary);
    return inverse ? c.div(y, c.fromIndex(n, c.getF32Type())) : y;
  })};
}

// Transforms of windows that step through a signal: [batch, frames, frequencies, 2].
static Tensors stft(Node &node) {
  Importer &im = node.importer;
  const Tensor &signal = node.in(0);
  const int64_t step = im.integersOf(node.in(1), "frame_step").at(0);
  const bool hasWindow = node.has(2), half = node.integer("onesided", 1);
  Dim length = node.has(3) ? Dim(im.integersOf(node.in(3), "frame_length").at(0))
                           : hasWindow ? node.in(2).shape.at(0) : Dim(0);
  const bool complex = signal.rank() == 3 && signal.shape[2].is(2);
  if (signal.elem != elem::f32() || signal.rank() < 2 || signal.rank() > 3 || step < 1 || length.is(0))
    fail("takes f32 [batch, samples, 1 or 2], a positive step and the length of a frame");
  const Dim frames = im.dims.floorDiv(signal.shape[1] - length, step) + 1;
  const Dim frequencies = half ? im.dims.floorDiv(length, 2) + 1 : length;
  Tensors inputs = {signal};
  if (hasWindow)
    inputs.push_back(node.in(2));
  Value n = im.emit(length);
  return {im.compute(inputs, {signal.elem, {signal.shape[0], frames, frequencies, 2}},
                     [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
                       auto [re, imaginary] = transform(c, n, at[2], n, false, [&](Value k) -> std::pair<Value, Value> {
                         SmallVector<Value> place = {at[0], c.add(c.mul(at[1], c.index(step)), k)};
                         if (signal.rank() == 3)
                           place.push_back(c.index(0));
                         Value factor = hasWindow ? c.load(in[1], k) : c.f32(1);
                         Value real = c.mul(factor, c.load(in[0], place));
                         if (!complex)
                           return {real, c.f32(0)};
                         place.back() = c.index(1);
                         return {real, c.mul(factor, c.load(in[0], place))};
                       });
                       return c.select(c.eq(at[3], c.index(0)), re, imaginary);
                     })};
}

// Triangles between frequencies that are even on the mel scale; everything is known, so it is a table.
static Tensors melWeights(Node &node) {
  Importer &im = node.importer;
  const int64_t bins = im.integersOf(node.in(0), "num_mel_bins").at(0), length = im.integersOf(node.in(1), "dft_length").at(0),
                rate = im.integersOf(node.in(2), "sample_rate").at(0);
  const double low = im.realsOf(node.in(3), "lower_edge_hertz").at(0), high = im.realsOf(node.in(4), "upper_edge_hertz").at(0);
  const ElemRef elem = elemOf(static_cast<int>(node.integer("output_datatype", 1)));
  const int64_t spectrum = length / 2 + 1;
  if (bins < 1 || bins > 65536 || length < 1 || length > (1 << 20) || rate < 1)
    fail("has sizes that make no sense");
  auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double lowMel = mel(low), melStep = (mel(high) - lowMel) / double(bins + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < bins + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (double(i) * melStep + lowMel) / 2595) - 1);
    edges.push_back(static_cast<int64_t>(std::floor(double(length + 1) * hertz / double(rate))));
  }
  std::vector<double> table(spectrum * bins);
  auto put = [&](int64_t row, int64_t bin, double value) {
    if (row >= 0 && row < spectrum)
      table[row * bins + bin] = value;
  };
  for (int64_t i = 0; i < bins; ++i) {
    const int64_t left = edges[i], middle = edges[i + 1], right = edges[i + 2];
    if (left == middle)
      put(middle, i, 1);
    for (int64_t j = left; left != middle && j <= middle; ++j)
      put(j, i, double(j - left) / double(middle - left));
    for (int64_t j = middle; middle < right && j < right; ++j)
      put(j, i, double(right - j) / double(right - middle));
  }
  std::vector<uint8_t> bytes;
  for (double value : table) {
    std::vector<uint8_t> one = im.scalar(elem, value).content->bytes;
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return {im.constant(elem, {spectrum, bins}, bytes)};
}

ArrayRef<Op> signalOps() {
  static const Op ops[] = {
      {"", "HannWindow", 17, kNewest, window<kHann>},
      {"", "HammingWindow", 17, kNewest, window<kHamming>},
      {"", "BlackmanWindow", 17, kNewest, window<kBlackman>},
      {"", "DFT", 17, kNewest, dft},
      {"", "STFT", 17, kNewest, stft},
      {"", "MelWeightMatrix", 17, kNewest, melWeights},
  };
  return ops;
}

} // namespace sinter::onnx_import
