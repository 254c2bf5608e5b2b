// NumPy's .npy, version 1.0: a header of text, then the floats of a matrix, row by row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter {

// Writes f32 [rows][columns], little-endian; the file appears when it is complete. Throws Failure.
void writeNpy(const std::string &path, const std::vector<float> &values, uint64_t rows, uint64_t columns);

} // namespace sinter
