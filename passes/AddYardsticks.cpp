// In: a schedule. Out: the same with the kernels that measure the machine. They belong to no entry and touch none of
// its buffers, so nothing else sees them; they come last, so that the other kernels keep their numbers.

#include "passes/Passes.h"

namespace sinter {
#define GEN_PASS_DEF_ADDYARDSTICKS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct AddYardsticks : sinter::impl::AddYardsticksBase<AddYardsticks> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<sched::KernelOp> kernels = llvm::to_vector(module.getOps<sched::KernelOp>());
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    if (!kernels.empty())
      builder.setInsertionPointAfter(kernels.back());
    for (kern::YardstickKind kind : {kern::YardstickKind::read, kern::YardstickKind::dot, kern::YardstickKind::fma})
      sched::KernelOp::create(builder, module.getLoc(), ("yardstick_" + kern::stringifyYardstickKind(kind)).str(),
                              kern::YardstickAttr::get(module.getContext(), kind));
  }
};

} // namespace
