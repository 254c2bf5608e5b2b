// That running texts on the CPU finds what would be wrong on a GPU: a barrier that is missing, a loop whose results are
// undefined where it does not run, a barrier that some invocations do not meet. Each is made wrong on purpose.

#include "codegen/gpu/EmitMsl.h"
#include "codegen/gpu/EmitSpirv.h"
#include "codegen/gpu/GpuLowering.h"
#include "test/codegen/KernelHarness.h"
#include "test/metal/MslProgram.h"

#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRVPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;

namespace sinter::test {
namespace {

constexpr int kWidth = 96;
constexpr MslOrder kOrders[] = {MslOrder::forward, MslOrder::backward};

// A sum of squares over a row, which invocations add up through memory that they share.
std::string normText() {
  return kernelText("#kern.rows<width = 96, norm = <kind = rms, epsilon = 1.0e-5 : f32>>", *findTarget("metal"),
                    KernelStage::metal);
}

// One row, normalized; empty if the text does not run.
std::vector<float> normalize(const std::string &text, MslOrder order) {
  uint32_t scalars[4] = {1, 0, 0, 0};
  std::vector<float> row(kWidth), weight(kWidth, 1), out(kWidth);
  for (int i = 0; i < kWidth; ++i)
    row[i] = float(i % 7) - 2;
  MslProgram program(text, "k");
  EXPECT_EQ(program.error(), "");
  if (!program.run({scalars, row.data(), weight.data(), out.data()}, 1, 32, order))
    return {};
  return out;
}

TEST(Msl, NormalizesInEitherOrder) {
  std::vector<float> out = normalize(normText(), MslOrder::forward);
  ASSERT_FALSE(out.empty());
  EXPECT_EQ(out, normalize(normText(), MslOrder::backward));
  double square = 0;
  for (float value : out)
    square += value * value / kWidth;
  EXPECT_NEAR(square, 1, 1e-4);
}

// Whichever barrier is missing, one order or the other shows it.
TEST(Msl, MissingBarriersGiveOtherNumbers) {
  const std::string whole = normText();
  const std::vector<float> expected = normalize(whole, MslOrder::forward);
  size_t barriers = 0;
  for (size_t at = whole.find("threadgroup_barrier("); at != std::string::npos;
       at = whole.find("threadgroup_barrier(", at + 1)) {
    std::string broken = whole;
    broken.erase(at, whole.find(';', at) + 1 - at);
    bool found = false;
    for (MslOrder order : kOrders)
      found |= normalize(broken, order) != expected;
    EXPECT_TRUE(found) << "without barrier " << barriers << " of\n" << whole;
    ++barriers;
  }
  EXPECT_GE(barriers, 5u);
}

TEST(Msl, BarriersOfSomeInvocationsAreAnError) {
  std::string text = normText();
  size_t at = text.find("threadgroup_barrier(");
  text.insert(at, "if (gl_LocalInvocationID.x < 5u) ");
  EXPECT_EQ(normalize(text, MslOrder::forward), std::vector<float>());
}

TEST(Msl, UnknownFunctionsDoNotCompile) {
  std::string text = normText();
  text.insert(text.find("{", text.find("kernel void")) + 1, "uint lane = simd_prefix_exclusive_sum(1u);");
  EXPECT_NE(MslProgram(text, "k").error(), "");
}

//===-- Loops that do not run -------------------------------------------------------------------------------------===//

// sum = 7; repeated as often as the first scalar says: sum += 1
const char *const kLoop = R"(
module attributes {gpu.container_module, spirv.target_env = #spirv.target_env<#spirv.vce<v1.3, [Shader],
    [SPV_KHR_storage_buffer_storage_class]>, api = Vulkan, #spirv.resource_limits<>>} {
  gpu.module @k {
    gpu.func @k(%scalars: memref<?xi32, #spirv.storage_class<StorageBuffer>>
                  {spirv.interface_var_abi = #spirv.interface_var_abi<(0, 0)>},
                %out: memref<?xf32, #spirv.storage_class<StorageBuffer>>
                  {spirv.interface_var_abi = #spirv.interface_var_abi<(0, 1)>}) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [1, 1, 1]>, kern.slots = [0]} {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %seven = arith.constant 7.0 : f32
      %step = arith.constant 1.0 : f32
      %word = memref.load %scalars[%zero] : memref<?xi32, #spirv.storage_class<StorageBuffer>>
      %count = arith.index_cast %word : i32 to index
      %sum = scf.for %i = %zero to %count step %one iter_args(%so_far = %seven) -> f32 {
        %next = arith.addf %so_far, %step : f32
        scf.yield %next : f32
      }
      memref.store %sum, %out[%zero] : memref<?xf32, #spirv.storage_class<StorageBuffer>>
      gpu.return
    }
  }
})";

std::string loopText(bool fixed) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, gpu::GPUDialect, memref::MemRefDialect, scf::SCFDialect, spirv::SPIRVDialect>();
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(kLoop, &context);
  PassManager passes(&context);
  passes.addPass(createConvertGPUToSPIRVPass(/*mapMemorySpace=*/false));
  OpPassManager &modules = passes.nest<spirv::ModuleOp>();
  if (fixed)
    modules.addPass(createFixZeroTripLoopsPass());
  modules.addPass(spirv::createSPIRVLowerABIAttributesPass());
  modules.addPass(spirv::createSPIRVUpdateVCEPass());
  CompiledKernels kernels;
  llvm::StringMap<GpuModule> described;
  if (!module || failed(passes.run(*module)) || failed(emitSpirv(*module, kernels.image, described))) {
    ADD_FAILURE() << "the loop does not lower";
    return "";
  }
  kernels.modules.push_back(described.lookup("k"));
  if (llvm::Error error = translateToMsl(kernels, {"k"}))
    ADD_FAILURE() << llvm::toString(std::move(error));
  return std::string(kernels.image.begin(), kernels.image.end());
}

float sumOf(bool fixed, uint32_t times) {
  uint32_t scalars[4] = {times, 0, 0, 0};
  float out = 0;
  MslProgram program(loopText(fixed), "k");
  EXPECT_EQ(program.error(), "");
  EXPECT_TRUE(program.run({scalars, &out}, 1, 1, MslOrder::forward)) << program.error();
  return out;
}

TEST(Msl, LoopsThatDoNotRunKeepTheirInitialValues) {
  EXPECT_EQ(sumOf(true, 0), 7);
  EXPECT_EQ(sumOf(true, 3), 10);
}

// What upstream's lowering makes of it, without the pass that mends it. Once this fails, the pass can go.
TEST(Msl, FindsLoopsWithUndefinedResults) {
  EXPECT_EQ(sumOf(false, 3), 10);
  EXPECT_NE(sumOf(false, 0), 7);
}

} // namespace
} // namespace sinter::test
