// Kernels on their way to one target.
#pragma once

#include "codegen/Codegen.h"
#include "codegen/kernels/KernelBuilder.h"
#include "dialects/sched/Sched.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace sinter {

// Add kernels, then compile or print, once. Works in an MLIR context of its own, so that several can work at the same
// time.
class KernelCompiler {
public:
  explicit KernelCompiler(const Target &target);

  // All sched.kernels of a module.
  llvm::Error add(mlir::ModuleOp source);
  // One whose body is written by `build`.
  llvm::Error add(llvm::StringRef name, llvm::function_ref<void(kern::KernelBuilder &)> build);

  llvm::Expected<CompiledKernels> compile();
  llvm::Error print(KernelStage stage, llvm::raw_ostream &out);

private:
  // Whether any entry of the target's kind of device uses a kernel. Without entries, as in tests, all are wanted.
  bool wants(mlir::ModuleOp source, sched::KernelOp kernel) const;
  llvm::Error addFunctions(mlir::ModuleOp source);
  llvm::Error simplify();
  llvm::Error lower();
  llvm::Expected<CompiledKernels> compileElf();
  llvm::Expected<CompiledKernels> compileForGpu();
  llvm::Error printTexts(llvm::raw_ostream &out);
  llvm::Error failure(const llvm::Twine &what);

  const Target &target;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> names; // in the order they were added; empty where a kernel is not wanted
  llvm::StringMap<mlir::func::FuncOp> bodies; // of generic kernels, by their names
  std::string errors; // the first that MLIR reported
};

} // namespace sinter
