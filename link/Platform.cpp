// Platforms: folders with what the runtime was built into for one kind of system. A folder's runtime object says itself
// which machine it is for, so there is no table to keep.

#include "link/Link.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstdlib>

namespace sinter {

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

std::string platformsDirectory() {
  if (const char *given = std::getenv("SINTER_PLATFORMS"))
    return given;
  llvm::SmallString<256> folder(fs::getMainExecutable(nullptr, reinterpret_cast<void *>(&platformsDirectory)));
  path::remove_filename(folder);
  path::append(folder, "..", "lib", "sinter");
  path::remove_dots(folder, /*remove_dot_dot=*/true);
  return folder.str().str();
}

std::vector<std::string> platformNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(platformsDirectory(), error), end; !error && entry != end; entry.increment(error))
    if (fs::exists(entry->path() + "/sinter_runtime.o"))
      names.push_back(path::filename(entry->path()).str());
  llvm::sort(names);
  return names;
}

// The one whose compiler built this program.
std::string hostPlatform() { return SINTER_PLATFORM; }

llvm::Expected<uint16_t> platformMachine(const std::string &platformDirectory) {
  const std::string object = platformDirectory + "/sinter_runtime.o";
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file = llvm::MemoryBuffer::getFile(object);
  if (!file) {
    std::string names = llvm::join(platformNames(), ", ");
    return llvm::createStringError("there is no runtime for %s (%s is not there); there are: %s",
                                   path::filename(platformDirectory).str().c_str(), object.c_str(),
                                   names.empty() ? "none" : names.c_str());
  }
  llvm::StringRef bytes = (*file)->getBuffer();
  if (bytes.size() < sizeof(llvm::ELF::Elf64_Ehdr) || !bytes.starts_with(llvm::ELF::ElfMagic))
    return llvm::createStringError("%s: not an ELF object", object.c_str());
  return uint16_t(uint8_t(bytes[18]) | uint8_t(bytes[19]) << 8); // e_machine, in both classes
}

std::string prefixFor(llvm::StringRef name) {
  std::string prefix;
  for (char c : name)
    prefix += llvm::isAlnum(c) ? llvm::toLower(c) : '_';
  if (prefix.empty() || llvm::isDigit(prefix[0]))
    prefix.insert(0, "model_");
  return prefix;
}

} // namespace sinter
