// Lowers kern.dot, register by register. A dot whose only use is another dot's accumulator is left to that one, as long
// as the sums of the chain still fit where the target keeps them.

#include "codegen/targets/DotLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace sinter {

Value callIntrinsic(OpBuilder &b, Location loc, StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), operands)->getResult(0);
}

Value splatInteger(OpBuilder &b, Location loc, VectorType type, int64_t value) {
  Attribute element = b.getIntegerAttr(type.getElementType(), value);
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, element));
}

namespace {

class LowerDot : public OpRewritePattern<kern::DotOp> {
public:
  LowerDot(MLIRContext *context, const DotLowering &use) : OpRewritePattern(context), use(use) {}

  LogicalResult matchAndRewrite(kern::DotOp op, PatternRewriter &rewriter) const override {
    const int64_t most = use.chainLength(op);
    if (most > 1 && op->hasOneUse())
      if (kern::DotOp user = dyn_cast<kern::DotOp>(*op->user_begin());
          user && user.getAcc() == op.getResult() && joins(op, user))
        return rewriter.notifyMatchFailure(op, "part of a longer chain of products");
    SmallVector<kern::DotOp> chain = {op};
    while (int64_t(chain.size()) < most) {
      kern::DotOp previous = chain.back().getAcc().getDefiningOp<kern::DotOp>();
      if (!previous || !previous->hasOneUse() || !joins(previous, chain.back()))
        break;
      chain.push_back(previous);
    }
    std::reverse(chain.begin(), chain.end());

    const int64_t lanes = op.getAcc().getType().getNumElements();
    if (lanes % use.lanes)
      return op.emitError() << "has " << lanes << " sums, expected a multiple of " << use.lanes;
    Value result = chain.front().getAcc(), start = result;
    for (int64_t from = 0; from < lanes; from += use.lanes) {
      Value part = lowerRegister(rewriter, chain, start, from, lanes / use.lanes);
      rewriter.setInsertionPoint(op);
      result = lanes == use.lanes
                   ? part
                   : vector::InsertStridedSliceOp::create(rewriter, op.getLoc(), part, result, ArrayRef<int64_t>{from},
                                                          ArrayRef<int64_t>{1});
    }
    rewriter.replaceOp(op, result);
    for (kern::DotOp link : llvm::reverse(ArrayRef<kern::DotOp>(chain).drop_back()))
      rewriter.eraseOp(link);
    return success();
  }

private:
  static bool joins(kern::DotOp a, kern::DotOp b) {
    return a.getMaxCode() == b.getMaxCode() && a.getSignedCodes() == b.getSignedCodes() &&
           a->getBlock() == b->getBlock();
  }

  // The chain's sums from `from` on, one of `registers` registers.
  Value lowerRegister(PatternRewriter &rewriter, ArrayRef<kern::DotOp> chain, Value acc, int64_t from,
                      int64_t registers) const {
    kern::DotOp op = chain.back();
    auto piece = [&](Value v) -> Value {
      if (registers == 1)
        return v;
      int64_t width = cast<VectorType>(v.getType()).getNumElements() / registers;
      return vector::ExtractStridedSliceOp::create(rewriter, op.getLoc(), v,
                                                   ArrayRef<int64_t>{from / use.lanes * width},
                                                   ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
    };
    SmallVector<DotLink> links;
    for (kern::DotOp link : chain) {
      rewriter.setInsertionPoint(link);
      links.push_back({link, piece(link.getCodes()), piece(link.getActivations())});
    }
    return use.lower(rewriter, op, piece(acc), links);
  }

  const DotLowering &use;
};

} // namespace

void addDotPattern(RewritePatternSet &patterns, const DotLowering &lowering) {
  patterns.add<LowerDot>(patterns.getContext(), lowering);
}

} // namespace sinter
