// Every family of encoders and every head in numbers: models with random weights are imported, the evaluator runs the
// imported program, and the output is that of encoder_reference.py, which follows the public definitions in float64 and
// shares nothing with this code.

#include "frontend/Frontend.h"
#include "reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace sinter;

namespace {

// As in encoder_reference.py.
constexpr uint32_t kTokens = 48;

class Encoders : public testing::TestWithParam<const char *> {};

TEST_P(Encoders, OutputIsThatOfTheDefinition) {
  const std::string directory = std::string(SINTER_TEST_MODELS) + "/" + GetParam();
  mlir::MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(directory, context);
  ASSERT_TRUE(static_cast<bool>(model)) << llvm::toString(model.takeError());
  ASSERT_TRUE(model->info.encoder.has_value());
  const int64_t width = model->info.encoder->outputWidth, types = std::max<int64_t>(model->info.encoder->types, 1);
  const int64_t rows = model->info.encoder->task == EncoderTask::tag ? kTokens : 1;
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file = llvm::MemoryBuffer::getFile(directory + "/output.f32");
  ASSERT_TRUE(static_cast<bool>(file)) << directory;
  ASSERT_EQ((*file)->getBufferSize(), rows * width * sizeof(float));
  Rows expected(rows, width);
  std::memcpy(expected.data(), (*file)->getBufferStart(), (*file)->getBufferSize());

  std::vector<uint32_t> ids, kinds;
  for (uint32_t i = 0; i < kTokens; ++i) {
    ids.push_back((7 * i * i + 3 * i + 1) % model->info.vocab);
    kinds.push_back(i / 20 % types);
  }
  tx::ParamReader reader;
  Evaluator evaluator(*model->module, reader);
  llvm::Expected<Rows> actual = evaluator.forward(ids, kinds);
  ASSERT_TRUE(static_cast<bool>(actual)) << llvm::toString(actual.takeError());
  ASSERT_EQ(actual->rows(), rows);
  // f32 against f64 over a few layers of values of size 1; a wrong trait moves them by more than 0.01.
  EXPECT_LT((*actual - expected).cwiseAbs().maxCoeff(), 2e-5);
  EXPECT_GT(expected.cwiseAbs().maxCoeff(), 0.05);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Encoders,
                         testing::ValuesIn(std::initializer_list<const char *>{SINTER_TEST_ENCODER_NAMES}),
                         [](const testing::TestParamInfo<const char *> &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
