// Files are read with pread, not mapped: a frontend needs headers of some kilobytes, and a file that shrinks while it
// is read gives an error here where a mapping would give SIGBUS. Only regular files are opened, so that a pipe or a
// directory in a file's place neither blocks nor surprises.

#include "frontend/InputFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sinter {

InputFile::~InputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

bool InputFile::open(const std::string &path, std::string &error) {
  name = path;
  descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
    error = path + ": cannot be opened: " + std::strerror(errno);
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    error = path + ": expected a regular file, found " + (S_ISDIR(status.st_mode) ? "a directory" : "something else");
    return false;
  }
  bytes = static_cast<uint64_t>(status.st_size);
  return true;
}

bool InputFile::read(uint64_t offset, uint64_t count, char *out, std::string &error) const {
  if (offset > bytes || count > bytes - offset) {
    error = name + ": has " + std::to_string(bytes) + " bytes, expected " + std::to_string(count) + " more at byte " +
            std::to_string(offset);
    return false;
  }
  while (count > 0) {
    ssize_t got = ::pread(descriptor, out, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      error = name + ": cannot be read at byte " + std::to_string(offset) + ": " +
              (got < 0 ? std::strerror(errno) : "the file has become shorter");
      return false;
    }
    out += got;
    offset += static_cast<uint64_t>(got);
    count -= static_cast<uint64_t>(got);
  }
  return true;
}

bool fileExists(const std::string &path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

std::string quote(const std::string &text) {
  constexpr size_t kLongest = 80;
  std::string result = "'";
  for (char c : text.substr(0, kLongest))
    result += c >= 0x20 && c < 0x7f ? c : '?';
  return result + (text.size() > kLongest ? "...'" : "'");
}

} // namespace sinter
