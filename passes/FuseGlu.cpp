// In: a gated linear unit as the frontend writes it, two products and an elementwise gate. Out: one linear that reads
// its input once and applies the gate in its epilogue, where both halves are still in registers.

#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEGLU
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// One weight and nothing fused yet but its bias.
bool isPlain(tx::LinearOp linear) {
  return linear.getWeights().size() == 1 && !linear.getNorm() && !linear.getGlu() && !linear.getAct() &&
         !linear.getResidual() && !linear->hasAttr("tap");
}

struct GluOfProducts : OpRewritePattern<tx::GluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tx::GluOp glu, PatternRewriter &rewriter) const override {
    tx::LinearOp gate = glu.getGate().getDefiningOp<tx::LinearOp>(), up = glu.getUp().getDefiningOp<tx::LinearOp>();
    if (!gate || !up || gate == up)
      return rewriter.notifyMatchFailure(glu, "gate and up are not two products");
    if (!isPlain(gate) || !isPlain(up))
      return rewriter.notifyMatchFailure(glu, "something is fused into gate or up");
    if (gate.getBiases().has_value() != up.getBiases().has_value())
      return rewriter.notifyMatchFailure(glu, "only one of gate and up has a bias");
    if (gate.getInput() != up.getInput())
      return rewriter.notifyMatchFailure(glu, "gate and up have different inputs");
    if (!gate->hasOneUse() || !up->hasOneUse())
      return rewriter.notifyMatchFailure(glu, "gate or up is also used elsewhere");
    FlatSymbolRefAttr gateName = cast<FlatSymbolRefAttr>(gate.getWeights()[0]);
    FlatSymbolRefAttr upName = cast<FlatSymbolRefAttr>(up.getWeights()[0]);
    tx::ParamOp gateWeight = SymbolTable::lookupNearestSymbolFrom<tx::ParamOp>(glu, gateName);
    tx::ParamOp upWeight = SymbolTable::lookupNearestSymbolFrom<tx::ParamOp>(glu, upName);
    if (gateWeight.getFormatAttr() != upWeight.getFormatAttr())
      return rewriter.notifyMatchFailure(glu, "gate and up have different formats");

    ArrayAttr biases;
    if (gate.getBiases())
      biases = rewriter.getArrayAttr({(*gate.getBiases())[0], (*up.getBiases())[0]});
    tx::LinearOp fused =
        tx::LinearOp::create(rewriter, rewriter.getFusedLoc({gate.getLoc(), up.getLoc(), glu.getLoc()}), glu.getType(),
                             gate.getInput(), rewriter.getArrayAttr({gateName, upName}),
                             biases, /*norm=*/tx::NormAttr(), glu.getActivationAttr(),
                             /*act=*/tx::ActivationAttr(), /*residual=*/Value());
    fused->setDiscardableAttrs(glu->getDiscardableAttrDictionary());
    rewriter.replaceOp(glu, fused);
    return success();
  }
};

struct FuseGlu : sinter::impl::FuseGluBase<FuseGlu> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<GluOfProducts>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
