// Bytes go to a file beside the one that was asked for, which they replace at the end. Links are followed first: what
// is replaced is the file they lead to, not the link.

#include "tools/OutputFile.h"

#include "tools/Failure.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>

namespace sinter {

OutputFile::OutputFile(const std::string &path) : path(path), target(path) {
  char real[PATH_MAX];
  if (realpath(path.c_str(), real))
    target = real;
  struct stat facts = {};
  const bool there = stat(target.c_str(), &facts) == 0;
  written = there && !S_ISREG(facts.st_mode) ? path : target + ".partial";
  file = std::fopen(written.c_str(), "wb");
  if (!file)
    throw Failure("cannot write " + path + ": " + std::strerror(errno));
}

OutputFile::~OutputFile() {
  if (!file)
    return;
  std::fclose(file);
  if (written != path)
    std::remove(written.c_str());
}

void OutputFile::fail(int reason) { throw Failure("cannot write " + path + ": " + std::strerror(reason)); }

void OutputFile::write(const void *bytes, size_t size) {
  if (std::fwrite(bytes, 1, size, file) != size)
    fail(errno);
}

void OutputFile::finish() {
  const bool flushed = std::fflush(file) == 0;
  const int reason = errno;
  if (!flushed)
    fail(reason);
  const bool closed = std::fclose(file) == 0;
  file = nullptr;
  if (closed && (written == path || std::rename(written.c_str(), target.c_str()) == 0))
    return;
  const int problem = errno;
  if (written != path)
    std::remove(written.c_str());
  fail(problem);
}

} // namespace sinter
