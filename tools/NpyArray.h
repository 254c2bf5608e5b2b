// Arrays in NumPy's .npy files, of any of the runtime's types and shapes, row-major and little-endian.
#pragma once

#include "runtime/sinter.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sinter {

struct NpyArray {
  sinter_type type = SINTER_F32;
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

// Throws Failure if the file is not such an array. bf16 has no name in NumPy: u16 stands for it.
NpyArray readNpyArray(const std::string &path);
// The file appears when it is complete. Throws Failure.
void writeNpyArray(const std::string &path, sinter_type type, const std::vector<int64_t> &shape, const void *data,
                   size_t size);

} // namespace sinter
