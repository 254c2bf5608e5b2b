// The command line of a self-contained executable: that of `sinter run`, `sinter embed` or `sinter classify` without its
// FILE, as the model is one for.
#pragma once

#include "tools/Continuation.h"
#include "tools/EncoderTexts.h"
#include "tools/standalone/PackagePlace.h"

namespace sinter {

struct StandaloneOptions {
  ContinueOptions run;
  EmbedOptions encode;
  std::string isa;
  bool verbose = false, help = false, version = false;
};

// Throws Failure with what is wrong with an argument.
StandaloneOptions parseOptions(int argc, char **argv, PackageTask task);
std::string helpText(const std::string &program, PackageTask task);

} // namespace sinter
