// From what builders make to the LLVM dialect: the order of the passes, and the one that asks the target for its dots.

#include "codegen/Lowering.h"

#include "dialects/kern/Kern.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sinter {

namespace {

class LowerDot : public PassWrapper<LowerDot, OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerDot)
  explicit LowerDot(const Target &target) : target(target) {}
  StringRef getArgument() const override { return "sinter-lower-dot"; }
  StringRef getDescription() const override { return "Lower dot and tile products to the target's instructions"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, vector::VectorDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    target.addDotPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    bool complete = true;
    getOperation()->walk([&](Operation *op) {
      if (!isa<kern::DotOp, kern::Dot2x2Op, kern::TileProductOp>(op))
        return;
      op->emitOpError() << "is not lowered for " << target.name;
      complete = false;
    });
    if (!complete)
      signalPassFailure();
  }

private:
  const Target &target;
};

} // namespace

std::unique_ptr<Pass> createLowerDotPass(const Target &target) { return std::make_unique<LowerDot>(target); }

void addLoweringPasses(OpPassManager &passes, const Target &target) {
  // Arithmetic that targets lack.
  passes.addPass(createExpandLanesPass());
  passes.addPass(createLowerDotPass(target));
  passes.addPass(createExpandMathPass(target));
  passes.addPass(createExpandHalfPass(target));
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());

  // The calling convention, then upstream's way to LLVM.
  passes.addPass(createLowerKernelAbiPass());
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

} // namespace sinter
