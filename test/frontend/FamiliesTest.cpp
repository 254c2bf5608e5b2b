// Every family and trait in numbers: models with random weights are imported, the evaluator runs the imported program,
// and the logits are those of decoder_reference.py, which follows the families' public definitions in float64 and
// shares nothing with this code. Tokens come in two steps and reach beyond every window.

#include "frontend/Frontend.h"
#include "reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace sinter;

namespace {

// As in decoder_reference.py.
constexpr uint32_t kTokens = 48, kFirstStep = 29;
uint32_t token(uint32_t i, int64_t vocab) { return (7 * i * i + 3 * i + 1) % vocab; }

class Families : public testing::TestWithParam<const char *> {};

TEST_P(Families, LogitsAreThoseOfTheDefinition) {
  const std::string directory = std::string(SINTER_TEST_MODELS) + "/" + GetParam();
  mlir::MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(directory, context);
  ASSERT_TRUE(static_cast<bool>(model)) << llvm::toString(model.takeError());
  const int64_t vocab = model->info.vocab;
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file = llvm::MemoryBuffer::getFile(directory + "/logits.f32");
  ASSERT_TRUE(static_cast<bool>(file)) << directory;
  ASSERT_EQ((*file)->getBufferSize(), kTokens * vocab * sizeof(float));
  Rows expected(kTokens, vocab);
  std::memcpy(expected.data(), (*file)->getBufferStart(), (*file)->getBufferSize());

  std::vector<uint32_t> ids;
  for (uint32_t i = 0; i < kTokens; ++i)
    ids.push_back(token(i, vocab));
  tx::ParamReader reader;
  Evaluator evaluator(*model->module, reader);
  llvm::ArrayRef<uint32_t> all(ids);
  llvm::Expected<Rows> first = evaluator.forward(all.take_front(kFirstStep));
  ASSERT_TRUE(static_cast<bool>(first)) << llvm::toString(first.takeError());
  llvm::Expected<Rows> second = evaluator.forward(all.drop_front(kFirstStep));
  ASSERT_TRUE(static_cast<bool>(second)) << llvm::toString(second.takeError());

  // f32 against f64 over a few layers of logits within 10: 1e-5 would be typical, a wrong trait moves them by 0.1.
  EXPECT_LT((*first - expected.topRows(kFirstStep)).cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_LT((*second - expected.bottomRows(kTokens - kFirstStep)).cwiseAbs().maxCoeff(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Families,
                         testing::ValuesIn(std::initializer_list<const char *>{SINTER_TEST_MODEL_NAMES}),
                         [](const testing::TestParamInfo<const char *> &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
