// A tile of 32 f32 rows -> [columns][32 rows] of f32, f16 or bf16, rounded to nearest, ties to even. What a format
// cannot hold never gets here (Pack.cpp refuses NaNs, infinities and what is too large for f16).

#include "codegen/Quantize.h"
#include "codegen/targets/HostClones.h"

#include <cstring>

namespace sinter {

static uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

static uint16_t toBF16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  // The largest floats would round to infinity.
  return uint16_t((rounded & 0x7fff) == 0x7f80 ? rounded - 1 : rounded);
}

static uint16_t toF16(float value) {
  uint32_t bits = bitsOf(value), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x477fe000) // 65504
    magnitude = 0x477fe000;
  float size;
  memcpy(&size, &magnitude, 4);
  // Subnormal halves are multiples of 2^-24, the last bit of floats in [0.5, 1).
  uint32_t subnormal = bitsOf(size + 0.5f) - 0x3f000000;
  uint32_t normal = ((magnitude + 0xfff + ((magnitude >> 13) & 1)) >> 13) - (112 << 10);
  return uint16_t(sign | (magnitude < 0x38800000 ? subnormal : normal));
}

SINTER_HOST_CLONES
void packFloatTile(const Format &format, const float *rows, int64_t columns, uint8_t *out) {
  for (int64_t k = 0; k < columns; ++k) {
    float column[kTileRows];
    for (int64_t row = 0; row < kTileRows; ++row)
      column[row] = rows[row * columns + k];
    if (format.kind == FormatClass::f32) {
      memcpy(out, column, sizeof(column));
      out += sizeof(column);
      continue;
    }
    uint16_t halves[kTileRows];
    if (format.kind == FormatClass::f16)
      for (int64_t row = 0; row < kTileRows; ++row)
        halves[row] = toF16(column[row]);
    else
      for (int64_t row = 0; row < kTileRows; ++row)
        halves[row] = toBF16(column[row]);
    memcpy(out, halves, sizeof(halves));
    out += sizeof(halves);
  }
}

void packTile(const Format &format, const float *rows, int64_t columns, uint8_t *out) {
  return format.isQuantized() ? quantizeTile(format, rows, columns, out) : packFloatTile(format, rows, columns, out);
}

} // namespace sinter
