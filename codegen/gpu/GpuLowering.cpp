// The order of the passes from builders' kernels to spirv.modules, and the conversion itself, which is upstream's.
//
// Adding and subtracting 1.5 * 2^23 rounds to an integer, and an angle is reduced by pieces of pi/2: drivers would simplify
// that away (Mesa's do), so all float arithmetic is decorated NoContraction, by which they leave each operation as it is.
//
// Upstream asks for the capability of 16-bit arithmetic wherever a 16-bit type occurs. These kernels only load, store and
// convert such values, which the storage capabilities allow, and more devices have those: the others are struck again.

#include "codegen/gpu/GpuLowering.h"

#include "codegen/Lowering.h"

#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRVPass.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRVPass.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sinter {

namespace {

// What kernels may ask for: Vulkan 1.1, and loads and stores of 8- and 16-bit elements.
class SetSpirvTarget : public PassWrapper<SetSpirvTarget, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SetSpirvTarget)
  StringRef getArgument() const override { return "sinter-set-spirv-target"; }
  StringRef getDescription() const override { return "Say which SPIR-V may be made"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<spirv::SPIRVDialect>(); }
  void runOnOperation() override {
    spirv::Capability capabilities[] = {spirv::Capability::Shader,
                                        spirv::Capability::Int8,
                                        spirv::Capability::Int16,
                                        spirv::Capability::Float16,
                                        spirv::Capability::StorageBuffer16BitAccess,
                                        spirv::Capability::StorageBuffer8BitAccess};
    spirv::Extension extensions[] = {spirv::Extension::SPV_KHR_storage_buffer_storage_class,
                                     spirv::Extension::SPV_KHR_8bit_storage, spirv::Extension::SPV_KHR_16bit_storage};
    spirv::VerCapExtAttr triple =
        spirv::VerCapExtAttr::get(spirv::Version::V_1_3, capabilities, extensions, &getContext());
    getOperation()->setAttr(spirv::getTargetEnvAttrName(),
                            spirv::TargetEnvAttr::get(triple, spirv::getDefaultResourceLimits(&getContext()),
                                                      spirv::ClientAPI::Vulkan));
  }
};

class KeepRounding : public PassWrapper<KeepRounding, OperationPass<spirv::ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KeepRounding)
  StringRef getArgument() const override { return "sinter-keep-rounding"; }
  StringRef getDescription() const override { return "Forbid drivers to rearrange float arithmetic"; }
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (isa<spirv::FAddOp, spirv::FSubOp, spirv::FMulOp, spirv::FDivOp>(op))
        op->setAttr("no_contraction", UnitAttr::get(op->getContext()));
    });
  }
};

class StrikeCapabilities : public PassWrapper<StrikeCapabilities, OperationPass<spirv::ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StrikeCapabilities)
  StringRef getArgument() const override { return "sinter-strike-capabilities"; }
  StringRef getDescription() const override { return "Ask for storage of narrow types, not arithmetic"; }
  void runOnOperation() override {
    spirv::VerCapExtAttr triple = *getOperation().getVceTriple();
    SmallVector<spirv::Capability> kept;
    for (spirv::Capability capability : triple.getCapabilities())
      if (!llvm::is_contained({spirv::Capability::Int8, spirv::Capability::Int16, spirv::Capability::Float16}, capability))
        kept.push_back(capability);
    getOperation().setVceTripleAttr(
        spirv::VerCapExtAttr::get(triple.getVersion(), kept, llvm::to_vector(triple.getExtensions()), &getContext()));
  }
};

} // namespace

void addSpirvPasses(OpPassManager &passes, const Target &target) {
  passes.addPass(createExpandMathPass(target));
  passes.addPass(createExpandHalfPass(target));
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());

  passes.addPass(createDistributeLanesPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addNestedPass<func::FuncOp>(createPlaceWorkgroupBarriersPass());

  passes.addPass(createGpuKernelAbiPass());
  passes.addPass(std::make_unique<SetSpirvTarget>());
  passes.addNestedPass<gpu::GPUModuleOp>(createConvertMathToSPIRVPass());
  passes.addPass(createConvertGPUToSPIRVPass(/*mapMemorySpace=*/false));
  OpPassManager &spirvPasses = passes.nest<spirv::ModuleOp>();
  spirvPasses.addPass(createFixZeroTripLoopsPass());
  spirvPasses.addPass(spirv::createSPIRVLowerABIAttributesPass());
  spirvPasses.addPass(createCanonicalizerPass());
  spirvPasses.addPass(createCSEPass());
  if (target.code == CodeKind::spirv) // Metal has no such constants in its texts, and runs 32 invocations in step
    spirvPasses.addPass(createShareWorkgroupsPass());
  spirvPasses.addPass(std::make_unique<KeepRounding>());
  spirvPasses.addPass(spirv::createSPIRVUpdateVCEPass());
  spirvPasses.addPass(std::make_unique<StrikeCapabilities>());
}

} // namespace sinter
