// In: @exec with linalg.generic ops on tensors. Out: each of them as a tx.loops around what upstream makes of the same op on
// memory, a nest of parallel loops.

#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace sinter {
#define GEN_PASS_DEF_LOWERGENERIC
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

MemRefType memoryOf(Value tensor) {
  RankedTensorType type = cast<RankedTensorType>(tensor.getType());
  return MemRefType::get(type.getShape(), type.getElementType());
}

LogicalResult lower(linalg::GenericOp generic, IRRewriter &rewriter) {
  SmallVector<Value> inputs = generic.getInputs(), sizes;
  for (Value init : generic.getOutputs()) {
    tensor::EmptyOp empty = init.getDefiningOp<tensor::EmptyOp>();
    if (!empty)
      return generic.emitOpError("writes to what is not a tensor.empty");
    llvm::append_range(sizes, empty.getDynamicSizes());
  }
  if (generic.getNumReductionLoops())
    return generic.emitOpError("reduces; reductions are written as tx.loops");

  rewriter.setInsertionPoint(generic);
  tx::LoopsOp loops =
      tx::LoopsOp::create(rewriter, generic.getLoc(), generic.getResultTypes(), inputs, sizes);
  Block &block = loops.getBody().emplaceBlock();
  for (Value value : inputs)
    block.addArgument(memoryOf(value), generic.getLoc());
  for (Value value : generic.getOutputs())
    block.addArgument(memoryOf(value), generic.getLoc());
  rewriter.setInsertionPointToStart(&block);
  ValueRange arguments = block.getArguments();
  linalg::GenericOp onMemory = linalg::GenericOp::create(
      rewriter, generic.getLoc(), TypeRange(), arguments.take_front(inputs.size()),
      arguments.drop_front(inputs.size()), generic.getIndexingMapsArray(), generic.getIteratorTypesArray());
  rewriter.cloneRegionBefore(generic.getRegion(), onMemory.getRegion(), onMemory.getRegion().begin());
  rewriter.setInsertionPoint(onMemory);
  FailureOr<linalg::LinalgLoops> made = generic.getNumLoops() ? linalg::linalgOpToParallelLoops(rewriter, onMemory)
                                                               : linalg::linalgOpToLoops(rewriter, onMemory);
  if (failed(made))
    return generic.emitOpError("does not become loops");
  rewriter.eraseOp(onMemory);
  rewriter.replaceOp(generic, loops.getResults());
  return success();
}

struct LowerGeneric : sinter::impl::LowerGenericBase<LowerGeneric> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> generics;
    getOperation().walk([&](linalg::GenericOp op) { generics.push_back(op); });
    for (linalg::GenericOp generic : generics)
      if (failed(lower(generic, rewriter)))
        return signalPassFailure();
  }
};

} // namespace
