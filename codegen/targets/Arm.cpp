// 64-bit ARM: 32 registers of 4 floats at every level, with FMA, f16 conversions, and multiplications by one lane of a
// register, so activations are loaded as they lie and never broadcast. What matters to a product of 8-bit codes:
//
//   NEON      `smull`/`smlal` multiply bytes and sum in 16 bits: 17 products of 4-bit codes fit, so a group of 32 columns
//             is widened once (`saddlp`, `addp`). Codes of 8 bits are taken as signed, of which two products fit.
//   dotprod   `sdot` is kern.dot in one instruction, by a lane, but both operands are signed. 4-bit codes are as they
//             are; 8-bit codes have their upper bit flipped, which takes 128 off them: their zero point.
//   i8mm      `smmla` multiplies two rows by two outputs, eight columns at a time: twice the products of `sdot`. Quads of
//             the packed layout are zipped into such pairs once per tile of tokens.
//   SME       Outer products in a mode of its own for steps of several tokens (Sme.cpp); one token is as with i8mm.
//
// One section of code serves Linux, macOS and boards: kernels call nothing, and leave x18 alone, which is the system's on
// some of these. So a system's name only stands for the levels that its machines have.

#include "codegen/targets/Arm.h"

#include "codegen/targets/DotLowering.h"
#include "codegen/targets/Sme.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/package_generated.h"

using namespace mlir;

namespace sinter {

namespace {

constexpr int64_t kLanes = 4, kMaxWord = 32767;

VectorType vectorOf(int64_t width, Type element) { return VectorType::get({width}, element); }

// Sums in 16 bits. The products of bytes 0-7 and 8-15 are kept apart: pairs of them belong to one sum, and adding
// neighbours twice brings the four sums into one register.
class NeonDots final : public DotLowering {
public:
  constexpr NeonDots() : DotLowering(kLanes) {}
  int64_t chainLength(kern::DotOp op) const override { return kMaxWord / (kMaxActivation * op.getMaxCode()); }

  Value lower(OpBuilder &b, kern::DotOp op, Value acc, ArrayRef<DotLink> links) const override {
    Location loc = op.getLoc();
    VectorType words = vectorOf(8, b.getI16Type()), pairs = vectorOf(4, b.getI32Type());
    Value sums[2]; // of the lower and the upper half of the bytes
    for (const DotLink &link : links) {
      b.setInsertionPoint(link.at);
      for (int64_t half : {0, 1}) {
        auto part = [&](Value v) -> Value {
          return vector::ExtractStridedSliceOp::create(b, loc, v, ArrayRef<int64_t>{8 * half}, ArrayRef<int64_t>{8},
                                                       ArrayRef<int64_t>{1});
        };
        Value products = callIntrinsic(b, loc, "llvm.aarch64.neon.smull.v8i16", words,
                                       {part(link.codes), part(link.activations)});
        sums[half] = sums[half] ? arith::AddIOp::create(b, loc, sums[half], products).getResult() : products;
      }
    }
    for (Value &sum : sums)
      sum = callIntrinsic(b, loc, "llvm.aarch64.neon.saddlp.v4i32.v8i16", pairs, sum);
    Value all = callIntrinsic(b, loc, "llvm.aarch64.neon.addp.v4i32", pairs, ValueRange(sums));
    return arith::AddIOp::create(b, loc, acc, all);
  }
};

class SdotDots final : public DotLowering {
public:
  constexpr SdotDots() : DotLowering(kLanes) {}
  Value lower(OpBuilder &b, kern::DotOp op, Value acc, ArrayRef<DotLink> links) const override {
    return callIntrinsic(b, op.getLoc(), "llvm.aarch64.neon.sdot.v4i32.v16i8", acc.getType(),
                         {acc, links.front().codes, links.front().activations});
  }
};

constexpr NeonDots kNeon;
constexpr SdotDots kSdot;

template <const auto &dots> void addDotPatterns(RewritePatternSet &patterns) { addDotPattern(patterns, dots); }

struct LowerDot2x2 : OpRewritePattern<kern::Dot2x2Op> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kern::Dot2x2Op op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, callIntrinsic(rewriter, op.getLoc(), "llvm.aarch64.neon.smmla.v4i32.v16i8", op.getType(),
                                         {op.getAcc(), op.getActivations(), op.getCodes()}));
    return success();
  }
};

void addI8mmPatterns(RewritePatternSet &patterns) {
  addDotPattern(patterns, kSdot);
  patterns.add<LowerDot2x2>(patterns.getContext());
}

void addAllSmePatterns(RewritePatternSet &patterns) {
  addI8mmPatterns(patterns);
  addSmePatterns(patterns);
}

constexpr uint64_t bits(package::CpuFeature feature) { return static_cast<uint64_t>(feature); }

// Sums (twice, for quantized tiles), a register of activations per token, the weights at hand. Tiles that are high and
// narrow unpack each weight for as many tokens as they can.
constexpr RegisterTile kQuantized[] = {{8, 4}, {4, 8}, {2, 16}, {1, 32}};
constexpr RegisterTile kFloats[] = {{8, 8}, {4, 16}, {2, 16}, {1, 32}};

// What all levels have in common.
constexpr Target level(llvm::StringRef name, llvm::StringRef cpu, llvm::StringRef features, uint64_t required,
                       uint32_t priority, void (*addDots)(RewritePatternSet &)) {
  return {
      .name = name,
      .triple = "aarch64-unknown-linux-gnu",
      .cpu = cpu,
      .features = features,
      .reserved = "+reserve-x18",
      .machine = static_cast<uint8_t>(package::Machine::aarch64),
      .requiredFeatures = required,
      .priority = priority,
      .vectorBytes = 16,
      .registers = 32,
      .nativeHalf = true,
      .signedCodes = true,
      .laneOperands = true,
      .quantizedTiles = kQuantized,
      .floatTiles = kFloats,
      .addDotPatterns = addDots,
  };
}

constexpr Target withPairs(Target target) {
  target.rowPairs = true;
  return target;
}

constexpr Target withTileProducts(Target target) {
  target.tileProducts = true;
  target.support = kSmeSupport;
  return target;
}

constexpr uint64_t kDotprod = bits(package::CpuFeature::dotprod);
constexpr uint64_t kI8mm = kDotprod | bits(package::CpuFeature::i8mm);
constexpr uint64_t kSme = kI8mm | bits(package::CpuFeature::sme);

const Target kTargets[] = {
    level("aarch64", "cortex-a72", "+neon", 0, 1, addDotPatterns<kNeon>),
    level("aarch64-dotprod", "cortex-a76", "+neon,+dotprod", kDotprod, 2, addDotPatterns<kSdot>),
    withPairs(level("aarch64-i8mm", "neoverse-v2", "+neon,+dotprod,+i8mm", kI8mm, 3, addI8mmPatterns)),
    withTileProducts(
        withPairs(level("aarch64-sme", "apple-m4", "+neon,+dotprod,+i8mm,+sme", kSme, 4, addAllSmePatterns))),
};

// A system stands for the levels that its machines have, with +LEVEL for one of them; a CPU for the best that it runs.
const TargetAlias kAliases[] = {
    {"aarch64-linux", "aarch64,aarch64-dotprod,aarch64-i8mm,aarch64-sme"},
    {"aarch64-linux+neon", "aarch64"},
    {"aarch64-linux+dotprod", "aarch64-dotprod"},
    {"aarch64-linux+i8mm", "aarch64-i8mm"},
    {"aarch64-linux+sme", "aarch64-sme"},
    {"aarch64-macos", "aarch64-dotprod,aarch64-i8mm,aarch64-sme"},
    {"aarch64-macos+dotprod", "aarch64-dotprod"},
    {"aarch64-macos+i8mm", "aarch64-i8mm"},
    {"aarch64-macos+sme", "aarch64-sme"},
    {"aarch64-none-elf", "aarch64"},
    {"aarch64-none-elf+dotprod", "aarch64-dotprod"},
    {"aarch64-none-elf+i8mm", "aarch64-i8mm"},
    {"aarch64-none-elf+sme", "aarch64-sme"},
    {"cortex-a53", "aarch64"},
    {"cortex-a57", "aarch64"},
    {"cortex-a72", "aarch64"},
    {"cortex-a73", "aarch64"},
    {"cortex-a55", "aarch64-dotprod"},
    {"cortex-a75", "aarch64-dotprod"},
    {"cortex-a76", "aarch64-dotprod"},
    {"cortex-a77", "aarch64-dotprod"},
    {"cortex-a78", "aarch64-dotprod"},
    {"cortex-x1", "aarch64-dotprod"},
    {"neoverse-n1", "aarch64-dotprod"},
    {"apple-m1", "aarch64-dotprod"},
    {"cortex-a510", "aarch64-i8mm"},
    {"cortex-a710", "aarch64-i8mm"},
    {"cortex-x2", "aarch64-i8mm"},
    {"cortex-x3", "aarch64-i8mm"},
    {"cortex-x4", "aarch64-i8mm"},
    {"neoverse-n2", "aarch64-i8mm"},
    {"neoverse-v1", "aarch64-i8mm"},
    {"neoverse-v2", "aarch64-i8mm"},
    {"apple-m2", "aarch64-i8mm"},
    {"apple-m3", "aarch64-i8mm"},
    {"apple-m4", "aarch64-sme"},
};

} // namespace

llvm::ArrayRef<Target> armTargets() { return kTargets; }
llvm::ArrayRef<TargetAlias> armAliases() { return kAliases; }

} // namespace sinter
