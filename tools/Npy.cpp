// The header is a Python dictionary, padded so that the floats start at a multiple of 64 bytes.

#include "tools/Npy.h"

#include "tools/Failure.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sinter {

void writeNpy(const std::string &path, const std::vector<float> &values, uint64_t rows, uint64_t columns) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
  const size_t prefix = 10, size = (prefix + header.size() + 1 + 63) / 64 * 64 - prefix;
  header.resize(size - 1, ' ');
  header += '\n';
  const std::string start = std::string("\x93NUMPY\x01\x00", 8) + char(size & 255) + char(size >> 8) + header;

  const std::string partial = path + ".partial";
  std::FILE *file = std::fopen(partial.c_str(), "wb");
  if (!file)
    throw Failure("cannot write " + partial + ": " + std::strerror(errno));
  bool written = std::fwrite(start.data(), 1, start.size(), file) == start.size() &&
                 std::fwrite(values.data(), sizeof(float), values.size(), file) == values.size();
  written = std::fclose(file) == 0 && written;
  if (!written || std::rename(partial.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(partial.c_str());
    throw Failure("cannot write " + path + ": " + reason);
  }
}

} // namespace sinter
