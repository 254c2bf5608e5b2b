// The tokenizers of encoders, WordPiece with BERT's normalizer and Unigram, over small vocabularies: ids as another
// implementation gives them. encoders.json says how it was made. What that implementation leaves out or does otherwise
// (SentencePiece's table of replacements, text from ids) is tested by hand.

#include "EncoderTokenizers.h"

#include "runtime/tokenizer/tokenizer_generated.h"

using namespace sinter::test;

namespace {

class Encoders : public testing::TestWithParam<size_t> {};

TEST_P(Encoders, stringsHaveTheIds) {
  const nlohmann::json &tokenizer = encodersFile()["tokenizers"][GetParam()];
  CompiledJson model(tokenizer["json"]);
  const nlohmann::json &strings = encodersFile()["strings"];
  ASSERT_EQ(strings.size(), tokenizer["ids"].size());
  for (size_t i = 0; i < strings.size(); ++i)
    EXPECT_EQ(model->encode(strings[i]), tokenizer["ids"][i].get<std::vector<uint32_t>>()) << strings[i];
}

INSTANTIATE_TEST_SUITE_P(All, Encoders, testing::Range<size_t>(0, 6), [](const testing::TestParamInfo<size_t> &info) {
  return encodersFile()["tokenizers"][info.param]["name"].get<std::string>();
});

TEST(EncodersFile, allAreTested) { EXPECT_EQ(encodersFile()["tokenizers"].size(), 6u); }

TEST(WordPiece, textFromIds) {
  CompiledJson bert(encoderJson("bert_uncased"));
  EXPECT_EQ(bert->decode(bert->encode("Once upon a time, there was!")), "once upon a time, there was!");
  EXPECT_EQ(bert->decode(bert->encode("don't stop")), "don ' t stop");
  EXPECT_STREQ(bert->tokenizer.info().model, "WordPiece");
  // The first token stands as it is.
  EXPECT_EQ(bert->decode({bert->idOf("##e"), bert->idOf("##e"), bert->idOf("a")}), "##ee a");
}

// White space, ideographs and small letters as the tokenizers library has them.
TEST(WordPiece, whatTheOtherImplementationDoesOtherwise) {
  CompiledJson bert(encoderJson("bert_uncased"));
  EXPECT_EQ(bert->encode("a\ufeffb"), bert->encode("ab"));
  EXPECT_EQ(bert->encode("a\u0085b"), bert->encode("ab"));
  EXPECT_EQ(bert->encode("a\U00020000b"), bert->encode("a \U00020000 b"));
  EXPECT_EQ(bert->encode("\u039f\u03a3"), bert->encode("\u03bf\u03c3"));
}

TEST(Unigram, bytesOfUnknownCharacters) {
  CompiledJson model(unigramWithBytes());
  const uint32_t first = model->idOf("<0x00>");
  std::vector<uint32_t> ids = model->encode("\u2192", 0); // E2 86 92
  ASSERT_GE(ids.size(), 3u);
  EXPECT_EQ(std::vector<uint32_t>(ids.end() - 3, ids.end()),
            (std::vector<uint32_t>{first + 0xE2, first + 0x86, first + 0x92}));
}

TEST(Unigram, textFromIds) {
  CompiledJson model(unigramWithBytes());
  EXPECT_EQ(model->decode(model->encode("Once upon a time")), "Once upon a time");
  EXPECT_STREQ(model->tokenizer.info().model, "Unigram");
}

// What stands around and between two texts, and the types, as published for BERT, RoBERTa and T5.
TEST(Pairs, tokensAndTypes) {
  const std::vector<uint32_t> first = {10, 11}, second = {12};
  auto joined = [&](const nlohmann::json &json) {
    CompiledJson model(json);
    std::vector<uint32_t> ids, types;
    std::string error;
    EXPECT_TRUE(model->tokenizer.join(first, second, ids, types, error)) << error;
    EXPECT_EQ(ids.size(), types.size());
    ids.insert(ids.end(), types.begin(), types.end());
    return ids;
  };
  nlohmann::json json = encoderJson("bert_uncased");
  const uint32_t cls = CompiledJson(json)->idOf("[CLS]"), sep = CompiledJson(json)->idOf("[SEP]");
  const std::vector<uint32_t> bert = {cls, 10, 11, sep, 12, sep, 0, 0, 0, 0, 1, 1};
  json["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", cls}}, {"sep", {"[SEP]", sep}}};
  EXPECT_EQ(joined(json), bert);
  json["post_processor"]["type"] = "RobertaProcessing";
  EXPECT_EQ(joined(json), (std::vector<uint32_t>{cls, 10, 11, sep, sep, 12, sep, 0, 0, 0, 0, 0, 0, 0}));
  json["post_processor"] = nlohmann::json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}],
      "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]})");
  json["post_processor"]["special_tokens"] = {{"[CLS]", {{"ids", {cls}}}}, {"[SEP]", {{"ids", {sep}}}}};
  EXPECT_EQ(joined(json), bert);

  nlohmann::json twice = json;
  twice["post_processor"]["pair"][3]["Sequence"]["id"] = "A";
  EXPECT_EQ(errorOf(twice),
            "model/tokenizer.json: post_processor.pair[3]: expected the texts, sequences A and B, once each");
  twice["post_processor"]["pair"].erase(3);
  EXPECT_EQ(errorOf(twice),
            "model/tokenizer.json: post_processor.pair: expected the texts, sequences A and B, once each");
}

TEST(Pairs, notOfEveryTokenizer) {
  nlohmann::json json = encoderJson("bert_uncased");
  json["post_processor"] = nullptr;
  CompiledJson model(json);
  std::vector<uint32_t> ids, types;
  std::string error;
  EXPECT_FALSE(model->tokenizer.join({1}, {2}, ids, types, error));
  EXPECT_EQ(error, "the tokenizer does not say how two texts stand together");
}

// The way with the largest sum, not the longest tokens: "abcd" as "a" + "bcd" (-3), not "abc" + "d" (-5).
TEST(Unigram, bestSumWins) {
  nlohmann::json json = encoderJson("t5");
  json["pre_tokenizer"] = nullptr;
  json["post_processor"] = nullptr;
  json["added_tokens"] = nlohmann::json::array();
  json["model"]["vocab"] = nlohmann::json::parse(
      R"([["<unk>", 0], ["a", -1], ["b", -4], ["abc", -2], ["bcd", -2], ["d", -3], ["abcd", -3.5]])");
  json["model"]["unk_id"] = 0;
  CompiledJson model(json);
  EXPECT_EQ(model->encode("abcd"), (std::vector<uint32_t>{1, 4}));
  // A run of unknown characters is one unknown token; known ones between keep their own.
  EXPECT_EQ(model->encode("xyaz"), (std::vector<uint32_t>{0, 1, 0}));
}

TEST(Charsmap, replaces) {
  nlohmann::json json = unigramWithBytes();
  json["pre_tokenizer"] = nullptr;
  json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", handmadeCharsmap()}};
  CompiledJson mapped(json);
  json["normalizer"] = nullptr;
  CompiledJson plain(json);
  EXPECT_EQ(mapped->encode("xAy\u00bdz"), plain->encode("xay1/2z"));
  EXPECT_EQ(mapped->encode("b\u00e9"), plain->encode("b\u00e9"));
  // A cluster of up to five bytes goes as a whole by the shortest of its starts; a longer one character by character.
  EXPECT_EQ(mapped->encode("A\u0301"), plain->encode("a"));
  EXPECT_EQ(mapped->encode("A\u0301\u0302\u0303"), plain->encode("a\u0301\u0302\u0303"));
}

// A table may make a text longer, but not without end.
TEST(Charsmap, bounded) {
  nlohmann::json json = unigramWithBytes();
  json["pre_tokenizer"] = nullptr;
  json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", handmadeCharsmap(std::string(1 << 20, 'b'))}};
  CompiledJson model(json);
  std::vector<uint32_t> ids;
  std::string error;
  for (const std::string &text : {std::string(200, 'A'), "A" + [] {
                                    std::string marks;
                                    for (int i = 0; i < 200; ++i)
                                      marks += "\u0301A";
                                    return marks;
                                  }()}) {
    EXPECT_FALSE(model->tokenizer.encode(text, 0, ids, error));
    EXPECT_EQ(error, "the normalizer makes the text longer than 134217728 bytes");
  }
}

// Encoding looks for a token's end as far as the longest one goes: a section must not say more than there is.
TEST(Unigram, longestIsChecked) {
  CompiledJson model(unigramWithBytes());
  std::vector<uint8_t> section = model->section;
  const flatbuffers::Table *unigram =
      reinterpret_cast<const flatbuffers::Table *>(sinter::tokens::GetTokenizer(section.data())->unigram());
  ASSERT_TRUE(
      const_cast<flatbuffers::Table *>(unigram)->SetField<uint32_t>(sinter::tokens::Unigram::VT_LONGEST, 5000, 0));
  sinter::Tokenizer tokenizer;
  std::string error;
  EXPECT_FALSE(tokenizer.open(section.data(), section.size(), error));
  EXPECT_NE(error.find("bytes, the Unigram table says 5000"), std::string::npos) << error;
}

TEST(Charsmap, damaged) {
  nlohmann::json json = unigramWithBytes();
  auto errorWith = [&](const std::string &map) {
    json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", map}};
    return errorOf(json);
  };
  EXPECT_EQ(errorWith("***"), "model/tokenizer.json: normalizer.precompiled_charsmap: expected base64");
  EXPECT_EQ(errorWith(base64(std::string("\xff\x00\x00\x00xx", 6))),
            "model/tokenizer.json: normalizer.precompiled_charsmap: the table says 255 bytes of array, but has 6");
  EXPECT_EQ(errorWith(base64(std::string("\x04\x00\x00\x00\x00\x00\x00\x00\xff", 9))),
            "model/tokenizer.json: the compiled tokenizer does not open: normalizer step 0: the replacements are not "
            "UTF-8 ended by a zero");
}

} // namespace
