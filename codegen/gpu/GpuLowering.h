// The steps from kernel functions to SPIR-V, and their order.
#pragma once

#include "codegen/targets/Target.h"

#include "mlir/Pass/Pass.h"

#include <memory>

namespace sinter {

// On a function: invocations of its workgroup.
inline constexpr llvm::StringLiteral kWorkgroupAttr = "kern.workgroup";
// On an scf.if that only some lanes take: no barrier may stand inside.
inline constexpr llvm::StringLiteral kPredicatedAttr = "kern.predicated";

// Vectors become one value per invocation.
std::unique_ptr<mlir::Pass> createDistributeLanesPass();
// Barriers where an invocation may read what another wrote to workgroup memory or to a buffer, or overwrite what another
// has yet to read.
std::unique_ptr<mlir::Pass> createPlaceWorkgroupBarriersPass();
// Each func.func becomes a gpu.module of its own with one gpu.func, whose arguments are the buffers: the step's scalars,
// then one for each type that a binding is seen with. "kern.slots" on the gpu.func lists the bindings' numbers.
std::unique_ptr<mlir::Pass> createGpuKernelAbiPass();
// Loops that run zero times give their initial values: upstream's lowering leaves them undefined.
std::unique_ptr<mlir::Pass> createFixZeroTripLoopsPass();

// Kernels whose invocations share nothing may have several units in a workgroup, as many as this constant of their module
// says when the runtime makes a pipeline of it.
std::unique_ptr<mlir::Pass> createShareWorkgroupsPass();
inline constexpr llvm::StringLiteral kUnitsConstant = "units";

inline constexpr llvm::StringLiteral kSlotsAttr = "kern.slots";

// All of it: from what builders make to spirv.modules, one for each kernel.
void addSpirvPasses(mlir::OpPassManager &passes, const Target &target);

} // namespace sinter
