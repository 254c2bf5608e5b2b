// Attention against double-precision softmax over the same cache, on every target this machine runs.
//
// Tolerance: queries and keys are of size 1 and the scale is 1 / sqrt(head_dim), so scores stay below 8; their f32 sums
// are off by some 1e-6, the weights by as much relatively, the outputs (averages of values below 4) by a few times
// that: 1e-5. What the cache holds is what is compared with, so its rounding adds nothing. With codes the kernel rounds
// queries too, to 127 steps up to a head's largest: that moves a score by some 0.01 and an output by a hundredth of the
// values' size: 0.06 at most here.

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "test/codegen/CacheBytes.h"
#include "test/codegen/TargetCases.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace sinter::test {
namespace {

constexpr double kTolerance = 1e-5, kCodedTolerance = 0.06;

struct Shape {
  const char *name;
  int heads, kvHeads, headDim, tokensPerUnit, window, capacity;
  CacheElement element;

  double tolerance() const { return element == CacheElement::q8 ? kCodedTolerance : kTolerance; }
  int group() const { return heads / kvHeads; }
  std::string spec() const {
    return llvm::formatv(
        "#kern.attention<heads = {0}, kv_heads = {1}, head_dim = {2}, scale = {3} : f32, window = {4}, "
        "element = {5}, capacity = {6}, tokens_per_unit = {7}>",
        heads, kvHeads, headDim, llvm::formatv("{0:e8}", 1 / std::sqrt(double(headDim))), window, elementName(element),
        capacity, tokensPerUnit);
  }
};

// A sequence's queries, keys and values, all positions, and the cache as it is after some of them.
class Sequence {
public:
  Sequence(const Shape &shape, int length) : shape(shape) {
    std::mt19937 random(shape.headDim * 131 + length);
    std::normal_distribution<float> normal;
    auto fill = [&](std::vector<float> &values, int heads) {
      values.resize(size_t(length) * heads * shape.headDim);
      for (float &value : values)
        value = halfValue(halfBits(std::min(3.9f, std::max(-3.9f, normal(random)))));
    };
    fill(queries, shape.heads), fill(keys, shape.kvHeads), fill(values, shape.kvHeads);
    round(keys), round(values);
  }

  // The cache after positions [0, end), with NaN wherever nothing was written.
  std::vector<uint8_t> cache(int end) const {
    CacheBytes cache = {shape.element, shape.kvHeads, shape.headDim, shape.capacity, nullptr};
    std::vector<uint8_t> bytes(cache.bytes(), 0xff);
    cache.data = bytes.data();
    for (int position = 0; position < end; ++position)
      for (int head = 0; head < shape.kvHeads; ++head) {
        size_t from = (size_t(position) * shape.kvHeads + head) * shape.headDim;
        cache.store(position, 0, head, &keys[from]);
        cache.store(position, 1, head, &values[from]);
      }
    return bytes;
  }

  // Rows of the qkv buffer; keys and values are in the cache, so their columns hold NaN.
  std::vector<float> rows(int position, int tokens) const {
    int stride = kern::rowStride((shape.heads + 2 * shape.kvHeads) * shape.headDim),
        width = shape.heads * shape.headDim;
    std::vector<float> result(size_t(tokens) * stride, std::numeric_limits<float>::quiet_NaN());
    for (int t = 0; t < tokens; ++t)
      std::copy_n(queries.begin() + size_t(position + t) * width, width, result.begin() + size_t(t) * stride);
    return result;
  }

  std::vector<double> expected(int position, int head) const {
    int dim = shape.headDim, first = shape.window ? std::max(0, position - shape.window + 1) : 0;
    auto of = [&](const std::vector<float> &all, int p) {
      return all.data() + (size_t(p) * shape.kvHeads + head / shape.group()) * dim;
    };
    const float *query = queries.data() + (size_t(position) * shape.heads + head) * dim;
    std::vector<double> scores, result(dim);
    for (int p = first; p <= position; ++p) {
      double score = 0;
      for (int d = 0; d < dim; ++d)
        score += double(query[d]) * of(keys, p)[d];
      scores.push_back(score / std::sqrt(double(dim)));
    }
    double most = *std::max_element(scores.begin(), scores.end()), sum = 0;
    for (double &score : scores)
      sum += score = std::exp(score - most);
    for (int p = first; p <= position; ++p)
      for (int d = 0; d < dim; ++d)
        result[d] += scores[p - first] / sum * of(values, p)[d];
    return result;
  }

private:
  // To what the cache can hold: every head's row through a cache of one tile.
  void round(std::vector<float> &rows) const {
    CacheBytes tile = {shape.element, 1, shape.headDim, 16, nullptr};
    std::vector<uint8_t> bytes(tile.bytes());
    tile.data = bytes.data();
    for (size_t row = 0; row < rows.size(); row += shape.headDim) {
      tile.store(0, 0, 0, &rows[row]);
      for (int d = 0; d < shape.headDim; ++d)
        rows[row + d] = tile.load(0, 0, 0, d);
    }
  }

  Shape shape;
  std::vector<float> queries, keys, values; // [positions][heads][head_dim]
};

// Runs a step whose keys and values are already in the cache.
std::vector<float> runStep(const CompiledKernel &kernel, const Shape &shape, const Sequence &sequence, int position,
                           int tokens, unsigned threads = 1) {
  Buffer<uint8_t> cache(sequence.cache(position + tokens));
  Buffer<float> qkv(sequence.rows(position, tokens));
  Buffer<float> out(size_t(tokens) * kern::rowStride(shape.heads * shape.headDim));
  unsigned blocks = (tokens + shape.tokensPerUnit - 1) / shape.tokensPerUnit;
  kernel.run({qkv, cache, out}, shape.kvHeads * blocks, {uint64_t(tokens), uint64_t(position), 0}, threads);
  return out.values();
}

const Shape kShapes[] = {
    {"decode of a group of four", 8, 2, 64, 1, 0, 512, CacheElement::f16},
    {"decode of single heads", 3, 3, 32, 1, 0, 512, CacheElement::f32},
    {"decode of a group of three", 9, 3, 64, 1, 0, 512, CacheElement::f16},
    {"decode of a large group", 20, 2, 48, 1, 0, 512, CacheElement::f16},
    {"prefill", 8, 2, 64, 16, 0, 512, CacheElement::f16},
    {"prefill in f32", 4, 2, 32, 16, 0, 512, CacheElement::f32},
    {"prefill of a group of three", 9, 3, 80, 16, 0, 512, CacheElement::f16},
    {"prefill of single heads", 2, 2, 128, 16, 0, 512, CacheElement::f16},
    {"narrow heads", 8, 4, 8, 16, 0, 512, CacheElement::f32},
    {"odd heads", 6, 2, 20, 8, 0, 512, CacheElement::f16},
    {"decode in a window", 4, 2, 32, 1, 40, 64, CacheElement::f16},
    {"prefill in a window", 4, 2, 32, 16, 40, 96, CacheElement::f16},
    {"a window of a tile", 2, 1, 16, 16, 16, 64, CacheElement::f32},
    {"decode from codes", 8, 2, 64, 1, 0, 512, CacheElement::q8},
    {"decode of a large group from codes", 20, 2, 48, 1, 0, 512, CacheElement::q8},
    {"prefill from codes", 9, 3, 64, 16, 0, 512, CacheElement::q8},
    {"odd heads from codes", 6, 2, 22, 8, 0, 512, CacheElement::q8},
    {"wide heads in a window from codes", 4, 2, 128, 16, 40, 96, CacheElement::q8},
};

class Attention : public TargetCase {
protected:
  // GPUs have small units.
  bool takes(const Shape &shape) const { return !GetParam()->isGpu() || shape.tokensPerUnit <= 8; }
};
SINTER_FOR_TARGETS(Attention);

TEST_P(Attention, MatchesDoublePrecision) {
  for (const Shape &shape : kShapes) {
    SCOPED_TRACE(shape.name);
    if (!takes(shape))
      continue;
    Sequence sequence(shape, 400);
    CompiledKernel kernel(shape.spec(), *GetParam());
    int stride = kern::rowStride(shape.heads * shape.headDim);
    for (auto [position, tokens] :
         {std::pair(0, 1), {0, 5}, {7, 9}, {15, 2}, {16, 1}, {100, 33}, {250, 17}, {383, 1}}) {
      if (shape.tokensPerUnit == 1 && tokens > 1)
        continue;
      std::vector<float> out = runStep(kernel, shape, sequence, position, tokens);
      double worst = 0;
      for (int t = 0; t < tokens; ++t)
        for (int head = 0; head < shape.heads; ++head) {
          std::vector<double> expected = sequence.expected(position + t, head);
          for (int d = 0; d < shape.headDim; ++d) {
            double error = std::abs(out[size_t(t) * stride + head * shape.headDim + d] - expected[d]);
            worst = error <= worst ? worst : error; // a NaN counts
          }
        }
      EXPECT_LE(worst, shape.tolerance()) << "position " << position << ", tokens " << tokens;
    }
  }
}

TEST_P(Attention, DoesNotDependOnTheThreads) {
  for (CacheElement element : {CacheElement::f16, CacheElement::q8}) {
    Shape shape = {"prefill", 8, 2, 64, GetParam()->isGpu() ? 2 : 16, 0, 512, element};
    if (!takes(shape))
      continue;
    Sequence sequence(shape, 200);
    CompiledKernel kernel(shape.spec(), *GetParam());
    std::vector<float> one = runStep(kernel, shape, sequence, 70, 100);
    for (unsigned threads : {2, 3, 5, 14})
      EXPECT_EQ(one, runStep(kernel, shape, sequence, 70, 100, threads)) << threads << " threads";
  }
}

// A token is attended to alike alone and within a longer step: they differ in the blocks' sizes, thus in the order of
// sums. Codes of queries are the same in both.
TEST_P(Attention, SingleTokenIsLikeItsPlaceInAStep) {
  for (CacheElement element : {CacheElement::f16, CacheElement::q8}) {
    Shape longer = {"prefill", 8, 2, 64, GetParam()->isGpu() ? 2 : 16, 0, 512, element},
          single = {"decode", 8, 2, 64, 1, 0, 512, element};
    if (!takes(longer))
      continue;
    Sequence sequence(longer, 200);
    CompiledKernel prefill(longer.spec(), *GetParam()), decode(single.spec(), *GetParam());
    int stride = kern::rowStride(longer.heads * longer.headDim);
    std::vector<float> step = runStep(prefill, longer, sequence, 90, 40);
    for (int t : {0, 13, 39}) {
      std::vector<float> alone = runStep(decode, single, sequence, 90 + t, 1);
      for (int column = 0; column < longer.heads * longer.headDim; ++column)
        EXPECT_NEAR(alone[column], step[size_t(t) * stride + column], kTolerance);
    }
  }
}

} // namespace
} // namespace sinter::test
