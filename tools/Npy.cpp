// The header is a Python dictionary, padded so that the floats start at a multiple of 64 bytes.

#include "tools/Npy.h"

#include "tools/OutputFile.h"

namespace sinter {

void writeNpy(const std::string &path, const std::vector<float> &values, uint64_t rows, uint64_t columns) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
  const size_t prefix = 10, size = (prefix + header.size() + 1 + 63) / 64 * 64 - prefix;
  header.resize(size - 1, ' ');
  header += '\n';
  const std::string start = std::string("\x93NUMPY\x01\x00", 8) + char(size & 255) + char(size >> 8) + header;

  OutputFile file(path);
  file.write(start.data(), start.size());
  file.write(values.data(), values.size() * sizeof(float));
  file.finish();
}

} // namespace sinter
