// Plain writes to a file without a name in the target's folder, which gets one at the end: whoever opens the path sees the
// old file or the whole new one, and a compilation that fails or is killed leaves nothing behind. File systems that know
// no such files get one with a temporary name, which survives nothing but SIGKILL. Nothing is flushed to the disk: after
// a power cut the header's checksums tell.

#include "codegen/PackageWriter.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
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
  SmallString<256> folder(writer.path);
  sys::path::remove_filename(folder);
  const mode_t mode = executable ? 0777 : 0666;
#ifdef O_TMPFILE
  if (access("/proc/self/fd", X_OK) == 0) // by which it gets its name
    writer.descriptor = open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
#endif
  if (writer.descriptor >= 0)
    return std::move(writer);
  // Not sys::fs::TempFile, which takes every % of a path for a place that it may fill in.
  int reason = writer.tryNames([&](const char *name) {
    writer.descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return writer.descriptor >= 0;
  });
  if (reason)
    return writer.fail(reason);
  return std::move(writer);
}

int PackageWriter::tryNames(function_ref<bool(const char *)> create) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary = path + "." + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".tmp";
    sys::RemoveFileOnSignal(temporary);
    if (create(temporary.c_str()))
      return 0;
    const int reason = errno;
    sys::DontRemoveFileOnSignal(temporary);
    temporary.clear();
    if (reason != EEXIST)
      return reason;
  }
  return EEXIST;
}

PackageWriter::~PackageWriter() {
  if (descriptor < 0)
    return;
  close(descriptor);
  if (!temporary.empty())
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
  int reason = 0;
  // A link does not replace a file, so where there is one already the new one is named twice.
  if (temporary.empty()) {
    const std::string open = "/proc/self/fd/" + std::to_string(descriptor);
    auto link = [&](const char *name) {
      return linkat(AT_FDCWD, open.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
    };
    if (!link(path.c_str()))
      reason = errno == EEXIST ? tryNames(link) : errno;
  }
  if (close(descriptor) != 0 && !reason)
    reason = errno;
  descriptor = -1;
  if (temporary.empty())
    return reason ? fail(reason) : Error::success();
  if (!reason && rename(temporary.c_str(), path.c_str()) != 0)
    reason = errno;
  if (reason)
    unlink(temporary.c_str());
  sys::DontRemoveFileOnSignal(temporary);
  return reason ? fail(reason) : Error::success();
}

Error writeFile(const std::string &path, StringRef bytes) {
  Expected<PackageWriter> file = PackageWriter::create(path);
  if (!file)
    return file.takeError();
  if (Error error = file->write(arrayRefFromStringRef(bytes)))
    return error;
  return file->finish();
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
