// The four decoders of shared/: every prompt's ids as Hugging Face's tokenizers give them, text and back, and the
// number of tokens in the evaluation files.

#include "TokenizerFixture.h"
#include "runtime/tokenizer/eval_documents.h"

using namespace sinter::test;

namespace {

class Goldens : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    std::string path = kShared + "/goldens/decoders.json";
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << path << " is absent";
    golden = nlohmann::json::parse(readFile(path))[GetParam()];
    directory = kShared + "/models/" + GetParam();
  }
  nlohmann::json golden;
  std::string directory;
};

TEST_P(Goldens, promptsHaveTheIds) {
  Compiled model(directory);
  for (const nlohmann::json &prompt : golden["prompts"]) {
    std::string text = prompt["text"];
    std::vector<uint32_t> ids = prompt["ids"];
    EXPECT_EQ(model.encode(text), ids) << text;
    // Special tokens that the prompt writes out are kept; the BOS that it does not is the first id.
    size_t skipped = model.tokenizer.info().prefix;
    ids.erase(ids.begin(), ids.begin() + skipped);
    EXPECT_EQ(model.decode(ids, 0), text);
  }
}

TEST_P(Goldens, streamsGiveTheSameText) {
  Compiled model(directory);
  std::string error;
  for (const nlohmann::json &prompt : golden["prompts"]) {
    std::vector<uint32_t> ids = prompt["greedy"];
    sinter::Detokenizer stream;
    ASSERT_TRUE(stream.create(model.tokenizer, SINTER_CONTINUE, error)) << error;
    std::string text;
    for (uint32_t id : ids)
      text += stream.push(id);
    text += stream.finish();
    EXPECT_EQ(text, model.decode(ids, SINTER_CONTINUE));
    EXPECT_FALSE(text.empty());
  }
}

class EvalGoldens : public Goldens {};

TEST_P(EvalGoldens, filesHaveTheTokens) {
  Compiled model(directory);
  std::string file = golden["eval"]["file"];
  std::vector<std::string> documents = sinter::splitEvalDocuments(readFile(kShared + "/goldens/" + file));
  EXPECT_EQ(documents.size(), golden["eval"]["documents"].get<size_t>());
  size_t longest = file == "tales-eval.txt" ? 256 : SIZE_MAX;
  size_t tokens = 0;
  for (const std::string &document : documents) {
    std::vector<uint32_t> ids = model.encode(document);
    EXPECT_EQ(model.decode(model.encode(document, SINTER_PARSE_SPECIAL), 0), document);
    tokens += std::min(ids.size(), longest) - 1; // the first is given, not predicted
  }
  EXPECT_EQ(tokens, golden["eval"]["tokens"].get<size_t>());
}

std::string nameOf(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, Goldens, testing::Values("stories260K", "stories15M", "minimind2-small", "tales"),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Models, EvalGoldens, testing::Values("stories15M", "minimind2-small", "tales"), nameOf);

} // namespace
