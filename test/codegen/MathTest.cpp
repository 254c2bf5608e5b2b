// What stands in for a math library in kernels, against long double, with the errors that ExpandMath.cpp states; and
// the conversions of 16-bit floats, all of them, bit by bit. On every target of this machine.

#include "KernelHarness.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>

namespace sinter::test {
namespace {

using kern::KernelBuilder;
using mlir::Value;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class MathTest : public testing::TestWithParam<const Target *> {
protected:
  // Applies an op to every number, in vectors and, for the odd one at the end, as a scalar.
  std::vector<float> apply(const std::vector<float> &x, llvm::function_ref<Value(KernelBuilder &, Value)> op) {
    int64_t count = static_cast<int64_t>(x.size()), width = GetParam()->vectorBytes / 4;
    CompiledKernel kernel(
        [&](KernelBuilder &b) {
          Value in = b.binding(0, b.getF32Type()), out = b.binding(1, b.getF32Type());
          b.vectors(count - 1, width, [&](Value i, int64_t step) { b.store(op(b, b.load(in, i, step)), out, i); });
          Value last = b.index(count - 1);
          b.storeScalar(op(b, b.loadScalar(in, last)), out, last);
        },
        *GetParam());
    Buffer<float> in(x), out(x.size());
    kernel.run({in, out}, 1, {1, 0, 0});
    return out.values();
  }

  std::vector<float> sweep(float low, float high, int count) {
    std::vector<float> x;
    for (int i = 0; i <= count; ++i)
      x.push_back(low + (high - low) * static_cast<float>(i) / static_cast<float>(count));
    return x;
  }
};

double ulp(double value) {
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1, std::max(exponent - 24, -149));
}

TEST_P(MathTest, ExpIsWithinTwoUlp) {
  std::vector<float> x = sweep(-86.5f, 88.7f, 200001);
  std::vector<float> y = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::ExpOp::create(b, v); });
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = static_cast<double>(std::exp(static_cast<long double>(x[i])));
    worst = std::max(worst, std::fabs(y[i] - exact) / ulp(exact));
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LT(worst, 2);
}

TEST_P(MathTest, ExpEnds) {
  std::vector<float> x = {0, -kInfinity, kInfinity, -1000, 1000, 88.73f, -90, 88.72f, std::nanf(""), 1};
  std::vector<float> y = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::ExpOp::create(b, v); });
  EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 7),
            (std::vector<float>{1, 0, kInfinity, 0, kInfinity, kInfinity, 0}));
  EXPECT_NEAR(y[7] / std::exp(static_cast<double>(x[7])), 1, 1e-6);
  EXPECT_TRUE(std::isnan(y[8]));
}

// Rotary embeddings: positions up to 2^17 times frequencies from 1 down.
TEST_P(MathTest, SineAndCosineReduceLargeAngles) {
  std::vector<float> x = sweep(-10, 10, 100001);
  for (int position = 0; position < 131072; position += 17)
    for (float frequency : {1.0f, 0.7498942f, 0.001f})
      x.push_back(static_cast<float>(position) * frequency);
  if (!GetParam()->isGpu()) // no f64 there
    x.push_back(1e9f);
  std::vector<float> s = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::SinOp::create(b, v); });
  std::vector<float> c = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::CosOp::create(b, v); });
  for (size_t i = 0; i < x.size(); ++i) {
    double sine = static_cast<double>(std::sin(static_cast<long double>(x[i])));
    double cosine = static_cast<double>(std::cos(static_cast<long double>(x[i])));
    double least = GetParam()->isGpu() ? 2e-7 : 1e-7;
    ASSERT_NEAR(s[i], sine, std::max(ulp(sine), least)) << "sin " << x[i];
    ASSERT_NEAR(c[i], cosine, std::max(ulp(cosine), least)) << "cos " << x[i];
  }
}

TEST_P(MathTest, ErfAndTanhAreWithinHalfAMillionth) {
  std::vector<float> x = sweep(-12, 12, 100001);
  std::vector<float> e = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::ErfOp::create(b, v); });
  std::vector<float> t = apply(x, [](KernelBuilder &b, Value v) -> Value { return mlir::math::TanhOp::create(b, v); });
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(e[i], std::erf(static_cast<double>(x[i])), 5e-7) << "erf " << x[i];
    ASSERT_NEAR(t[i], std::tanh(static_cast<double>(x[i])), 5e-7) << "tanh " << x[i];
  }
}

// Kernels that widen all 65536 numbers of a 16-bit type.
std::vector<float> widenAll(const Target &target, llvm::function_ref<mlir::Type(KernelBuilder &)> type) {
  CompiledKernel kernel(
      [&](KernelBuilder &b) {
        Value in = b.binding(0, type(b)), out = b.binding(1, b.getF32Type());
        b.vectors(65536, 24, [&](Value i, int64_t width) { b.store(b.loadF32(in, i, width), out, i); });
      },
      target);
  Buffer<uint16_t> in(65536);
  for (uint32_t bits = 0; bits < 65536; ++bits)
    in[bits] = static_cast<uint16_t>(bits);
  Buffer<float> out(65536);
  kernel.run({in, out}, 1, {1, 0, 0});
  return out.values();
}

// Narrows numbers to a 16-bit type.
std::vector<uint16_t> narrow(const Target &target, const std::vector<float> &x,
                             llvm::function_ref<mlir::Type(KernelBuilder &)> type) {
  CompiledKernel kernel(
      [&](KernelBuilder &b) {
        Value in = b.binding(0, b.getF32Type()), out = b.binding(1, type(b));
        b.vectors(static_cast<int64_t>(x.size()), 16,
                  [&](Value i, int64_t width) { b.storeF32(b.load(in, i, width), out, i); });
      },
      target);
  Buffer<float> in(x);
  Buffer<uint16_t> out(x.size());
  kernel.run({in, out}, 1, {1, 0, 0});
  return out.values();
}

// Numbers around every boundary between two neighbours of a type, random bits, and the special ones.
std::vector<float> roundingCases(double (*value)(uint16_t)) {
  std::vector<float> x = {0.0f,     -0.0f,    kInfinity, -kInfinity, std::nanf(""), 65519.0f,
                          65520.0f, 65536.0f, 1e-8f,     -1e-8f,     3.4e38f};
  for (uint32_t bits = 0; bits < 0x7c00; bits += 7) {
    float middle =
        static_cast<float>((value(static_cast<uint16_t>(bits)) + value(static_cast<uint16_t>(bits + 1))) / 2);
    for (float each : {middle, std::nextafter(middle, kInfinity), std::nextafter(middle, -kInfinity), -middle})
      x.push_back(each);
  }
  Random random(7);
  for (int i = 0; i < 100000; ++i) {
    uint32_t bits = random.bits() << 1 ^ random.bits();
    float each;
    std::memcpy(&each, &bits, 4);
    if (!std::isnan(each))
      x.push_back(each);
  }
  return x;
}

TEST_P(MathTest, ConvertsEveryHalf) {
  auto half = [](KernelBuilder &b) -> mlir::Type { return b.getF16Type(); };
  std::vector<float> all = widenAll(*GetParam(), half);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    double exact = halfValue(static_cast<uint16_t>(bits));
    if (std::isnan(exact))
      ASSERT_TRUE(std::isnan(all[bits])) << bits;
    else
      ASSERT_TRUE(all[bits] == exact && std::signbit(all[bits]) == std::signbit(exact)) << bits;
  }
  std::vector<float> x = roundingCases(halfValue);
  std::vector<uint16_t> narrowed = narrow(*GetParam(), x, half);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(narrowed[i], halfBits(x[i])) << x[i];
}

TEST_P(MathTest, ConvertsEveryBrainFloat) {
  auto brain = [](KernelBuilder &b) -> mlir::Type { return b.getBF16Type(); };
  std::vector<float> all = widenAll(*GetParam(), brain);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    double exact = brainValue(static_cast<uint16_t>(bits));
    ASSERT_TRUE(std::isnan(exact) ? std::isnan(all[bits]) : all[bits] == exact) << bits;
  }
  std::vector<float> x = roundingCases(brainValue);
  std::vector<uint16_t> narrowed = narrow(*GetParam(), x, brain);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_TRUE(std::isnan(x[i]) ? std::isnan(brainValue(narrowed[i])) : narrowed[i] == brainBits(x[i])) << x[i];
}

INSTANTIATE_TEST_SUITE_P(All, MathTest, testing::ValuesIn(runnableTargets()), [](const auto &info) {
  std::string name = info.param->name.str();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

} // namespace
} // namespace sinter::test
