// Names beside an output for what it is made of. They carry the process's number, so that what a killed compilation left
// there is known to belong to nobody, and goes away with the next one. Files that nobody but their writer opens have no
// names at all: codegen/PackageWriter.cpp.

#include "link/Link.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <csignal>
#include <unistd.h>
#include <vector>

namespace sinter {

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

static constexpr llvm::StringRef kEndings[] = {".package.tmp", ".parts"};

std::string temporaryPackage(const std::string &output) {
  return output + "." + std::to_string(getpid()) + kEndings[0].str();
}

std::string temporaryFolder(const std::string &output) {
  return output + "." + std::to_string(getpid()) + kEndings[1].str();
}

// Whether `name` is one of these for `output`, and its process has ended.
static bool isStale(llvm::StringRef name, llvm::StringRef output) {
  unsigned process;
  if (!name.consume_front(output) || !name.consume_front(".") || name.consumeInteger(10, process) || !process ||
      process > INT32_MAX)
    return false;
  return llvm::is_contained(kEndings, name) && kill(pid_t(process), 0) != 0 && errno == ESRCH;
}

void removeStaleTemporaries(const std::string &output) {
  llvm::SmallString<256> folder(output);
  path::remove_filename(folder);
  std::vector<std::string> stale;
  std::error_code error;
  for (fs::directory_iterator entry(folder.empty() ? "." : folder.str(), error), end; !error && entry != end;
       entry.increment(error))
    if (isStale(path::filename(entry->path()), path::filename(output)))
      stale.push_back(entry->path());
  for (const std::string &name : stale)
    fs::is_directory(name) ? fs::remove_directories(name) : fs::remove(name);
}

} // namespace sinter
