// The file a package (or another output of the compiler) is written to: without a name, or under a temporary one in the
// same directory, until it is complete.
#pragma once

#include "runtime/package_layout.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace sinter {

class PackageWriter {
public:
  // The temporary file goes away if the object does, or if the process is interrupted, before finish(). A symbolic link
  // stays one: the file it leads to is replaced.
  static llvm::Expected<PackageWriter> create(const std::string &path, bool executable = false);
  PackageWriter(PackageWriter &&other)
      : path(std::move(other.path)), temporary(std::move(other.temporary)), descriptor(other.descriptor),
        end(other.end) {
    other.descriptor = -1;
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
  explicit PackageWriter(std::string path) : path(std::move(path)) {}
  llvm::Error fail(int number) const;
  // Calls `create` with names beside `path` until one is free. The error's number; 0: `temporary` is the name.
  int tryNames(llvm::function_ref<bool(const char *)> create);

  std::string path, temporary; // empty: the file has no name yet
  int descriptor = -1;         // -1 once finished
  uint64_t end = 0;
};

// The whole file at once.
llvm::Error writeFile(const std::string &path, llvm::StringRef bytes);

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
