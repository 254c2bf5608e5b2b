// From a package to what a program links or a person starts: executables, static libraries and shared libraries. The
// package stays what it is; it is put behind a prebuilt program, or its bytes become sections of an object file beside
// the runtime. Works for every platform whose runtime lies in the compiler's platform folder, whatever machine it works
// on.
#pragma once

#include "llvm/Support/Error.h"

#include <string>

namespace sinter {

enum class OutputKind { executable, staticLibrary, sharedLibrary };

struct LinkOptions {
  OutputKind kind;
  std::string package;           // the file to start from
  std::string output;            // the file to write; headers and weights go beside it
  std::string prefix;            // of symbols, "tales"
  std::string platformDirectory; // where the runtime of the output's platform is
  std::string sysroot;           // where a shared library finds libc; empty: the system's usual places
  bool weightsInFile = false;    // libraries: weights beside the library instead of in it
  bool staticProgram = false;    // executables: libc inside
};

// What was written beside the output itself.
struct LinkedFiles {
  std::string header, cppHeader, weights; // empty: none
};

llvm::Expected<LinkedFiles> linkPackage(const LinkOptions &options);

// Where a package that only serves to be linked goes, and a folder for a library's pieces.
std::string temporaryPackage(const std::string &output);
std::string temporaryFolder(const std::string &output);
// Takes away those of compilations that were killed.
void removeStaleTemporaries(const std::string &output);

// The folder of platforms that belongs to this compiler: ../lib/sinter beside its program, or SINTER_PLATFORMS.
std::string platformsDirectory();
// Names of the platforms in it, and the one of the machine that the compiler runs on.
std::vector<std::string> platformNames();
std::string hostPlatform();
// ELF's number of the machine a platform's runtime is for; an error if there is no runtime.
llvm::Expected<uint16_t> platformMachine(const std::string &platformDirectory);

// A C identifier made of a model's name: "SmolLM2-135M" gives "smollm2_135m".
std::string prefixFor(llvm::StringRef name);

} // namespace sinter
