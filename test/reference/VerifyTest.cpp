// --verify tells a right package from a wrong one: the shipped model passes against itself, and fails against a
// specification that differs from it in a single norm or in two layers that changed places.

#include "reference/Verify.h"
#include "codegen/Codegen.h"
#include "codegen/Package.h"
#include "dialects/sched/Sched.h"
#include "frontend/Frontend.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Pipeline.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

using namespace llvm;

namespace sinter {
namespace {

sinter_model_options optionsFor(const char *isa) {
  sinter_model_options options = {};
  options.api_version = SINTER_API_VERSION;
  options.isa = isa;
  return options;
}

class Verify : public testing::Test {
protected:
  // One package for all tests: tales in q8 for the target that every x86-64 runs.
  static void SetUpTestSuite() {
    ASSERT_FALSE(bool(sys::fs::createTemporaryFile("sinter-verify", "sinter", path)));
    mlir::MLIRContext context;
    context.loadDialect<tx::TxDialect, sched::SchedDialect, kern::KernDialect>();
    ImportedModel model = cantFail(importHuggingFace(SINTER_SOURCE_DIR "/models/tales", context));
    PipelineOptions options;
    options.format = "q8";
    options.context = 64;
    options.prefillTokens = 16;
    mlir::PassManager passes(&context);
    buildPipeline(passes, options);
    ASSERT_TRUE(succeeded(passes.run(*model.module)));
    PackageContents contents;
    contents.module = *model.module;
    contents.info = model.info;
    contents.code.push_back(cantFail(compileKernels(*model.module, *findTarget("x86-64"))));
    tx::ParamReader reader;
    cantFail(writePackage(contents, reader, path.str().str(), {}).takeError());
  }
  static void TearDownTestSuite() { sys::fs::remove(path); }

  Verify() : model(cantFail(importHuggingFace(SINTER_SOURCE_DIR "/models/tales", context))) {}

  tx::ParamOp param(StringRef name) { return model.module->lookupSymbol<tx::ParamOp>(name); }

  VerifyReport verify() {
    std::vector<uint32_t> ids = {1};
    while (ids.size() < 40)
      ids.push_back(3 + ids.size() * 29 % 1000);
    tx::ParamReader reader;
    return cantFail(verifyPackage(path.str().str(), optionsFor(nullptr), *model.module, reader, ids));
  }

  static SmallString<128> path;
  mlir::MLIRContext context;
  ImportedModel model;
};
SmallString<128> Verify::path;

TEST_F(Verify, RightPackagePasses) {
  VerifyReport report = verify();
  EXPECT_TRUE(report.passed);
  EXPECT_EQ(report.isa, "x86-64");
  EXPECT_EQ(report.positions, 40);
  ASSERT_EQ(report.layers.size(), 6u);
  EXPECT_EQ(report.layers[5].name, "layers.5");
  EXPECT_GT(report.layers[5].relative, 0);
  EXPECT_GE(report.layers[5].largest, report.layers[5].relative * 1e-3);
  EXPECT_GT(report.klMean, 0);
  EXPECT_GE(report.klMax, report.klMean);
  EXPECT_GT(report.top1Agreement, 0.9);
}

TEST_F(Verify, OtherNormFails) {
  param("layers.2.input_norm").setOffset(param("layers.3.input_norm").getOffset());
  VerifyReport report = verify();
  EXPECT_FALSE(report.passed);
  EXPECT_LE(report.layers[1].relative, report.errorBound);
  EXPECT_GT(report.layers[2].relative, report.layers[1].relative);
}

TEST_F(Verify, ExchangedLayersFail) {
  const int64_t first = param("layers.1.o").getOffset(), second = param("layers.4.o").getOffset();
  param("layers.1.o").setOffset(second);
  param("layers.4.o").setOffset(first);
  VerifyReport report = verify();
  EXPECT_FALSE(report.passed);
  EXPECT_GT(report.klMean, report.klBound);
}

TEST_F(Verify, NoTokens) {
  tx::ParamReader reader;
  Expected<VerifyReport> report = verifyPackage(path.str().str(), optionsFor(nullptr), *model.module, reader, {});
  ASSERT_FALSE(bool(report));
  EXPECT_EQ(toString(report.takeError()), path.str().str() + ": cannot be verified with no tokens");
}

TEST_F(Verify, UnknownIsa) {
  tx::ParamReader reader;
  Expected<VerifyReport> report = verifyPackage(path.str().str(), optionsFor("x86-64-avx2"), *model.module, reader, {1});
  ASSERT_FALSE(bool(report));
  EXPECT_NE(toString(report.takeError()).find("x86-64-avx2"), std::string::npos);
}

} // namespace
} // namespace sinter
