// What the files beside tokenizer.json add: roles of tokens, tokens of their own, BOS and EOS, the chat template.

#include "TokenizerFixture.h"

using namespace sinter::test;

namespace {

class Config : public testing::Test {
protected:
  void SetUp() override { directory.write("tokenizer.json", talesJson().dump()); }

  std::string chatTemplate() {
    std::string text;
    std::string error;
    EXPECT_TRUE(sinter::readChatTemplate(directory.path, text, error)) << error;
    return text;
  }
  ModelDirectory directory;
};

TEST(NoTokenizer, givesAnEmptySection) {
  ModelDirectory directory;
  std::vector<uint8_t> section = {1};
  std::string error;
  EXPECT_TRUE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_TRUE(section.empty());
  std::string text = "x";
  EXPECT_TRUE(sinter::readChatTemplate(directory.path, text, error));
  EXPECT_EQ(text, "");
}

TEST_F(Config, rolesFromEitherFile) {
  directory.write("tokenizer_config.json", R"({"bos_token": {"content": "<s>"}, "eos_token": null})");
  directory.write("special_tokens_map.json", R"({"eos_token": "</s>", "pad_token": {"content": "<no such>"}})");
  sinter_tokenizer_info info = Compiled(directory.path).tokenizer.info();
  EXPECT_EQ(info.bos, 1);
  EXPECT_EQ(info.eos, 2);
  EXPECT_EQ(info.pad, -1);
}

TEST_F(Config, tokensOfItsOwn) {
  directory.write("tokenizer_config.json",
                  R"({"added_tokens_decoder": {"1": {"content": "<s>", "special": true},
                                               "1030": {"content": "<|call|>", "special": true}}})");
  Compiled model(directory.path);
  EXPECT_EQ(model.encode("a<|call|>", SINTER_PARSE_SPECIAL).back(), 1030u);
  EXPECT_EQ(model.tokenizer.info().size, 1031u);
  sinter_token token;
  EXPECT_EQ(sinter_tokenizer_token(model.tokenizer.get(), 1029, &token), SINTER_ERROR_ARGUMENT);
}

TEST_F(Config, llamaClassesAddBosAndEosThemselves) {
  directory.write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": false,
                                               "add_eos_token": true, "bos_token": "<s>", "eos_token": "</s>"})");
  Compiled without(directory.path);
  EXPECT_EQ(without.encode("Once"), (std::vector<uint32_t>{389, 2}));
  EXPECT_FALSE(without.tokenizer.info().adds_bos);
  // Other classes leave it to the post-processor.
  directory.write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false})");
  EXPECT_EQ(Compiled(directory.path).encode("Once"), (std::vector<uint32_t>{1, 389}));
}

TEST_F(Config, chatTemplates) {
  directory.write("tokenizer_config.json", R"({"chat_template": "{{ messages }}"})");
  EXPECT_EQ(chatTemplate(), "{{ messages }}");
  directory.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                                                 {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(chatTemplate(), "plain");
  directory.write("chat_template.jinja", "from the file\n");
  EXPECT_EQ(chatTemplate(), "from the file\n");
}

TEST_F(Config, chatTemplateOfTheWrongType) {
  directory.write("tokenizer_config.json", R"({"chat_template": 5})");
  std::string text;
  std::string error;
  EXPECT_FALSE(sinter::readChatTemplate(directory.path, text, error));
  EXPECT_EQ(error, directory.path + "/tokenizer_config.json: chat_template: expected a string, found number");
}

} // namespace
