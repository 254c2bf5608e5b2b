// Prints the kernels of an MLIR file at a stage of their lowering, for the lit tests of this folder:
//
//   kernel-stages FILE --target x86-64-avx2 --stage kern|llvm|assembly|spirv

#include "codegen/Codegen.h"
#include "dialects/sched/Sched.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/WithColor.h"

int main(int argc, char **argv) {
  namespace cl = llvm::cl;
  cl::opt<std::string> file(cl::Positional, cl::desc("FILE"), cl::init("-"));
  cl::opt<std::string> name("target", cl::desc("name of a target"), cl::Required);
  cl::opt<sinter::KernelStage> stage("stage", cl::desc("what to print"), cl::init(sinter::KernelStage::assembly),
                                     cl::values(clEnumValN(sinter::KernelStage::kern, "kern", "builders' output"),
                                                clEnumValN(sinter::KernelStage::llvm, "llvm", "optimized LLVM IR"),
                                                clEnumValN(sinter::KernelStage::assembly, "assembly", "assembly"),
                                                clEnumValN(sinter::KernelStage::spirv, "spirv", "SPIR-V dialect"),
                                                clEnumValN(sinter::KernelStage::metal, "metal", "Metal Shading Language")));
  cl::list<int> tile("tile", cl::CommaSeparated,
                     cl::desc("TOKENS,OUTPUTS: quantized products' only tile beside that of one token, to try others"));
  cl::ParseCommandLineOptions(argc, argv, "Prints kernels at a stage of their lowering\n");

  mlir::DialectRegistry registry;
  registry.insert<sinter::tx::TxDialect, sinter::kern::KernDialect, sinter::sched::SchedDialect>();
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(file, &context);
  if (!module)
    return 1;
  const sinter::Target *target = sinter::findTarget(name);
  if (!target) {
    llvm::WithColor::error() << "unknown target '" << name << "'\n";
    return 1;
  }
  sinter::Target tried = *target;
  std::vector<sinter::RegisterTile> tiles = {{0, 0}, target->quantizedTiles.back()};
  if (tile.size() == 2) {
    tiles[0] = {tile[0], tile[1]};
    tried.quantizedTiles = tiles;
  }
  if (llvm::Error error = sinter::printKernels(*module, tried, stage, llvm::outs())) {
    llvm::WithColor::error() << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
