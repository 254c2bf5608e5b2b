// From SPIR-V modules to text in the Metal Shading Language.
#pragma once

#include "codegen/Codegen.h"

#include "llvm/Support/Error.h"

namespace sinter {

// Replaces the image of a target for GPUs, SPIR-V modules, with a text for each, whose places `modules` then have. `names`
// are the kernels' and their entry points' in both; empty where there is no kernel.
llvm::Error translateToMsl(CompiledKernels &kernels, const std::vector<std::string> &names);

} // namespace sinter
