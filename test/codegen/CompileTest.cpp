// Images and errors: what the runtime relies on in an image, that the same kernels always give the same bytes, and what
// is said about specs that cannot be built. All targets, whether this machine runs them or not.

#include "KernelHarness.h"

#include "dialects/sched/Sched.h"
#include "runtime/package_generated.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Object/ELFObjectFile.h"
#include "gtest/gtest.h"

#include <thread>

namespace sinter::test {
namespace {

constexpr const char *kKernels = R"(
sched.kernel @rows #kern.rows<width = 96, norm = <kind = rms, epsilon = 1.0e-5 : f32>, quantize = "q4">
sched.kernel @prefill #kern.linear<rows = 96, columns = 96, format = "q4", glu = gelu>
sched.kernel @decode #kern.linear<rows = 96, columns = 96, format = "q4", fused_rows = true, single = true>
)";
constexpr const char *kGpuKernels = R"(
sched.kernel @rows #kern.rows<width = 96, norm = <kind = rms, epsilon = 1.0e-5 : f32>, quantize = "q4">
sched.kernel @prefill #kern.linear<rows = 96, columns = 96, format = "q4", glu = gelu, tokens_per_unit = 8>
)";

class CompileTest : public testing::TestWithParam<const Target *> {
protected:
  CompileTest() { context.loadDialect<tx::TxDialect, kern::KernDialect, sched::SchedDialect>(); }
  llvm::Expected<CompiledKernels> compile(const std::string &text) {
    mlir::OwningOpRef<mlir::ModuleOp> module =
        mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context));
    return compileKernels(*module, *GetParam());
  }
  // Those that a target of this kind is asked for.
  static const char *kernels() { return GetParam()->isGpu() ? kGpuKernels : kKernels; }
  std::string errorOf(const std::string &spec) {
    llvm::Expected<CompiledKernels> compiled = compile("sched.kernel @k " + spec);
    return compiled ? "no error" : llvm::toString(compiled.takeError());
  }
  mlir::MLIRContext context;
};

class ElfTest : public CompileTest {};
class SpirvTest : public CompileTest {};

TEST_P(ElfTest, ImageIsOneSegmentAtItsFileOffsets) {
  llvm::Expected<CompiledKernels> compiled = compile(kKernels);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  llvm::StringRef bytes(reinterpret_cast<const char *>(compiled->image.data()), compiled->image.size());
  llvm::Expected<llvm::object::ELF64LEFile> file = llvm::object::ELF64LEFile::create(bytes);
  ASSERT_TRUE(bool(file));
  EXPECT_EQ(file->getHeader().e_type, llvm::ELF::ET_DYN);
  int loaded = 0;
  for (const auto &segment : llvm::cantFail(file->program_headers()))
    if (segment.p_type == llvm::ELF::PT_LOAD) {
      ++loaded;
      EXPECT_EQ(segment.p_offset, segment.p_vaddr);
      EXPECT_EQ(segment.p_flags, llvm::ELF::PF_R | llvm::ELF::PF_X);
      for (uint64_t entry : compiled->entries)
        EXPECT_TRUE(entry >= segment.p_vaddr && entry < segment.p_vaddr + segment.p_filesz);
    }
  EXPECT_EQ(loaded, 1);
  for (const auto &section : llvm::cantFail(file->sections())) {
    EXPECT_NE(section.sh_type, llvm::ELF::SHT_RELA);
    EXPECT_NE(section.sh_type, llvm::ELF::SHT_REL);
  }
}

TEST_P(ElfTest, ReportsScratchAndStackPerKernel) {
  llvm::Expected<CompiledKernels> compiled = compile(kKernels);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  ASSERT_EQ(compiled->scratchBytes.size(), 3u);
  ASSERT_EQ(compiled->stackBytes.size(), 3u);
  // Decoding quantizes into scratch: 96 codes, three scales, three sums, each from a multiple of 64 on.
  EXPECT_EQ(compiled->scratchBytes[2], 128u + 64 + 64);
  for (uint32_t stack : compiled->stackBytes)
    EXPECT_LT(stack, 16384u);
}

TEST_P(CompileTest, SameBytesEveryTimeAndOnAnyThread) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(kernels(), mlir::ParserConfig(&context));
  std::vector<uint8_t> images[3];
  auto compileInto = [&](std::vector<uint8_t> &image) {
    image = llvm::cantFail(compileKernels(*module, *GetParam())).image;
  };
  compileInto(images[0]);
  std::thread other([&] { compileInto(images[1]); });
  compileInto(images[2]);
  other.join();
  EXPECT_EQ(images[0], images[1]);
  EXPECT_EQ(images[0], images[2]);
}

TEST_P(CompileTest, RejectsSpecsWithReasons) {
  std::string target = "target " + GetParam()->name.str() + ": kernel 'k' cannot be built: kernel 'k': ";
  EXPECT_EQ(errorOf("#kern.linear<rows = 8, columns = 8, format = \"q3\">"),
            target + "unknown format 'q3', expected one of " + formatNames());
  EXPECT_EQ(
      errorOf("#kern.linear<rows = 8, columns = 8, format = \"q8\", norm = <kind = rms, epsilon = 1.0e-5 : f32>>"),
      target + "norm needs fused_rows where the input is quantized");
}

// What GPUs cannot do yet, or never will, is said before anything is lowered.
TEST_P(SpirvTest, RejectsWhatIsForCpus) {
  std::string start = "target " + GetParam()->name.str() + ": kernel 'k' cannot be built: kernel 'k': ";
  EXPECT_EQ(errorOf("#kern.linear<rows = 8, columns = 8, format = \"q8\", fused_rows = true, single = true>"),
            start + "fused_rows of a quantized product is for CPUs, on a GPU rows are quantized by a kernel of their own");
}

// A module per kernel, one after the other, and what a device must have for each.
TEST_P(SpirvTest, DescribesModules) {
  llvm::Expected<CompiledKernels> compiled = compile(kGpuKernels);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  ASSERT_EQ(compiled->modules.size(), 2u);
  const GpuModule &rows = compiled->modules[0], &product = compiled->modules[1];
  EXPECT_EQ(rows.offset, 0u);
  EXPECT_EQ(product.offset, rows.size);
  EXPECT_EQ(product.offset + product.size, compiled->image.size());
  EXPECT_EQ(rows.workgroup, 32u);
  EXPECT_EQ(product.workgroup, 32u);
  const bool asks = GetParam()->code == CodeKind::spirv; // Metal has both everywhere
  EXPECT_EQ(rows.features, asks ? uint64_t(package::GpuFeature::storage_8bit) : 0) << "it stores codes";
  EXPECT_EQ(product.features, asks ? uint64_t(package::GpuFeature::storage_16bit) : 0) << "it loads scales";
  // in, weight; codes, scales, sums: all with one type. The weights of a product are codes and scales.
  EXPECT_EQ(rows.slots, (std::vector<uint8_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(product.slots, (std::vector<uint8_t>{0, 1, 2, 3, 3, 4}));
  EXPECT_EQ(product.workgroupBytes, 8u * 32 * 4) << "gates of eight tokens";
}

// Whose invocations share nothing can have several units in a workgroup; in Metal, whose texts have no constant, none has.
TEST_P(SpirvTest, ProductsShareWorkgroups) {
  llvm::Expected<CompiledKernels> compiled = compile(R"(
sched.kernel @rows #kern.rows<width = 96, quantize = "q4">
sched.kernel @product #kern.linear<rows = 96, columns = 96, format = "q4", residual = true, single = true>
)");
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  EXPECT_FALSE(compiled->modules[0].sharesWorkgroups);
  EXPECT_EQ(compiled->modules[1].sharesWorkgroups, GetParam()->code == CodeKind::spirv);
}

auto targetsThat(bool areGpus) {
  std::vector<const Target *> chosen;
  for (const Target &target : targets())
    if (target.isGpu() == areGpus)
      chosen.push_back(&target);
  return testing::ValuesIn(chosen);
}
std::string nameOf(const testing::TestParamInfo<const Target *> &info) {
  std::string name = info.param->name.str();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Cpus, CompileTest, targetsThat(false), nameOf);
INSTANTIATE_TEST_SUITE_P(Gpus, CompileTest, targetsThat(true), nameOf);
INSTANTIATE_TEST_SUITE_P(Cpus, ElfTest, targetsThat(false), nameOf);
INSTANTIATE_TEST_SUITE_P(Gpus, SpirvTest, targetsThat(true), nameOf);

std::vector<std::string> parsed(llvm::StringRef text) {
  std::vector<const Target *> chosen;
  std::string error;
  if (!parseTargets(text, chosen, error))
    return {error};
  std::vector<std::string> names;
  for (const Target *target : chosen)
    names.push_back(target->name.str());
  return names;
}

TEST(TargetTest, NamesSelectFromTheTable) {
  using Names = std::vector<std::string>;
  Names all;
  for (const Target &target : targets())
    if (!target.isGpu())
      all.push_back(target.name.str());
  EXPECT_EQ(parsed("all"), all);
  EXPECT_EQ(parsed("x86-64-avx2, x86-64"), (Names{"x86-64", "x86-64-avx2"})) << "in the table's order";
  EXPECT_EQ(parsed("x86-64,all"), all) << "each once";
  EXPECT_EQ(parsed("native").size(), 1u);
  EXPECT_TRUE(llvm::is_contained(parsed("host"), parsed("native").front()));
  EXPECT_EQ(parsed("").size(), 1u);
}

TEST(TargetTest, UnknownNamesAreErrorsThatListTheOthers) {
  std::string error = parsed("z80").front();
  EXPECT_EQ(error.find("unknown target 'z80', expected all, host, native, or x86-64, x86-64-avx2, "), 0u) << error;
  EXPECT_NE(error.find("aarch64-linux, "), std::string::npos) << error;
}

// A system's name stands for all levels, which the loader chooses from; levels and CPUs for one.
TEST(TargetTest, SystemsAndCpusStandForTargets) {
  using Names = std::vector<std::string>;
  EXPECT_GT(parsed("aarch64-linux").size(), 1u);
  EXPECT_EQ(parsed("aarch64-linux+dotprod"), Names{"aarch64-dotprod"});
  EXPECT_EQ(parsed("cortex-a72"), Names{"aarch64"});
  EXPECT_EQ(parsed("neoverse-n1,apple-m1"), Names{"aarch64-dotprod"});
  for (const TargetAlias &alias : targetAliases())
    for (llvm::StringRef name : llvm::split(alias.targets, ','))
      EXPECT_TRUE(findTarget(name)) << alias.name.str() << " names " << name.str();
}

} // namespace
} // namespace sinter::test
