// Some GPUs run 64 invocations in step and only so many workgroups at once, while kernels have workgroups of 32, a lane of a
// register each. In: a kernel for Vulkan. Out: if its invocations share nothing (no barrier, no workgroup memory), one
// whose workgroups compute several units side by side; how many is a specialization constant, since only the runtime
// knows the device. The second dimension of a workgroup counts them:
//
//   unit = WorkgroupId.x * units + LocalInvocationId.y
//
// The size of the workgroup, (32, units, 1), is a composite of that constant, which MLIR has no op for: EmitSpirv.cpp adds
// it to the module. Products, which are most of a model's work, are such kernels.

#include "codegen/gpu/GpuLowering.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

using namespace mlir;

namespace sinter {

namespace {

class ShareWorkgroups : public PassWrapper<ShareWorkgroups, OperationPass<spirv::ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ShareWorkgroups)
  StringRef getArgument() const override { return "sinter-share-workgroups"; }
  StringRef getDescription() const override { return "Let a workgroup compute several units"; }

  void runOnOperation() override {
    spirv::ModuleOp module = getOperation();
    spirv::GlobalVariableOp unit, lane;
    for (spirv::GlobalVariableOp variable : module.getOps<spirv::GlobalVariableOp>()) {
      if (cast<spirv::PointerType>(variable.getType()).getStorageClass() == spirv::StorageClass::Workgroup)
        return;
      if (variable.getBuiltIn() == "WorkgroupId")
        unit = variable;
      if (variable.getBuiltIn() == "LocalInvocationId")
        lane = variable;
    }
    bool waits = module.walk([](spirv::ControlBarrierOp) { return WalkResult::interrupt(); }).wasInterrupted();
    if (!unit || !lane || waits)
      return;

    OpBuilder b(module.getBody(), module.getBody()->begin());
    spirv::SpecConstantOp units =
        spirv::SpecConstantOp::create(b, module.getLoc(), kUnitsConstant, b.getI32IntegerAttr(1));
    units->setAttr("spec_id", b.getI32IntegerAttr(0));
    module.walk([&](spirv::CompositeExtractOp extract) {
      spirv::LoadOp load = extract.getComposite().getDefiningOp<spirv::LoadOp>();
      spirv::AddressOfOp from = load ? load.getPtr().getDefiningOp<spirv::AddressOfOp>() : spirv::AddressOfOp();
      if (!from || from.getVariable() != unit.getSymName())
        return;
      Location loc = extract.getLoc();
      b.setInsertionPointAfter(extract);
      Value count = spirv::ReferenceOfOp::create(b, loc, b.getI32Type(), units.getSymName());
      Value first = spirv::IMulOp::create(b, loc, extract, count);
      Value lanes = spirv::LoadOp::create(b, loc, spirv::AddressOfOp::create(b, loc, lane));
      Value own = spirv::CompositeExtractOp::create(b, loc, lanes, ArrayRef<int32_t>{1});
      Value sum = spirv::IAddOp::create(b, loc, first, own);
      extract->replaceUsesWithIf(ValueRange(sum), [&](OpOperand &use) { return use.getOwner() != first.getDefiningOp(); });
    });
  }
};

} // namespace

std::unique_ptr<Pass> createShareWorkgroupsPass() { return std::make_unique<ShareWorkgroups>(); }

} // namespace sinter
