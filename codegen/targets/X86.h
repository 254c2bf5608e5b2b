// The rows of the target table for x86-64, from the baseline up.
#pragma once

#include "codegen/targets/Target.h"

namespace sinter {

llvm::ArrayRef<Target> x86Targets();

} // namespace sinter
