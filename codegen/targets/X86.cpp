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

#include "codegen/targets/DotLowering.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/package_generated.h"

using namespace mlir;

namespace sinter {

namespace {

constexpr int64_t kMaxWord = 32767;

// The instructions that one level has, for one register of sums.
class X86Dots final : public DotLowering {
public:
  // `direct`: i32 sums += u8 x s8 by fours. `bytePairs`: u8 x s8 -> i16 by pairs, saturating. `wordPairs`: i16 x i16 ->
  // i32 by pairs. Empty: there is none.
  constexpr X86Dots(int64_t lanes, StringRef direct, StringRef bytePairs, StringRef wordPairs)
      : DotLowering(lanes), direct(direct), bytePairs(bytePairs), wordPairs(wordPairs) {}

  // Results of `bytePairs` that fit in 16 bits together.
  int64_t chainLength(kern::DotOp op) const override {
    int64_t largest = isWide(op) ? 15 : op.getMaxCode();
    return bytePairs.empty() ? 1 : kMaxWord / (2 * kMaxActivation * largest);
  }

  Value lower(OpBuilder &b, kern::DotOp op, Value acc, ArrayRef<DotLink> links) const override {
    if (!bytePairs.empty())
      return lowerChain(b, op, acc, links);
    const DotLink &link = links.front();
    if (!direct.empty())
      return callIntrinsic(b, op.getLoc(), direct, sums(b), {acc, link.codes, link.activations});
    return lowerWords(b, op.getLoc(), acc, link);
  }

private:
  VectorType bytes(OpBuilder &b) const { return VectorType::get({4 * lanes}, b.getI8Type()); }
  VectorType words(OpBuilder &b) const { return VectorType::get({2 * lanes}, b.getI16Type()); }
  VectorType sums(OpBuilder &b) const { return VectorType::get({lanes}, b.getI32Type()); }
  static bool isWide(kern::DotOp op) { return 2 * kMaxActivation * op.getMaxCode() > kMaxWord; }

  // Even and odd bytes become words, unsigned or signed.
  Value lowerWords(OpBuilder &b, Location loc, Value acc, const DotLink &link) const {
    Value eight = splatInteger(b, loc, words(b), 8), mask = splatInteger(b, loc, words(b), 255);
    Value c = vector::BitCastOp::create(b, loc, words(b), link.codes);
    Value a = vector::BitCastOp::create(b, loc, words(b), link.activations);
    Value evenCodes = arith::AndIOp::create(b, loc, c, mask), oddCodes = arith::ShRUIOp::create(b, loc, c, eight);
    Value evenActivations = arith::ShRSIOp::create(b, loc, arith::ShLIOp::create(b, loc, a, eight), eight);
    Value oddActivations = arith::ShRSIOp::create(b, loc, a, eight);
    Value even = callIntrinsic(b, loc, wordPairs, sums(b), {evenCodes, evenActivations});
    Value odd = callIntrinsic(b, loc, wordPairs, sums(b), {oddCodes, oddActivations});
    return arith::AddIOp::create(b, loc, acc, arith::AddIOp::create(b, loc, even, odd));
  }

  // Several dot products, whose pairs are summed in 16 bits.
  Value lowerChain(OpBuilder &b, kern::DotOp op, Value acc, ArrayRef<DotLink> links) const {
    Location loc = op.getLoc();
    Value low, high;
    auto addPairs = [&](Value &total, Value codes, Value activations) {
      Value pairs = callIntrinsic(b, loc, bytePairs, words(b), {codes, activations});
      total = total ? arith::AddIOp::create(b, loc, total, pairs) : pairs;
    };
    for (const DotLink &link : links) {
      b.setInsertionPoint(link.at);
      Value codes = link.codes;
      if (isWide(op)) {
        addPairs(high, arith::ShRUIOp::create(b, loc, codes, splatInteger(b, loc, bytes(b), 4)), link.activations);
        codes = arith::AndIOp::create(b, loc, codes, splatInteger(b, loc, bytes(b), 15));
      }
      addPairs(low, codes, link.activations);
    }
    auto addSums = [&](Value pairs, int64_t factor) {
      Value wide = callIntrinsic(b, loc, wordPairs, sums(b), {pairs, splatInteger(b, loc, words(b), factor)});
      acc = arith::AddIOp::create(b, loc, acc, wide);
    };
    addSums(low, 1);
    if (high)
      addSums(high, 16);
    return acc;
  }

  StringRef direct, bytePairs, wordPairs;
};

constexpr X86Dots kSse2(4, "", "", "llvm.x86.sse2.pmadd.wd");
constexpr X86Dots kAvx2(8, "", "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd");
constexpr X86Dots kAvx512(16, "llvm.x86.avx512.vpdpbusd.512", "", "");

template <const X86Dots &dots> void addDotPatterns(RewritePatternSet &patterns) { addDotPattern(patterns, dots); }

constexpr uint8_t kMachine = static_cast<uint8_t>(package::Machine::x86_64);
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
        .machine = kMachine,
        .requiredFeatures = 0,
        .priority = 1,
        .vectorBytes = 16,
        .registers = 16,
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
        .machine = kMachine,
        .requiredFeatures = kAvx2Features,
        .priority = 2,
        .vectorBytes = 32,
        .registers = 16,
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
        .machine = kMachine,
        .requiredFeatures = kAvx512Features,
        .priority = 3,
        .vectorBytes = 64,
        .registers = 32,
        .nativeHalf = true,
        .quantizedTiles = kAvx512Quantized,
        .floatTiles = kAvx512Floats,
        .addDotPatterns = addDotPatterns<kAvx512>,
    },
};

} // namespace

llvm::ArrayRef<Target> x86Targets() { return kTargets; }

} // namespace sinter
