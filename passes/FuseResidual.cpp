// In: a sum of the residual stream and a product that nothing else reads. Out: the product adds the residual in its
// epilogue, so the sum costs no pass over memory and no barrier. The sum's tap moves to the product.

#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSERESIDUAL
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct AddOfProduct : OpRewritePattern<tx::AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tx::AddOp add, PatternRewriter &rewriter) const override {
    // The right side first: where both are products (parallel blocks), the right one is the later.
    for (bool right : {true, false}) {
      Value term = right ? add.getRhs() : add.getLhs(), residual = right ? add.getLhs() : add.getRhs();
      tx::LinearOp linear = term.getDefiningOp<tx::LinearOp>();
      if (!linear || linear.getResidual() || !linear->hasOneUse() || linear->hasAttr("tap"))
        continue;
      // At the place of the sum, where the residual is there for certain.
      tx::LinearOp fused = tx::LinearOp::create(
          rewriter, rewriter.getFusedLoc({linear.getLoc(), add.getLoc()}), add.getType(), linear.getInput(),
          linear.getWeightsAttr(), linear.getBiasesAttr(), linear.getNormAttr(), linear.getGluAttr(), linear.getActAttr(), residual);
      fused->setDiscardableAttrs(add->getDiscardableAttrDictionary());
      rewriter.replaceOp(add, fused);
      rewriter.eraseOp(linear);
      return success();
    }
    return rewriter.notifyMatchFailure(add, "neither side is a product without residual that only this sum reads");
  }
};

struct FuseResidual : sinter::impl::FuseResidualBase<FuseResidual> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<AddOfProduct>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
