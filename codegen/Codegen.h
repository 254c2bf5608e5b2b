// From a planned sched module to machine code, one image per target.
#pragma once

#include "codegen/targets/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <vector>

namespace sinter {

// One kernel as a module, in SPIR-V or as text for Metal, in the image of a target for GPUs. The runtime's names are in GpuKernel of
// runtime/package.fbs.
struct GpuModule {
  uint64_t offset = 0, size = 0;
  uint32_t workgroup = 0;      // invocations for one unit
  bool sharesWorkgroups = false; // specialization constant 0 is how many units a workgroup computes
  uint32_t workgroupBytes = 0; // of shared memory
  uint64_t features = 0;       // package::GpuFeature bits
  std::vector<uint8_t> slots;  // binding of each buffer but the first, which has the step's scalars
};

// The kernels of a module for one target: an ELF image without relocations and imports, whose file offsets are its
// addresses; or, for GPUs, modules one after another.
struct CompiledKernels {
  const Target *target;
  std::vector<uint8_t> image;
  // Per sched.kernel, in module order; kNoKernel (runtime/package_layout.h) for those that only other devices' entries use:
  std::vector<uint64_t> entries;      // offset of the first instruction in the image
  std::vector<uint32_t> scratchBytes; // per thread
  std::vector<uint32_t> stackBytes;   // worst case
  std::vector<GpuModule> modules;     // for GPUs, instead of the above
};

llvm::Expected<CompiledKernels> compileKernels(mlir::ModuleOp module, const Target &target);

enum class KernelStage { kern, llvm, assembly, spirv, metal };
// Prints the kernels of a module at a stage of their lowering for one target.
llvm::Error printKernels(mlir::ModuleOp module, const Target &target, KernelStage stage, llvm::raw_ostream &out);

} // namespace sinter
