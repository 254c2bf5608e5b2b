// In: @exec with elementwise linalg ops one after another. Out: the same with those that only feed the next one inside of
// it, by upstream's fusion. A producer with several readers stays: computing it again in each would often cost more than
// storing it once.

#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEGENERIC
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct FuseGeneric : sinter::impl::FuseGenericBase<FuseGeneric> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns,
                                                 [](OpOperand *operand) { return operand->get().hasOneUse(); });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
