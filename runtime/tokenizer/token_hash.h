// The hash of Vocabulary.slots. It is part of the format: the compiler fills the table with it and the reader probes
// it.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace sinter {

inline uint32_t tokenHash(const char *text, size_t size) {
  uint64_t hash = size * 0x9E3779B97F4A7C15ull;
  for (; size >= 8; text += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, text, 8);
    hash = (hash ^ word) * 0xD6E8FEB86659FD93ull;
    hash ^= hash >> 32;
  }
  uint64_t tail = 0;
  memcpy(&tail, text, size);
  hash = (hash ^ tail) * 0xD6E8FEB86659FD93ull;
  return static_cast<uint32_t>(hash >> 32);
}

} // namespace sinter
