// The steps from kernel functions to LLVM dialect, and their order.
#pragma once

#include "codegen/targets/Target.h"

#include "mlir/Pass/Pass.h"

#include <memory>

namespace sinter {

// exp, sin and cos, erf and tanh become arithmetic; fma becomes llvm.intr.fmuladd on CPUs. Errors are stated in
// ExpandMath.cpp.
std::unique_ptr<mlir::Pass> createExpandMathPass(const Target &target);
// Conversions of bf16, and of f16 unless the target has them, become integer arithmetic that rounds to nearest even.
std::unique_ptr<mlir::Pass> createExpandHalfPass(const Target &target);
// kern.reduce, kern.lanes, kern.gather and kern.scatter become vector ops and loads and stores of elements.
std::unique_ptr<mlir::Pass> createExpandLanesPass();
// kern.dot becomes the target's instructions.
std::unique_ptr<mlir::Pass> createLowerDotPass(const Target &target);
// Kernel functions get the signature of runtime/kernel_abi.h; kern.binding, kern.scratch and kern.scalar become loads.
std::unique_ptr<mlir::Pass> createLowerKernelAbiPass();

// All of it: from what builders make to the LLVM dialect.
void addLoweringPasses(mlir::OpPassManager &passes, const Target &target);

} // namespace sinter
