// A file that a tool writes: it is there when it is complete, or not at all.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

namespace sinter {

class OutputFile {
public:
  // Throws Failure, as everything here. What is no regular file (a pipe, /dev/stdout) is written to as it is.
  explicit OutputFile(const std::string &path);
  ~OutputFile(); // without finish(): as if nothing had been written
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  void write(const void *bytes, size_t size);
  void finish();

private:
  [[noreturn]] void fail(int reason);

  std::string path;    // what the caller called it
  std::string target;  // where that leads
  std::string written; // the file that is open: beside the target until it is complete
  std::FILE *file = nullptr;
};

} // namespace sinter
