// Normalization and quantization of rows against double precision, on every target this machine runs.

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "test/codegen/TargetCases.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <random>

namespace sinter::test {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr int kTokens = 3;
constexpr int kWidths[] = {8, 33, 100, 576};

class Rows : public TargetCase {};
SINTER_FOR_TARGETS(Rows);

// Rows with an offset (so that the mean matters), and columns past the width that nothing may read.
struct Input {
  explicit Input(int width)
      : width(width), stride(kern::rowStride(width)), rows(kTokens * stride, NAN), weight(stride), bias(stride) {
    std::mt19937 random(width);
    std::normal_distribution<float> normal(0.5f, 2);
    for (int t = 0; t < kTokens; ++t)
      for (int c = 0; c < width; ++c)
        rows[t * stride + c] = normal(random);
    for (int c = 0; c < width; ++c)
      weight[c] = normal(random), bias[c] = normal(random);
  }

  std::vector<double> normalized(int t, bool layer, bool withBias) const {
    std::vector<double> x(&rows[t * stride], &rows[t * stride] + width);
    double mean = 0, square = 0;
    if (layer)
      for (double value : x)
        mean += value / width;
    for (double &value : x)
      value -= mean, square += value * value / width;
    for (int c = 0; c < width; ++c)
      x[c] = x[c] / std::sqrt(square + kEpsilon) * weight[c] + (withBias ? bias[c] : 0);
    return x;
  }

  int width, stride;
  Buffer<float> rows, weight, bias;
};

std::string normSpec(bool layer, bool bias) {
  return llvm::formatv("norm = <kind = {0}, epsilon = {1:e8} : f32{2}>", layer ? "layer" : "rms", kEpsilon,
                       bias ? ", bias = true" : "");
}

// Tolerance: each of the few operations rounds to 2^-24 of values below 30; sums of squares add a few more.
TEST_P(Rows, Normalize) {
  for (int width : kWidths)
    for (auto [layer, withBias] : {std::pair(false, false), {true, false}, {true, true}}) {
      SCOPED_TRACE(llvm::formatv("width {0}, {1}", width, normSpec(layer, withBias)).str());
      Input input(width);
      CompiledKernel kernel(llvm::formatv("#kern.rows<width = {0}, {1}>", width, normSpec(layer, withBias)),
                            *GetParam());
      Buffer<float> out(kTokens * input.stride);
      std::vector<void *> bindings = {input.rows, input.weight};
      if (withBias)
        bindings.push_back(input.bias);
      bindings.push_back(out);
      kernel.run(bindings, kTokens, {kTokens, 0, 0}, 2);
      for (int t = 0; t < kTokens; ++t) {
        std::vector<double> expected = input.normalized(t, layer, withBias);
        for (int c = 0; c < width; ++c)
          EXPECT_NEAR(out[t * input.stride + c], expected[c], 2e-6 * (1 + std::abs(expected[c])));
      }
    }
}

struct Quantized {
  Quantized(const Format &format, int width)
      : format(format), padded(format.paddedColumns(width)), groups(format.groups(width)), codes(kTokens * padded, 99),
        scales(kTokens * groups, NAN), sums(kTokens * groups, 0x12345678) {}

  float floatSum(int64_t i) const {
    float value;
    memcpy(&value, &sums[i], 4);
    return value;
  }

  const Format &format;
  int64_t padded, groups;
  Buffer<int8_t> codes;
  Buffer<float> scales;
  Buffer<int32_t> sums; // or floats
};

// What every quantized row must satisfy, whatever its codes: scales and sums that belong to them, no code for the pad.
void checkRow(const Quantized &q, int t, const std::vector<double> &row) {
  for (int64_t g = 0; g < q.groups; ++g) {
    double most = 0;
    int64_t sum = 0, end = std::min<int64_t>(row.size(), (g + 1) * q.format.group);
    for (int64_t c = g * q.format.group; c < end; ++c)
      most = std::max(most, std::abs(row[c]));
    double scale = q.scales[t * q.groups + g];
    EXPECT_NEAR(scale, most / 127, 2e-6 * most / 127 + 1e-12) << "group " << g;
    for (int64_t c = g * q.format.group; c < end; ++c) {
      int code = q.codes[t * q.padded + c];
      sum += code;
      EXPECT_GE(code, -127);
      // Half a step, and what the norm's rounding moves a value by (1e-3 of a step).
      EXPECT_NEAR(scale * code, row[c], scale * 0.501) << "column " << c;
    }
    if (q.format.hasZeros)
      EXPECT_FLOAT_EQ(q.floatSum(t * q.groups + g), float(scale) * sum);
    else
      EXPECT_EQ(q.sums[t * q.groups + g], -q.format.impliedZero * sum);
  }
  for (int64_t c = row.size(); c < q.padded; ++c)
    EXPECT_EQ(q.codes[t * q.padded + c], 0) << "pad column " << c;
}

TEST_P(Rows, Quantize) {
  for (const Format &format : formats())
    for (int width : kWidths)
      for (bool normalize : {false, true}) {
        if (!format.isQuantized())
          continue;
        SCOPED_TRACE(llvm::formatv("{0}, width {1}, norm {2}", format.name, width, normalize).str());
        Input input(width);
        CompiledKernel kernel(llvm::formatv("#kern.rows<width = {0}{1}, quantize = \"{2}\">", width,
                                            normalize ? ", " + normSpec(false, false) : "", format.name),
                              *GetParam());
        Quantized q(format, width);
        std::vector<void *> bindings = {input.rows};
        if (normalize)
          bindings.push_back(input.weight);
        bindings.insert(bindings.end(), {q.codes, q.scales, q.sums});
        kernel.run(bindings, kTokens, {kTokens, 0, 0}, 2);
        for (int t = 0; t < kTokens; ++t) {
          std::vector<double> plain(&input.rows[t * input.stride], &input.rows[t * input.stride] + width);
          checkRow(q, t, normalize ? input.normalized(t, false, false) : plain);
        }
      }
}

// A group of zeros, one too small for a scale, one with ties (to even) and one whose largest element is negative.
TEST_P(Rows, QuantizeCornerCases) {
  const Format &format = *findFormat("q8");
  Buffer<float> row(4 * 32, 0);
  row[32] = 1e-38f;
  row[64] = 127, row[65] = 0.5f, row[66] = 1.5f, row[67] = -2.5f;
  row[96] = -3, row[97] = 3;
  CompiledKernel kernel("#kern.rows<width = 128, quantize = \"q8\">", *GetParam());
  Quantized q(format, 128);
  kernel.run({row, q.codes, q.scales, q.sums}, 1, {1, 0, 0});
  EXPECT_EQ(q.scales[0], 0);
  EXPECT_EQ(q.scales[1], 0);
  EXPECT_EQ(q.scales[2], 1);
  EXPECT_FLOAT_EQ(q.scales[3], 3.0f / 127);
  std::vector<int8_t> ties(&q.codes[64], &q.codes[68]);
  EXPECT_EQ(ties, (std::vector<int8_t>{127, 0, 2, -2}));
  EXPECT_EQ(q.codes[96], -127);
  EXPECT_EQ(q.codes[97], 127);
  for (int c = 0; c < 64; ++c)
    EXPECT_EQ(q.codes[c], 0);
  EXPECT_EQ(q.sums[2], -128 * 127);
  EXPECT_EQ(q.sums[3], 0);
}

} // namespace
} // namespace sinter::test
