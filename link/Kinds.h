// The ways of linking, one file each.
#pragma once

#include "link/InputPackage.h"
#include "link/Link.h"

namespace sinter {

llvm::Error linkExecutable(const LinkOptions &options, const InputPackage &package, LinkedFiles &files);
// Static and shared libraries.
llvm::Error linkLibrary(const LinkOptions &options, const InputPackage &package, LinkedFiles &files);

// The headers that go with a library, as text.
llvm::Expected<std::string> libraryHeader(const LinkOptions &options, const InputPackage &package);
std::string libraryCppHeader(const LinkOptions &options);

} // namespace sinter
