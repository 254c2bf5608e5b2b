// The file around the manifest: a fixed header, then sections aligned to 4096 bytes. Shared by the writer and the loader.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace sinter {

inline constexpr char kPackageMagic[8] = {'S', 'I', 'N', 'T', 'E', 'R', '\r', '\n'};
// Of a file that holds the weights alone, of a model whose other parts are linked into a program.
inline constexpr char kWeightsMagic[8] = {'S', 'I', 'N', 'T', 'E', 'R', 'W', 'T'};
inline constexpr uint32_t kPackageVersion = 1;
inline constexpr uint64_t kSectionAlignment = 4096;
// In Code.entries: no entry for CPUs uses the kernel, so it was not compiled.
inline constexpr uint64_t kNoKernel = ~uint64_t(0);

// Tokens that a package may be made for; keeps sums of positions and tokens within 32 bits.
inline constexpr uint32_t kMostContext = 1u << 30;

// Dimensions of a tensor that goes into or comes out of a program.
inline constexpr uint32_t kMostRank = 16;

struct PackageHeader {
  char magic[8];
  uint32_t version;
  uint32_t headerBytes;       // sizeof(PackageHeader)
  uint64_t fileBytes;         // size of the whole file: a truncated one is seen at once
  uint64_t manifestOffset;
  uint64_t manifestBytes;
  uint64_t manifestChecksum;  // checksum64 of the manifest
  uint64_t headerChecksum;    // checksum64 of the fields above
};
static_assert(sizeof(PackageHeader) == 56, "the header is part of the format");

// A fast 64-bit checksum against accidental damage (not against an attacker): four lanes of 8 bytes, multiply and rotate.
// The tail is padded with zeros; the length is mixed in. Streaming: feed multiples of 32 bytes, then finish.
class Checksum64 {
public:
  // `size` must be a multiple of 32 in every call but the last.
  void update(const void *data, size_t size) {
    const auto *bytes = static_cast<const unsigned char *>(data);
    total += size;
    for (; size >= 32; bytes += 32, size -= 32)
      mix(bytes);
    if (size) {
      unsigned char tail[32] = {};
      memcpy(tail, bytes, size);
      mix(tail);
    }
  }
  uint64_t finish() const {
    uint64_t hash = total * kPrime;
    for (uint64_t lane : lanes)
      hash = (hash ^ lane ^ (lane >> 29)) * kPrime;
    return hash ^ (hash >> 32);
  }

private:
  static constexpr uint64_t kPrime = 0x9E3779B97F4A7C15ull;
  void mix(const unsigned char *block) {
    for (int i = 0; i < 4; ++i) {
      uint64_t word;
      memcpy(&word, block + 8 * i, 8);
      uint64_t value = (lanes[i] ^ word) * kPrime;
      lanes[i] = (value << 31) | (value >> 33);
    }
  }
  uint64_t lanes[4] = {1, 2, 3, 4};
  uint64_t total = 0;
};

inline uint64_t checksum64(const void *data, size_t size) {
  Checksum64 sum;
  sum.update(data, size);
  return sum.finish();
}

} // namespace sinter
