// A tx.loops as a kernel function, and what is known of the sizes of tensors in @exec.
#pragma once

#include "dialects/tx/Tx.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sinter {

struct Interval {
  int64_t low, high;
};
// What an index computed from run-time dimensions lies in. Saturates; an op that is not known gives everything.
Interval boundsOf(mlir::Value value);
// The sizes of a tensor, each an attribute or a value of @exec.
mlir::SmallVector<mlir::OpFoldResult> sizesOf(mlir::Value tensor);
int64_t mostElements(mlir::ArrayRef<mlir::OpFoldResult> sizes);

// One tx.loops -> the function that a kernel's spec names.
class KernelFunction {
public:
  KernelFunction(tx::LoopsOp loops, mlir::ModuleOp module)
      : loops(loops), b(loops.getLoc(), mlir::OpBuilder::atBlockEnd(module.getBody())) {}

  mlir::FailureOr<mlir::func::FuncOp> build();
  int64_t units = 1;

private:
  mlir::Value view(int64_t index, mlir::Value tensor);
  mlir::FailureOr<mlir::Value> capture(mlir::Value outer);
  void countUnits(mlir::scf::ParallelOp parallel);
  void distribute(mlir::scf::ParallelOp parallel);

  tx::LoopsOp loops;
  mlir::ImplicitLocOpBuilder b;
  mlir::func::FuncOp function;
  mlir::IRMapping mapping;             // of @exec's values to the kernel's
  mlir::DenseMap<int64_t, mlir::Value> dims; // run-time dimensions by number
};

} // namespace sinter
