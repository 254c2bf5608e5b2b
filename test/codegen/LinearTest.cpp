// The linear kernel in every format, on every target of this machine, with odd shapes, against a product in doubles of
// the same packed bytes. Codes of activations are exact, so what differs is the order and rounding of f32 sums: a
// relative error of a few times 2^-24 per addition, far below the tolerances here. The tests' packing is written out by
// hand from the layout in dialects/Formats.h.

#include "KernelHarness.h"

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>

namespace sinter::test {
namespace {

// A packed matrix and the values its bytes stand for.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> values; // [rows][columns]
  std::vector<uint8_t> bytes;
};

void putHalf(std::vector<uint8_t> &bytes, size_t at, uint16_t value) { std::memcpy(&bytes[at], &value, 2); }

Matrix makeQuantized(const Format &format, int64_t rows, int64_t columns, Random &random) {
  int64_t tiles = (rows + 31) / 32, groups = (columns + format.group - 1) / format.group;
  int64_t head = 64 * (format.hasZeros ? 2 : 1), block = head + 32 * format.group * format.bits / 8;
  Matrix matrix = {rows, columns, std::vector<double>(rows * columns), std::vector<uint8_t>(tiles * groups * block)};
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t g = 0; g < groups; ++g) {
      size_t base = (n / 32 * groups + g) * block;
      int64_t r = n % 32;
      uint16_t scale = halfBits(random.uniform(0.001f, 0.02f));
      uint16_t zero = halfBits(random.uniform(0, 15));
      putHalf(matrix.bytes, base + 2 * r, scale);
      if (format.hasZeros)
        putHalf(matrix.bytes, base + 64 + 2 * r, zero);
      for (int64_t i = 0; i < format.group && g * format.group + i < columns; ++i) {
        uint32_t code = random.bits() % (1u << format.bits);
        auto put = [&](int64_t line, uint32_t bits) {
          matrix.bytes[base + head + line * 128 + r * 4 + i % 4] |= static_cast<uint8_t>(bits);
        };
        if (format.bits == 8)
          put(i / 4, code);
        else if (format.bits == 4)
          put(i / 8, i % 8 >= 4 ? code << 4 : code);
        else if (i % 16 < 12)
          put(i / 16 * 3 + i % 16 / 4, code);
        else
          for (int64_t j = 0; j < 3; ++j)
            put(i / 16 * 3 + j, (code >> 2 * j & 3) << 6);
        double offset = format.hasZeros ? halfValue(zero) : format.impliedZero;
        matrix.values[n * columns + g * format.group + i] = halfValue(scale) * (code - offset);
      }
    }
  return matrix;
}

Matrix makeFloats(const Format &format, int64_t rows, int64_t columns, Random &random) {
  int64_t tiles = (rows + 31) / 32, size = format.bits / 8;
  Matrix matrix = {rows, columns, std::vector<double>(rows * columns),
                   std::vector<uint8_t>(tiles * columns * 32 * size)};
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t k = 0; k < columns; ++k) {
      size_t at = ((n / 32 * columns + k) * 32 + n % 32) * size;
      float value = random.uniform(-1, 1);
      double &stored = matrix.values[n * columns + k];
      if (format.kind == FormatClass::f32) {
        std::memcpy(&matrix.bytes[at], &value, 4);
        stored = value;
      } else if (format.kind == FormatClass::f16) {
        putHalf(matrix.bytes, at, halfBits(value));
        stored = halfValue(halfBits(value));
      } else {
        putHalf(matrix.bytes, at, brainBits(value));
        stored = brainValue(brainBits(value));
      }
    }
  return matrix;
}

Matrix makeMatrix(const Format &format, int64_t rows, int64_t columns, Random &random) {
  return format.isQuantized() ? makeQuantized(format, rows, columns, random)
                              : makeFloats(format, rows, columns, random);
}

// Rows of activations, as the kernel reads them and as numbers.
struct Activations {
  std::vector<double> values; // [tokens][columns]
  Buffer<float> floats;       // [tokens][stride(columns)], noise in the padding
  Buffer<int8_t> codes;       // [tokens][padded]
  Buffer<float> scales;       // [tokens][groups]
  Buffer<int32_t> sums;       // [tokens][groups], for symmetric formats
  Buffer<float> floatSums;    // [tokens][groups], with zero points
};

Activations makeActivations(const Format &format, int64_t tokens, int64_t columns, Random &random) {
  int64_t stride = kern::rowStride(columns), padded = format.paddedColumns(columns), groups = format.groups(columns);
  Activations a = {std::vector<double>(tokens * columns), Buffer<float>(tokens * stride, 1e30f),
                   Buffer<int8_t>(tokens * padded),       Buffer<float>(tokens * groups),
                   Buffer<int32_t>(tokens * groups),      Buffer<float>(tokens * groups)};
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t g = 0; g < groups; ++g) {
      float scale = random.uniform(0.001f, 0.03f);
      int32_t sum = 0;
      for (int64_t k = g * format.group; k < std::min(columns, (g + 1) * format.group); ++k) {
        int8_t code = static_cast<int8_t>(static_cast<int>(random.bits() % 255) - 127);
        float value = random.uniform(-1, 1);
        a.codes[t * padded + k] = code;
        sum += code;
        a.floats[t * stride + k] = value;
        a.values[t * columns + k] = format.isQuantized() ? static_cast<double>(scale) * code : value;
      }
      a.scales[t * groups + g] = scale;
      a.sums[t * groups + g] = -format.impliedZero * sum;
      a.floatSums[t * groups + g] = scale * sum;
    }
  return a;
}

// The bindings that stand for the input.
std::vector<void *> inputs(const Format &format, const Activations &a) {
  if (!format.isQuantized())
    return {a.floats};
  return {a.codes, a.scales, format.hasZeros ? static_cast<void *>(a.floatSums) : static_cast<void *>(a.sums)};
}

std::string linearSpec(const Format &format, int64_t rows, int64_t columns, const std::string &more = "") {
  return "#kern.linear<rows = " + std::to_string(rows) + ", columns = " + std::to_string(columns) + ", format = \"" +
         std::string(format.name) + "\"" + more + ">";
}

// sum of |x w|: what errors are relative to.
struct Expected {
  double value = 0, size = 0;
};

Expected product(const Matrix &w, int64_t n, const double *x) {
  Expected e;
  for (int64_t k = 0; k < w.columns; ++k) {
    e.value += w.values[n * w.columns + k] * x[k];
    e.size += std::fabs(w.values[n * w.columns + k] * x[k]);
  }
  return e;
}

constexpr double kTolerance = 3e-6;

class LinearTest : public testing::TestWithParam<std::tuple<const Target *, const Format *>> {
protected:
  const Target &target = *std::get<0>(GetParam());
  const Format &format = *std::get<1>(GetParam());
};

TEST_P(LinearTest, MatchesProductInDoubles) {
  const std::pair<int64_t, int64_t> shapes[] = {{7, 32}, {32, 64}, {96, 172}, {172, 288}, {33, 31}};
  Random random(1);
  for (auto [rows, columns] : shapes) {
    if (target.isGpu() && rows != 7 && rows != 96) // each takes a driver a second to compile
      continue;
    CompiledKernel kernel(linearSpec(format, rows, columns), target);
    Matrix w = makeMatrix(format, rows, columns, random);
    Buffer<uint8_t> packed(w.bytes);
    for (uint64_t tokens : {1, 2, 5, 6, 7, 13, 25}) {
      Activations a = makeActivations(format, tokens, columns, random);
      int64_t stride = kern::rowStride(rows);
      Buffer<float> out(tokens * stride);
      std::vector<void *> bindings = inputs(format, a);
      bindings.insert(bindings.end(), {packed, out});
      kernel.run(bindings, (rows + 31) / 32, {tokens, 0, 0});
      for (uint64_t t = 0; t < tokens; ++t)
        for (int64_t n = 0; n < rows; ++n) {
          Expected e = product(w, n, &a.values[t * columns]);
          ASSERT_NEAR(out[t * stride + n], e.value, kTolerance * e.size)
              << rows << "x" << columns << ", token " << t << " of " << tokens << ", output " << n;
        }
    }
  }
}

TEST_P(LinearTest, SameBitsForAnyPartitionAndAnyCompanions) {
  int64_t rows = 172, columns = 96;
  uint32_t units = 6;
  Random random(2);
  Matrix w = makeMatrix(format, rows, columns, random);
  Buffer<uint8_t> packed(w.bytes);
  CompiledKernel kernel(linearSpec(format, rows, columns), target);
  Activations a = makeActivations(format, 13, columns, random);
  auto run = [&](uint64_t tokens, uint32_t parts) {
    Buffer<float> out(tokens * kern::rowStride(rows));
    std::vector<void *> bindings = inputs(format, a);
    bindings.insert(bindings.end(), {packed, out});
    kernel.run(bindings, units, {tokens, 0, 0}, parts);
    return out.values();
  };
  std::vector<float> whole = run(13, 1);
  for (uint32_t parts : {2, 3, 6, 9})
    EXPECT_EQ(run(13, parts), whole) << parts << " parts";
  if (format.isQuantized()) // Float sums are split differently when there are few.
    for (uint64_t tokens : {1, 2, 3, 6, 7}) {
      std::vector<float> fewer = run(tokens, 1);
      EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), whole.begin())) << tokens << " tokens";
    }
}

// Tiles that are bound by themselves, writing their columns of wider rows.
TEST_P(LinearTest, MatrixInParts) {
  constexpr int64_t rows = 72, columns = 64, first = 32;
  const uint64_t tokens = 3, stride = kern::rowStride(rows);
  Random random(4);
  Matrix w = makeMatrix(format, rows, columns, random);
  Activations a = makeActivations(format, tokens, columns, random);
  auto run = [&](int64_t count, const std::string &more, int64_t from, const Buffer<float> &out) {
    Buffer<uint8_t> part(std::vector<uint8_t>(w.bytes.begin() + format.packedBytes(from, columns), w.bytes.end()));
    std::vector<void *> bindings = inputs(format, a);
    bindings.insert(bindings.end(), {part, out.data() + from});
    CompiledKernel(linearSpec(format, count, columns, more), target).run(bindings, (count + 31) / 32, {tokens, 0, 0});
  };
  Buffer<float> whole(tokens * stride), parts(tokens * stride);
  run(rows, "", 0, whole);
  run(first, ", out_rows = 72", 0, parts);
  run(rows - first, ", out_rows = 72", first, parts);
  EXPECT_EQ(parts.values(), whole.values());
}

TEST_P(LinearTest, AddsBiasAndResidualInPlace) {
  int64_t rows = 40, columns = 64, stride = 64;
  uint64_t tokens = 7;
  Random random(3);
  Matrix w = makeMatrix(format, rows, columns, random);
  Buffer<uint8_t> packed(w.bytes);
  Activations a = makeActivations(format, tokens, columns, random);
  Buffer<float> bias(stride), out(tokens * stride);
  for (float &value : llvm::MutableArrayRef<float>(bias.data(), rows))
    value = random.uniform(-1, 1);
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = random.uniform(-1, 1);
  std::vector<float> residual = out.values();
  std::vector<void *> bindings = inputs(format, a);
  bindings.insert(bindings.end(), {packed, bias, out, out});
  CompiledKernel kernel(linearSpec(format, rows, columns, ", bias = true, residual = true"), target);
  kernel.run(bindings, 2, {tokens, 0, 0}, 2);
  for (uint64_t t = 0; t < tokens; ++t)
    for (int64_t n = 0; n < rows; ++n) {
      Expected e = product(w, n, &a.values[t * columns]);
      ASSERT_NEAR(out[t * stride + n], e.value + bias[n] + residual[t * stride + n], kTolerance * (e.size + 2));
    }
}

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double geluTanh(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
double relu(double x) { return std::max(x, 0.0); }

TEST_P(LinearTest, GatesPairsOfTiles) {
  const std::pair<const char *, double (*)(double)> activations[] = {
      {"silu", silu}, {"gelu", gelu}, {"gelu_tanh", geluTanh}, {"relu", relu}};
  int64_t rows = 40, columns = 64, stride = 64, tileBytes = format.packedBytes(32, columns);
  Random random(4);
  Matrix gate = makeMatrix(format, rows, columns, random), up = makeMatrix(format, rows, columns, random);
  std::vector<uint8_t> interleaved;
  for (int64_t tile = 0; tile < 2; ++tile)
    for (const Matrix *matrix : {&gate, &up})
      interleaved.insert(interleaved.end(), matrix->bytes.begin() + tile * tileBytes,
                         matrix->bytes.begin() + (tile + 1) * tileBytes);
  Buffer<uint8_t> packed(interleaved);
  for (auto [name, function] : activations)
    for (bool single : {false, true}) {
      // What follows the product is the same for all formats: the other activations need only one.
      if (function != silu && (single || format.kind != FormatClass::f32))
        continue;
      CompiledKernel kernel(
          linearSpec(format, rows, columns, std::string(", glu = ") + name + (single ? ", single = true" : "")),
          target);
      uint64_t tokens = single ? 1 : 9;
      Activations a = makeActivations(format, tokens, columns, random);
      Buffer<float> out(tokens * stride);
      std::vector<void *> bindings = inputs(format, a);
      bindings.insert(bindings.end(), {packed, out});
      kernel.run(bindings, 2, {tokens, 0, 0}, 2);
      for (uint64_t t = 0; t < tokens; ++t)
        for (int64_t n = 0; n < rows; ++n) {
          Expected g = product(gate, n, &a.values[t * columns]), u = product(up, n, &a.values[t * columns]);
          double value = function(g.value) * u.value;
          ASSERT_NEAR(out[t * stride + n], value, 2e-6 * (1 + std::fabs(value)) + kTolerance * g.size * u.size) << name;
        }
    }
}

// The prologue of single-token steps: normalizes row `row` of its input, quantizes it by the format's groups.
TEST_P(LinearTest, NormalizesAndQuantizesItsOwnRow) {
  int64_t rows = 70, columns = 172, stride = kern::rowStride(columns), groups = format.groups(columns);
  Random random(5);
  Matrix w = makeMatrix(format, rows, columns, random);
  Buffer<uint8_t> packed(w.bytes);
  Buffer<float> in(4 * stride, 1e30f), weight(stride, 1e30f), out(kern::rowStride(rows));
  std::vector<double> x(columns);
  double squares = 0;
  for (int64_t k = 0; k < columns; ++k) {
    in[2 * stride + k] = random.uniform(-2, 2);
    weight[k] = random.uniform(0.5f, 1.5f);
    squares += in[2 * stride + k] * static_cast<double>(in[2 * stride + k]);
  }
  for (int64_t k = 0; k < columns; ++k)
    x[k] = in[2 * stride + k] / std::sqrt(squares / columns + 1e-5) * weight[k];
  double quantizationStep = 0;
  if (format.isQuantized())
    for (int64_t g = 0; g < groups; ++g) {
      double largest = 0;
      for (int64_t k = g * format.group; k < std::min(columns, (g + 1) * format.group); ++k)
        largest = std::max(largest, std::fabs(x[k]));
      quantizationStep = std::max(quantizationStep, largest / 127);
      for (int64_t k = g * format.group; k < std::min(columns, (g + 1) * format.group); ++k)
        x[k] = std::nearbyint(x[k] / (largest / 127)) * (largest / 127);
    }
  if (target.isGpu() && format.isQuantized())
    return; // refused: see CompileTest
  CompiledKernel kernel(linearSpec(format, rows, columns,
                                   ", fused_rows = true, norm = <kind = rms, epsilon = 1.0e-5 : f32>, single = true, "
                                   "row_from_scalar = true"),
                        target);
  std::vector<float> first;
  for (uint32_t parts : {1, 2, 3}) {
    kernel.run({in, weight, packed, out}, 3, {1, 0, 2}, parts);
    first = parts == 1 ? out.values() : first;
    EXPECT_EQ(out.values(), first) << parts << " parts";
  }
  for (int64_t n = 0; n < rows; ++n) {
    Expected e = product(w, n, x.data());
    // Where x falls between two codes, f32 and double may round apart: allow for two such columns.
    double apart = 0;
    for (int64_t k = 0; k < columns; ++k)
      apart = std::max(apart, std::fabs(w.values[n * columns + k]) * quantizationStep);
    ASSERT_NEAR(out[n], e.value, kTolerance * e.size + 2 * apart) << "output " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(All, LinearTest, testing::Combine(testing::ValuesIn(runnableTargets()), testing::ValuesIn([] {
                                                             std::vector<const Format *> all;
                                                             for (const Format &format : formats())
                                                               all.push_back(&format);
                                                             return all;
                                                           }())),
                         [](const testing::TestParamInfo<LinearTest::ParamType> &info) {
                           std::string name =
                               std::get<0>(info.param)->name.str() + "_" + std::string(std::get<1>(info.param)->name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace sinter::test
