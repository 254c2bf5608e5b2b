// Ids to text, at once and as a stream: characters cut between tokens, byte fallback, the leading space of Llama 2.

#include "test/frontend/tokenizer/TokenizerFixture.h"

#include <random>

using namespace sinter::test;
using nlohmann::json;

namespace {

using Ids = std::vector<uint32_t>;

std::string streamed(const sinter::Tokenizer &tokenizer, const Ids &ids, uint32_t flags,
                     std::vector<std::string> *pieces = nullptr) {
  sinter::Detokenizer stream;
  std::string error;
  EXPECT_TRUE(stream.create(tokenizer, flags, error)) << error;
  std::string text;
  for (uint32_t id : ids) {
    std::string piece = stream.push(id);
    text += piece;
    if (pieces)
      pieces->push_back(piece);
  }
  std::string rest = stream.finish();
  if (pieces && !rest.empty())
    pieces->push_back(rest);
  return text + rest;
}

TEST(Decode, charactersAreHeldBackUntilComplete) {
  Compiled tales(kTales); // its vocabulary has no token for a whole emoji
  Ids ids = tales.encode("\U0001F600!", 0);
  ASSERT_EQ(ids.size(), 5u);
  std::vector<std::string> pieces;
  EXPECT_EQ(streamed(tales.tokenizer, ids, 0, &pieces), "\U0001F600!");
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "", "", "\U0001F600", "!"}));

  // The stream ends inside a character.
  ids.resize(3);
  EXPECT_EQ(streamed(tales.tokenizer, ids, 0, &(pieces = {})), "\uFFFD");
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "", "", "\uFFFD"}));
  EXPECT_EQ(tales.decode(ids, 0), "\uFFFD");
}

TEST(Decode, leadingSpace) {
  CompiledJson model(llama2Json());
  Ids ids = model->encode("Hello you", 0);
  EXPECT_EQ(model->decode(ids, 0), "Hello you");
  EXPECT_EQ(model->decode(ids, SINTER_CONTINUE), " Hello you");
  EXPECT_EQ(streamed(model->tokenizer, ids, 0), "Hello you");
  EXPECT_EQ(streamed(model->tokenizer, ids, SINTER_CONTINUE), " Hello you");
  // One space is the tokenizer's, the others are the text's. Behind a token that is not skipped it stays.
  EXPECT_EQ(streamed(model->tokenizer, model->encode("  Hi", 0), 0), "  Hi");
  ids.insert(ids.begin(), 1);
  EXPECT_EQ(model->decode(ids, SINTER_SKIP_SPECIAL), "Hello you");
  EXPECT_EQ(model->decode(ids, 0), "<s> Hello you");
  EXPECT_EQ(streamed(model->tokenizer, ids, SINTER_SKIP_SPECIAL), "Hello you");
  EXPECT_EQ(streamed(model->tokenizer, ids, 0), "<s> Hello you");
}

TEST(Decode, byteFallback) {
  CompiledJson model(llama2Json());
  Ids ids = model->encode("\u4f60a", 0);
  std::vector<std::string> pieces;
  EXPECT_EQ(streamed(model->tokenizer, ids, 0, &pieces), "\u4f60a");
  EXPECT_EQ(model->decode(ids, 0), "\u4f60a");

  uint32_t lead = model->idOf("<0xE4>");
  uint32_t next = model->idOf("<0xBD>");
  uint32_t letter = model->idOf("a");
  // A run that is no character: U+FFFD for each byte.
  EXPECT_EQ(model->decode({lead, next, letter}, 0), "\uFFFD\uFFFDa");
  EXPECT_EQ(streamed(model->tokenizer, {lead, next, letter}, 0), "\uFFFD\uFFFDa");
  EXPECT_EQ(streamed(model->tokenizer, {letter, lead, next}, 0), "a\uFFFD\uFFFD");
  // A run that is a character and more: as a whole it is not UTF-8; a stream has given the character away already.
  Ids run = {model->idOf("<0x41>"), lead};
  EXPECT_EQ(model->decode(run, 0), "\uFFFD\uFFFD");
  EXPECT_EQ(streamed(model->tokenizer, run, 0), "A\uFFFD");
}

TEST(Decode, metaspaceDropsTheFirstMark) {
  json tokenizer = sentenceJson();
  tokenizer["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}};
  tokenizer["decoder"] = tokenizer["pre_tokenizer"];
  CompiledJson model(tokenizer);
  for (const char *text : {"Hello you", "a  b", "x"}) {
    Ids ids = model->encode(text, 0);
    EXPECT_EQ(model->decode(ids, 0), text);
    EXPECT_EQ(streamed(model->tokenizer, ids, 0), text);
  }
}

TEST(Decode, withoutADecoderTokensAreWords) {
  json tokenizer = talesJson();
  tokenizer["decoder"] = nullptr;
  CompiledJson model(tokenizer);
  Ids ids = {model->idOf("a"), model->idOf("he"), model->idOf("b")};
  EXPECT_EQ(model->decode(ids, 0), "a he b");
  EXPECT_EQ(streamed(model->tokenizer, ids, 0), "a he b");
  EXPECT_EQ(streamed(model->tokenizer, ids, SINTER_CONTINUE), " a he b");
}

TEST(Decode, idsWithoutATokenAreErrors) {
  Compiled tales(kTales);
  std::string text;
  std::string error;
  EXPECT_FALSE(tales.tokenizer.decode({1, 5000}, 0, text, error));
  EXPECT_EQ(error, "id 5000 has no token");
  sinter_detokenizer *stream = nullptr;
  ASSERT_EQ(sinter_detokenizer_create(tales.tokenizer.get(), 0, &stream, nullptr), SINTER_OK);
  const char *piece = nullptr;
  EXPECT_EQ(sinter_detokenizer_push(stream, 5000, &piece, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(piece, "");
  sinter_detokenizer_destroy(stream);
}

// Any ids at all: valid UTF-8 both ways, and the same text for a byte-level tokenizer.
TEST(Decode, randomIdsStreamToTheSameText) {
  Compiled tales(kTales);
  CompiledJson llama2(llama2Json());
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    Ids ids(random() % 40);
    for (uint32_t &id : ids)
      id = random() % 1024;
    uint32_t flags = random() % 2 ? SINTER_SKIP_SPECIAL : 0;
    flags |= random() % 2 ? SINTER_CONTINUE : 0;
    ASSERT_EQ(streamed(tales.tokenizer, ids, flags), tales.decode(ids, flags));
    for (uint32_t &id : ids)
      id = 3 + random() % 400; // no byte tokens among these
    ASSERT_EQ(streamed(llama2->tokenizer, ids, flags), llama2->decode(ids, flags));
  }
}

} // namespace
