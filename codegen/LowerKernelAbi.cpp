// Gives kernel functions the signature of runtime/kernel_abi.h, and turns kern.binding, kern.scratch and kern.scalar
// into loads from its arguments. Bindings become memref descriptors around the loaded pointer; casts between a
// descriptor and its memref vanish when memref ops are lowered. The loads stand at the function's entry, marked
// invariant: nothing that a kernel stores changes its arguments.

#include "codegen/Lowering.h"

#include "codegen/kernels/KernelBuilder.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>

using namespace mlir;

namespace sinter {

namespace {

// Words of sinter_kernel_args, in its order.
enum ArgsWord : int64_t { kBindingsWord = 0, kScalarsWord = 1 };
// Where dims begin in sinter_kernel_scalars; before them are tokens, position, row and sequence.
constexpr int64_t kDimsWord = 4;

class AbiLowering {
public:
  explicit AbiLowering(func::FuncOp function) : function(function), b(function.getLoc(), function.getContext()) {}

  void run() {
    Type pointer = LLVM::LLVMPointerType::get(b.getContext()), i32 = b.getI32Type();
    Block &entry = function.getBody().front();
    function.setType(b.getFunctionType({pointer, i32, i32, pointer}, {}));
    Value begin = entry.getArgument(0), end = entry.getArgument(1);
    args = entry.addArgument(pointer, b.getLoc());
    Value first = entry.addArgument(i32, b.getLoc()), last = entry.addArgument(i32, b.getLoc());
    scratch = entry.addArgument(pointer, b.getLoc());

    b.setInsertionPointToStart(&entry);
    begin.replaceAllUsesWith(arith::IndexCastUIOp::create(b, b.getIndexType(), first));
    end.replaceAllUsesWith(arith::IndexCastUIOp::create(b, b.getIndexType(), last));
    entry.eraseArguments(0, 2);

    // Replaced ops are erased last, so that the insertion point stays.
    function.walk([&](Operation *op) {
      if (kern::BindingOp binding = dyn_cast<kern::BindingOp>(op))
        replace(op, memref(bindingPointer(binding.getIndex()), cast<MemRefType>(binding.getType())));
      else if (kern::ScratchOp piece = dyn_cast<kern::ScratchOp>(op))
        replace(op, memref(offset(scratch, piece.getOffset()), cast<MemRefType>(piece.getType())));
      else if (kern::ScalarOp scalar = dyn_cast<kern::ScalarOp>(op))
        replace(op, scalarValue(static_cast<int64_t>(scalar.getWhich())));
      else if (kern::DimOp dim = dyn_cast<kern::DimOp>(op))
        replace(op, scalarValue(kDimsWord + dim.getIndex()));
    });
    for (Operation *op : dead)
      op->erase();
  }

private:
  void replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    dead.push_back(op);
  }

  Value offset(Value pointer, int64_t bytes) {
    if (bytes == 0)
      return pointer;
    return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }
  Value invariantLoad(Type type, Value pointer, int64_t word) {
    LLVM::LoadOp load = LLVM::LoadOp::create(b, type, offset(pointer, 8 * word));
    load.setInvariant(true);
    return load;
  }
  Value bindingPointer(int64_t number) {
    Value bindings = invariantLoad(args.getType(), args, kBindingsWord);
    return invariantLoad(args.getType(), bindings, number);
  }
  Value scalarValue(int64_t number) {
    Value scalars = invariantLoad(args.getType(), args, kScalarsWord);
    Value word = invariantLoad(b.getI64Type(), scalars, number);
    return arith::IndexCastUIOp::create(b, b.getIndexType(), word);
  }

  // A memref over a pointer. Dynamic sizes are unknown and taken as the largest number; nothing may read them.
  Value memref(Value pointer, MemRefType type) {
    LLVMTypeConverter types(b.getContext());
    MemRefDescriptor descriptor = MemRefDescriptor::poison(b, b.getLoc(), types.convertType(type));
    descriptor.setAllocatedPtr(b, b.getLoc(), pointer);
    descriptor.setAlignedPtr(b, b.getLoc(), pointer);
    auto [strides, start] = type.getStridesAndOffset();
    descriptor.setConstantOffset(b, b.getLoc(), start);
    for (auto [i, size] : llvm::enumerate(type.getShape())) {
      int64_t known = ShapedType::isDynamic(size) ? std::numeric_limits<int64_t>::max() : size;
      descriptor.setConstantSize(b, b.getLoc(), i, known);
      descriptor.setConstantStride(b, b.getLoc(), i, strides[i]);
    }
    Value asStruct = descriptor;
    return UnrealizedConversionCastOp::create(b, TypeRange(type), asStruct).getResult(0);
  }

  func::FuncOp function;
  ImplicitLocOpBuilder b;
  Value args, scratch;
  SmallVector<Operation *> dead;
};

class LowerKernelAbi : public PassWrapper<LowerKernelAbi, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerKernelAbi)
  StringRef getArgument() const override { return "sinter-lower-kernel-abi"; }
  StringRef getDescription() const override { return "Give kernels the calling convention of the runtime"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(kern::kKernelAttr))
        AbiLowering(function).run();
  }
};

} // namespace

std::unique_ptr<Pass> createLowerKernelAbiPass() { return std::make_unique<LowerKernelAbi>(); }

} // namespace sinter
