// Compiles the sched.kernels of a module for one target: builders make kernel functions, the lowering makes LLVM dialect of
// them, LLVM an object file, LLD an image. Everything happens in an MLIR context of its own, into which the specs travel
// as text, so that targets can be compiled on several threads at once and the caller's context needs no other dialects.

#include "codegen/Codegen.h"

#include "codegen/EmitObject.h"
#include "codegen/LinkImage.h"
#include "codegen/Lowering.h"
#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"
#include "dialects/sched/Sched.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sinter {

namespace {

// The kernels of one module on their way to one target.
class KernelCompiler {
public:
  explicit KernelCompiler(const Target &target) : target(target), context(dialects(), MLIRContext::Threading::DISABLED) {
    context.loadDialect<tx::TxDialect, kern::KernDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect,
                        scf::SCFDialect, memref::MemRefDialect, vector::VectorDialect, cf::ControlFlowDialect,
                        LLVM::LLVMDialect>();
    module = ModuleOp::create(UnknownLoc::get(&context));
    // Errors of builders and passes are collected, with the kernel they are about.
    context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error && errors.empty())
        errors = diagnostic.str();
    });
  }

  llvm::Error build(ModuleOp source) {
    for (sched::KernelOp kernel : source.getOps<sched::KernelOp>()) {
      std::string text;
      llvm::raw_string_ostream(text) << kernel.getSpec();
      kern::SpecInterface spec = dyn_cast_or_null<kern::SpecInterface>(parseAttribute(text, &context));
      if (!spec)
        return failure("kernel '" + kernel.getSymName() + "' does not parse back from " + text);
      if (mlir::failed(kern::buildKernel(*module, kernel.getSymName(), spec, target)))
        return failure("kernel '" + kernel.getSymName() + "' cannot be built");
      names.push_back(kernel.getSymName().str());
    }
    PassManager passes(&context);
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    if (mlir::failed(passes.run(*module)))
      return failure("the kernels are not valid");
    for (func::FuncOp function : module->getOps<func::FuncOp>())
      scratch.push_back(static_cast<uint32_t>(function->getAttrOfType<IntegerAttr>(kern::kScratchBytesAttr).getInt()));
    return llvm::Error::success();
  }

  llvm::Error lower() {
    PassManager passes(&context);
    addLoweringPasses(passes, target);
    if (mlir::failed(passes.run(*module)))
      return failure("the kernels do not lower to LLVM");
    return llvm::Error::success();
  }

  llvm::Error failure(const llvm::Twine &what) {
    std::string message = ("target " + target.name + ": " + what + (errors.empty() ? "" : ": " + errors)).str();
    return llvm::createStringError("%s", message.c_str());
  }

  const Target &target;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::vector<std::string> names;
  std::vector<uint32_t> scratch;

private:
  static DialectRegistry dialects() {
    DialectRegistry registry;
    registerConvertFuncToLLVMInterface(registry);
    registerConvertMemRefToLLVMInterface(registry);
    cf::registerConvertControlFlowToLLVMInterface(registry);
    registerConvertMathToLLVMInterface(registry);
    arith::registerConvertArithToLLVMInterface(registry);
    ub::registerConvertUBToLLVMInterface(registry);
    registerConvertToLLVMDependentDialectLoading(registry);
    registerBuiltinDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    return registry;
  }
  std::string errors;
};

} // namespace

llvm::Expected<CompiledKernels> compileKernels(ModuleOp source, const Target &target) {
  KernelCompiler compiler(target);
  if (llvm::Error error = compiler.build(source))
    return std::move(error);
  if (llvm::Error error = compiler.lower())
    return std::move(error);
  llvm::Expected<EmittedCode> object = emitCode(*compiler.module, target, EmitKind::object);
  if (!object)
    return object.takeError();
  llvm::Expected<LinkedImage> image = linkImage(object->bytes, ("target " + target.name).str());
  if (!image)
    return image.takeError();

  CompiledKernels result;
  result.target = &target;
  result.image = std::move(image->bytes);
  result.scratchBytes = compiler.scratch;
  for (const std::string &name : compiler.names) {
    auto entry = image->entries.find(name);
    if (entry == image->entries.end())
      return compiler.failure("the linked image lacks kernel '" + name + "'");
    result.entries.push_back(entry->second);
    result.stackBytes.push_back(object->stackBytes.lookup(name));
  }
  return result;
}

llvm::Error printKernels(ModuleOp source, const Target &target, KernelStage stage, llvm::raw_ostream &out) {
  KernelCompiler compiler(target);
  if (llvm::Error error = compiler.build(source))
    return error;
  if (stage == KernelStage::kern) {
    compiler.module->print(out);
    return llvm::Error::success();
  }
  if (llvm::Error error = compiler.lower())
    return error;
  llvm::Expected<EmittedCode> code =
      emitCode(*compiler.module, target, stage == KernelStage::llvm ? EmitKind::llvmIr : EmitKind::assembly);
  if (!code)
    return code.takeError();
  out << llvm::StringRef(code->bytes.data(), code->bytes.size());
  return llvm::Error::success();
}

} // namespace sinter
