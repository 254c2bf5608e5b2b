// --print-ir-after: the module as one pass of the pipeline left it.
#pragma once

#include "mlir/Pass/PassManager.h"

#include <string>

namespace sinter {

// Prints to standard error after each run of the pass with this flag name. False, with the names there are in `error`,
// if the pipeline has no such pass.
bool printAfterPass(mlir::PassManager &passes, const std::string &name, std::string &error);

} // namespace sinter
