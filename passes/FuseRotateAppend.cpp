// In: between the Q, K, V product and attention: slices, norms per head (where the family has them), rotations, and the
// append to the cache. Out: one op that does all of it in a single pass over the product's rows, head by head, so that
// the thread that rotated a head is the one that attends with it.

#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEROTATEAPPEND
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// rope(norm(slice(product))) read backwards; the rope and the norm are optional.
struct Projection {
  tx::RopeOp rope;
  tx::NormOp norm;
  tx::SliceOp slice;

  explicit Projection(Value value) {
    if ((rope = value.getDefiningOp<tx::RopeOp>()))
      value = rope.getInput();
    if ((norm = value.getDefiningOp<tx::NormOp>()))
      value = norm.getInput();
    slice = value.getDefiningOp<tx::SliceOp>();
  }
  tx::RopeAttr ropeAttr() { return rope ? rope.getRope() : tx::RopeAttr(); }
  tx::NormAttr normAttr() { return norm ? norm.getNorm() : tx::NormAttr(); }
  // Rotated and normalized by heads of `headDim`, at `position`?
  bool isByHeads(int64_t headDim, Value position) {
    return (!rope || (static_cast<int64_t>(rope.getHeadDim()) == headDim && rope.getPosition() == position)) &&
           (!norm || static_cast<int64_t>(norm.getGroup()) == headDim);
  }
};

struct AttentionOfProjections : OpRewritePattern<tx::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tx::AttentionOp attention, PatternRewriter &rewriter) const override {
    tx::CacheAppendOp append = attention.getKeys().getDefiningOp<tx::CacheAppendOp>();
    if (!append || attention.getKeys() != append.getKeys() || attention.getValues() != append.getValues())
      return rewriter.notifyMatchFailure(attention, "keys and values are not those of one cache_append");
    if (append.getPosition() != attention.getPosition())
      return rewriter.notifyMatchFailure(attention, "cache_append and attention are at different positions");
    Projection query(attention.getQuery()), key(append.getKey()), value(append.getValue());
    if (!query.slice || !key.slice || !value.slice)
      return rewriter.notifyMatchFailure(attention, "queries, keys and values are not slices of a product");
    if (value.rope || value.norm)
      return rewriter.notifyMatchFailure(attention, "values are rotated or normalized");

    int64_t headDim = attention.getHeadDim();
    if (!query.isByHeads(headDim, attention.getPosition()) || !key.isByHeads(headDim, attention.getPosition()))
      return rewriter.notifyMatchFailure(attention, "queries or keys are not normalized and rotated head by head");
    if (query.ropeAttr() != key.ropeAttr())
      return rewriter.notifyMatchFailure(attention, "queries and keys rotate differently");

    Value product = query.slice.getInput();
    int64_t queryColumns = attention.getHeads() * headDim, keyColumns = attention.getKvHeads() * headDim;
    if (key.slice.getInput() != product || value.slice.getInput() != product || query.slice.getBegin() != 0 ||
        static_cast<int64_t>(key.slice.getBegin()) != queryColumns ||
        static_cast<int64_t>(value.slice.getBegin()) != queryColumns + keyColumns ||
        cast<RankedTensorType>(product.getType()).getDimSize(1) != queryColumns + 2 * keyColumns)
      return rewriter.notifyMatchFailure(attention, "queries, keys and values do not lie side by side in one product");

    // At the place of the append: the order of what touches the cache stays as it was.
    rewriter.setInsertionPoint(append);
    tx::RotateAppendOp fused = tx::RotateAppendOp::create(
        rewriter, append.getLoc(), attention.getQuery().getType(), append.getKeys().getType(),
        append.getValues().getType(), product, append.getPosition(), append.getCacheAttr(), attention.getHeadsAttr(),
        query.ropeAttr(), query.normAttr(), key.normAttr());
    rewriter.modifyOpInPlace(attention, [&] { attention.getQueryMutable().assign(fused.getQuery()); });
    rewriter.replaceOp(append, ValueRange{fused.getKeys(), fused.getValues()});
    return success();
  }
};

struct FuseRotateAppend : sinter::impl::FuseRotateAppendBase<FuseRotateAppend> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<AttentionOfProjections>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
