// The two ways through the kernel compiler: to an image, and to text.

#include "codegen/Codegen.h"

#include "codegen/KernelCompiler.h"

namespace sinter {

llvm::Expected<CompiledKernels> compileKernels(mlir::ModuleOp module, const Target &target) {
  KernelCompiler compiler(target);
  if (llvm::Error error = compiler.add(module))
    return std::move(error);
  return compiler.compile();
}

llvm::Error printKernels(mlir::ModuleOp module, const Target &target, KernelStage stage, llvm::raw_ostream &out) {
  KernelCompiler compiler(target);
  if (llvm::Error error = compiler.add(module))
    return error;
  return compiler.print(stage, out);
}

} // namespace sinter
