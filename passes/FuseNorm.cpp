// In: a normalization whose result only one linear reads. Out: the linear normalizes its own input. A decode step then
// computes the norm of its one row in every thread instead of letting all threads wait for one; a prefill step does it
// in the pass over the rows that quantizes them.

#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSENORM
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct LinearOfNorm : OpRewritePattern<tx::LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tx::LinearOp linear, PatternRewriter &rewriter) const override {
    tx::NormOp norm = linear.getInput().getDefiningOp<tx::NormOp>();
    if (!norm)
      return rewriter.notifyMatchFailure(linear, "its input is not a norm");
    if (linear.getNorm())
      return rewriter.notifyMatchFailure(linear, "it has a norm already");
    if (norm.getGroup())
      return rewriter.notifyMatchFailure(linear, "the norm is per group of columns");
    if (!norm->hasOneUse())
      return rewriter.notifyMatchFailure(linear, "the norm has other users");
    if (norm->hasAttr("tap"))
      return rewriter.notifyMatchFailure(linear, "the norm's value is tapped");
    rewriter.modifyOpInPlace(linear, [&] {
      linear.getInputMutable().assign(norm.getInput());
      linear.setNormAttr(norm.getNorm());
    });
    rewriter.eraseOp(norm);
    return success();
  }
};

struct FuseNorm : sinter::impl::FuseNormBase<FuseNorm> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LinearOfNorm>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
