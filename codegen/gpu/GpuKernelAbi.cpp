// In: kernels as functions of invocations, with kern.binding, kern.scalar. Out: a gpu.module for each, whose one function
// takes buffers. Argument 0 holds the step's scalars (kern::Scalar, one i32 each), so that a command buffer can be
// submitted again with other tokens and positions in it. Then comes one argument for each element type that a binding
// is seen with: a buffer bound twice is simpler, and means the same to every driver, than one that is reinterpreted.
// "kern.slots" lists which binding each argument is.

#include "codegen/gpu/GpuLowering.h"

#include "dialects/kern/Kern.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace sinter {

namespace {

class AbiLowering {
public:
  explicit AbiLowering(func::FuncOp function) : function(function), b(function.getLoc(), function.getContext()) {}

  void run() {
    spirv::StorageClassAttr space = spirv::StorageClassAttr::get(b.getContext(), spirv::StorageClass::StorageBuffer);
    auto flat = [&](Type element) {
      return MemRefType::get({ShapedType::kDynamic}, element, MemRefLayoutAttrInterface(), space);
    };
    // A slot for each binding and type, in the order of bindings.
    SmallVector<kern::BindingOp> uses;
    function.walk([&](kern::BindingOp op) { uses.push_back(op); });
    auto order = [](kern::BindingOp op) {
      Type element = cast<MemRefType>(op.getType()).getElementType();
      return std::make_tuple(op.getIndex(), element.getIntOrFloatBitWidth(), isa<FloatType>(element));
    };
    llvm::sort(uses, [&](kern::BindingOp x, kern::BindingOp y) { return order(x) < order(y); });
    llvm::MapVector<std::pair<int64_t, Type>, SmallVector<kern::BindingOp>> slots;
    for (kern::BindingOp op : uses)
      slots[{op.getIndex(), cast<MemRefType>(op.getType()).getElementType()}].push_back(op);
    SmallVector<Type> types = {flat(b.getI32Type())};
    SmallVector<int64_t> numbers;
    for (auto &[slot, ops] : slots) {
      types.push_back(flat(slot.second));
      numbers.push_back(slot.first);
    }

    b.setInsertionPoint(function);
    gpu::GPUModuleOp module = gpu::GPUModuleOp::create(b, function.getName());
    b.setInsertionPointToStart(&module.getBodyRegion().front());
    gpu::GPUFuncOp kernel = gpu::GPUFuncOp::create(b, function.getName(), b.getFunctionType(types, {}));
    kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    int32_t width = int32_t(function->getAttrOfType<IntegerAttr>(kWorkgroupAttr).getInt());
    kernel->setAttr(spirv::getEntryPointABIAttrName(),
                    spirv::getEntryPointABIAttr(b.getContext(), ArrayRef<int32_t>{width, 1, 1}));
    kernel->setAttr(kSlotsAttr, b.getI64ArrayAttr(numbers));
    for (unsigned i = 0; i < types.size(); ++i)
      kernel.setArgAttr(i, spirv::getInterfaceVarABIAttrName(),
                        spirv::getInterfaceVarABIAttr(0, i, std::nullopt, b.getContext()));

    Block &entry = kernel.getBody().front(), &old = function.getBody().front();
    for (auto [i, slot] : llvm::enumerate(slots))
      for (kern::BindingOp op : slot.second) {
        op->replaceAllUsesWith(ValueRange(entry.getArgument(i + 1)));
        op->erase();
      }
    entry.getOperations().splice(entry.end(), old.getOperations());
    Operation *end = entry.getTerminator();
    b.setInsertionPoint(end);
    gpu::ReturnOp::create(b);
    end->erase();
    kernel.walk([&](kern::ScalarOp op) {
      b.setInsertionPoint(op);
      Value at = arith::ConstantIndexOp::create(b, int64_t(op.getWhich()));
      Value word = memref::LoadOp::create(b, entry.getArgument(0), at);
      op->replaceAllUsesWith(ValueRange(arith::IndexCastUIOp::create(b, b.getIndexType(), word)));
      op->erase();
    });
    function.erase();
  }

private:
  func::FuncOp function;
  ImplicitLocOpBuilder b;
};

class GpuKernelAbi : public PassWrapper<GpuKernelAbi, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GpuKernelAbi)
  StringRef getArgument() const override { return "sinter-gpu-kernel-abi"; }
  StringRef getDescription() const override { return "Make gpu.funcs over buffers of kernels"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, gpu::GPUDialect, memref::MemRefDialect, spirv::SPIRVDialect>();
  }
  void runOnOperation() override {
    for (func::FuncOp function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      AbiLowering(function).run();
  }
};

} // namespace

std::unique_ptr<Pass> createGpuKernelAbiPass() { return std::make_unique<GpuKernelAbi>(); }

} // namespace sinter
