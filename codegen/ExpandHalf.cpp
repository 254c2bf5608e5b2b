// Conversions between f32 and the 16-bit float types as integer arithmetic: bf16 for every target, f16 for those
// without the instructions. LLVM would call library functions (__extendhfsf2, __truncsfbf2), and kernels call nothing.
// Rounding is to nearest even; denormal f16 numbers, infinities and NaNs convert as IEEE 754 says.

#include "codegen/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sinter {

namespace {

// i32 arithmetic on the bits of values of one shape.
class Bits {
public:
  Bits(PatternRewriter &rewriter, Location loc, Type shape)
      : b(loc, rewriter), i16(like(shape, rewriter.getI16Type())), i32(like(shape, rewriter.getI32Type())),
        f32(like(shape, rewriter.getF32Type())) {}

  static Type like(Type shape, Type element) {
    VectorType vector = dyn_cast<VectorType>(shape);
    return vector ? Type(vector.clone(element)) : element;
  }
  Value constant(int64_t value) {
    IntegerAttr scalar = b.getI32IntegerAttr(static_cast<int32_t>(value));
    if (VectorType vector = dyn_cast<VectorType>(i32))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, Attribute(scalar)));
    return arith::ConstantOp::create(b, scalar);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value add(Value x, int64_t y) { return add(x, constant(y)); }
  Value sub(Value x, int64_t y) { return arith::SubIOp::create(b, x, constant(y)); }
  Value both(Value x, int64_t y) { return arith::AndIOp::create(b, x, constant(y)); }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value differ(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  Value left(Value x, int64_t by) { return arith::ShLIOp::create(b, x, constant(by)); }
  Value right(Value x, int64_t by) { return arith::ShRUIOp::create(b, x, constant(by)); }
  // Of non-negative numbers.
  Value less(Value x, int64_t y) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, constant(y)); }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value toFloat(Value x) { return arith::BitcastOp::create(b, f32, x); }
  Value toBits(Value x) { return arith::BitcastOp::create(b, i32, x); }
  // A 16-bit float's bits, zero-extended, and back.
  Value widen(Value x) { return arith::ExtUIOp::create(b, i32, arith::BitcastOp::create(b, i16, x)); }
  Value narrow(Value x, Type type) { return arith::BitcastOp::create(b, type, arith::TruncIOp::create(b, i16, x)); }

private:
  ImplicitLocOpBuilder b;
  Type i16, i32, f32;
};

constexpr int64_t kInfinity = 0x7f800000; // f32

Value extendHalf(Bits &b, Value half, PatternRewriter &rewriter, Location loc) {
  Value h = b.widen(half);
  Value sign = b.left(b.both(h, 0x8000), 16);
  Value magnitude = b.left(b.both(h, 0x7fff), 13);
  Value normal = b.add(magnitude, (127 - 15) << 23);
  // Infinity and NaN: the exponent goes all the way up.
  Value special = b.add(magnitude, (255 - 31) << 23);
  // Denormal: put the bits below a leading one, and take that one away again. Never an f32 denormal.
  Value one = b.constant(113 << 23);
  Value denormal = b.toBits(arith::SubFOp::create(rewriter, loc, b.toFloat(b.add(magnitude, one)), b.toFloat(one)));
  Value result = b.select(b.less(magnitude, 31 << 23), normal, special);
  result = b.select(b.less(magnitude, 1 << 23), denormal, result);
  return b.toFloat(b.either(result, sign));
}

Value truncateToHalf(Bits &b, Value x, Type type, PatternRewriter &rewriter, Location loc) {
  Value bits = b.toBits(x);
  Value magnitude = b.both(bits, 0x7fffffff);
  Value sign = b.right(b.differ(bits, magnitude), 16);
  // Normal: the bias changes, and the 13 bits that go round to nearest even; a carry may give infinity, rightly.
  Value odd = b.both(b.right(magnitude, 13), 1);
  Value normal = b.right(b.add(b.add(magnitude, 0xfff - ((127 - 15) << 23)), odd), 13);
  // Denormal: adding 0.5 leaves the ten bits at the bottom, rounded by the addition.
  Value half = b.constant(126 << 23);
  Value sum = arith::AddFOp::create(rewriter, loc, b.toFloat(magnitude), b.toFloat(half));
  Value denormal = b.sub(b.toBits(sum), 126 << 23);
  Value special = b.select(b.less(magnitude, kInfinity + 1), b.constant(0x7c00), b.constant(0x7e00));
  Value result = b.select(b.less(magnitude, (127 + 16) << 23), normal, special);
  result = b.select(b.less(magnitude, (127 - 14) << 23), denormal, result);
  return b.narrow(b.either(result, sign), type);
}

Value extendBrain(Bits &b, Value x) { return b.toFloat(b.left(b.widen(x), 16)); }

Value truncateToBrain(Bits &b, Value x, Type type) {
  Value bits = b.toBits(x);
  Value rounded = b.right(b.add(b.add(bits, 0x7fff), b.both(b.right(bits, 16), 1)), 16);
  Value quiet = b.either(b.right(bits, 16), b.constant(0x40));
  Value number = b.less(b.both(bits, 0x7fffffff), kInfinity + 1);
  return b.narrow(b.select(number, rounded, quiet), type);
}

class ExpandExtension : public OpRewritePattern<arith::ExtFOp> {
public:
  ExpandExtension(MLIRContext *context, bool f16) : OpRewritePattern(context), f16(f16) {}
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    if (!getElementTypeOrSelf(op.getType()).isF32() || !(from.isBF16() || (f16 && from.isF16())))
      return rewriter.notifyMatchFailure(op, "the target converts these itself");
    Bits b(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op,
                       from.isBF16() ? extendBrain(b, op.getIn()) : extendHalf(b, op.getIn(), rewriter, op.getLoc()));
    return success();
  }

private:
  bool f16;
};

class ExpandTruncation : public OpRewritePattern<arith::TruncFOp> {
public:
  ExpandTruncation(MLIRContext *context, bool f16) : OpRewritePattern(context), f16(f16) {}
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type to = getElementTypeOrSelf(op.getType());
    if (!getElementTypeOrSelf(op.getIn().getType()).isF32() || !(to.isBF16() || (f16 && to.isF16())))
      return rewriter.notifyMatchFailure(op, "the target converts these itself");
    Bits b(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, to.isBF16() ? truncateToBrain(b, op.getIn(), op.getType())
                                       : truncateToHalf(b, op.getIn(), op.getType(), rewriter, op.getLoc()));
    return success();
  }

private:
  bool f16;
};

class ExpandHalf : public PassWrapper<ExpandHalf, OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandHalf)
  explicit ExpandHalf(bool f16) : f16(f16) {}
  StringRef getArgument() const override { return "sinter-expand-half"; }
  StringRef getDescription() const override { return "Replace conversions of 16-bit floats by integer arithmetic"; }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtension, ExpandTruncation>(&getContext(), f16);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }

private:
  bool f16;
};

} // namespace

std::unique_ptr<Pass> createExpandHalfPass(const Target &target) {
  return std::make_unique<ExpandHalf>(!target.nativeHalf);
}

} // namespace sinter
