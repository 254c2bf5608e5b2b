// From spirv.modules, one for each kernel, to their binary form.
#pragma once

#include "codegen/Codegen.h"

#include "llvm/ADT/StringMap.h"

namespace sinter {

// Appends each module to `image` and describes it under its kernel's name.
mlir::LogicalResult emitSpirv(mlir::ModuleOp module, std::vector<uint8_t> &image, llvm::StringMap<GpuModule> &modules);

} // namespace sinter
