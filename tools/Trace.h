// Recordings as a file for Perfetto (ui.perfetto.dev) or chrome://tracing.
#pragma once

#include "tools/Profile.h"

namespace sinter {

// Writes recordings one after another on one time line, a track per thread. Throws Failure if the file cannot be
// written.
void writeTrace(const std::string &path, const sinter_model *model, const std::vector<const Recording *> &recordings);

} // namespace sinter
