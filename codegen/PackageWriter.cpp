// Plain writes to a temporary file beside the target, renamed at the end: whoever opens the path sees the old file or
// the whole new one. A failed or interrupted compilation leaves nothing behind. It is not flushed to the disk: after a
// power cut the header's checksums tell.

#include "codegen/PackageWriter.h"

#include "llvm/Support/Errno.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

using namespace llvm;

namespace sinter {

Expected<PackageWriter> PackageWriter::create(const std::string &path) {
  // The rename would put a file in the place of a directory's name or of a device such as /dev/null.
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path))
    return createStringError(path + ": cannot be written: exists and is not a regular file");
  Expected<sys::fs::TempFile> file = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!file)
    return createStringError(path + ": cannot be written: " + toString(file.takeError()));
  return PackageWriter(path, std::move(*file));
}

PackageWriter::~PackageWriter() {
  if (file)
    consumeError(file->discard());
}

Error PackageWriter::fail(int number) const {
  return createStringError(std::error_code(number, std::generic_category()), "%s: cannot be written: %s", path.c_str(),
                           sys::StrError(number).c_str());
}

Error PackageWriter::write(ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file->FD, bytes.data(), bytes.size());
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
    ssize_t count = pwrite(file->FD, bytes.data(), bytes.size(), off_t(offset));
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
  Error error = file->keep(path);
  file.reset();
  if (error)
    return createStringError(path + ": cannot be written: " + toString(std::move(error)));
  return Error::success();
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
