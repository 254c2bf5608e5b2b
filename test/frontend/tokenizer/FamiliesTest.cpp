// The pipelines of well-known tokenizers (GPT-2, Llama 2 and 3, Qwen, o200k, DeepSeek, Mistral, Gemma) over a small
// vocabulary of ours: ids as another implementation gives them. families.json says how it was made.

#include "TokenizerFixture.h"

using namespace sinter::test;

namespace {

const nlohmann::json &families() {
  static const nlohmann::json json =
      nlohmann::json::parse(readFile(kSource + "/test/frontend/tokenizer/families.json"));
  return json;
}

nlohmann::json tokenizerOf(const nlohmann::json &family) {
  nlohmann::json json = family["vocabulary"] == "sentence" ? sentenceJson() : talesJson();
  json.update(family["patch"]);
  json["model"].update(family["model"]);
  return json;
}

class Families : public testing::TestWithParam<size_t> {};

TEST_P(Families, stringsHaveTheIds) {
  const nlohmann::json &family = families()["families"][GetParam()];
  CompiledJson model(tokenizerOf(family));
  const nlohmann::json &strings = families()["strings"];
  ASSERT_EQ(strings.size(), family["ids"].size());
  for (size_t i = 0; i < strings.size(); ++i)
    EXPECT_EQ(model->encode(strings[i]), family["ids"][i].get<std::vector<uint32_t>>()) << strings[i];
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::Range<size_t>(0, 11), [](const testing::TestParamInfo<size_t> &info) {
  return families()["families"][info.param]["name"].get<std::string>();
});

TEST(FamiliesFile, allAreTested) { EXPECT_EQ(families()["families"].size(), 11u); }

TEST(Tales, knowsItsTokens) {
  Compiled tales(kTales);
  EXPECT_EQ(tales.encode("Once upon a time"), (std::vector<uint32_t>{1, 389, 391, 261, 362}));
  sinter_tokenizer_info info = tales.tokenizer.info();
  EXPECT_EQ(info.size, 1024u);
  EXPECT_EQ(info.bos, 1);
  EXPECT_EQ(info.eos, 2);
  EXPECT_EQ(info.unk, 0);
  EXPECT_EQ(info.pad, -1);
  EXPECT_EQ(info.prefix, 1u);
  EXPECT_EQ(info.suffix, 0u);
  EXPECT_TRUE(info.adds_bos);
  EXPECT_STREQ(info.model, "BPE");
}

// The bytes do not depend on anything but the files.
TEST(Tales, compilesToTheSameBytes) { EXPECT_EQ(Compiled(kTales).section, Compiled(kTales).section); }

} // namespace
