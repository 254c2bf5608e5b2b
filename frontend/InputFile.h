// A file of a model, opened for reading: its size is known and every read is checked against it. Free of LLVM.
#pragma once

#include <cstdint>
#include <string>

namespace sinter {

class InputFile {
public:
  InputFile() = default;
  ~InputFile();
  InputFile(const InputFile &) = delete;
  InputFile &operator=(const InputFile &) = delete;

  // Opens a regular file. False with `error` = "PATH: reason" if there is none or it cannot be read.
  bool open(const std::string &path, std::string &error);

  // Reads bytes [offset, offset + count) into `out`, which has room for them.
  bool read(uint64_t offset, uint64_t count, char *out, std::string &error) const;

  uint64_t size() const { return bytes; }
  const std::string &path() const { return name; }

private:
  int descriptor = -1;
  uint64_t bytes = 0;
  std::string name;
};

// Whether something of that name exists, readable or not: an optional file that exists must be right.
bool fileExists(const std::string &path);

// "'text'" for messages: of a length that fits a line, printable ASCII whatever the text is.
std::string quote(const std::string &text);

} // namespace sinter
