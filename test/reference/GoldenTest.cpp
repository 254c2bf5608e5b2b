// The evaluator against the logits and greedy ids of a float64 reference with Hugging Face's tokenization: always for
// the model in the repository (tales.json), and for those in the shared folder beside it where that is present.

#include "frontend/Frontend.h"
#include "mlir/IR/MLIRContext.h"
#include "reference/Evaluator.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

using namespace llvm;

namespace sinter {
namespace {

constexpr char kShared[] = SINTER_SOURCE_DIR "/../shared";
constexpr int kGreedyTokens = 24;

uint32_t argmax(const Rows &logits) {
  Eigen::Index best;
  logits.row(logits.rows() - 1).maxCoeff(&best);
  return uint32_t(best);
}

class Golden : public testing::TestWithParam<const char *> {};

TEST_P(Golden, LogitsAndGreedyIds) {
  const std::string name = GetParam();
  const bool ours = name == "tales";
  const std::string directory = (ours ? SINTER_SOURCE_DIR : std::string(kShared)) + "/models/" + name;
  const std::string path =
      ours ? SINTER_SOURCE_DIR "/test/reference/tales.json" : std::string(kShared) + "/goldens/decoders.json";
  ErrorOr<std::unique_ptr<MemoryBuffer>> text = MemoryBuffer::getFile(path);
  if (!text && !ours)
    GTEST_SKIP() << "no goldens at " << kShared;
  ASSERT_TRUE(bool(text)) << path;
  Expected<json::Value> goldens = json::parse((*text)->getBuffer());
  ASSERT_TRUE(bool(goldens));

  mlir::MLIRContext context;
  Expected<ImportedModel> model = importHuggingFace(directory, context);
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  tx::ParamReader reader;
  Evaluator evaluator(*model->module, reader);

  for (const json::Value &prompt : *goldens->getAsObject()->getObject(name)->getArray("prompts")) {
    const json::Object &golden = *prompt.getAsObject();
    std::vector<uint32_t> ids;
    for (const json::Value &id : *golden.getArray("ids"))
      ids.push_back(uint32_t(*id.getAsInteger()));
    evaluator.reset();
    Expected<Rows> logits = evaluator.forward(ids);
    ASSERT_TRUE(bool(logits)) << toString(logits.takeError());
    for (const json::Value &pair : *golden.getArray("logits_top10")) {
      const json::Array &entry = *pair.getAsArray();
      EXPECT_NEAR((*logits)(logits->rows() - 1, *entry[0].getAsInteger()), *entry[1].getAsNumber(), 2e-3);
    }
    const json::Array &greedy = *golden.getArray("greedy");
    for (int i = 0; i < kGreedyTokens; ++i) {
      const uint32_t id = argmax(*logits);
      ASSERT_EQ(int64_t(id), *greedy[i].getAsInteger()) << name << ", token " << i;
      logits = evaluator.forward({id});
      ASSERT_TRUE(bool(logits)) << toString(logits.takeError());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::Values("tales", "stories260K", "stories15M", "minimind2-small"),
                         [](const testing::TestParamInfo<const char *> &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace sinter
