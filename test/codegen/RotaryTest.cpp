// The table of cosines and sines, and rotation and appending to the cache, against double precision.

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "test/codegen/CacheBytes.h"
#include "test/codegen/TargetCases.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <random>

namespace sinter::test {
namespace {

class Rotary : public TargetCase {};
SINTER_FOR_TARGETS(Rotary);

// Tolerance: half a unit in the last place of cosine, factor and product is 1e-7; the task's bound is 1e-6.
TEST_P(Rotary, TableIsExactAtLargePositions) {
  for (int pairs : {5, 16, 30, 64})
    for (float factor : {1.0f, 1.25f}) {
      std::vector<float> frequencies;
      std::string text;
      for (int i = 0; i < pairs; ++i) {
        frequencies.push_back(std::pow(10000.0, -double(i) / pairs));
        text += llvm::formatv("{0}{1:e9}", i ? ", " : "", frequencies.back());
      }
      CompiledKernel kernel(
          llvm::formatv("#kern.rope_table<rope = <style = half, inverse_frequencies = [{0}], factor = {1:e8} : f32>>",
                        text, factor),
          *GetParam());
      constexpr int kTokens = 3;
      int64_t stride = kern::rowStride(2 * pairs);
      for (uint64_t position : {0, 1, 7, 100, 4095, 32768, 65535, 100003, 131071}) {
        Buffer<float> out(kTokens * stride);
        kernel.run({out}, kTokens, {kTokens, position, 0}, 2);
        for (int t = 0; t < kTokens; ++t)
          for (int i = 0; i < pairs; ++i) {
            float angle = float(position + t) * frequencies[i];
            ASSERT_NEAR(out[t * stride + i], std::cos(double(angle)) * factor, 1e-6) << position + t << " pair " << i;
            ASSERT_NEAR(out[t * stride + pairs + i], std::sin(double(angle)) * factor, 1e-6)
                << position + t << " pair " << i;
          }
      }
    }
}

struct Shape {
  int heads, kvHeads, headDim, rotaryDims, tokensPerUnit, capacity;
  bool interleaved;
  CacheElement element;
  bool norm;
};

std::string specOf(const Shape &s) {
  std::string norm = "<kind = rms, epsilon = 1.0e-6 : f32>";
  return llvm::formatv(
      "#kern.rotate_append<heads = {0}, kv_heads = {1}, head_dim = {2}, rotary_dims = {3}, style = {4}, element = {5}, "
      "capacity = {6}, tokens_per_unit = {7}{8}>",
      s.heads, s.kvHeads, s.headDim, s.rotaryDims, s.interleaved ? "interleaved" : "half", elementName(s.element),
      s.capacity, s.tokensPerUnit, s.norm ? ", query_norm = " + norm + ", key_norm = " + norm : "");
}

// One head as the kernel should leave it.
std::vector<double> rotated(const Shape &s, const float *head, const std::vector<float> &weight, const float *table) {
  std::vector<double> x(head, head + s.headDim);
  if (s.norm) {
    double square = 0;
    for (double value : x)
      square += value * value / s.headDim;
    for (int d = 0; d < s.headDim; ++d)
      x[d] = x[d] / std::sqrt(square + 1e-6) * weight[d];
  }
  int pairs = s.rotaryDims / 2;
  for (int i = 0; i < pairs; ++i) {
    double &a = x[s.interleaved ? 2 * i : i], &b = x[s.interleaved ? 2 * i + 1 : i + pairs];
    double cosine = table[i], sine = table[pairs + i], first = a;
    a = first * cosine - b * sine;
    b = b * cosine + first * sine;
  }
  return x;
}

// Tolerance: a handful of f32 operations on values below 10; an f16 cache rounds to 2^-11 of that, codes to half a step,
// of which the row's largest value has 127.
TEST_P(Rotary, RotatesAndAppends) {
  constexpr CacheElement f32 = CacheElement::f32, f16 = CacheElement::f16, q8 = CacheElement::q8;
  const Shape shapes[] = {
      {4, 2, 64, 64, 1, 64, false, f16, false}, {4, 2, 64, 64, 16, 64, false, f16, true},
      {6, 2, 32, 32, 16, 64, true, f32, false}, {3, 3, 80, 32, 16, 64, false, f16, true},
      {2, 1, 20, 12, 4, 32, true, f16, true},   {4, 4, 8, 8, 16, 64, false, f32, false},
      {2, 1, 16, 0, 16, 64, false, f16, false}, {2, 2, 5, 2, 16, 64, false, f32, true},
      {4, 2, 64, 64, 1, 64, false, q8, false},  {3, 3, 80, 32, 16, 64, false, q8, true},
      {2, 2, 22, 6, 16, 32, true, q8, true},    {2, 2, 5, 2, 16, 64, false, q8, true},
  };
  for (const Shape &s : shapes)
    for (auto [position, tokens] : {std::pair(0, 1), {13, 20}, {57, 12}, {200, 1}}) {
      if (s.tokensPerUnit == 1 && tokens > 1)
        continue;
      SCOPED_TRACE(llvm::formatv("{0}, position {1}, tokens {2}", specOf(s), position, tokens).str());
      int columns = (s.heads + 2 * s.kvHeads) * s.headDim, stride = kern::rowStride(columns), pairs = s.rotaryDims / 2;
      int tableStride = kern::rowStride(s.rotaryDims);
      std::mt19937 random(s.headDim + tokens);
      std::normal_distribution<float> normal;
      Buffer<float> qkv(tokens * stride, NAN), table(tokens * tableStride, NAN);
      std::vector<float> weights[2] = {std::vector<float>(s.headDim), std::vector<float>(s.headDim)};
      for (int t = 0; t < tokens; ++t) {
        for (int c = 0; c < columns; ++c)
          qkv[t * stride + c] = normal(random);
        for (int i = 0; i < pairs; ++i)
          table[t * tableStride + i] = std::cos(t + i + 1), table[t * tableStride + pairs + i] = std::sin(t + i + 1);
      }
      for (std::vector<float> &weight : weights)
        for (float &value : weight)
          value = normal(random);
      const std::vector<float> before = qkv.values();
      CacheBytes layout = {s.element, s.kvHeads, s.headDim, s.capacity, nullptr};
      Buffer<uint8_t> cache(layout.bytes(), 0x77);
      layout.data = cache.data();
      std::vector<bool> written(cache.size());

      CompiledKernel kernel(specOf(s), *GetParam());
      Buffer<float> normWeights[2] = {weights[0], weights[1]};
      std::vector<void *> bindings = {qkv};
      if (s.rotaryDims)
        bindings.push_back(table);
      if (s.norm)
        bindings.insert(bindings.end(), {normWeights[0], normWeights[1]});
      bindings.push_back(cache);
      unsigned units = s.kvHeads * ((tokens + s.tokensPerUnit - 1) / s.tokensPerUnit);
      kernel.run(bindings, units, {uint64_t(tokens), uint64_t(position), 0}, 3);

      auto mark = [&](size_t from, size_t bytes) { std::fill_n(written.begin() + from, bytes, true); };
      auto checkCache = [&](int place, int plane, int head, const auto &expected) {
        double largest = 0;
        for (int d = 0; d < s.headDim; ++d)
          largest = std::max(largest, std::abs(double(expected[d])));
        for (int d = 0; d < s.headDim; ++d) {
          double step = s.element == q8 ? 0.501 * largest / 127 : 0, share = s.element == f16 ? 6e-4 : 2e-6;
          ASSERT_NEAR(layout.load(place, plane, head, d), expected[d], step + share * (1 + std::abs(expected[d])));
          mark(layout.at(place, plane, head, d), s.element == f32 ? 4 : s.element == f16 ? 2 : 1);
        }
        if (s.element != q8)
          return;
        mark(layout.scaleAt(place, plane, head), 4);
        if (plane == 0) // a key's last quad is stored whole
          mark(layout.at(place, plane, head, (s.headDim - 1) / 4 * 4), 4);
      };
      for (int t = 0; t < tokens; ++t) {
        const float *row = &before[t * stride], *cosines = s.rotaryDims ? &table[t * tableStride] : nullptr;
        for (int head = 0; head < s.heads + s.kvHeads; ++head) {
          std::vector<double> expected = rotated(s, row + head * s.headDim, weights[head >= s.heads], cosines);
          for (int d = 0; d < s.headDim; ++d)
            ASSERT_NEAR(qkv[t * stride + head * s.headDim + d], expected[d], 2e-6 * (1 + std::abs(expected[d])));
        }
        for (int head = 0; head < s.kvHeads; ++head) {
          const float *value = row + (s.heads + s.kvHeads + head) * s.headDim;
          checkCache(position + t, 0, head, rotated(s, row + (s.heads + head) * s.headDim, weights[1], cosines));
          checkCache(position + t, 1, head, value);
          for (int d = 0; d < s.headDim; ++d)
            EXPECT_EQ(qkv[t * stride + (s.heads + s.kvHeads + head) * s.headDim + d], value[d]);
        }
        for (int c = columns; c < stride; ++c)
          EXPECT_TRUE(std::isnan(qkv[t * stride + c])) << "wrote past the row's columns";
      }
      for (size_t i = 0; i < cache.size(); ++i)
        if (!written[i])
          ASSERT_EQ(cache[i], 0x77) << "wrote to the cache of another position";
    }
}

} // namespace
} // namespace sinter::test
