// Damaged tokenizer sections, thousands of times, with the library built with AddressSanitizer and
// UndefinedBehaviorSanitizer: opening says what is wrong, or what opened can be used.

#include "test/frontend/tokenizer/EncoderTokenizers.h"

#include "runtime/tokenizer/utf8.h"

#include <random>

using namespace sinter::test;
using nlohmann::json;

namespace {

// Opens `section` in a block of exactly its size, so that a read past its end is seen.
void openAndUse(const std::vector<uint8_t> &section, int &opened) {
  std::unique_ptr<uint8_t[]> block(new uint8_t[section.size()]);
  std::copy(section.begin(), section.end(), block.get());
  sinter::Tokenizer tokenizer;
  std::string error;
  if (!tokenizer.open(block.get(), section.size(), error)) {
    ASSERT_FALSE(error.empty());
    return;
  }
  ++opened;
  std::vector<uint32_t> ids;
  std::string text;
  if (!tokenizer.encode("Once <s> upon 12 \u00e9\u4f60  \n!", SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL, ids, error)) {
    ASSERT_FALSE(error.empty());
    return;
  }
  for (uint32_t id = 0; id < 40; ++id)
    ids.push_back(id * 7);
  sinter::Detokenizer stream;
  ASSERT_TRUE(stream.create(tokenizer, SINTER_SKIP_SPECIAL, error));
  for (uint32_t id : ids) {
    sinter_token token;
    if (sinter_tokenizer_token(tokenizer.get(), id, &token) == SINTER_OK) {
      uint32_t found;
      sinter_tokenizer_find(tokenizer.get(), token.text, token.text_size, &found);
    }
    stream.push(id);
  }
  stream.finish();
  if (!tokenizer.decode(ids, 0, text, error))
    ASSERT_FALSE(error.empty());
}

std::vector<uint8_t> compiled(json tokenizer) {
  ModelDirectory directory;
  directory.write("tokenizer.json", tokenizer.dump());
  return Compiled(directory.path).section;
}

// A byte-level and a byte-fallback tokenizer, WordPiece and Unigram.
json kindOf(int what) {
  return what == 0 ? talesJson() : what == 1 ? llama2Json() : what == 2 ? encoderJson("bert_uncased") : fullUnigramJson();
}

class SectionMutation : public testing::TestWithParam<int> {
protected:
  void SetUp() override {
    original = compiled(kindOf(GetParam()));
    ASSERT_FALSE(original.empty());
  }
  std::vector<uint8_t> original;
};

TEST_P(SectionMutation, truncated) {
  int opened = 0;
  for (size_t size = 0; size < original.size(); size += size < 256 ? 1 : 97) {
    openAndUse({original.begin(), original.begin() + size}, opened);
    ASSERT_FALSE(HasFatalFailure()) << size;
  }
  EXPECT_EQ(opened, 0);
}

TEST_P(SectionMutation, bytesAndWords) {
  std::mt19937 random(GetParam());
  int opened = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> section = original;
    for (uint32_t i = 0; i < 1 + random() % 4; ++i) {
      // Half of the damage goes where the tables lie: at the end, behind the large vectors.
      size_t span = random() % 2 ? section.size() : std::min<size_t>(section.size(), 1500);
      size_t at = random() % 2 ? section.size() - 1 - random() % span : random() % span;
      if (random() % 2) {
        section[at] = static_cast<uint8_t>(random());
      } else {
        static constexpr uint32_t kWords[] = {0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1024, 1023, 64};
        uint32_t word = kWords[random() % 8];
        at = std::min(at & ~size_t(3), section.size() - 4);
        memcpy(&section[at], &word, 4);
      }
    }
    openAndUse(section, opened);
    ASSERT_FALSE(HasFatalFailure()) << round;
  }
  EXPECT_GT(opened, 100); // much of the damage is to texts, and harmless
}

INSTANTIATE_TEST_SUITE_P(All, SectionMutation, testing::Values(0, 1, 2, 3));

// Any bytes are a text.
TEST(Section, randomTexts) {
  std::mt19937 random(8);
  for (bool sentence : {false, true}) {
    std::vector<uint8_t> section = compiled(sentence ? llama2Json() : talesJson());
    sinter::Tokenizer tokenizer;
    std::string error;
    ASSERT_TRUE(tokenizer.open(section.data(), section.size(), error)) << error;
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      for (uint32_t i = random() % 60; i > 0; --i)
        text += random() % 2 ? static_cast<char>(random()) : "<s> \n\xE4\xBD\xA0z1"[random() % 10];
      std::string read;
      sinter::tokenizer::appendLossy(read, text);
      std::vector<uint32_t> ids;
      std::string back;
      ASSERT_TRUE(tokenizer.encode(text, 0, ids, error)) << error;
      ASSERT_TRUE(tokenizer.decode(ids, 0, back, error)) << error;
      ASSERT_EQ(back, read);
      ASSERT_TRUE(tokenizer.encode(text, SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL, ids, error)) << error;
    }
  }
}

TEST(Section, wrongPlaceAndContent) {
  std::vector<uint8_t> section = compiled(talesJson());
  sinter_tokenizer *tokenizer = nullptr;
  sinter_error error = {};
  EXPECT_EQ(sinter_tokenizer_open(section.data() + 1, section.size() - 1, &tokenizer, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "the tokenizer section is not at an address that is a multiple of 8");
  EXPECT_EQ(sinter_tokenizer_open(nullptr, 0, &tokenizer, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(error.message, "there is no tokenizer section");
  EXPECT_EQ(sinter_tokenizer_open(section.data(), 8, &tokenizer, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "not a tokenizer section (8 bytes)");
  section[5] ^= 1;
  EXPECT_EQ(sinter_tokenizer_open(section.data(), section.size(), &tokenizer, &error), SINTER_ERROR_FORMAT);
  EXPECT_EQ(tokenizer, nullptr);
}

} // namespace
