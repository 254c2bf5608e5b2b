// Translates kernels from the LLVM dialect to LLVM IR, optimizes them, and emits code. Vectors are written by the
// builders, so LLVM's vectorizers stay off, but for generic kernels, which are scalar loops. The library is declared empty: no pass may turn a loop into a call of
// memcpy or memset. Sizes of stack frames come from LLVM's own remarks.

#include "codegen/EmitObject.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"

#include <mutex>

namespace sinter {

// What a frame may need beyond the size that LLVM reports: the return address, and the gap of realigning it to a
// register.
static constexpr uint32_t kFrameOverhead = 8 + 64;

namespace {

class Diagnostics : public llvm::DiagnosticHandler {
public:
  Diagnostics(llvm::StringMap<uint32_t> &stackBytes, std::string &errors) : stackBytes(stackBytes), errors(errors) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (const auto *stack = llvm::dyn_cast<llvm::DiagnosticInfoStackSize>(&info)) {
      stackBytes[stack->getFunction().getName()] = static_cast<uint32_t>(stack->getStackSize()) + kFrameOverhead;
    } else if (info.getSeverity() == llvm::DS_Error) {
      llvm::raw_string_ostream out(errors);
      llvm::DiagnosticPrinterRawOStream printer(out);
      info.print(printer);
    }
    return true;
  }

private:
  llvm::StringMap<uint32_t> &stackBytes;
  std::string &errors;
};

} // namespace

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers(); // for Target::support
  });
}

static void setAttributes(llvm::Module &module, const Target &target, llvm::StringRef features) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.setUWTableKind(llvm::UWTableKind::None);
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-features", features);
    function.addFnAttr("tune-cpu", target.cpu);
    function.addFnAttr("prefer-vector-width", std::to_string(8 * target.vectorBytes));
    function.addFnAttr("min-legal-vector-width", std::to_string(8 * target.vectorBytes));
    // Denormals are numbers: the runtime sets the mode that says so.
    function.addFnAttr("denormal-fp-math", "ieee,ieee");
    function.addFnAttr("warn-stack-size", "0");
  }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     const llvm::StringMap<mlir::func::FuncOp> &generic) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::TargetLibraryInfoImpl noLibrary(machine.getTargetTriple());
  noLibrary.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(noLibrary); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);

  // Generic kernels are scalar loops; everything around them is simplified by now.
  if (generic.empty())
    return;
  llvm::FunctionPassManager vectorize;
  vectorize.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LoopRotatePass()));
  vectorize.addPass(llvm::LoopVectorizePass());
  vectorize.addPass(llvm::InstCombinePass());
  vectorize.addPass(llvm::SimplifyCFGPass());
  vectorize.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  vectorize.addPass(llvm::LoopUnrollPass());
  vectorize.addPass(llvm::EarlyCSEPass());
  vectorize.addPass(llvm::InstCombinePass());
  vectorize.addPass(llvm::SimplifyCFGPass());
  for (llvm::Function &function : module)
    if (!function.isDeclaration() && generic.contains(function.getName()))
      vectorize.run(function, functions);
}

llvm::Expected<EmittedCode> emitCode(mlir::ModuleOp source, const Target &target, EmitKind kind,
                                     const llvm::StringMap<mlir::func::FuncOp> &generic) {
  initializeTargets();
  std::string error;
  llvm::Triple triple(target.triple);
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return llvm::createStringError("target %s: %s", target.name.str().c_str(), error.c_str());
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard; // llvm.fmuladd fuses, nothing else does
  options.MCOptions.AsmVerbose = true;                  // assembly names loops and spills
  const std::string features = (target.features + (target.reserved.empty() ? "" : ",") + target.reserved).str();
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(triple, "", features, options,
                                                                          llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                          llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("target %s: LLVM cannot generate code for '%s'", target.name.str().c_str(),
                                   target.triple.str().c_str());

  EmittedCode code;
  llvm::LLVMContext context;
  context.setDiagnosticHandler(std::make_unique<Diagnostics>(code.stackBytes, error));
  std::unique_ptr<llvm::Module> module = mlir::translateModuleToLLVMIR(source, context, "kernels");
  if (!module)
    return llvm::createStringError("target %s: the kernels do not translate to LLVM IR", target.name.str().c_str());
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  module->setPICLevel(llvm::PICLevel::SmallPIC);
  if (target.support)
    module->appendModuleInlineAsm(target.support);
  setAttributes(*module, target, features);
  optimize(*module, *machine, generic);

  llvm::raw_svector_ostream out(code.bytes);
  if (kind == EmitKind::llvmIr) {
    module->print(out, nullptr);
    return code;
  }
  llvm::legacy::PassManager passes;
  llvm::CodeGenFileType type =
      kind == EmitKind::assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  if (machine->addPassesToEmitFile(passes, out, nullptr, type))
    return llvm::createStringError("target %s: LLVM cannot emit this kind of file", target.name.str().c_str());
  passes.run(*module);
  if (!error.empty())
    return llvm::createStringError("target %s: %s", target.name.str().c_str(), error.c_str());
  return code;
}

} // namespace sinter
