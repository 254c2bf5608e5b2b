// A package's manifest, read without running anything: works on machines that can run none of its code.
#pragma once

#include "runtime/package_generated.h"

#include <cstdint>
#include <string>

namespace sinter {

class PackageFile {
public:
  // Lets the runtime check the file, then maps it; throws Failure.
  explicit PackageFile(const std::string &path);
  ~PackageFile();
  PackageFile(const PackageFile &) = delete;
  PackageFile &operator=(const PackageFile &) = delete;

  const package::Manifest &manifest() const { return *root; }
  uint64_t fileBytes() const { return size; }
  uint64_t manifestBytes() const { return manifestSize; }
  // Why the runtime cannot run any of its code here; empty if it can.
  const std::string &obstacle() const { return reason; }

private:
  const unsigned char *data = nullptr;
  uint64_t size = 0, manifestSize = 0;
  const package::Manifest *root = nullptr;
  std::string reason;
};

} // namespace sinter
