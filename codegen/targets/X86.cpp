// x86-64, at three levels. What matters to a product of 8-bit codes:
//
//   SSE2      16 registers of 4 floats. No FMA, no f16 conversions. `pmaddwd` multiplies pairs of 16-bit integers and
//   adds
//             them: codes and activations are split into their even and odd bytes, widened in place by masks and
//             shifts.
//   AVX2      16 registers of 8 floats, FMA, f16 conversions. `pmaddubsw` multiplies u8 by s8 and adds pairs into 16
//   bits,
//             saturating: exact only while max_code * 127 * 2 fits. For 4-bit codes eight of its results fit in 16 bits
//             together, before one `pmaddwd` with ones widens them. 8-bit codes are taken apart into two such halves,
//             of which the upper is widened by a `pmaddwd` with sixteens.
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
  int64_t lanes;       // i32 sums per register
  StringRef direct;    // i32 sums += u8 x s8 by fours; empty if there is none
  StringRef bytePairs; // u8 x s8 -> i16 by pairs, saturating; empty if there is none
  StringRef wordPairs; // i16 x i16 -> i32 by pairs
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
  Value byte(int8_t value) {
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(bytes(), b.getI8IntegerAttr(value)));
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
  // Several dot products. Pairs are summed in 16 bits, each where its own op stood, so that its operands need not live
  // on.
  Value chain(Value acc, ArrayRef<Operation *> at, ArrayRef<std::pair<Value, Value>> links, bool wide) {
    Value low, high;
    auto addPairs = [&](Value &total, Value codes, Value activations) {
      Value pairs = intrinsic(use.bytePairs, words(), {codes, activations});
      total = total ? add(total, pairs) : pairs;
    };
    for (auto [op, link] : llvm::zip_equal(at, links)) {
      b.setInsertionPoint(op);
      addPairs(low, wide ? arith::AndIOp::create(b, loc, link.first, byte(15)) : link.first, link.second);
      if (wide)
        addPairs(high, arith::ShRUIOp::create(b, loc, link.first, byte(4)), link.second);
    }
    acc = add(acc, intrinsic(use.wordPairs, sums(), {low, word(1)}));
    return wide ? add(acc, intrinsic(use.wordPairs, sums(), {high, word(16)})) : acc;
  }

private:
  OpBuilder &b;
  Location loc;
  const DotInstructions &use;
};

// Lowers kern.dot, register by register. A dot whose only use is another dot's accumulator is left to that one, as long
// as the sums of the chain still fit in 16 bits.
class LowerDot : public OpRewritePattern<kern::DotOp> {
public:
  LowerDot(MLIRContext *context, const DotInstructions &use) : OpRewritePattern(context), use(use) {}

  LogicalResult matchAndRewrite(kern::DotOp op, PatternRewriter &rewriter) const override {
    if (room(op) && op->hasOneUse())
      if (kern::DotOp user = dyn_cast<kern::DotOp>(*op->user_begin());
          user && user.getAcc() == op.getResult() && joins(op, user))
        return rewriter.notifyMatchFailure(op, "part of a longer chain of products");
    SmallVector<kern::DotOp> links = {op};
    for (int64_t left = room(op) - 1; left > 0; --left) {
      kern::DotOp previous = links.back().getAcc().getDefiningOp<kern::DotOp>();
      if (!previous || !previous->hasOneUse() || !joins(previous, links.back()))
        break;
      links.push_back(previous);
    }
    std::reverse(links.begin(), links.end());

    int64_t lanes = op.getAcc().getType().getNumElements();
    Value result = links.front().getAcc();
    if (lanes == use.lanes) {
      result = lowerOne(
          rewriter, links, [](Value v, int64_t) { return v; }, result, 0);
    } else if (lanes % use.lanes == 0) {
      Value whole = result;
      for (int64_t from = 0; from < lanes; from += use.lanes) {
        auto piece = [&](Value v, int64_t at) -> Value {
          int64_t width = cast<VectorType>(v.getType()).getNumElements() / (lanes / use.lanes);
          return vector::ExtractStridedSliceOp::create(rewriter, op.getLoc(), v,
                                                       ArrayRef<int64_t>{at / use.lanes * width},
                                                       ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
        };
        Value part = lowerOne(rewriter, links, piece, whole, from);
        rewriter.setInsertionPoint(op);
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
  static bool isWide(kern::DotOp op) { return 2 * kMaxActivation * op.getMaxCode() > kMaxWord; }
  // How many products fit in 16 bits together; 0 if the instructions have no such sums.
  int64_t room(kern::DotOp op) const {
    int64_t largest = isWide(op) ? 15 : op.getMaxCode();
    return use.bytePairs.empty() ? 0 : kMaxWord / (2 * kMaxActivation * largest);
  }
  static bool joins(kern::DotOp a, kern::DotOp b) {
    return a.getMaxCode() == b.getMaxCode() && a->getBlock() == b->getBlock();
  }

  Value lowerOne(PatternRewriter &rewriter, ArrayRef<kern::DotOp> links, function_ref<Value(Value, int64_t)> piece,
                 Value acc, int64_t from) const {
    kern::DotOp op = links.back();
    DotEmitter emit(rewriter, op.getLoc(), use);
    SmallVector<std::pair<Value, Value>> operands;
    SmallVector<Operation *> at;
    for (kern::DotOp link : links) {
      rewriter.setInsertionPoint(link);
      operands.push_back({piece(link.getCodes(), from), piece(link.getActivations(), from)});
      at.push_back(link);
    }
    acc = piece(acc, from);
    if (room(op))
      return emit.chain(acc, at, operands, isWide(op));
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
constexpr uint64_t kAvx512Features = kAvx2Features | bits(package::CpuFeature::avx512f) |
                                     bits(package::CpuFeature::avx512bw) | bits(package::CpuFeature::avx512dq) |
                                     bits(package::CpuFeature::avx512vl) | bits(package::CpuFeature::avx512vnni);

// Sums, the weights at hand and a broadcast activation should fit in the registers. Quantized tiles need two sums each,
// an integer and a float. The tile of one token takes all 32 outputs if it can, since weights then stream in order. Wide
// registers leave so much time to wait for memory that what remains of a step's tokens should be one pass, not two.
constexpr RegisterTile kSse2Quantized[] = {{4, 4}, {2, 4}, {1, 8}};
constexpr RegisterTile kSse2Floats[] = {{4, 8}, {2, 16}, {1, 32}};
constexpr RegisterTile kAvx2Quantized[] = {{4, 8}, {3, 8}, {2, 16}, {1, 32}};
constexpr RegisterTile kAvx2Floats[] = {{6, 16}, {3, 16}, {2, 16}, {1, 32}};
constexpr RegisterTile kAvx512Quantized[] = {{6, 32}, {5, 32}, {4, 32}, {3, 32}, {2, 32}, {1, 32}};
constexpr RegisterTile kAvx512Floats[] = {{12, 32}, {6, 32}, {3, 32}, {2, 32}, {1, 32}};

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
        .quantizedTiles = kSse2Quantized,
        .floatTiles = kSse2Floats,
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
        .quantizedTiles = kAvx2Quantized,
        .floatTiles = kAvx2Floats,
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
        .quantizedTiles = kAvx512Quantized,
        .floatTiles = kAvx512Floats,
        .addDotPatterns = addDotPatterns<kAvx512>,
    },
};

} // namespace

llvm::ArrayRef<Target> x86Targets() { return kTargets; }

} // namespace sinter
