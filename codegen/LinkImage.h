// From an object file to the image that a package carries.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace sinter {

struct LinkedImage {
  std::vector<uint8_t> bytes;
  llvm::StringMap<uint64_t> entries; // offset of each exported function
};

// Runs LLD in this process with the arguments of ld.lld, one call at a time since it keeps state in globals. `what` is what
// errors are about.
llvm::Error runElfLinker(llvm::ArrayRef<const char *> args, llvm::StringRef what);

// `object` is an ELF object file. `what` names it in errors.
llvm::Expected<LinkedImage> linkImage(llvm::ArrayRef<char> object, llvm::StringRef what);

} // namespace sinter
