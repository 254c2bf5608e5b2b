// What cannot be compiled says so: the file, the place in it, what was found, and what there is.

#include "TokenizerFixture.h"

using namespace sinter::test;
using nlohmann::json;

namespace {

std::string errorWith(const char *pointer, const json &value) {
  json tokenizer = talesJson();
  tokenizer[json::json_pointer(pointer)] = value;
  return errorOf(tokenizer);
}

TEST(CompilerErrors, unsupportedComponentsAreNamed) {
  EXPECT_EQ(errorWith("/pre_tokenizer/pretokenizers/1", {{"type", "Foo"}}),
            "model/tokenizer.json: pre_tokenizer.pretokenizers[1]: type 'Foo' is not supported (supported: Sequence, "
            "Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, "
            "CharDelimiterSplit)");
  EXPECT_EQ(errorWith("/normalizer", {{"type", "Nmt"}}),
            "model/tokenizer.json: normalizer: type 'Nmt' is not supported (supported: Sequence, Prepend, "
            "Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, BertNormalizer, Precompiled)");
  EXPECT_EQ(errorWith("/model/type", "WordLevel"),
            "model/tokenizer.json: model: type 'WordLevel' is not supported (supported: BPE, WordPiece, Unigram)");
  EXPECT_EQ(errorWith("/decoder/type", "CTC"),
            "model/tokenizer.json: decoder: type 'CTC' is not supported (supported: Sequence, ByteLevel, Replace, "
            "ByteFallback, Fuse, Strip, Metaspace, WordPiece)");
  EXPECT_EQ(errorWith("/post_processor/type", "Bar"),
            "model/tokenizer.json: post_processor: type 'Bar' is not supported (supported: Sequence, ByteLevel, "
            "TemplateProcessing, RobertaProcessing, BertProcessing)");
  EXPECT_EQ(errorWith("/pre_tokenizer/pretokenizers/0/behavior", "Shuffled"),
            "model/tokenizer.json: pre_tokenizer.pretokenizers[0].behavior: behavior 'Shuffled' is not supported "
            "(supported: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous)");
  EXPECT_EQ(errorWith("/model/end_of_word_suffix", "</w>"),
            "model/tokenizer.json: model.end_of_word_suffix: '</w>' is not supported (expected none)");
}

TEST(CompilerErrors, wrongValuesAreNamed) {
  EXPECT_EQ(errorWith("/added_tokens/1/id", "one"),
            "model/tokenizer.json: added_tokens[1].id: expected a whole number, found string");
  EXPECT_EQ(errorWith("/added_tokens/1/id", 18446744073709551615u),
            "model/tokenizer.json: added_tokens[1].id: expected a number from 0 to 16777215, found "
            "18446744073709551615");
  EXPECT_EQ(errorWith("/model/vocab", json::array()),
            "model/tokenizer.json: model.vocab: expected an object, found array");
  EXPECT_EQ(errorWith("/model/vocab/the", -3),
            "model/tokenizer.json: model.vocab.the: expected a number from 0 to 16777215, found -3");
  EXPECT_EQ(errorWith("/model/merges/7", "abc"),
            "model/tokenizer.json: model.merges: merge 7: expected \"a b\" or [\"a\", \"b\"]");
  EXPECT_EQ(errorWith("/model/merges/7", json::array({"q", "zzz"})),
            "model/tokenizer.json: model.merges: merge 7: 'zzz' is not in the vocabulary");
  EXPECT_EQ(errorWith("/model/unk_token", "[UNK]"),
            "model/tokenizer.json: model.unk_token: '[UNK]' is not in the vocabulary");
  EXPECT_EQ(errorWith("/model", nullptr), "model/tokenizer.json: model: expected an object, found null");
  int the = talesJson()["model"]["vocab"]["Ġthe"];
  EXPECT_EQ(errorWith("/model/vocab/then", the),
            "model/tokenizer.json: id " + std::to_string(the) + " belongs to 'then' and to 'Ġthe'");
  EXPECT_EQ(errorWith("/model/vocab/far", 16777215),
            "model/tokenizer.json: 1028 tokens have ids up to 16777215: too many ids without a token");
  EXPECT_EQ(errorWith("/post_processor/single/0/SpecialToken/id", "<x>"),
            "model/tokenizer.json: post_processor.single[0]: '<x>' is not in special_tokens");
}

TEST(CompilerErrors, wrongModelsOfEncodersAreNamed) {
  auto errorOfModel = [](const json &model) {
    json tokenizer = talesJson();
    tokenizer["model"] = model;
    return errorOf(tokenizer);
  };
  EXPECT_EQ(errorOfModel({{"type", "WordPiece"}, {"vocab", {{"a", 0}}}, {"unk_token", "[UNK]"}}),
            "model/tokenizer.json: model.unk_token: '[UNK]' is not in the vocabulary");
  EXPECT_EQ(errorOfModel({{"type", "Unigram"}, {"vocab", {{"a", 0}}}, {"unk_id", 0}}),
            "model/tokenizer.json: model.vocab: expected an array, found object");
  EXPECT_EQ(errorOfModel({{"type", "Unigram"}, {"vocab", json::array({json::array({"a", "b"})})}, {"unk_id", 0}}),
            "model/tokenizer.json: model.vocab: token 0: expected a text and a score");
  EXPECT_EQ(errorOfModel({{"vocab", {{"a", 0}}}}),
            "model/tokenizer.json: model: no type, and nothing that tells it (supported: BPE, WordPiece, Unigram)");
}

TEST(CompilerErrors, sequencesDoNotNestForever) {
  json nested = {{"type", "Sequence"}, {"pretokenizers", json::array()}};
  for (int i = 0; i < 40; ++i)
    nested = {{"type", "Sequence"}, {"pretokenizers", {nested}}};
  std::string error = errorWith("/pre_tokenizer", nested);
  EXPECT_NE(error.find("sequences are nested more than 16 deep"), std::string::npos) << error;

  json many = {{"type", "Sequence"}, {"normalizers", json::array()}};
  for (int i = 0; i < 100; ++i)
    many["normalizers"].push_back({{"type", "NFC"}});
  EXPECT_EQ(errorWith("/normalizer", many), "model/tokenizer.json: normalizer.normalizers[64]: more than 64 steps");
}

TEST(CompilerErrors, whatIsNotJson) {
  ModelDirectory directory;
  std::vector<uint8_t> section;
  std::string error;
  directory.write("tokenizer.json", "{\"model\": ");
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_EQ(error, directory.path + "/tokenizer.json: not JSON: error at byte 11");
  directory.write("tokenizer.json", "");
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  directory.write("tokenizer.json", std::string("{}\0", 3));
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_EQ(error, directory.path + "/tokenizer.json: not JSON: error at byte 3");
  directory.write("tokenizer.json", "[]");
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_EQ(error, directory.path + "/tokenizer.json: expected an object, found array");
}

TEST(CompilerErrors, otherFilesAreNamed) {
  ModelDirectory directory;
  std::vector<uint8_t> section;
  std::string error;
  directory.write("tokenizer.json", talesJson().dump());
  directory.write("tokenizer_config.json", R"({"bos_token": 7})");
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_EQ(error, directory.path + "/tokenizer_config.json: bos_token: expected a string, found number");
  directory.write("tokenizer_config.json", R"({"added_tokens_decoder": {"12x": {"content": "a"}}})");
  EXPECT_FALSE(sinter::compileTokenizer(directory.path, section, error));
  EXPECT_EQ(error, directory.path + "/tokenizer_config.json: added_tokens_decoder.12x: expected an id, found '12x'");
}

} // namespace
