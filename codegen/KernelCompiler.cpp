// Compiles kernels for one target: builders make functions, the lowering makes LLVM dialect of them, LLVM an object
// file, LLD an image; or, for GPUs, SPIR-V modules, which become texts for Metal. Everything happens in an MLIR context of its own, into which specs travel as text, so that
// targets can be compiled on several threads at once and the caller's context needs no other dialects.

#include "codegen/KernelCompiler.h"

#include "codegen/EmitObject.h"
#include "codegen/LinkImage.h"
#include "codegen/Lowering.h"
#include "codegen/gpu/EmitMsl.h"
#include "codegen/gpu/EmitSpirv.h"
#include "codegen/gpu/GpuLowering.h"
#include "codegen/kernels/Kernels.h"
#include "dialects/sched/Sched.h"
#include "runtime/package_layout.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
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
                      LLVM::LLVMDialect, gpu::GPUDialect, spirv::SPIRVDialect>();
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

bool KernelCompiler::wants(ModuleOp source, sched::KernelOp kernel) const {
  bool used = false, usedHere = false;
  for (sched::FuncOp entry : source.getOps<sched::FuncOp>())
    for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>())
      if (dispatch.getKernel() == kernel.getSymName()) {
        used = true;
        usedHere |= (entry.getDevice() == sched::Device::gpu) == target.isGpu();
      }
  return used ? usedHere : !(target.isGpu() && isa<kern::YardstickAttr>(kernel.getSpec()));
}

// Kernels whose bodies are functions of the module: they are moved over as text, all at once.
llvm::Error KernelCompiler::addFunctions(ModuleOp source) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (func::FuncOp function : source.getOps<func::FuncOp>())
    if (function->hasAttr(kern::kKernelAttr)) {
      function.print(out);
      out << "\n";
    }
  if (text.empty())
    return llvm::Error::success();
  OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, &context);
  if (!parsed)
    return failure("kernel functions do not parse back");
  SymbolTable functions(*parsed);
  for (sched::KernelOp kernel : source.getOps<sched::KernelOp>()) {
    kern::GenericAttr spec = dyn_cast<kern::GenericAttr>(kernel.getSpec());
    if (!spec)
      continue;
    func::FuncOp function = functions.lookup<func::FuncOp>(spec.getBody().getValue());
    if (!function)
      return failure("kernel '" + kernel.getSymName() + "' has no function " + spec.getBody().getValue());
    function->remove();
    function.setSymName(kernel.getSymName());
    bodies[kernel.getSymName()] = function;
  }
  return llvm::Error::success();
}

llvm::Error KernelCompiler::add(ModuleOp source) {
  if (llvm::Error error = addFunctions(source))
    return error;
  for (sched::KernelOp kernel : source.getOps<sched::KernelOp>()) {
    if (!wants(source, kernel)) {
      names.emplace_back();
      continue;
    }
    if (isa<kern::GenericAttr>(kernel.getSpec())) {
      module->push_back(bodies.lookup(kernel.getSymName()));
      names.push_back(kernel.getSymName().str());
      continue;
    }
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
  if (target.isGpu())
    addSpirvPasses(passes, target);
  else
    addLoweringPasses(passes, target);
  return failed(passes.run(*module)) ? failure("the kernels do not lower") : llvm::Error::success();
}

llvm::Expected<CompiledKernels> KernelCompiler::compile() { return target.isGpu() ? compileForGpu() : compileElf(); }

llvm::Expected<CompiledKernels> KernelCompiler::compileForGpu() {
  if (llvm::Error error = simplify())
    return std::move(error);
  if (llvm::Error error = lower())
    return std::move(error);
  CompiledKernels result;
  result.target = &target;
  llvm::StringMap<GpuModule> modules;
  if (failed(emitSpirv(*module, result.image, modules)))
    return failure("the kernels do not serialize");
  for (const std::string &name : names)
    result.modules.push_back(name.empty() ? GpuModule() : modules.lookup(name));
  if (target.code == CodeKind::msl)
    if (llvm::Error error = translateToMsl(result, names))
      return std::move(error);
  return result;
}

llvm::Expected<CompiledKernels> KernelCompiler::compileElf() {
  if (llvm::Error error = simplify())
    return std::move(error);
  CompiledKernels result;
  result.target = &target;
  for (const std::string &name : names) {
    func::FuncOp function = name.empty() ? nullptr : module->lookupSymbol<func::FuncOp>(name);
    result.scratchBytes.push_back(
        function ? static_cast<uint32_t>(function->getAttrOfType<IntegerAttr>(kern::kScratchBytesAttr).getInt()) : 0);
  }
  if (llvm::Error error = lower())
    return std::move(error);
  llvm::Expected<EmittedCode> object = emitCode(*module, target, EmitKind::object, bodies);
  if (!object)
    return object.takeError();
  llvm::Expected<LinkedImage> image = linkImage(object->bytes, ("target " + target.name).str());
  if (!image)
    return image.takeError();
  result.image = std::move(image->bytes);
  // Kernels may call functions that are none.
  uint32_t calleeStack = 0;
  for (const auto &function : object->stackBytes)
    if (!llvm::is_contained(names, function.getKey()))
      calleeStack = std::max(calleeStack, function.getValue());
  for (const std::string &name : names) {
    if (name.empty()) {
      result.entries.push_back(kNoKernel);
      result.stackBytes.push_back(0);
      continue;
    }
    auto entry = image->entries.find(name);
    if (entry == image->entries.end())
      return failure("the linked image lacks kernel '" + name + "'");
    result.entries.push_back(entry->second);
    result.stackBytes.push_back(object->stackBytes.lookup(name) + calleeStack);
  }
  return result;
}

llvm::Error KernelCompiler::printTexts(llvm::raw_ostream &out) {
  llvm::Expected<CompiledKernels> compiled = compile();
  if (!compiled)
    return compiled.takeError();
  out << llvm::StringRef(reinterpret_cast<const char *>(compiled->image.data()), compiled->image.size());
  return llvm::Error::success();
}

llvm::Error KernelCompiler::print(KernelStage stage, llvm::raw_ostream &out) {
  if (llvm::Error error = simplify())
    return error;
  if (stage == KernelStage::kern) {
    module->print(out);
    return llvm::Error::success();
  }
  if (stage == KernelStage::metal && target.code == CodeKind::msl)
    return printTexts(out);
  if ((stage == KernelStage::spirv) != target.isGpu())
    return failure(target.code == CodeKind::msl   ? "its kernels go through no LLVM, ask for spirv or metal"
                   : target.code == CodeKind::elf ? "it has no SPIR-V, ask for llvm or asm"
                                                  : "its kernels go through no LLVM, ask for spirv");
  if (llvm::Error error = lower())
    return error;
  if (stage == KernelStage::spirv) {
    module->print(out);
    return llvm::Error::success();
  }
  EmitKind kind = stage == KernelStage::llvm ? EmitKind::llvmIr : EmitKind::assembly;
  llvm::Expected<EmittedCode> code = emitCode(*module, target, kind, bodies);
  if (!code)
    return code.takeError();
  out << llvm::StringRef(code->bytes.data(), code->bytes.size());
  return llvm::Error::success();
}

} // namespace sinter
