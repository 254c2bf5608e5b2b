// The rows of the target table for 64-bit ARM, from the baseline up, and the names of ARM systems and CPUs.
#pragma once

#include "codegen/targets/Target.h"

namespace sinter {

llvm::ArrayRef<Target> armTargets();
llvm::ArrayRef<TargetAlias> armAliases();

} // namespace sinter
