// The file a package is written to: under a temporary name in the same directory until it is complete.
#pragma once

#include "runtime/package_layout.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <optional>
#include <string>

namespace sinter {

class PackageWriter {
public:
  // The temporary file goes away if the object does, or if the process is interrupted, before finish().
  static llvm::Expected<PackageWriter> create(const std::string &path);
  PackageWriter(PackageWriter &&other) : path(std::move(other.path)), file(std::move(other.file)), end(other.end) {
    other.file.reset();
  }
  ~PackageWriter();

  uint64_t position() const { return end; }
  // Appends. Errors name the file that was to be.
  llvm::Error write(llvm::ArrayRef<uint8_t> bytes);
  // Appends zeros up to `offset`.
  llvm::Error padTo(uint64_t offset);
  // Replaces bytes that were written before.
  llvm::Error rewrite(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);
  // Gives the file its name.
  llvm::Error finish();

private:
  PackageWriter(std::string path, llvm::sys::fs::TempFile file) : path(std::move(path)), file(std::move(file)) {}
  llvm::Error fail(int number) const;

  std::string path;
  std::optional<llvm::sys::fs::TempFile> file; // empty once finished
  uint64_t end = 0;
};

// Checksum64 over pieces of any size.
class StreamChecksum {
public:
  void update(llvm::ArrayRef<uint8_t> bytes);
  uint64_t finish(); // call once

private:
  Checksum64 sum;
  uint8_t carry[32];
  size_t carried = 0;
};

} // namespace sinter
