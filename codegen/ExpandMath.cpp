// Replaces functions of the math dialect by arithmetic, so that kernels call no library and give the same bits
// everywhere that has the same instructions. All of it works on f32, scalars and vectors alike. Measured against long
// double:
//
//   exp        below 2 ulp; results under 2^-125 are 0 (x < -86.9), from 88.73 on infinity; NaN stays NaN
//   sin, cos   below 1 ulp or 1e-9 for |x| < 2^30: reduced and evaluated in f64, since positions times frequencies
//              reach 10^5 and more, where a reduction in f32 has no digits left
//              on GPUs, which may lack f64: below 2e-7 for |x| < 2^17, the positions of 131072 tokens; reduced by
//              parts of pi/2 so short that their products are exact, whether or not multiply-adds are fused
//   erf, tanh  upstream's rational approximations: absolute error below 5e-7
//   log, pow, tan, their inverses and hyperbolic kin
//              upstream's approximations and expansions: relative error around 1e-6
//
// Functions of f64 are those of f32: what models compute in f64 are results of f32 anyway, and tables of a few numbers.
//
// a * b + c written as math.fma is fused where the target has FMA, and else rounds twice.

#include "codegen/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sinter {

namespace {

// Arithmetic on values of one shape.
class Arithmetic {
public:
  // `exact`: multiply-adds round twice, and so that nobody rearranges them: GPUs' drivers take their liberties with fma.
  Arithmetic(PatternRewriter &rewriter, Location loc, bool exact = false) : b(loc, rewriter), exact(exact) {}

  static Type like(Type shape, Type element) {
    VectorType vector = dyn_cast<VectorType>(shape);
    return vector ? Type(vector.clone(element)) : element;
  }
  Value constant(Type type, double value) {
    TypedAttr scalar = b.getFloatAttr(getElementTypeOrSelf(type), value);
    return splat(type, scalar);
  }
  Value integer(Type type, int64_t value) { return splat(type, b.getIntegerAttr(getElementTypeOrSelf(type), value)); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value mul(Value x, double y) { return mul(x, constant(x.getType(), y)); }
  Value fma(Value x, Value y, Value z) { return exact ? add(mul(x, y), z) : Value(math::FmaOp::create(b, x, y, z)); }
  Value fma(Value x, double y, Value z) { return fma(x, constant(x.getType(), y), z); }
  // Horner's scheme, the constant term first.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value result = constant(x.getType(), coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      result = fma(result, x, constant(x.getType(), coefficient));
    return result;
  }
  // Written so that a NaN in x stays.
  Value clamp(Value x, double low, double high) {
    Value lowest = constant(x.getType(), low), highest = constant(x.getType(), high);
    Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, lowest);
    x = arith::SelectOp::create(b, below, lowest, x);
    Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, highest);
    return arith::SelectOp::create(b, above, highest, x);
  }
  Value bits(Value x, Type element) { return arith::BitcastOp::create(b, like(x.getType(), element), x); }

  ImplicitLocOpBuilder b;

private:
  bool exact;

  Value splat(Type type, TypedAttr scalar) {
    if (VectorType vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, Attribute(scalar)));
    return arith::ConstantOp::create(b, scalar);
  }
};

// Adding this rounds to an integer, which is then in the low bits.
constexpr double kRoundF32 = 12582912.0;         // 1.5 * 2^23
constexpr double kRoundF64 = 6755399441055744.0; // 1.5 * 2^52

struct ExpandExp : OpRewritePattern<math::ExpOp> {
  ExpandExp(MLIRContext *context, bool gpu) : OpRewritePattern(context), gpu(gpu) {}
  bool gpu;
  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is expanded");
    Arithmetic a(rewriter, op.getLoc(), /*exact=*/gpu);
    Type i32 = a.like(type, rewriter.getI32Type());
    // x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts, the first short enough that n times it is exact.
    Value x = a.clamp(op.getOperand(), -87.6, 88.8);
    Value shifted = a.fma(x, 1.4426950408889634, a.constant(type, kRoundF32));
    Value n = a.sub(shifted, a.constant(type, kRoundF32));
    Value r = a.fma(n, -0.693359375, x);
    r = a.fma(n, 2.12194440054690583e-4, r);
    // e^r = 1 + r + r^2 q(r)
    Value q =
        a.polynomial(r, {0.5, 0.16666576998242924, 0.04166655462787742, 0.008363177629994445, 0.0013926181810533572});
    Value p = a.add(a.fma(a.mul(r, r), q, r), a.constant(type, 1));
    // 2 p times 2^(n - 1): n = 128 must not overflow on the way, and n = -126 gives a factor of 0.
    Value exponent = arith::ShLIOp::create(a.b, a.bits(shifted, rewriter.getI32Type()), a.integer(i32, 23));
    exponent = arith::AddIOp::create(a.b, exponent, a.integer(i32, 126 << 23));
    rewriter.replaceOp(op, a.mul(a.add(p, p), a.bits(exponent, rewriter.getF32Type())));
    return success();
  }
};

// sin of `quarter` = 0, cos of 1: both share all but the last steps.
template <typename Op, int64_t quarter> struct ExpandSine : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is expanded");
    Arithmetic a(rewriter, op.getLoc());
    Type f64 = a.like(type, rewriter.getF64Type()), i64 = a.like(type, rewriter.getI64Type());
    // x = n pi/2 + r
    Value x = arith::ExtFOp::create(a.b, f64, op.getOperand());
    Value shifted = a.add(a.mul(x, 0.63661977236758134), a.constant(f64, kRoundF64));
    Value n = a.sub(shifted, a.constant(f64, kRoundF64));
    Value r = a.sub(x, a.mul(n, 1.5707963267948966));
    Value z = a.mul(r, r);
    Value sine =
        a.polynomial(z, {1, -0.1666666666385529, 0.008333331874710193, -0.00019840086735379485, 2.724992580256319e-06});
    sine = a.mul(sine, r);
    Value cosine = a.polynomial(
        z, {1, -0.5, 0.0416666666643212, -0.0013888887672016776, 2.4800600377152256e-05, -2.7300959203487106e-07});
    // n mod 4 says which of the two, and with which sign.
    Value turn = arith::AddIOp::create(a.b, a.bits(shifted, rewriter.getI64Type()), a.integer(i64, quarter));
    Value swap = arith::CmpIOp::create(a.b, arith::CmpIPredicate::ne,
                                       arith::AndIOp::create(a.b, turn, a.integer(i64, 1)), a.integer(i64, 0));
    Value sign = arith::ShLIOp::create(a.b, arith::AndIOp::create(a.b, turn, a.integer(i64, 2)), a.integer(i64, 62));
    Value result = arith::SelectOp::create(a.b, swap, cosine, sine);
    Value flipped = arith::XOrIOp::create(a.b, a.bits(result, rewriter.getI64Type()), sign);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, a.bits(flipped, rewriter.getF64Type()));
    return success();
  }
};

// pi/2 in pieces of 7 bits: times an n below 2^17 each is exact. What is left after them is below 2^-57.
constexpr float kHalfPi[] = {1.5625f,
                             0.0081787109375f,
                             0.00011730194091796875f,
                             3.129243850708008e-07f,
                             9.89530235528946e-10f,
                             2.5579538487363607e-12f,
                             5.384581669432009e-15f};

// As ExpandSine, in f32.
template <typename Op, int64_t quarter> struct ExpandSineF32 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType(), i32 = Arithmetic::like(type, rewriter.getI32Type());
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is expanded");
    Arithmetic a(rewriter, op.getLoc(), /*exact=*/true);
    Value x = op.getOperand();
    Value shifted = a.add(a.mul(x, 0.63661977236758134), a.constant(type, kRoundF32));
    Value n = a.sub(shifted, a.constant(type, kRoundF32)), r = x;
    for (float piece : kHalfPi)
      r = a.sub(r, a.mul(n, piece));
    Value z = a.mul(r, r);
    Value sine = a.polynomial(z, {-0.1666666666385529, 0.008333331874710193, -0.00019840086735379485, 2.724992580256319e-06});
    sine = a.add(r, a.mul(a.mul(r, z), sine));
    Value cosine = a.polynomial(z, {0.0416666666643212, -0.0013888887672016776, 2.4800600377152256e-05, -2.7300959203487106e-07});
    cosine = a.add(a.sub(a.constant(type, 1), a.mul(z, 0.5)), a.mul(a.mul(z, z), cosine));
    Value turn = arith::AddIOp::create(a.b, a.bits(shifted, rewriter.getI32Type()), a.integer(i32, quarter));
    Value swap = arith::CmpIOp::create(a.b, arith::CmpIPredicate::ne,
                                       arith::AndIOp::create(a.b, turn, a.integer(i32, 1)), a.integer(i32, 0));
    Value sign = arith::ShLIOp::create(a.b, arith::AndIOp::create(a.b, turn, a.integer(i32, 2)), a.integer(i32, 30));
    Value result = arith::SelectOp::create(a.b, swap, cosine, sine);
    Value flipped = arith::XOrIOp::create(a.b, a.bits(result, rewriter.getI32Type()), sign);
    rewriter.replaceOp(op, a.bits(flipped, rewriter.getF32Type()));
    return success();
  }
};

// What a float is when all is rounded away: floor, ceil, truncation, and rounding to the even of two neighbours. Numbers
// from 2^23 (2^52) on are whole already, and so are infinities; NaN stays NaN, and zeros keep their sign.
enum class Rounding { floor, ceil, truncate, even };
template <typename Op, Rounding rounding> struct ExpandRounding : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType(), element = getElementTypeOrSelf(type);
    if (!element.isF32() && !element.isF64())
      return rewriter.notifyMatchFailure(op, "only f32 and f64 are expanded");
    Arithmetic a(rewriter, op.getLoc());
    Value x = op.getOperand(), size = math::AbsFOp::create(a.b, x);
    Value whole;
    if (rounding == Rounding::even) {
      Value shift = a.constant(type, element.isF32() ? kRoundF32 * 2 / 3 : kRoundF64 * 2 / 3); // 2^23, 2^52
      whole = a.sub(a.add(size, shift), shift);
    } else {
      // Numbers too large to convert are not used.
      Type integer = a.like(type, element.isF32() ? Type(rewriter.getI32Type()) : Type(rewriter.getI64Type()));
      Value limit = a.constant(type, element.isF32() ? 0x1p23 : 0x1p52);
      Value fits = arith::CmpFOp::create(a.b, arith::CmpFPredicate::OLT, size, limit);
      Value small = arith::SelectOp::create(a.b, fits, x, a.constant(type, 0));
      whole = arith::SIToFPOp::create(a.b, type, arith::FPToSIOp::create(a.b, integer, small));
      if (rounding != Rounding::truncate) {
        const bool down = rounding == Rounding::floor;
        Value wrong = arith::CmpFOp::create(a.b, down ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT, whole, x);
        Value corrected = a.add(whole, a.constant(type, down ? -1 : 1));
        whole = arith::SelectOp::create(a.b, wrong, corrected, whole);
      }
    }
    Value isFraction = arith::CmpFOp::create(a.b, arith::CmpFPredicate::OLT, size,
                                             a.constant(type, element.isF32() ? 0x1p23 : 0x1p52));
    Value signedWhole = math::CopySignOp::create(a.b, whole, x);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isFraction, signedWhole, x);
    return success();
  }
};

// Functions of f64 with the digits that f32 has.
template <typename Op> struct NarrowFunction : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF64())
      return rewriter.notifyMatchFailure(op, "is not of f64");
    Arithmetic a(rewriter, op.getLoc());
    Type f32 = a.like(type, rewriter.getF32Type());
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(arith::TruncFOp::create(a.b, f32, operand));
    Value result = Op::create(a.b, TypeRange(f32), ValueRange(operands));
    rewriter.replaceOpWithNewOp<arith::ExtFOp>(op, type, result);
    return success();
  }
};

struct LowerFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FmaOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::FMulAddOp>(op, op.getA(), op.getB(), op.getC());
    return success();
  }
};

class ExpandMath : public PassWrapper<ExpandMath, OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  explicit ExpandMath(bool gpu) : gpu(gpu) {}
  StringRef getArgument() const override { return "sinter-expand-math"; }
  StringRef getDescription() const override { return "Replace math functions by arithmetic"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, vector::VectorDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExp>(&getContext(), gpu);
    if (gpu)
      patterns.add<ExpandSineF32<math::SinOp, 0>, ExpandSineF32<math::CosOp, 1>>(&getContext());
    else
      patterns.add<ExpandSine<math::SinOp, 0>, ExpandSine<math::CosOp, 1>, LowerFma>(&getContext());
    populatePolynomialApproximateErfPattern(patterns);
    populatePolynomialApproximateTanhPattern(patterns);
    patterns.add<ExpandRounding<math::FloorOp, Rounding::floor>, ExpandRounding<math::CeilOp, Rounding::ceil>,
                 ExpandRounding<math::TruncOp, Rounding::truncate>, ExpandRounding<math::RoundEvenOp, Rounding::even>>(
        &getContext());
    patterns.add<NarrowFunction<math::ExpOp>, NarrowFunction<math::LogOp>, NarrowFunction<math::SinOp>,
                 NarrowFunction<math::CosOp>, NarrowFunction<math::TanOp>, NarrowFunction<math::AsinOp>,
                 NarrowFunction<math::AcosOp>, NarrowFunction<math::AtanOp>, NarrowFunction<math::SinhOp>,
                 NarrowFunction<math::CoshOp>, NarrowFunction<math::TanhOp>, NarrowFunction<math::AsinhOp>,
                 NarrowFunction<math::AcoshOp>, NarrowFunction<math::AtanhOp>, NarrowFunction<math::ErfOp>,
                 NarrowFunction<math::PowFOp>>(&getContext());
    auto isOne = [](std::initializer_list<StringRef> names) {
      return [names = SmallVector<StringRef>(names)](StringRef name) { return llvm::is_contained(names, name); };
    };
    populateMathPolynomialApproximationPatterns(
        patterns, isOne({math::LogOp::getOperationName(), math::Log1pOp::getOperationName(),
                         math::AtanOp::getOperationName(), math::AsinOp::getOperationName(),
                         math::AcosOp::getOperationName(), math::Atan2Op::getOperationName()}));
    math::populateExpansionPatterns(patterns, {"tan", "sinh", "cosh", "asinh", "acosh", "atanh", "powf"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    // What is left must be an instruction everywhere.
    getOperation()->walk([&](Operation *op) {
      if (op->getDialect() && op->getDialect()->getNamespace() == "math" &&
          !isa<math::SqrtOp, math::RsqrtOp, math::AbsFOp, math::CopySignOp>(op) && !(gpu && isa<math::FmaOp>(op))) {
        op->emitOpError("has no expansion into arithmetic");
        signalPassFailure();
      }
    });
  }

private:
  bool gpu;
};

} // namespace

std::unique_ptr<Pass> createExpandMathPass(const Target &target) { return std::make_unique<ExpandMath>(target.isGpu()); }

} // namespace sinter
