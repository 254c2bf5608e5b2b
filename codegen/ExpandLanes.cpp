// What CPUs make of the kern ops that work across a vector's lanes: kern.reduce folds halves of the register, kern.gather
// and kern.scatter go element by element, kern.lanes is a constant. The loads and stores are as many as there are elements either way; a CPU's own
// gathers take as long.

#include "codegen/Lowering.h"

#include "dialects/kern/Kern.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sinter {

namespace {

Value slice(OpBuilder &b, Location loc, Value vector, int64_t from, int64_t width) {
  return vector::ExtractStridedSliceOp::create(b, loc, vector, ArrayRef<int64_t>{from}, ArrayRef<int64_t>{width},
                                               ArrayRef<int64_t>{1});
}

Value combine(OpBuilder &b, Location loc, kern::Reduction kind, Value x, Value y) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(x.getType()));
  if (kind == kern::Reduction::sum)
    return isFloat ? Value(arith::AddFOp::create(b, loc, x, y)) : Value(arith::AddIOp::create(b, loc, x, y));
  if (!isFloat)
    return arith::MaxSIOp::create(b, loc, x, y);
  return arith::SelectOp::create(b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y), x, y);
}

struct ExpandReduce : OpRewritePattern<kern::ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kern::ReduceOp op, PatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value vector = op.getVector();
    for (int64_t width = op.getVector().getType().getNumElements(); width > 1;) {
      int64_t half = width / 2, rest = width - half;
      Value folded = combine(b, loc, op.getKind(), slice(b, loc, vector, 0, half), slice(b, loc, vector, rest, half));
      vector = rest == half ? folded
                            : vector::InsertStridedSliceOp::create(b, loc, folded, slice(b, loc, vector, 0, rest),
                                                                   ArrayRef<int64_t>{0}, ArrayRef<int64_t>{1})
                                  .getResult();
      width = rest;
    }
    b.replaceOpWithNewOp<vector::ExtractOp>(op, vector, 0);
    return success();
  }
};

struct ExpandGather : OpRewritePattern<kern::GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kern::GatherOp op, PatternRewriter &b) const override {
    Location loc = op.getLoc();
    SmallVector<Value> elements;
    for (int64_t i = 0; i < op.getOffsets().getType().getNumElements(); ++i) {
      Value offset = b.createOrFold<vector::ExtractOp>(loc, op.getOffsets(), i);
      Value at = arith::AddIOp::create(b, loc, op.getBase(), arith::IndexCastOp::create(b, loc, b.getIndexType(), offset));
      elements.push_back(memref::LoadOp::create(b, loc, op.getMemref(), at));
    }
    b.replaceOpWithNewOp<vector::FromElementsOp>(op, cast<VectorType>(op.getType()), elements);
    return success();
  }
};

struct ExpandScatter : OpRewritePattern<kern::ScatterOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kern::ScatterOp op, PatternRewriter &b) const override {
    Location loc = op.getLoc();
    for (int64_t i = 0; i < cast<VectorType>(op.getVector().getType()).getNumElements(); ++i) {
      SmallVector<Value> at(op.getIndices());
      Value &along = at[op.getDimension()];
      along = arith::AddIOp::create(b, loc, along, arith::ConstantIndexOp::create(b, loc, i));
      memref::StoreOp::create(b, loc, vector::ExtractOp::create(b, loc, op.getVector(), i), op.getMemref(), at);
    }
    b.eraseOp(op);
    return success();
  }
};

struct ExpandLaneNumbers : OpRewritePattern<kern::LanesOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kern::LanesOp op, PatternRewriter &b) const override {
    VectorType type = cast<VectorType>(op.getType());
    SmallVector<int32_t> lanes = llvm::to_vector(llvm::seq<int32_t>(0, type.getNumElements()));
    b.replaceOpWithNewOp<arith::ConstantOp>(op, DenseElementsAttr::get(type, ArrayRef(lanes)));
    return success();
  }
};

class ExpandLanes : public PassWrapper<ExpandLanes, OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandLanes)
  StringRef getArgument() const override { return "sinter-expand-lanes"; }
  StringRef getDescription() const override { return "Replace the kern ops that work across lanes by vector ops"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, memref::MemRefDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandReduce, ExpandLaneNumbers, ExpandGather, ExpandScatter>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createExpandLanesPass() { return std::make_unique<ExpandLanes>(); }

} // namespace sinter
