// Each kind of normalizer, pre-tokenizer and post-processor by itself: the pieces that a text falls into.

#include "TokenizerFixture.h"

using namespace sinter::test;
using nlohmann::json;

namespace {

// Compiles a tokenizer whose tokens are just the expected pieces, each a token as a whole: what comes out tells where
// the text was cut. A piece that is not expected would fall into characters that have no token.
void expectPieces(const char *normalizer, const char *preTokenizer, const std::string &text,
                  const std::vector<std::string> &pieces) {
  json tokenizer = {{"normalizer", json::parse(normalizer)},
                    {"pre_tokenizer", json::parse(preTokenizer)},
                    {"model",
                     {{"type", "BPE"},
                      {"vocab", {{"[?]", 0}}},
                      {"merges", json::array()},
                      {"ignore_merges", true},
                      {"unk_token", "[?]"},
                      {"fuse_unk", true}}}};
  for (const std::string &piece : pieces)
    tokenizer["model"]["vocab"].emplace(piece, tokenizer["model"]["vocab"].size());
  CompiledJson model(tokenizer);
  std::vector<std::string> found;
  for (uint32_t id : model->encode(text, 0)) {
    sinter_token token = {};
    sinter_tokenizer_token(model->tokenizer.get(), id, &token);
    found.emplace_back(token.text, token.text_size);
  }
  EXPECT_EQ(found, pieces) << normalizer << " " << preTokenizer;
}

void expectSplit(const char *preTokenizer, const std::string &text, const std::vector<std::string> &pieces) {
  expectPieces("null", preTokenizer, text, pieces);
}

void expectNormalized(const char *normalizer, const std::string &text, const std::string &result) {
  expectPieces(normalizer, "null", text, {result});
}

TEST(PreTokenizers, each) {
  expectSplit("null", "a b", {"a b"});
  expectSplit(R"({"type": "Digits", "individual_digits": true})", "a12\u00BD b", {"a", "1", "2", "\u00BD", " b"});
  expectSplit(R"({"type": "Digits"})", "a12\u0663b", {"a", "12\u0663", "b"});
  expectSplit(R"({"type": "Punctuation"})", "a,b!!", {"a", ",", "b", "!", "!"});
  expectSplit(R"({"type": "Punctuation", "behavior": "MergedWithPrevious"})", "a,\u3002b$", {"a,", "\u3002", "b$"});
  expectSplit(R"({"type": "Whitespace"})", "Hi  you_2, \u3000ok!?", {"Hi", "you_2", ",", "ok", "!?"});
  expectSplit(R"({"type": "WhitespaceSplit"})", " a,b \n\u00A0 c ", {"a,b", "c"});
  expectSplit(R"({"type": "BertPreTokenizer"})", "Hi, you!!", {"Hi", ",", "you", "!", "!"});
  expectSplit(R"({"type": "CharDelimiterSplit", "delimiter": "\u00E9"})", "a\u00E9b\u00E9\u00E9c", {"a", "b", "c"});
  expectSplit(R"({"type": "ByteLevel", "add_prefix_space": true, "use_regex": false})", "a b", {"\u0120a\u0120b"});
  expectSplit(R"({"type": "ByteLevel", "add_prefix_space": false})", "we're 12",
              {"we", "'re",
               "\u0120"
               "12"});
  expectSplit(R"({"type": "Metaspace"})", "a b",
              {"\u2581"
               "a",
               "\u2581"
               "b"});
  expectSplit(R"({"type": "Metaspace", "add_prefix_space": false, "replacement": "_"})", "a b", {"a", "_b"});
  expectSplit(R"({"type": "Metaspace", "prepend_scheme": "first", "split": false})", "a b",
              {"\u2581"
               "a\u2581"
               "b"});
  expectSplit(R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
                  {"type": "Split", "pattern": {"Regex": "[aeiou]+"}, "behavior": "MergedWithNext", "invert": false}]})",
              "beautiful day", {"b", "eaut", "if", "ul", "d", "ay"});
}

TEST(Normalizers, each) {
  expectNormalized("null", "A\u0301", "A\u0301");
  expectNormalized(R"({"type": "NFC"})", "A\u0301", "\u00C1");
  expectNormalized(R"({"type": "NFD"})", "\u00C1", "A\u0301");
  expectNormalized(R"({"type": "NFKC"})", "\uFF21\uFB01", "Afi");
  expectNormalized(R"({"type": "NFKD"})", "\u00C1\u00B2",
                   "A\u0301"
                   "2");
  expectNormalized(R"({"type": "Lowercase"})", "\u00C1B", "\u00E1b");
  expectNormalized(R"({"type": "Strip"})", " \u3000x y \n", "x y");
  expectNormalized(R"({"type": "Strip", "strip_left": false})", " x ", " x");
  expectNormalized(R"({"type": "Prepend", "prepend": ">"})", "x", ">x");
  expectNormalized(R"({"type": "Replace", "pattern": {"String": "aa"}, "content": "b"})", "aaa", "ba");
  expectNormalized(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})", "a   b  ", "a b ");
  expectNormalized(R"({"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"})", "axb", "-a-b-");
  expectNormalized(
      R"({"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "Prepend", "prepend": "A"}]})", "B",
      "Ab");
}

TEST(PostProcessors, each) {
  struct Row {
    const char *json;
    std::vector<uint32_t> ids; // of "Once", which is 389
  };
  const Row rows[] = {
      {"null", {389}},
      {R"({"type": "ByteLevel"})", {389}},
      {R"({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]})", {1, 389, 2}},
      {R"({"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]})", {1, 389, 2}},
      {R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "two", "type_id": 0}},
           {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "end", "type_id": 0}}], "special_tokens":
           {"two": {"id": "two", "ids": [1, 0], "tokens": ["<s>", "<unk>"]},
            "end": {"id": "end", "ids": [2], "tokens": ["</s>"]}}})",
       {1, 0, 389, 2}},
  };
  for (const Row &row : rows) {
    json tokenizer = talesJson();
    tokenizer["post_processor"] = json::parse(row.json);
    CompiledJson model(tokenizer);
    EXPECT_EQ(model->encode("Once"), row.ids) << row.json;
    EXPECT_EQ(model->encode("Once", 0), std::vector<uint32_t>{389});
    EXPECT_EQ(model->tokenizer.info().prefix + model->tokenizer.info().suffix, row.ids.size() - 1);
  }
}

} // namespace
