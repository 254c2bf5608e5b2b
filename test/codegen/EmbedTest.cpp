// The embedding gather against the definition of the packed layout (dialects/Formats.h), element by element, for every
// format.

#include "dialects/Formats.h"
#include "dialects/kern/KernSpec.h"
#include "test/codegen/TargetCases.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <random>

namespace sinter::test {
namespace {

constexpr int kVocab = 70;

class Embed : public TargetCase {};
SINTER_FOR_TARGETS(Embed);

// Random bytes are a valid table, as long as the floats among them are finite.
std::vector<uint8_t> randomTable(const Format &format, int width) {
  std::vector<uint8_t> bytes(format.packedBytes(kVocab, width));
  std::mt19937 random(width);
  for (uint8_t &byte : bytes)
    byte = random();
  auto put16 = [&](size_t at, bool brain) {
    uint16_t value = (random() & 0x83ff) | (brain ? 0x3f80 : 0x3800); // about 1
    memcpy(&bytes[at], &value, 2);
  };
  if (!format.isQuantized()) {
    for (size_t at = 0; at < bytes.size(); at += format.bits / 8)
      if (format.kind == FormatClass::f32)
        bytes[at + 3] = 0x3f;
      else
        put16(at, format.kind == FormatClass::bf16);
    return bytes;
  }
  for (size_t block = 0; block < bytes.size(); block += format.blockBytes())
    for (int i = 0; i < (format.hasZeros ? 64 : 32); ++i)
      put16(block + 2 * i, false);
  return bytes;
}

double decode(const Format &format, const std::vector<uint8_t> &table, int width, int row, int column) {
  int64_t tile = row / 32, lane = row % 32;
  auto half = [&](int64_t at) {
    uint16_t bits;
    memcpy(&bits, &table[at], 2);
    return double(halfValue(bits));
  };
  if (!format.isQuantized()) {
    int64_t at = ((tile * width + column) * 32 + lane) * format.bits / 8;
    if (format.kind == FormatClass::f16)
      return half(at);
    uint32_t bits = 0;
    memcpy(reinterpret_cast<char *>(&bits) + 4 - format.bits / 8, &table[at], format.bits / 8);
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  int64_t block = (tile * format.groups(width) + column / format.group) * format.blockBytes(),
          k = column % format.group;
  int64_t codes = block + (format.hasZeros ? 128 : 64);
  auto byte = [&](int64_t line) { return table[codes + (line * 32 + lane) * 4 + k % 4]; };
  int64_t run = k / 16 * 3;
  int code = format.bits == 8   ? byte(k / 4)
             : format.bits == 4 ? byte(k / 8) >> (k % 8 / 4 * 4) & 15
             : k % 16 < 12      ? byte(run + k % 16 / 4) & 63
                                : byte(run) >> 6 | byte(run + 1) >> 6 << 2 | byte(run + 2) >> 6 << 4;
  return half(block + 2 * lane) * (code - (format.hasZeros ? half(block + 64 + 2 * lane) : format.impliedZero));
}

// Tolerance: three f32 roundings.
TEST_P(Embed, EveryFormat) {
  constexpr float kScale = 1.7f;
  for (const Format &format : formats())
    for (int width : {8, 50, 96}) {
      SCOPED_TRACE(llvm::formatv("{0}, width {1}", format.name, width).str());
      CompiledKernel kernel(
          llvm::formatv("#kern.embed<vocab = {0}, width = {1}, format = \"{2}\", scale = {3:e8} : f32>", kVocab, width,
                        format.name, kScale),
          *GetParam());
      std::vector<uint8_t> table = randomTable(format, width);
      std::vector<int32_t> ids = {0, 31, 32, 69, 5, 70, -1, INT32_MAX};
      std::vector<int32_t> rows = {0, 31, 32, 69, 5, 69, 0, 69}; // ids out of range count as the nearest
      int64_t stride = kern::rowStride(width);
      Buffer<float> out(ids.size() * stride);
      kernel.run({Buffer<int32_t>(ids), Buffer<uint8_t>(table), out}, ids.size(), {ids.size(), 0, 0}, 3);
      for (size_t t = 0; t < ids.size(); ++t)
        for (int column = 0; column < width; ++column) {
          double expected = decode(format, table, width, rows[t], column) * kScale;
          ASSERT_NEAR(out[t * stride + column], expected, 4e-7 * std::abs(expected))
              << "id " << ids[t] << ", column " << column;
        }
    }
}

// A table in two parts gives what the whole gives, each token written by the part that has its row.
TEST_P(Embed, TableInParts) {
  const Format &format = *findFormat("q8");
  constexpr int kWidth = 96;
  std::vector<uint8_t> table = randomTable(format, kWidth);
  std::vector<int32_t> ids = {0, 31, 32, 69, 5, 70, -1, 33};
  auto run = [&](const char *part, size_t offset, const Buffer<float> &out) {
    CompiledKernel kernel(
        llvm::formatv("#kern.embed<vocab = {0}, width = {1}, format = \"q8\", scale = 1.0 : f32{2}>", kVocab, kWidth, part),
        *GetParam());
    Buffer<uint8_t> bound(std::vector<uint8_t>(table.begin() + offset, table.end()));
    kernel.run({Buffer<int32_t>(ids), bound, out}, ids.size(), {ids.size(), 0, 0});
  };
  constexpr float kUntouched = -1e30f;
  Buffer<float> whole(ids.size() * kWidth), parts(ids.size() * kWidth, kUntouched);
  run("", 0, whole);
  run(", begin = 0, end = 32", 0, parts);
  for (size_t t = 0; t < ids.size(); ++t)
    EXPECT_EQ(parts[t * kWidth] == kUntouched, ids[t] >= 32) << ids[t];
  run(", begin = 32, end = 70", format.packedBytes(32, kWidth), parts);
  EXPECT_EQ(parts.values(), whole.values());
}

} // namespace
} // namespace sinter::test
