// The command line of a self-contained executable: that of `sinter run` without its FILE.
#pragma once

#include "tools/Continuation.h"

namespace sinter {

struct StandaloneOptions : ContinueOptions {
  std::string isa;
  bool verbose = false, help = false, version = false;
};

// Throws Failure with what is wrong with an argument.
StandaloneOptions parseOptions(int argc, char **argv);
std::string helpText(const std::string &program);

} // namespace sinter
