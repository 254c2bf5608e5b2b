// A .npy file is a magic, the length of a header, the header, and the elements. The header is a Python dictionary of which
// three keys are read: descr, fortran_order, shape. What is not understood is an error that names the file.

#include "tools/NpyArray.h"

#include "tools/Failure.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace sinter {

namespace {

constexpr struct {
  const char *name; // after the byte order
  sinter_type type;
} kTypes[] = {{"f4", SINTER_F32}, {"f2", SINTER_F16}, {"f8", SINTER_F64}, {"i1", SINTER_I8},
              {"u1", SINTER_U8},  {"i2", SINTER_I16}, {"u2", SINTER_U16}, {"i4", SINTER_I32},
              {"u4", SINTER_U32}, {"i8", SINTER_I64}, {"u8", SINTER_U64}, {"b1", SINTER_BOOL}};

using File = std::unique_ptr<std::FILE, int (*)(std::FILE *)>;

std::string readAll(const std::string &path) {
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    throw Failure("cannot read " + path + ": " + std::strerror(errno));
  std::string bytes;
  char piece[1 << 16];
  for (size_t count; (count = std::fread(piece, 1, sizeof(piece), file.get())) > 0;)
    bytes.append(piece, count);
  if (std::ferror(file.get()))
    throw Failure("cannot read " + path + ": " + std::strerror(errno));
  return bytes;
}

// What follows "'key':" in the header.
std::string valueOf(const std::string &path, const std::string &header, const std::string &key) {
  size_t at = header.find("'" + key + "'");
  at = at == std::string::npos ? at : header.find(':', at);
  if (at == std::string::npos)
    throw Failure(path + ": its header has no '" + key + "'");
  return header.substr(header.find_first_not_of(' ', at + 1));
}

} // namespace

NpyArray readNpyArray(const std::string &path) {
  const std::string file = readAll(path);
  auto bad = [&](const std::string &what) { return Failure(path + ": " + what); };
  if (file.size() < 12 || file.compare(0, 6, "\x93NUMPY") != 0)
    throw bad("is not a .npy file");
  const bool wide = file[6] >= 2;
  size_t length = 0, start = wide ? 12 : 10;
  for (size_t i = start; i-- > 8;)
    length = length << 8 | static_cast<unsigned char>(file[i]);
  if (length > file.size() - start)
    throw bad("its header is cut short");
  const std::string header = file.substr(start, length);

  NpyArray array;
  std::string type = valueOf(path, header, "descr");
  bool known = false;
  for (const auto &row : kTypes)
    if (type.size() > 4 && type[0] == '\'' && (type[1] == '<' || type[1] == '|') && type.compare(2, 2, row.name) == 0 &&
        type[4] == '\'') {
      array.type = row.type;
      known = true;
    }
  if (!known)
    throw bad("has elements of type " + type.substr(0, type.find(',')) + ", expected little-endian numbers or bools");
  if (valueOf(path, header, "fortran_order").compare(0, 5, "False") != 0)
    throw bad("is in Fortran's order, expected row-major (numpy.ascontiguousarray)");
  std::string shape = valueOf(path, header, "shape");
  uint64_t bytes = sinter_type_bytes(array.type);
  if (shape.empty() || shape[0] != '(')
    throw bad("its shape is not a tuple");
  for (size_t i = 1; i < shape.size() && shape[i] != ')';) {
    if (shape[i] < '0' || shape[i] > '9') {
      if (shape[i] != ' ' && shape[i] != ',')
        throw bad("its shape is not a tuple of sizes");
      ++i;
      continue;
    }
    uint64_t size = 0;
    for (; i < shape.size() && shape[i] >= '0' && shape[i] <= '9'; ++i)
      if (__builtin_mul_overflow(size, uint64_t(10), &size) ||
          __builtin_add_overflow(size, uint64_t(shape[i] - '0'), &size))
        throw bad("its shape is too large");
    if (size > INT64_MAX || __builtin_mul_overflow(bytes, size, &bytes))
      throw bad("its shape is too large");
    array.shape.push_back(static_cast<int64_t>(size));
  }
  start += length;
  if (file.size() - start != bytes)
    throw bad("has " + std::to_string(file.size() - start) + " bytes of elements, its shape takes " +
              std::to_string(bytes));
  array.bytes.assign(file.begin() + static_cast<std::ptrdiff_t>(start), file.end());
  return array;
}

void writeNpyArray(const std::string &path, sinter_type type, const std::vector<int64_t> &shape, const void *data,
                   size_t size) {
  std::string name = type == SINTER_BF16 ? "u2" : "";
  for (const auto &row : kTypes)
    if (row.type == type)
      name = row.name;
  std::string header = "{'descr': '" + std::string(sinter_type_bytes(type) == 1 ? "|" : "<") + name +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : shape)
    header += std::to_string(dim) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1)
    header.resize(header.size() - 2);
  header += "), }";
  constexpr size_t kPrefix = 10;
  header.resize((kPrefix + header.size() + 1 + 63) / 64 * 64 - kPrefix - 1, ' ');
  header += '\n';
  const std::string start =
      std::string("\x93NUMPY\x01\x00", 8) + char(header.size() & 255) + char(header.size() >> 8) + header;

  const std::string partial = path + ".partial";
  std::FILE *file = std::fopen(partial.c_str(), "wb");
  if (!file)
    throw Failure("cannot write " + partial + ": " + std::strerror(errno));
  bool written = std::fwrite(start.data(), 1, start.size(), file) == start.size() &&
                 std::fwrite(data, 1, size, file) == size;
  written = std::fclose(file) == 0 && written;
  if (!written || std::rename(partial.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(partial.c_str());
    throw Failure("cannot write " + path + ": " + reason);
  }
}

} // namespace sinter
