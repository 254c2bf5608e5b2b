// From a planned sched module to machine code, one image per target.
#pragma once

#include "codegen/targets/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <vector>

namespace sinter {

// The kernels of a module for one target: an ELF image without relocations and imports, whose file offsets are its
// addresses.
struct CompiledKernels {
  const Target *target;
  std::vector<uint8_t> image;
  // Per sched.kernel, in module order:
  std::vector<uint64_t> entries;      // offset of the first instruction in the image
  std::vector<uint32_t> scratchBytes; // per thread
  std::vector<uint32_t> stackBytes;   // worst case
};

llvm::Expected<CompiledKernels> compileKernels(mlir::ModuleOp module, const Target &target);

enum class KernelStage { kern, llvm, assembly };
// Prints the kernels of a module at a stage of their lowering for one target.
llvm::Error printKernels(mlir::ModuleOp module, const Target &target, KernelStage stage, llvm::raw_ostream &out);

} // namespace sinter
