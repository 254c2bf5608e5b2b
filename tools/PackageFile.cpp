// What a package may hold is checked in one place, the runtime's loader. It looks for code that this CPU runs only
// after everything else was found in order, so SINTER_ERROR_UNSUPPORTED still means a manifest that is safe to read.

#include "tools/PackageFile.h"
#include "runtime/package_layout.h"
#include "runtime/sinter.h"
#include "tools/Failure.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sinter {

PackageFile::PackageFile(const std::string &path) {
  sinter_model *model = nullptr;
  sinter_error error = {};
  sinter_status status = sinter_model_open(path.c_str(), nullptr, &model, &error);
  sinter_model_close(model);
  if (status != SINTER_OK && status != SINTER_ERROR_UNSUPPORTED)
    throw Failure(error.message);
  reason = error.message;

  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts = {};
  void *mapped = MAP_FAILED;
  if (descriptor >= 0 && fstat(descriptor, &facts) == 0) {
    size = static_cast<uint64_t>(facts.st_size);
    mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  }
  int problem = errno;
  if (descriptor >= 0)
    close(descriptor);
  if (mapped == MAP_FAILED)
    throw Failure(path + ": " + strerror(problem));
  data = static_cast<const unsigned char *>(mapped);
  PackageHeader header;
  memcpy(&header, data, sizeof header);
  manifestSize = header.manifestBytes;
  root = package::GetManifest(data + header.manifestOffset);
}

PackageFile::~PackageFile() { munmap(const_cast<unsigned char *>(data), size); }

} // namespace sinter
