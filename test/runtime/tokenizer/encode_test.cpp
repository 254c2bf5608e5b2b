// The C API from text to ids: flags, capacities, ill-formed input, and time on texts that are one long word.

#include "test/frontend/tokenizer/TokenizerFixture.h"

#include <chrono>

using namespace sinter::test;
using nlohmann::json;

namespace {

using Ids = std::vector<uint32_t>;

json withAdded(json tokenizer, std::initializer_list<json> tokens) {
  for (const json &token : tokens)
    tokenizer["added_tokens"].push_back(token);
  return tokenizer;
}

TEST(Encode, specialTokensOnlyWhenAsked) {
  Compiled tales(kTales);
  EXPECT_EQ(tales.encode("</s>", SINTER_PARSE_SPECIAL), Ids{2});
  Ids asText = tales.encode("</s>", 0);
  EXPECT_GT(asText.size(), 1u);
  EXPECT_EQ(tales.decode(asText), "</s>");
  EXPECT_EQ(tales.encode("", SINTER_ADD_SPECIAL), Ids{1});
  EXPECT_EQ(tales.encode("", 0), Ids());
}

TEST(Encode, addedTokensTakeWhatTheirFlagsSay) {
  CompiledJson model(
      withAdded(talesJson(), {{{"id", 2000}, {"content", "<l>"}, {"lstrip", true}, {"normalized", false}},
                              {{"id", 2001}, {"content", "<r>"}, {"rstrip", true}, {"normalized", false}},
                              {{"id", 2002}, {"content", "cat"}, {"single_word", true}, {"normalized", false}},
                              {{"id", 2003}, {"content", "<l><r>"}, {"normalized", false}}}));
  uint32_t a = model->encode("a", 0)[0];
  EXPECT_EQ(model->encode("a \n\u3000<l>a", 0), (Ids{a, 2000, a}));
  EXPECT_EQ(model->encode("a<r> \ta", 0), (Ids{a, 2001, a}));
  EXPECT_EQ(model->encode("<r> <l>", 0), (Ids{2001, 2000})); // white space is taken once
  EXPECT_EQ(model->encode("<l><r>", 0), Ids{2003});          // the longest
  EXPECT_EQ(model->encode("cat", 0), Ids{2002});
  EXPECT_EQ(model->encode("(cat)", 0)[1], 2002u);
  for (const char *inside : {"cats", "acat", "cat_", "\u00e9cat"})
    for (uint32_t id : model->encode(inside, 0))
      EXPECT_NE(id, 2002u) << inside;
}

TEST(Encode, normalizedAddedTokensAreLookedForAfterTheNormalizer) {
  json tokenizer = talesJson();
  tokenizer["normalizer"] = {{"type", "Lowercase"}};
  CompiledJson model(withAdded(tokenizer, {{{"id", 2000}, {"content", "MiXed"}, {"normalized", true}},
                                           {{"id", 2001}, {"content", "RAW"}, {"normalized", false}}}));
  EXPECT_EQ(model->encode("mixed", 0), Ids{2000});
  EXPECT_EQ(model->encode("MIXED", 0), Ids{2000});
  EXPECT_EQ(model->encode("RAW", 0), Ids{2001});
  EXPECT_NE(model->encode("raw", 0), Ids{2001});
}

TEST(Encode, illFormedTextIsReadAsReplacements) {
  Compiled tales(kTales);
  EXPECT_EQ(tales.encode("a\xFF\xE4\xBD z", 0), tales.encode("a\uFFFD\uFFFD z", 0));
}

TEST(Encode, unknownCharacters) {
  json tokenizer = sentenceJson();
  tokenizer["pre_tokenizer"] = nullptr;
  tokenizer["model"]["byte_fallback"] = false;
  uint32_t a = tokenizer["model"]["vocab"]["a"];
  EXPECT_EQ(CompiledJson(tokenizer)->encode("\u4f60\u4f60a\u4f60", 0), (Ids{0, a, 0}));
  tokenizer["model"]["fuse_unk"] = false;
  EXPECT_EQ(CompiledJson(tokenizer)->encode("\u4f60\u4f60a\u4f60", 0), (Ids{0, 0, a, 0}));
  tokenizer["model"]["unk_token"] = nullptr;
  EXPECT_EQ(CompiledJson(tokenizer)->encode("\u4f60\u4f60a\u4f60", 0), Ids{a});
}

TEST(Encode, behaviorsOfSplit) {
  struct Row {
    const char *behavior;
    bool invert;
    const char *pieces; // of "aa--b-", as the merges below keep pieces apart
  };
  // With one merge for every pair of the letters, a piece is one token: its text tells where the splits were.
  json tokenizer = talesJson();
  tokenizer["model"] = {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}, {"ignore_merges", true}};
  int id = 3;
  tokenizer["added_tokens"] = json::array();
  tokenizer["post_processor"] = nullptr;
  for (const char *text : {"a", "b", "-", "aa", "--", "aa-", "b-", "-b", "--b", "aa--b-", "--b-"})
    tokenizer["model"]["vocab"][text] = id++;
  for (const Row &row :
       {Row{"Isolated", false, "aa - - b -"}, Row{"Removed", false, "aa b"}, Row{"Removed", true, "- - -"},
        Row{"MergedWithPrevious", false, "aa- - b-"}, Row{"MergedWithNext", false, "aa - -b -"},
        Row{"Contiguous", false, "aa -- b -"}, Row{"Contiguous", true, "aa -- b -"}}) {
    tokenizer["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"String", "-"}}}, {"behavior", row.behavior}, {"invert", row.invert}};
    CompiledJson model(tokenizer);
    std::string pieces;
    for (uint32_t token : model->encode("aa--b-", 0)) {
      sinter_token info;
      ASSERT_EQ(sinter_tokenizer_token(model->tokenizer.get(), token, &info), SINTER_OK);
      pieces += (pieces.empty() ? "" : " ") + std::string(info.text, info.text_size);
    }
    EXPECT_EQ(pieces, row.pieces) << row.behavior << (row.invert ? " inverted" : "");
  }
}

TEST(Encode, smallBuffersGetTheCount) {
  Compiled tales(kTales);
  Ids all = tales.encode("Once upon a time");
  uint32_t ids[3] = {};
  size_t count = 0;
  sinter_error error = {};
  EXPECT_EQ(sinter_tokenizer_encode(tales.tokenizer.get(), "Once upon a time", 16, 3, ids, 3, &count, &error),
            SINTER_ERROR_MEMORY);
  EXPECT_EQ(count, all.size());
  EXPECT_TRUE(std::equal(ids, ids + 3, all.begin()));
  EXPECT_STREQ(error.message, "the text has 5 ids, more than the 3 there is room for");
  EXPECT_EQ(sinter_tokenizer_encode(tales.tokenizer.get(), nullptr, 0, 3, nullptr, 0, &count, nullptr),
            SINTER_ERROR_MEMORY);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(sinter_tokenizer_encode(nullptr, "a", 1, 0, ids, 3, &count, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_tokenizer_encode(tales.tokenizer.get(), "a", size_t(1) << 40, 0, ids, 3, &count, &error),
            SINTER_ERROR_ARGUMENT);
}

TEST(Encode, tokensByIdAndText) {
  Compiled tales(kTales);
  sinter_token token;
  ASSERT_EQ(sinter_tokenizer_token(tales.tokenizer.get(), tales.idOf("Ġthe"), &token), SINTER_OK);
  EXPECT_EQ(std::string(token.bytes, token.bytes_size), " the");
  EXPECT_FALSE(token.special || token.added || token.byte);
  ASSERT_EQ(sinter_tokenizer_token(tales.tokenizer.get(), tales.idOf("</s>"), &token), SINTER_OK);
  EXPECT_TRUE(token.special && token.added);
  uint32_t id;
  EXPECT_EQ(sinter_tokenizer_find(tales.tokenizer.get(), "no such token", 13, &id), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_tokenizer_token(tales.tokenizer.get(), 1024, &token), SINTER_ERROR_ARGUMENT);
  // An added token that the model does not have.
  CompiledJson model(withAdded(talesJson(), {{{"id", 2000}, {"content", "<|x|>"}, {"special", true}}}));
  EXPECT_EQ(model->idOf("<|x|>"), 2000u);
}

// A megabyte without a space is one word for the pattern and, in Llama 2's way, one piece for the model in any case.
TEST(Encode, longWordsTakeSeconds) {
  std::string letters;
  uint32_t state = 1;
  while (letters.size() < 1000000)
    letters += static_cast<char>('a' + ((state = state * 1664525 + 1013904223) >> 24) % 26);
  for (const std::string &text : {letters, std::string(1000000, 'a'), std::string(1000000, ' ')}) {
    Compiled tales(kTales);
    CompiledJson llama2(llama2Json());
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    Ids byteLevel = tales.encode(text);
    Ids sentence = llama2->encode(text);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
    EXPECT_EQ(tales.decode(byteLevel), text);
    EXPECT_EQ(llama2->decode(sentence), text);
  }
}

// Replacements that feed each other stop at a limit.
TEST(Encode, explodingNormalizersAreErrors) {
  json tokenizer = talesJson();
  tokenizer["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
  for (int i = 0; i < 60; ++i)
    tokenizer["normalizer"]["normalizers"].push_back(
        {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaaaaaaaaaaaaaa"}});
  CompiledJson model(tokenizer);
  Ids ids;
  std::string error;
  EXPECT_FALSE(model->tokenizer.encode("a", 0, ids, error));
  EXPECT_EQ(error, "the normalizer makes the text longer than 134217728 bytes");
}

// A pattern that explodes: an error with a reason, within bounded work.
TEST(Encode, explodingPatternsAreErrors) {
  json tokenizer = talesJson();
  tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(?:(?:a|aa)+)+[bc]";
  CompiledJson model(tokenizer);
  Ids ids;
  std::string error;
  EXPECT_FALSE(model->tokenizer.encode(std::string(5000, 'a'), 0, ids, error));
  EXPECT_NE(error.find("the pre-tokenizer's pattern fails on this text: "), std::string::npos) << error;
}

} // namespace
