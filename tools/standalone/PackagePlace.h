// Where a self-contained executable has its package: a record among its data, which the compiler fills in when it puts
// a package behind a copy of the program.
#pragma once

#include <stdint.h>

namespace sinter {

inline constexpr char kPlaceMagic[16] = {'S', 'I', 'N', 'T', 'E', 'R', ' ', 'P', 'L', 'A', 'C', 'E', '\r', '\n', 1, 2};

struct PackagePlace {
  char magic[16];  // kPlaceMagic, by which it is found; no other bytes of the program are like it
  uint64_t offset; // in the file, a multiple of 4096; 0: nothing was put there yet
  uint64_t size;
  uint64_t task; // what the program does with it: a PackageTask
};

enum PackageTask : uint64_t { kContinue = 1, kEmbed = 2, kClassify = 4 }; // flags, so that options can name several

} // namespace sinter
