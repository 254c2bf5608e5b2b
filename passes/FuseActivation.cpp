// In: a pointwise nonlinearity of a product that nothing else reads. Out: the product applies it in its epilogue, where
// the results are in registers.

#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEACTIVATION
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct ActivationOfProduct : OpRewritePattern<tx::ActivateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tx::ActivateOp activate, PatternRewriter &rewriter) const override {
    tx::LinearOp linear = activate.getInput().getDefiningOp<tx::LinearOp>();
    if (!linear)
      return rewriter.notifyMatchFailure(activate, "its input is not a product");
    if (linear.getGlu() || linear.getAct() || linear.getResidual())
      return rewriter.notifyMatchFailure(activate, "something is fused behind the product already");
    if (!linear->hasOneUse() || linear->hasAttr("tap"))
      return rewriter.notifyMatchFailure(activate, "the product is used elsewhere, or tapped");
    tx::LinearOp fused = tx::LinearOp::create(
        rewriter, rewriter.getFusedLoc({linear.getLoc(), activate.getLoc()}), activate.getType(), linear.getInput(),
        linear.getWeightsAttr(), linear.getBiasesAttr(), linear.getNormAttr(), /*glu=*/tx::ActivationAttr(),
        activate.getActivationAttr(), /*residual=*/Value());
    fused->setDiscardableAttrs(activate->getDiscardableAttrDictionary());
    rewriter.replaceOp(activate, fused);
    rewriter.eraseOp(linear);
    return success();
  }
};

struct FuseActivation : sinter::impl::FuseActivationBase<FuseActivation> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ActivationOfProduct>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
