// Compiles kernels for one target: builders make functions, the lowering makes LLVM dialect of them, LLVM an object
// file, LLD an image. Everything happens in an MLIR context of its own, into which specs travel as text, so that
// targets can be compiled on several threads at once and the caller's context needs no other dialects.

#include "codegen/KernelCompiler.h"

#include "codegen/EmitObject.h"
#include "codegen/LinkImage.h"
#include "codegen/Lowering.h"
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

KernelCompiler::KernelCompiler(const Target &target)
    : target(target), context(dialects(), MLIRContext::Threading::DISABLED) {
  context.loadDialect<tx::TxDialect, kern::KernDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect,
                      scf::SCFDialect, memref::MemRefDialect, vector::VectorDialect, cf::ControlFlowDialect,
                      LLVM::LLVMDialect>();
  module = ModuleOp::create(UnknownLoc::get(&context));
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && errors.empty())
      errors = diagnostic.str();
  });
}

llvm::Error KernelCompiler::failure(const llvm::Twine &what) {
  std::string message = ("target " + target.name + ": " + what + (errors.empty() ? "" : ": " + errors)).str();
  return llvm::createStringError("%s", message.c_str());
}

llvm::Error KernelCompiler::add(ModuleOp source) {
  for (sched::KernelOp kernel : source.getOps<sched::KernelOp>()) {
    std::string text;
    llvm::raw_string_ostream(text) << kernel.getSpec();
    kern::SpecInterface spec = dyn_cast_or_null<kern::SpecInterface>(parseAttribute(text, &context));
    if (!spec)
      return failure("kernel '" + kernel.getSymName() + "' does not parse back from " + text);
    if (failed(kern::buildKernel(*module, kernel.getSymName(), spec, target)))
      return failure("kernel '" + kernel.getSymName() + "' cannot be built");
    names.push_back(kernel.getSymName().str());
  }
  return llvm::Error::success();
}

llvm::Error KernelCompiler::add(llvm::StringRef name, llvm::function_ref<void(kern::KernelBuilder &)> build) {
  kern::KernelBuilder builder(*module, name, target);
  build(builder);
  builder.finish();
  names.push_back(name.str());
  return llvm::Error::success();
}

llvm::Error KernelCompiler::simplify() {
  PassManager passes(&context);
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  return failed(passes.run(*module)) ? failure("the kernels are not valid") : llvm::Error::success();
}

llvm::Error KernelCompiler::lower() {
  PassManager passes(&context);
  // What builders made was verified; checking again after each pass costs a tenth of the time.
  passes.enableVerifier(false);
  addLoweringPasses(passes, target);
  return failed(passes.run(*module)) ? failure("the kernels do not lower to LLVM") : llvm::Error::success();
}

llvm::Expected<CompiledKernels> KernelCompiler::compile() {
  if (llvm::Error error = simplify())
    return std::move(error);
  CompiledKernels result;
  result.target = &target;
  for (func::FuncOp function : module->getOps<func::FuncOp>())
    result.scratchBytes.push_back(
        static_cast<uint32_t>(function->getAttrOfType<IntegerAttr>(kern::kScratchBytesAttr).getInt()));
  if (llvm::Error error = lower())
    return std::move(error);
  llvm::Expected<EmittedCode> object = emitCode(*module, target, EmitKind::object);
  if (!object)
    return object.takeError();
  llvm::Expected<LinkedImage> image = linkImage(object->bytes, ("target " + target.name).str());
  if (!image)
    return image.takeError();
  result.image = std::move(image->bytes);
  for (const std::string &name : names) {
    auto entry = image->entries.find(name);
    if (entry == image->entries.end())
      return failure("the linked image lacks kernel '" + name + "'");
    result.entries.push_back(entry->second);
    result.stackBytes.push_back(object->stackBytes.lookup(name));
  }
  return result;
}

llvm::Error KernelCompiler::print(KernelStage stage, llvm::raw_ostream &out) {
  if (llvm::Error error = simplify())
    return error;
  if (stage == KernelStage::kern) {
    module->print(out);
    return llvm::Error::success();
  }
  if (llvm::Error error = lower())
    return error;
  EmitKind kind = stage == KernelStage::llvm ? EmitKind::llvmIr : EmitKind::assembly;
  llvm::Expected<EmittedCode> code = emitCode(*module, target, kind);
  if (!code)
    return code.takeError();
  out << llvm::StringRef(code->bytes.data(), code->bytes.size());
  return llvm::Error::success();
}

} // namespace sinter
