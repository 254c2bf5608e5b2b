// x86-64, at three levels. What matters to a product of 8-bit codes:
//
//   SSE2      16 registers of 4 floats. No FMA, no f16 conversions. `pmaddwd` multiplies pairs of 16-bit integers and adds
//             them: codes and activations are split into their even and odd bytes, widened in place by masks and shifts.
//   AVX2      16 registers of 8 floats, FMA, f16 conversions. `pmaddubsw` multiplies u8 by s8 and adds pairs into 16 bits,
//             saturating: exact only while max_code * 127 * 2 fits, so 4-bit codes take it (and several of its results are
//             summed in 16 bits before one `pmaddwd` with ones widens them), 8-bit codes split evens from odds as above.
//   AVX-512   32 registers of 16 floats; VNNI's `vpdpbusd` is kern.dot in one instruction.
//
// Baseline features of the CPU named in a row would let LLVM use more than the loader checks for, so code is generated
// for plain x86-64 plus the row's features, and the CPU's name only steers scheduling.

#include "codegen/targets/X86.h"

#include "dialects/kern/Kern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/package_generated.h"

using namespace mlir;

namespace sinter {

namespace {

// The instructions that one level has, for one register of sums.
struct DotInstructions {
  int64_t lanes;            // i32 sums per register
  StringRef direct;         // i32 sums += u8 x s8 by fours; empty if there is none
  StringRef bytePairs;      // u8 x s8 -> i16 by pairs, saturating; empty if there is none
  StringRef wordPairs;      // i16 x i16 -> i32 by pairs
};

constexpr DotInstructions kSse2 = {4, "", "", "llvm.x86.sse2.pmadd.wd"};
constexpr DotInstructions kAvx2 = {8, "", "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"};
constexpr DotInstructions kAvx512 = {16, "llvm.x86.avx512.vpdpbusd.512", "", ""};

constexpr int64_t kMaxWord = 32767, kMaxActivation = 127;

// Emits the dot products of one register.
class DotEmitter {
public:
  DotEmitter(OpBuilder &builder, Location loc, const DotInstructions &use) : b(builder), loc(loc), use(use) {}

  VectorType bytes() { return VectorType::get({4 * use.lanes}, b.getI8Type()); }
  VectorType words() { return VectorType::get({2 * use.lanes}, b.getI16Type()); }
  VectorType sums() { return VectorType::get({use.lanes}, b.getI32Type()); }

  Value intrinsic(StringRef name, Type result, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), operands)->getResult(0);
  }
  Value word(int64_t value) {
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(words(), b.getI16IntegerAttr(value)));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }

  // Even and odd bytes as words, unsigned or signed.
  std::pair<Value, Value> splitUnsigned(Value v) {
    Value w = vector::BitCastOp::create(b, loc, words(), v);
    return {arith::AndIOp::create(b, loc, w, word(255)), arith::ShRUIOp::create(b, loc, w, word(8))};
  }
  std::pair<Value, Value> splitSigned(Value v) {
    Value w = vector::BitCastOp::create(b, loc, words(), v);
    Value up = arith::ShLIOp::create(b, loc, w, word(8));
    return {arith::ShRSIOp::create(b, loc, up, word(8)), arith::ShRSIOp::create(b, loc, w, word(8))};
  }

  Value split(Value acc, Value codes, Value activations) {
    std::pair<Value, Value> c = splitUnsigned(codes), a = splitSigned(activations);
    Value even = intrinsic(use.wordPairs, sums(), {c.first, a.first});
    Value odd = intrinsic(use.wordPairs, sums(), {c.second, a.second});
    return add(acc, add(even, odd));
  }
  // The sum of several dot products, in 16 bits as far as possible.
  Value chain(Value acc, ArrayRef<std::pair<Value, Value>> links) {
    Value total;
    for (const auto &[codes, activations] : links) {
      Value pairs = intrinsic(use.bytePairs, words(), {codes, activations});
      total = total ? add(total, pairs) : pairs;
    }
    return add(acc, intrinsic(use.wordPairs, sums(), {total, word(1)}));
  }

private:
  OpBuilder &b;
  Location loc;
  const DotInstructions &use;
};

// Lowers kern.dot, register by register. A dot whose only use is another dot's accumulator is left to that one, as long as
// the sums of the chain still fit in 16 bits.
class LowerDot : public OpRewritePattern<kern::DotOp> {
public:
  LowerDot(MLIRContext *context, const DotInstructions &use) : OpRewritePattern(context), use(use) {}

  LogicalResult matchAndRewrite(kern::DotOp op, PatternRewriter &rewriter) const override {
    if (chained(op) && op->hasOneUse())
      if (kern::DotOp user = dyn_cast<kern::DotOp>(*op->user_begin()); user && user.getAcc() == op.getResult() && joins(op, user))
        return rewriter.notifyMatchFailure(op, "part of a longer chain of products");
    SmallVector<kern::DotOp> links = {op};
    for (int64_t room = chained(op) ? kMaxWord / (2 * kMaxActivation * op.getMaxCode()) - 1 : 0; room > 0; --room) {
      kern::DotOp previous = links.back().getAcc().getDefiningOp<kern::DotOp>();
      if (!previous || !previous->hasOneUse() || !joins(previous, links.back()))
        break;
      links.push_back(previous);
    }
    std::reverse(links.begin(), links.end());

    int64_t lanes = op.getAcc().getType().getNumElements();
    Value result = links.front().getAcc();
    if (lanes == use.lanes) {
      result = lowerOne(rewriter, links, [](Value v, int64_t) { return v; }, result, 0);
    } else if (lanes % use.lanes == 0) {
      Value whole = result;
      for (int64_t from = 0; from < lanes; from += use.lanes) {
        auto piece = [&](Value v, int64_t at) -> Value {
          int64_t width = cast<VectorType>(v.getType()).getNumElements() / (lanes / use.lanes);
          return vector::ExtractStridedSliceOp::create(rewriter, op.getLoc(), v, ArrayRef<int64_t>{at / use.lanes * width},
                                                       ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
        };
        Value part = lowerOne(rewriter, links, piece, whole, from);
        result = vector::InsertStridedSliceOp::create(rewriter, op.getLoc(), part, result, ArrayRef<int64_t>{from},
                                                      ArrayRef<int64_t>{1});
      }
    } else {
      return op.emitError() << "has " << lanes << " sums, expected a multiple of " << use.lanes;
    }
    rewriter.replaceOp(op, result);
    for (kern::DotOp link : llvm::reverse(ArrayRef<kern::DotOp>(links).drop_back()))
      rewriter.eraseOp(link);
    return success();
  }

private:
  bool chained(kern::DotOp op) const { return !use.bytePairs.empty() && 2 * kMaxActivation * op.getMaxCode() <= kMaxWord; }
  static bool joins(kern::DotOp a, kern::DotOp b) {
    return a.getMaxCode() == b.getMaxCode() && a->getBlock() == b->getBlock();
  }

  Value lowerOne(PatternRewriter &rewriter, ArrayRef<kern::DotOp> links, function_ref<Value(Value, int64_t)> piece, Value acc,
                 int64_t from) const {
    kern::DotOp op = links.back();
    DotEmitter emit(rewriter, op.getLoc(), use);
    SmallVector<std::pair<Value, Value>> operands;
    for (kern::DotOp link : links)
      operands.push_back({piece(link.getCodes(), from), piece(link.getActivations(), from)});
    acc = piece(acc, from);
    if (chained(op))
      return emit.chain(acc, operands);
    auto [codes, activations] = operands.front();
    if (!use.direct.empty())
      return emit.intrinsic(use.direct, emit.sums(), {acc, codes, activations});
    return emit.split(acc, codes, activations);
  }

  const DotInstructions &use;
};

template <const DotInstructions &use> void addDotPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerDot>(patterns.getContext(), use);
}

constexpr uint64_t bits(package::CpuFeature feature) { return static_cast<uint64_t>(feature); }
constexpr uint64_t kAvx2Features = bits(package::CpuFeature::avx2) | bits(package::CpuFeature::fma) |
                                   bits(package::CpuFeature::f16c) | bits(package::CpuFeature::bmi2);
constexpr uint64_t kAvx512Features = kAvx2Features | bits(package::CpuFeature::avx512f) | bits(package::CpuFeature::avx512bw) |
                                     bits(package::CpuFeature::avx512dq) | bits(package::CpuFeature::avx512vl) |
                                     bits(package::CpuFeature::avx512vnni);

const Target kTargets[] = {
    {
        .name = "x86-64",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "x86-64",
        .features = "+sse2",
        .requiredFeatures = 0,
        .priority = 1,
        .vectorBytes = 16,
        .nativeHalf = false,
        .quantizedTile = {.tokens = 4, .outputs = 4},
        .floatTile = {.tokens = 4, .outputs = 8},
        .addDotPatterns = addDotPatterns<kSse2>,
    },
    {
        .name = "x86-64-avx2",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "haswell",
        .features = "+avx2,+fma,+f16c,+bmi2",
        .requiredFeatures = kAvx2Features,
        .priority = 2,
        .vectorBytes = 32,
        .nativeHalf = true,
        .quantizedTile = {.tokens = 4, .outputs = 8},
        .floatTile = {.tokens = 6, .outputs = 16},
        .addDotPatterns = addDotPatterns<kAvx2>,
    },
    {
        .name = "x86-64-avx512vnni",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "icelake-server",
        .features = "+avx2,+fma,+f16c,+bmi2,+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512vnni",
        .requiredFeatures = kAvx512Features,
        .priority = 3,
        .vectorBytes = 64,
        .nativeHalf = true,
        .quantizedTile = {.tokens = 6, .outputs = 32},
        .floatTile = {.tokens = 12, .outputs = 32},
        .addDotPatterns = addDotPatterns<kAvx512>,
    },
};

} // namespace

llvm::ArrayRef<Target> x86Targets() { return kTargets; }

} // namespace sinter
