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

// `object` is an ELF object file. `what` names it in errors.
llvm::Expected<LinkedImage> linkImage(llvm::ArrayRef<char> object, llvm::StringRef what);

} // namespace sinter
