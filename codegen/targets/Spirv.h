// The rows of the target table for GPUs.
#pragma once

#include "codegen/targets/Target.h"

namespace sinter {

llvm::ArrayRef<Target> spirvTargets();

} // namespace sinter
