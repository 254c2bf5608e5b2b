// The bytes of a key/value cache as runtime/package.fbs describes them, written and read independently of the kernels.
#pragma once

#include "test/codegen/KernelHarness.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace sinter::test {

enum class CacheElement { f32, f16, q8 };

inline const char *elementName(CacheElement element) {
  return element == CacheElement::f32 ? "f32" : element == CacheElement::f16 ? "f16" : "i8";
}

// One layer's cache in memory of the test.
struct CacheBytes {
  CacheElement element;
  int kvHeads, headDim, capacity;
  uint8_t *data;

  int quads() const { return (headDim + 3) / 4; }
  size_t headBytes() const {
    return element == CacheElement::q8 ? 64 + 64 * quads() : size_t(16) * headDim * (element == CacheElement::f32 ? 4 : 2);
  }
  size_t bytes() const { return size_t(capacity / 16) * 2 * kvHeads * headBytes(); }
  // First byte of a head's keys (plane 0) or values (plane 1) in the tile of a position.
  size_t head(int position, int plane, int kvHead) const {
    return ((size_t(position / 16 % (capacity / 16)) * 2 + plane) * kvHeads + kvHead) * headBytes();
  }
  // Where column d of a position's key or value is, and the scale of its codes.
  size_t at(int position, int plane, int kvHead, int d) const {
    int slot = position % 16, width = element == CacheElement::f32 ? 4 : 2;
    size_t start = head(position, plane, kvHead);
    if (element == CacheElement::q8)
      return start + 64 + (plane == 0 ? d / 4 * 64 + slot * 4 + d % 4 : slot * 4 * quads() + d);
    return start + width * (plane == 0 ? d * 16 + slot : slot * headDim + d);
  }
  size_t scaleAt(int position, int plane, int kvHead) const { return head(position, plane, kvHead) + position % 16 * 4; }

  float load(int position, int plane, int kvHead, int d) const {
    const uint8_t *from = data + at(position, plane, kvHead, d);
    float value;
    uint16_t half;
    if (element == CacheElement::q8) {
      std::memcpy(&value, data + scaleAt(position, plane, kvHead), 4);
      return value * (plane == 0 ? *from - 128 : static_cast<int8_t>(*from));
    }
    if (element == CacheElement::f32)
      return std::memcpy(&value, from, 4), value;
    return std::memcpy(&half, from, 2), halfValue(half);
  }
  // `row` are the head_dim columns of a key or value.
  void store(int position, int plane, int kvHead, const float *row) const {
    float largest = 0;
    for (int d = 0; d < headDim; ++d)
      largest = std::max(largest, std::abs(row[d]));
    float scale = largest / 127;
    if (element == CacheElement::q8)
      std::memcpy(data + scaleAt(position, plane, kvHead), &scale, 4);
    for (int d = 0; d < headDim; ++d) {
      uint8_t *to = data + at(position, plane, kvHead, d);
      uint16_t half = halfBits(row[d]);
      if (element == CacheElement::q8)
        *to = static_cast<uint8_t>(std::lrint(row[d] / scale) + (plane == 0 ? 128 : 0));
      else
        std::memcpy(to, element == CacheElement::f32 ? static_cast<const void *>(&row[d]) : &half,
                    element == CacheElement::f32 ? 4 : 2);
    }
  }
};

} // namespace sinter::test
