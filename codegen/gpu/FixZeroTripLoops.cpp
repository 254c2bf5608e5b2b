// Upstream's lowering of scf.for (MLIR 22) keeps a loop's results in variables that only the loop's body stores to. A loop
// that runs zero times leaves them undefined, where it should give its initial values. In: spirv.mlir.loops as that
// lowering makes them. Out: the same with the initial values stored before the loop. Drivers promote the variables to
// registers, so this costs nothing.
//
//   spirv.Branch ^header(%lower, %init)            the initial value is the header's operand
//   ...
//   spirv.Store "Function" %variable, %next        in the block that goes back to the header, one for each result
//   spirv.Branch ^header(%i, %next)
//
// Anything else is an error: better no kernel than one that is wrong now and then.

#include "codegen/gpu/GpuLowering.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

using namespace mlir;

namespace sinter {

namespace {

LogicalResult fix(spirv::LoopOp loop) {
  Block *header = loop.getHeaderBlock(), *last = nullptr;
  spirv::BranchOp enter = dyn_cast<spirv::BranchOp>(loop.getEntryBlock()->getTerminator());
  for (Block *before : header->getPredecessors())
    if (before != loop.getEntryBlock())
      last = before;
  if (!enter || !last || header->getNumArguments() == 0)
    return loop.emitOpError("does not look like a lowered scf.for");

  // Variables of inner loops are read inside of this one, those of its own results behind it.
  SmallVector<Value> variables;
  for (spirv::StoreOp store : last->getOps<spirv::StoreOp>()) {
    Value variable = store.getPtr();
    bool isResult = variable.getDefiningOp<spirv::VariableOp>() && llvm::any_of(variable.getUsers(), [&](Operation *user) {
                      return isa<spirv::LoadOp>(user) && !loop->isAncestor(user);
                    });
    if (isResult)
      variables.push_back(variable);
  }
  ValueRange initial = enter.getBlockArguments().drop_front(); // the first is the induction variable
  if (variables.size() != initial.size())
    return loop.emitOpError("carries ") << initial.size() << " values, but stores " << variables.size() << " results";
  OpBuilder b(loop);
  for (auto [variable, value] : llvm::zip_equal(variables, initial))
    spirv::StoreOp::create(b, loop.getLoc(), variable, value);
  return success();
}

class FixZeroTripLoops : public PassWrapper<FixZeroTripLoops, OperationPass<spirv::ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FixZeroTripLoops)
  StringRef getArgument() const override { return "sinter-fix-zero-trip-loops"; }
  StringRef getDescription() const override { return "Give loops that do not run their initial values"; }
  void runOnOperation() override {
    WalkResult result = getOperation().walk([](spirv::LoopOp loop) { return WalkResult(fix(loop)); });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createFixZeroTripLoopsPass() { return std::make_unique<FixZeroTripLoops>(); }

} // namespace sinter
