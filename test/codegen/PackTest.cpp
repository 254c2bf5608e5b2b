// Packed weights, decoded by code that shares nothing with the packer but the layout's definition in
// dialects/Formats.h.

#include "codegen/Pack.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace llvm;

namespace sinter {
namespace {

float fromF16(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const float magnitude =
      exponent ? std::ldexp(float(mantissa + 1024), exponent - 25) : std::ldexp(float(mantissa), -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

uint16_t read16(const uint8_t *bytes) { return uint16_t(bytes[0] | bytes[1] << 8); }

struct Decoded {
  float value;
  float scale = 0, zero = 0; // of its group
};

Decoded decode(const Format &format, ArrayRef<uint8_t> packed, int64_t columns, int64_t row, int64_t k) {
  const uint8_t *tile = packed.data() + row / 32 * format.packedBytes(32, columns);
  const int64_t lane = row % 32;
  if (!format.isQuantized()) {
    const int64_t width = format.bits / 8;
    const uint8_t *at = tile + (k * 32 + lane) * width;
    if (format.kind == FormatClass::f16)
      return {fromF16(read16(at))};
    uint32_t bits = format.kind == FormatClass::bf16 ? uint32_t(read16(at)) << 16 : 0;
    if (format.kind == FormatClass::f32)
      memcpy(&bits, at, 4);
    float value;
    memcpy(&value, &bits, 4);
    return {value};
  }
  const uint8_t *block = tile + k / format.group * format.blockBytes();
  const int64_t inGroup = k % format.group;
  Decoded result;
  result.scale = fromF16(read16(block + 2 * lane));
  result.zero = format.hasZeros ? fromF16(read16(block + 64 + 2 * lane)) : float(format.impliedZero);
  const uint8_t *codes = block + (format.hasZeros ? 128 : 64);
  auto byte = [&](int64_t line) { return codes[line * 128 + lane * 4 + inGroup % 4]; };
  const int64_t run = inGroup / 16 * 3;
  const int code = format.bits == 8     ? byte(inGroup / 4)
                   : format.bits == 4   ? byte(inGroup / 8) >> (inGroup % 8 < 4 ? 0 : 4) & 15
                   : inGroup % 16 < 12 ? byte(run + inGroup % 16 / 4) & 63
                                       : byte(run) >> 6 | byte(run + 1) >> 6 << 2 | byte(run + 2) >> 6 << 4;
  EXPECT_TRUE(format.bits != 8 || code != 0) << "code 0 is not used by 8-bit formats";
  result.value = result.scale * (float(code) - result.zero);
  return result;
}

// A file of f32 values, and a module in which params and a sched.weight are parsed.
class Pack : public testing::Test {
protected:
  Pack() : remover("") {
    context.loadDialect<tx::TxDialect, sched::SchedDialect, kern::KernDialect>();
    int descriptor = -1;
    EXPECT_FALSE(bool(sys::fs::createTemporaryFile("sinter-pack", "bin", descriptor, path)));
    remover.setFile(path);
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0.0f, 0.05f);
    for (int i = 0; i < 40000; ++i)
      values.push_back(normal(random) * (random() % 64 ? 1.0f : 8.0f)); // outliers, as weights have
    values[3] = 0.0f;
    raw_fd_ostream(descriptor, /*shouldClose=*/true)
        .write(reinterpret_cast<const char *>(values.data()), values.size() * 4);
  }

  void writeValues() {
    std::error_code error;
    raw_fd_ostream(path, error).write(reinterpret_cast<const char *>(values.data()), values.size() * 4);
  }

  Expected<std::vector<uint8_t>> pack(const std::string &params, const std::string &weight) {
    std::string text = params + "\n" + weight;
    for (size_t at; (at = text.find("FILE")) != std::string::npos;)
      text.replace(at, 4, path.str().str());
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(bool(module)) << text;
    mlir::SymbolTable symbols(*module);
    Expected<PackedWeight> packed = PackedWeight::create(*module->getOps<sched::WeightOp>().begin(), symbols);
    if (!packed)
      return packed.takeError();
    tx::ParamReader reader;
    std::vector<uint8_t> bytes;
    if (Error error = packed->pack(reader, [&](ArrayRef<uint8_t> piece) {
          bytes.insert(bytes.end(), piece.begin(), piece.end());
          return Error::success();
        }))
      return std::move(error);
    EXPECT_EQ(int64_t(bytes.size()), packed->bytes());
    return bytes;
  }

  std::vector<uint8_t> packMatrix(StringRef format, int64_t rows, int64_t columns) {
    const std::string shape = std::to_string(rows) + "x" + std::to_string(columns);
    return cantFail(pack("tx.param @w \"FILE\" at 0 : tensor<" + shape + "xf32>",
                         "sched.weight @p \"" + format.str() + "\" [@w] rows(" + std::to_string(rows) + ") columns(" +
                             std::to_string(columns) + ")"));
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  SmallString<128> path;
  FileRemover remover;
  std::vector<float> values;
};

constexpr std::pair<int64_t, int64_t> kShapes[] = {{1, 1}, {31, 33}, {32, 32}, {33, 100}, {64, 256}, {40, 131}};

// Rounding error of a float format, relative and absolute (subnormals of f16).
float roundingError(const Format &format, float x) {
  switch (format.kind) {
  case FormatClass::f16:
    return std::abs(x) * 0x1p-11f + 0x1p-25f;
  case FormatClass::bf16:
    return std::abs(x) * 0x1p-8f;
  default:
    return 0;
  }
}

TEST_F(Pack, FloatsRoundToNearest) {
  for (const Format &format : formats())
    for (auto [rows, columns] : kShapes) {
      if (format.isQuantized())
        continue;
      std::vector<uint8_t> bytes = packMatrix(format.name, rows, columns);
      ASSERT_EQ(int64_t(bytes.size()), format.packedBytes(rows, columns));
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t k = 0; k < columns; ++k) {
          const float x = values[row * columns + k];
          ASSERT_LE(std::abs(decode(format, bytes, columns, row, k).value - x), roundingError(format, x))
              << format.name;
        }
    }
}

// Every weight got the code that is nearest to it under its group's scale and zero point.
TEST_F(Pack, CodesAreNearest) {
  for (const Format &format : formats())
    for (auto [rows, columns] : kShapes) {
      if (!format.isQuantized())
        continue;
      std::vector<uint8_t> bytes = packMatrix(format.name, rows, columns);
      ASSERT_EQ(int64_t(bytes.size()), format.packedBytes(rows, columns));
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t k = 0; k < columns; ++k) {
          const float x = values[row * columns + k];
          const Decoded found = decode(format, bytes, columns, row, k);
          float nearest = INFINITY;
          for (int code = format.bits == 8; code <= format.maxCode(); ++code)
            nearest = std::min(nearest, std::abs(x - found.scale * (float(code) - found.zero)));
          ASSERT_LE(std::abs(found.value - x), nearest + 1e-5f * std::abs(x)) << format.name << " " << row << "," << k;
        }
    }
}

// The squared error is below that of scales taken from the largest value or the range, and its root below half a step.
TEST_F(Pack, BetterThanRange) {
  const int64_t rows = 64, columns = 256;
  for (const Format &format : formats()) {
    if (!format.isQuantized() || format.bits == 8)
      continue;
    std::vector<uint8_t> bytes = packMatrix(format.name, rows, columns);
    const float top = float(format.maxCode());
    double error = 0, plain = 0, steps = 0;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t begin = 0; begin < columns; begin += format.group) {
        const float *group = values.data() + row * columns + begin;
        auto [low, high] = std::minmax_element(group, group + format.group);
        const float largest = std::max(std::abs(*low), std::abs(*high));
        const float scale = (format.hasZeros ? *high - *low : largest) / (format.hasZeros ? top : top - format.impliedZero);
        const float zero = format.hasZeros ? -*low / scale : format.impliedZero;
        for (int64_t k = 0; k < format.group; ++k) {
          const float x = group[k];
          const float code = std::clamp(std::nearbyint(x / scale + zero), 0.0f, top);
          const Decoded found = decode(format, bytes, columns, row, begin + k);
          error += (found.value - x) * (found.value - x);
          plain += (scale * (code - zero) - x) * (scale * (code - zero) - x);
          steps += found.scale * found.scale;
        }
      }
    // With 6 bits there is less to gain: the largest value is nearly always best at the end of the range.
    EXPECT_LT(error, (format.bits == 4 ? 0.9 : 0.98) * plain) << format.name;
    EXPECT_LT(error, 0.25 * steps) << format.name;
  }
}

TEST_F(Pack, EightBitsWithinHalfAStep) {
  std::vector<uint8_t> bytes = packMatrix("q8", 33, 100);
  for (int64_t i = 0; i < 3300; ++i) {
    const Decoded found = decode(*findFormat("q8"), bytes, 100, i / 100, i % 100);
    ASSERT_LE(std::abs(found.value - values[i]), found.scale * 0.56f); // half, and what rounding the scale adds at 127
  }
}

// Zeros, one value, tiny and huge values: finite scales, and nothing worse than the format can do.
TEST_F(Pack, ExtremeGroups) {
  for (int64_t k = 0; k < 128; ++k) {
    values[k] = 0;
    values[128 + k] = 0.75f;
    values[256 + k] = 1e-12f * float(k);
    values[384 + k] = k % 2 ? 65504.0f : -65504.0f; // the largest that is taken
    values[512 + k] = -1.0f - 0.001f * float(k);
  }
  writeValues();
  for (const Format &format : formats()) {
    if (!format.isQuantized())
      continue;
    std::vector<uint8_t> bytes = packMatrix(format.name, 5, 128);
    for (int64_t k = 0; k < 128; ++k) {
      EXPECT_EQ(decode(format, bytes, 128, 0, k).value, 0.0f) << format.name;
      EXPECT_NEAR(decode(format, bytes, 128, 1, k).value, 0.75f, 1e-2f) << format.name;
      EXPECT_NEAR(decode(format, bytes, 128, 2, k).value, 0.0f, 1e-6f) << format.name;
      EXPECT_TRUE(std::isfinite(decode(format, bytes, 128, 3, k).value)) << format.name;
      EXPECT_NEAR(decode(format, bytes, 128, 4, k).value, values[512 + k], 0.08f) << format.name;
    }
  }
}

// Padded rows and columns decode to zero.
TEST_F(Pack, PaddingIsZero) {
  for (const Format &format : formats()) {
    std::vector<uint8_t> bytes = packMatrix(format.name, 33, 131);
    for (int64_t k = 0; k < 131; ++k)
      EXPECT_EQ(decode(format, bytes, 131, 63, k).value, 0.0f) << format.name;
    if (format.isQuantized() && !format.hasZeros)
      for (int64_t k = 131; k < format.paddedColumns(131); ++k)
        EXPECT_EQ(decode(format, bytes, 131, 32, k).value, 0.0f) << format.name;
  }
}

TEST_F(Pack, ConcatenatesSources) {
  std::vector<uint8_t> bytes = cantFail(pack(R"(
      tx.param @q "FILE" at 0 : tensor<40x8xf32>
      tx.param @k "FILE" at 4000 : tensor<20x8xf32>
      tx.param @v "FILE" at 8000 : tensor<7x8xf32>)",
                                             R"(sched.weight @p "f32" [@q, @k, @v] rows(67) columns(8))"));
  const Format &f32 = *findFormat("f32");
  for (int64_t k = 0; k < 8; ++k) {
    EXPECT_EQ(decode(f32, bytes, 8, 39, k).value, values[39 * 8 + k]);
    EXPECT_EQ(decode(f32, bytes, 8, 40, k).value, values[1000 + k]);
    EXPECT_EQ(decode(f32, bytes, 8, 59, k).value, values[1000 + 19 * 8 + k]);
    EXPECT_EQ(decode(f32, bytes, 8, 66, k).value, values[2000 + 6 * 8 + k]);
    EXPECT_EQ(decode(f32, bytes, 8, 67, k).value, 0.0f);
  }
}

// Tiles alternate between the two sources, each padded to whole tiles.
TEST_F(Pack, InterleavesTiles) {
  std::vector<uint8_t> bytes = cantFail(pack(R"(
      tx.param @gate "FILE" at 0 : tensor<40x8xf32>
      tx.param @up "FILE" at 4000 : tensor<40x8xf32>)",
                                             R"(sched.weight @p "f32" [@gate, @up] interleave rows(80) columns(8))"));
  const Format &f32 = *findFormat("f32");
  ASSERT_EQ(int64_t(bytes.size()), f32.packedBytes(128, 8));
  for (int64_t row = 0; row < 64; ++row)
    for (int64_t k = 0; k < 8; ++k) {
      const int64_t tile = row / 32 * 2, lane = row % 32;
      EXPECT_EQ(decode(f32, bytes, 8, tile * 32 + lane, k).value, row < 40 ? values[row * 8 + k] : 0.0f);
      EXPECT_EQ(decode(f32, bytes, 8, (tile + 1) * 32 + lane, k).value, row < 40 ? values[1000 + row * 8 + k] : 0.0f);
    }
}

TEST_F(Pack, VectorsAddAndPad) {
  std::vector<uint8_t> bytes =
      cantFail(pack(R"(
      tx.param @a "FILE" at 0 : tensor<20xf32>
      tx.param @b "FILE" at 400 : tensor<20xf32>)",
                    R"(sched.weight @p "vector" [@a, @b] rows(40) columns(1) {add = 1 : i64})"));
  ASSERT_EQ(bytes.size(), 64 * sizeof(float));
  float packed[64];
  memcpy(packed, bytes.data(), sizeof(packed));
  EXPECT_EQ(packed[0], values[0] + 1);
  EXPECT_EQ(packed[20], values[100] + 1);
  EXPECT_EQ(packed[40], 0.0f);
}

TEST_F(Pack, SameBytesEveryTime) { EXPECT_EQ(packMatrix("q4z", 200, 192), packMatrix("q4z", 200, 192)); }

TEST_F(Pack, RefusesNaN) {
  values[77] = NAN;
  writeValues();
  Expected<std::vector<uint8_t>> bytes =
      pack("tx.param @w \"FILE\" at 0 : tensor<32x32xf32>", "sched.weight @p \"q4\" [@w] rows(32) columns(32)");
  ASSERT_FALSE(bool(bytes));
  EXPECT_NE(toString(bytes.takeError()).find("tensor w: holds NaN or infinity"), std::string::npos);
}

// What f16 cannot hold is refused where f16 is stored, as weights or scales, and only there.
TEST_F(Pack, RefusesWhatHalvesCannotHold) {
  values[77] = 1e6f;
  writeValues();
  for (const Format &format : formats()) {
    Expected<std::vector<uint8_t>> bytes =
        pack("tx.param @w \"FILE\" at 0 : tensor<32x32xf32>",
             "sched.weight @p \"" + std::string(format.name) + "\" [@w] rows(32) columns(32)");
    bool halves = format.isQuantized() || format.kind == FormatClass::f16;
    EXPECT_EQ(bool(bytes), !halves) << format.name;
    if (!bytes)
      EXPECT_NE(toString(bytes.takeError()).find("tensor w: holds 1000000"), std::string::npos);
  }
}

TEST_F(Pack, RefusesRangesPastTheFile) {
  Expected<std::vector<uint8_t>> bytes =
      pack("tx.param @w \"FILE\" at 159996 : tensor<32x32xf32>", "sched.weight @p \"q4\" [@w] rows(32) columns(32)");
  ASSERT_FALSE(bool(bytes));
  EXPECT_NE(toString(bytes.takeError()).find("the file has 160000 bytes"), std::string::npos);
}

} // namespace
} // namespace sinter
