// What all targets share of lowering kern.dot: cutting it into registers, and finding the dots that may be summed before
// they are widened.
#pragma once

#include "dialects/kern/Kern.h"

#include "mlir/IR/PatternMatch.h"

namespace sinter {

// The largest activation: the quantizer makes none below -127.
inline constexpr int64_t kMaxActivation = 127;

// One dot of a chain, cut to one register. What is made of it may stand where the op stood, so that its operands need
// not live on.
struct DotLink {
  mlir::Operation *at;
  mlir::Value codes, activations;
};

// The instructions of one level. Stateless: one object serves all threads.
class DotLowering {
public:
  // i32 sums per register.
  const int64_t lanes;

  explicit constexpr DotLowering(int64_t lanes) : lanes(lanes) {}
  // How many dots like `op` may be summed before their sums are widened to 32 bits.
  virtual int64_t chainLength(kern::DotOp op) const { return 1; }
  // Emits acc plus the dots of one chain, each with one register of sums. `op` is the last.
  virtual mlir::Value lower(mlir::OpBuilder &b, kern::DotOp op, mlir::Value acc,
                            llvm::ArrayRef<DotLink> links) const = 0;

protected:
  ~DotLowering() = default;
};

// The pattern that lowers every kern.dot whose sums fill whole registers.
void addDotPattern(mlir::RewritePatternSet &patterns, const DotLowering &lowering);

// ---- What lowerings write with
mlir::Value callIntrinsic(mlir::OpBuilder &b, mlir::Location loc, llvm::StringRef name, mlir::Type result,
                          mlir::ValueRange operands);
// A vector of one integer.
mlir::Value splatInteger(mlir::OpBuilder &b, mlir::Location loc, mlir::VectorType type, int64_t value);

} // namespace sinter
