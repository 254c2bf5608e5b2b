// The kernels that only encoders have, against double precision: full attention with its mask and relative bias, pooling,
// unit rows, summed embeddings, activations behind products, and norms kept beside their codes.
//
// Tolerance of attention: as in AttentionTest.cpp, 1e-5. Sums of a few hundred floats of size 1: 1e-6 of their size.

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "test/codegen/TargetCases.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <limits>

namespace sinter::test {
namespace {

struct FullShape {
  const char *name;
  int heads, kvHeads, headDim, maxTokens, tokensPerUnit;
  bool mask, relative;

  int group() const { return heads / kvHeads; }
  // Queries, keys and values side by side in one buffer, as a product of all three leaves them.
  int columns() const { return (heads + 2 * kvHeads) * headDim; }
  std::string spec() const {
    int stride = kern::rowStride(columns());
    return llvm::formatv("#kern.full_attention<heads = {0}, kv_heads = {1}, head_dim = {2}, scale = {3:e8} : f32, "
                         "strides = [{4}, {4}, {4}], columns = [0, {5}, {6}], mask = {7}, "
                         "relative = {8}, max_tokens = {9}, tokens_per_unit = {10}>",
                         heads, kvHeads, headDim, 1 / std::sqrt(double(headDim)), stride, heads * headDim,
                         (heads + kvHeads) * headDim, mask ? "true" : "false", relative ? "true" : "false", maxTokens,
                         tokensPerUnit);
  }
};

const FullShape kShapes[] = {
    {"as in MiniLM", 4, 4, 32, 128, 32, false, false},
    {"wide heads, blocks that no tile divides", 2, 2, 64, 300, 32, false, false},
    {"grouped heads of odd width", 6, 2, 20, 48, 16, false, false},
    {"masked", 2, 2, 32, 64, 32, true, false},
    {"with relative bias", 3, 3, 16, 140, 32, false, true},
    {"masked, with relative bias", 2, 1, 8, 40, 32, true, true},
};

struct FullCase {
  FullShape shape;
  int tokens, stride;
  Buffer<float> qkv, bias;
  Buffer<int32_t> mask;

  FullCase(const FullShape &shape, int tokens)
      : shape(shape), tokens(tokens), stride(kern::rowStride(shape.columns())), qkv(size_t(tokens) * stride),
        bias(size_t(shape.heads) * kern::rowStride(2 * shape.maxTokens + 32)), mask(tokens) {
    Random random(tokens * 31 + shape.headDim);
    for (size_t i = 0; i < qkv.size(); ++i)
      qkv[i] = random.uniform(-2, 2);
    for (size_t i = 0; i < bias.size(); ++i)
      bias[i] = random.uniform(-1, 1);
    for (int t = 0; t < tokens; ++t)
      mask[t] = random.bits() % 3 != 0;
  }

  double at(int t, int column) const { return qkv[size_t(t) * stride + column]; }

  std::vector<double> expected(int i, int head) const {
    int dim = shape.headDim, kv = head / shape.group();
    std::vector<double> scores, result(dim);
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int j = 0; j < tokens; ++j) {
      double score = 0;
      for (int d = 0; d < dim; ++d)
        score += at(i, head * dim + d) * at(j, (shape.heads + kv) * dim + d);
      score /= std::sqrt(double(dim));
      if (shape.relative) // in units of log2(e)
        score += bias[size_t(head) * kern::rowStride(2 * shape.maxTokens + 32) + shape.maxTokens + i - j] * std::log(2);
      if (shape.mask && !mask[j])
        score = -std::numeric_limits<double>::infinity();
      scores.push_back(score);
      most = std::max(most, score);
    }
    if (std::isinf(most))
      return result;
    for (double &score : scores)
      sum += score = std::exp(score - most);
    for (int j = 0; j < tokens; ++j)
      for (int d = 0; d < dim; ++d)
        result[d] += scores[j] / sum * at(j, (shape.heads + shape.kvHeads + kv) * dim + d);
    return result;
  }

  std::vector<float> run(const CompiledKernel &kernel, unsigned parts) {
    Buffer<float> out(size_t(tokens) * kern::rowStride(shape.heads * shape.headDim));
    std::vector<void *> bindings = {qkv, qkv, qkv};
    if (shape.mask)
      bindings.push_back(mask);
    if (shape.relative)
      bindings.push_back(bias);
    bindings.push_back(out);
    unsigned blocks = (tokens + shape.tokensPerUnit - 1) / shape.tokensPerUnit;
    kernel.run(bindings, shape.kvHeads * blocks, {uint64_t(tokens), 0, 0}, parts);
    return out.values();
  }
};

class Encoder : public TargetCase {};
SINTER_FOR_CPUS(Encoder);

TEST_P(Encoder, FullAttention) {
  for (const FullShape &shape : kShapes) {
    CompiledKernel kernel(shape.spec(), *GetParam());
    for (int tokens : {1, 2, 16, 33, shape.maxTokens}) {
      if (tokens > shape.maxTokens)
        continue;
      SCOPED_TRACE(llvm::formatv("{0}, {1} tokens", shape.name, tokens).str());
      FullCase test(shape, tokens);
      std::vector<float> out = test.run(kernel, 1);
      EXPECT_EQ(out, test.run(kernel, 3));
      double worst = 0;
      for (int t = 0; t < tokens; ++t)
        for (int head = 0; head < shape.heads; ++head) {
          std::vector<double> expected = test.expected(t, head);
          for (int d = 0; d < shape.headDim; ++d) {
            double actual = out[size_t(t) * kern::rowStride(shape.heads * shape.headDim) + head * shape.headDim + d];
            worst = std::max(worst, std::isnan(actual) ? 1e9 : std::abs(actual - expected[d]));
          }
        }
      EXPECT_LT(worst, 1e-5);
    }
  }
}

// A query's result does not depend on which others are beside it, and a query that sees nothing is 0.
TEST_P(Encoder, MaskOfNothing) {
  FullShape shape = {"", 2, 2, 16, 40, 32, true, false};
  CompiledKernel kernel(shape.spec(), *GetParam());
  FullCase test(shape, 37);
  for (int t = 0; t < test.tokens; ++t)
    test.mask[t] = 0;
  for (float value : test.run(kernel, 2))
    EXPECT_EQ(value, 0);
}

TEST_P(Encoder, RelativeBias) {
  // Six buckets per direction over packed f32 [buckets = 12, heads = 3]: one tile, columns of 32.
  constexpr int kHeads = 3, kTokens = 40, kStride = 2 * kTokens + 32;
  std::vector<int> thresholds = {1, 2, 4, 8, 64};
  Buffer<float> table(kHeads * 32);
  Random random(5);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = random.uniform(-2, 2);
  Buffer<float> out(kHeads * kern::rowStride(kStride));
  CompiledKernel kernel("#kern.relative_bias<heads = 3, thresholds = [1, 2, 4, 8, 64], max_tokens = 40>",
                        *GetParam());
  kernel.run({table, out}, kHeads, {kTokens, 0, 0}, 2);
  for (int head = 0; head < kHeads; ++head)
    for (int distance = 1 - kTokens; distance < kTokens; ++distance) { // of the key from the query
      int bucket = distance > 0 ? 6 : 0;
      for (int threshold : thresholds)
        bucket += threshold <= std::abs(distance);
      float actual = out[head * kern::rowStride(kStride) + kTokens - distance];
      EXPECT_NEAR(actual, table[head * 32 + bucket] / std::log(2), 1e-6) << "head " << head << ", " << distance;
    }
}

TEST_P(Encoder, Pool) {
  constexpr int kTokens = 21;
  for (int width : {32, 72})
    for (const char *pooling : {"mean", "first", "last", "max"}) {
      SCOPED_TRACE(std::string(pooling) + " of " + std::to_string(width));
      int stride = kern::rowStride(width);
      Buffer<float> in(kTokens * stride), out(stride);
      Random random(width);
      for (size_t i = 0; i < in.size(); ++i)
        in[i] = random.uniform(-2, 2);
      CompiledKernel kernel(llvm::formatv("#kern.pool<width = {0}, pooling = {1}>", width, pooling), *GetParam());
      kernel.run({in, out}, stride / 32, {kTokens, 0, 0}, 2);
      for (int column = 0; column < width; ++column) {
        double sum = 0, most = -1e30;
        for (int t = 0; t < kTokens; ++t) {
          sum += in[t * stride + column];
          most = std::max<double>(most, in[t * stride + column]);
        }
        double expected = *pooling == 'm' ? (pooling[1] == 'e' ? sum / kTokens : most)
                                          : in[(*pooling == 'f' ? 0 : kTokens - 1) * stride + column];
        EXPECT_NEAR(out[column], expected, 1e-6);
      }
    }
}

TEST_P(Encoder, Unit) {
  for (int width : {5, 64, 384}) {
    int stride = kern::rowStride(width);
    Buffer<float> in(3 * stride), out(3 * stride);
    Random random(width);
    for (int c = 0; c < width; ++c) {
      in[c] = random.uniform(-2, 2);
      in[stride + c] = 0;
      in[2 * stride + c] = random.uniform(-2e10f, 2e10f);
    }
    CompiledKernel kernel(llvm::formatv("#kern.unit<width = {0}>", width), *GetParam());
    kernel.run({in, out}, 3, {3, 0, 0});
    for (int t : {0, 1, 2}) {
      double length = 0;
      for (int c = 0; c < width; ++c)
        length += double(in[t * stride + c]) * in[t * stride + c];
      for (int c = 0; c < width; ++c)
        EXPECT_NEAR(out[t * stride + c], length ? in[t * stride + c] / std::sqrt(length) : 0, 1e-6);
    }
  }
}

// Tokens, positions from row 2 on, and types, as packed f32; ids outside of a table take its nearest row.
TEST_P(Encoder, SummedEmbeddings) {
  constexpr int kWidth = 40, kVocab = 50, kPositions = 9, kTypes = 2, kTokens = 7, kStride = 64;
  auto table = [](int rows, int seed) {
    Buffer<float> packed((rows + 31) / 32 * kWidth * 32);
    Random random(seed);
    for (size_t i = 0; i < packed.size(); ++i)
      packed[i] = random.uniform(-2, 2);
    return packed;
  };
  auto at = [](const Buffer<float> &packed, int row, int column) {
    return packed[(row / 32 * kWidth + column) * 32 + row % 32];
  };
  Buffer<float> tokens = table(kVocab, 1), positions = table(kPositions, 2), types = table(kTypes, 3);
  Buffer<int32_t> ids(std::vector<int32_t>{0, 49, 31, 32, -5, 1000, 7}),
      kinds(std::vector<int32_t>{0, 1, 1, 0, 7, -1, 1});
  Buffer<float> out(kTokens * kStride);
  CompiledKernel kernel("#kern.embed<vocab = 50, width = 40, format = \"f32\", scale = 1.0 : f32, "
                        "positions = <rows = 9, format = \"f32\", begin = 2>, types = <rows = 2, format = \"f32\">>",
                        *GetParam());
  kernel.run({ids, tokens, positions, kinds, types, out}, kTokens, {kTokens, 0, 0}, 2);
  for (int t = 0; t < kTokens; ++t)
    for (int c = 0; c < kWidth; ++c)
      EXPECT_NEAR(out[t * kStride + c],
                  double(at(tokens, std::clamp(ids[t], 0, kVocab - 1), c)) + at(positions, t + 2, c) +
                      at(types, std::clamp(kinds[t], 0, 1), c),
                  1e-6);
}

// f(x W^T + b) + r for every activation.
TEST_P(Encoder, ActivationBehindProduct) {
  constexpr int kTokens = 5, kColumns = 32, kRows = 32;
  struct Row {
    const char *name;
    double (*function)(double);
  };
  const Row kActivations[] = {
      {"gelu", [](double x) { return x * (1 + std::erf(x / std::sqrt(2))) / 2; }},
      {"relu", [](double x) { return std::max(x, 0.0); }},
      {"silu", [](double x) { return x / (1 + std::exp(-x)); }},
      {"tanh", [](double x) { return std::tanh(x); }},
  };
  Buffer<float> in(kTokens * kColumns), weights(kColumns * 32), bias(kRows), residual(kTokens * kRows);
  Random random(9);
  for (Buffer<float> *buffer : {&in, &weights, &bias, &residual})
    for (size_t i = 0; i < buffer->size(); ++i)
      (*buffer)[i] = random.uniform(-1, 1);
  for (const Row &row : kActivations) {
    SCOPED_TRACE(row.name);
    Buffer<float> out(kTokens * kRows);
    CompiledKernel kernel(llvm::formatv("#kern.linear<rows = 32, columns = 32, format = \"f32\", act = {0}, bias = true, "
                                        "residual = true>",
                                        row.name),
                          *GetParam());
    kernel.run({in, weights, bias, residual, out}, 1, {kTokens, 0, 0});
    for (int t = 0; t < kTokens; ++t)
      for (int n = 0; n < kRows; ++n) {
        double sum = bias[n];
        for (int k = 0; k < kColumns; ++k)
          sum += double(in[t * kColumns + k]) * weights[k * 32 + n];
        EXPECT_NEAR(out[t * kRows + n], row.function(sum) + residual[t * kRows + n], 5e-6);
      }
  }
}

// The rows that are kept are those of the norm alone, in place, and the codes are those of these rows.
TEST_P(Encoder, NormKeptBesideItsCodes) {
  constexpr int kTokens = 3, kWidth = 96;
  const std::string norm = "norm = <kind = layer, epsilon = 1.0e-5 : f32, bias = true>";
  Buffer<float> in(kTokens * kWidth), weight(kWidth), bias(kWidth), alone(kTokens * kWidth);
  Random random(3);
  for (Buffer<float> *buffer : {&in, &weight, &bias})
    for (size_t i = 0; i < buffer->size(); ++i)
      (*buffer)[i] = random.uniform(-1, 1);
  struct Codes {
    Buffer<int8_t> codes{size_t(kTokens * kWidth)};
    Buffer<float> scales{size_t(kTokens * 3)};
    Buffer<int32_t> sums{size_t(kTokens * 3)};
  } kept, separate;
  CompiledKernel("#kern.rows<width = 96, " + norm + ">", *GetParam())
      .run({in, weight, bias, alone}, kTokens, {kTokens, 0, 0});
  CompiledKernel("#kern.rows<width = 96, quantize = \"q8\">", *GetParam())
      .run({alone, separate.codes, separate.scales, separate.sums}, kTokens, {kTokens, 0, 0});
  CompiledKernel("#kern.rows<width = 96, " + norm + ", quantize = \"q8\", keep = true>", *GetParam())
      .run({in, weight, bias, in, kept.codes, kept.scales, kept.sums}, kTokens, {kTokens, 0, 0});
  EXPECT_EQ(in.values(), alone.values());
  EXPECT_EQ(kept.codes.values(), separate.codes.values());
  EXPECT_EQ(kept.scales.values(), separate.scales.values());
  EXPECT_EQ(kept.sums.values(), separate.sums.values());
}

} // namespace
} // namespace sinter::test
