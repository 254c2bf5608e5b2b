// Compiling to something else than a package: an executable or a library.
#pragma once

#include "tools/Compiler.h"

namespace sinter {

// compile(), and where the options ask for it, linking what it made. A package file in the place of a model is only
// linked.
bool compileAndLink(const CompileOptions &options, Progress &progress, CompileReport &report, std::string &error);

// What --platform can be, the host's first.
std::vector<std::string> platformChoices();

} // namespace sinter
