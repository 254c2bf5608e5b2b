// Plain writes to a temporary file beside the target, renamed at the end: whoever opens the path sees the old file or
// the whole new one. A failed or interrupted compilation leaves nothing behind. It is not flushed to the disk: after a
// power cut the header's checksums tell.

#include "codegen/PackageWriter.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace llvm;

namespace sinter {

Expected<PackageWriter> PackageWriter::create(const std::string &path, bool executable) {
  PackageWriter writer(path);
  // The rename would put a file in the place of a link, and of a device that it may lead to (/dev/stdout).
  SmallString<256> target;
  if (sys::fs::is_symlink_file(path) && !sys::fs::real_path(path, target))
    writer.path = target.str().str();
  if (sys::fs::exists(writer.path) && !sys::fs::is_regular_file(writer.path))
    return createStringError(path + ": cannot be written: exists and is not a regular file");
  // Not sys::fs::TempFile, which takes every % of a path for a place that it may fill in.
  for (int attempt = 0; attempt < 100; ++attempt) {
    writer.temporary = writer.path + "." + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".tmp";
    sys::RemoveFileOnSignal(writer.temporary);
    writer.descriptor = open(writer.temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, executable ? 0777 : 0666);
    if (writer.descriptor >= 0)
      return std::move(writer);
    const int reason = errno;
    sys::DontRemoveFileOnSignal(writer.temporary);
    if (reason != EEXIST)
      return writer.fail(reason);
  }
  return writer.fail(EEXIST);
}

PackageWriter::~PackageWriter() {
  if (descriptor < 0)
    return;
  close(descriptor);
  unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
}

Error PackageWriter::fail(int number) const {
  return createStringError(std::error_code(number, std::generic_category()), "%s: cannot be written: %s", path.c_str(),
                           sys::StrError(number).c_str());
}

Error PackageWriter::write(ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return fail(count < 0 ? errno : ENOSPC);
    end += count;
    bytes = bytes.drop_front(count);
  }
  return Error::success();
}

Error PackageWriter::padTo(uint64_t offset) {
  static constexpr uint8_t zeros[kSectionAlignment] = {};
  while (end < offset)
    if (Error error = write(ArrayRef<uint8_t>(zeros, std::min<uint64_t>(offset - end, sizeof(zeros)))))
      return error;
  return Error::success();
}

Error PackageWriter::rewrite(uint64_t offset, ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t count = pwrite(descriptor, bytes.data(), bytes.size(), off_t(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return fail(count < 0 ? errno : ENOSPC);
    offset += count;
    bytes = bytes.drop_front(count);
  }
  return Error::success();
}

Error PackageWriter::finish() {
  const bool closed = close(descriptor) == 0;
  descriptor = -1;
  const bool renamed = closed && rename(temporary.c_str(), path.c_str()) == 0;
  const int reason = errno;
  if (!renamed)
    unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
  return renamed ? Error::success() : fail(reason);
}

void StreamChecksum::update(ArrayRef<uint8_t> bytes) {
  if (carried) {
    const size_t count = std::min(bytes.size(), sizeof(carry) - carried);
    memcpy(carry + carried, bytes.data(), count);
    carried += count;
    bytes = bytes.drop_front(count);
    if (carried < sizeof(carry))
      return;
    sum.update(carry, sizeof(carry));
    carried = 0;
  }
  const size_t whole = bytes.size() / sizeof(carry) * sizeof(carry);
  sum.update(bytes.data(), whole);
  carried = bytes.size() - whole;
  memcpy(carry, bytes.data() + whole, carried);
}

uint64_t StreamChecksum::finish() {
  sum.update(carry, carried);
  return sum.finish();
}

} // namespace sinter
