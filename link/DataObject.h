// Bytes as sections of a relocatable ELF object, for linkers to place.
#pragma once

#include "codegen/PackageWriter.h"
#include "llvm/ADT/StringRef.h"

namespace sinter {

struct DataSection {
  std::string name;   // ".rodata.tales"
  bool executable;    // else read-only data
  uint64_t alignment; // a power of two
  llvm::ArrayRef<uint8_t> bytes;
  std::string symbol; // at its start; global, hidden
};

// What an object must have in common with those it is linked with.
struct ElfKind {
  bool is64;
  uint16_t machine;
  uint32_t flags;
};

// Little-endian, as all of Sinter's platforms are.
llvm::Expected<ElfKind> readElfKind(llvm::StringRef object, const std::string &path);
// Bytes are written straight from where they are: weights are not held in memory.
llvm::Error writeDataObject(PackageWriter &file, const ElfKind &kind, llvm::ArrayRef<DataSection> sections);

} // namespace sinter
