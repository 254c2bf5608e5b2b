// UTF-8, Unicode normalization and evaluation documents: what the tokenizer does with text before there are tokens.

#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/eval_documents.h"
#include "runtime/tokenizer/unicode.h"
#include "runtime/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <chrono>

using namespace sinter::tokenizer;
using sinter::tokens::StepKind;

namespace {

std::string lossy(std::string_view bytes) {
  std::string text;
  appendLossy(text, bytes);
  return text;
}

TEST(Utf8, everyCharacterReadsBack) {
  for (uint32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF)
      continue;
    std::string text;
    appendCharacter(text, code);
    Character character = readCharacter(text);
    ASSERT_TRUE(character.valid) << code;
    ASSERT_EQ(character.code, code);
    ASSERT_EQ(character.size, text.size());
    // Every proper beginning is a character that is cut.
    for (size_t size = 1; size < text.size(); ++size) {
      Character cut = readCharacter(std::string_view(text).substr(0, size));
      ASSERT_TRUE(!cut.valid && cut.cut && cut.size == size) << code;
    }
  }
}

TEST(Utf8, illFormedPartsBecomeOneReplacementEach) {
  EXPECT_EQ(lossy("a\x80z"), "a\uFFFDz");
  EXPECT_EQ(lossy("\xC0\xAF"), "\uFFFD\uFFFD");                     // overlong
  EXPECT_EQ(lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");           // a surrogate
  EXPECT_EQ(lossy("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD"); // past U+10FFFF
  EXPECT_EQ(lossy("\xE4\xBD"
                  "a"),
            "\uFFFD"
            "a");
  EXPECT_EQ(lossy("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_FALSE(isUtf8("ok\xFF"));
  EXPECT_TRUE(isUtf8("ok\u4F60\U0001F600"));
}

TEST(ByteAlphabet, isOneToOne) {
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(kByteAlphabet.bytes[kByteAlphabet.codes[byte]], byte);
  EXPECT_EQ(kByteAlphabet.codes[0xAD], 0x143);
}

std::string normalized(std::string_view text, StepKind form) {
  std::string storage;
  return std::string(normalize(text, form, storage));
}

TEST(Normalization, forms) {
  EXPECT_EQ(normalized("e\u0301 \u212B", StepKind::nfc), "\u00E9 \u00C5");
  EXPECT_EQ(normalized("\u00E9", StepKind::nfd), "e\u0301");
  EXPECT_EQ(normalized("\uFB01 \u00B2", StepKind::nfc), "\uFB01 \u00B2");
  EXPECT_EQ(normalized("\uFB01 \u00B2", StepKind::nfkc), "fi 2");
  EXPECT_EQ(normalized("\u1E9B\u0323", StepKind::nfkd), "s\u0323\u0307");
  // Marks go by class, and keep their order within one.
  EXPECT_EQ(normalized("q\u0307\u0323", StepKind::nfc), "q\u0323\u0307");
  EXPECT_EQ(normalized("a\u0302\u0301", StepKind::nfd), "a\u0302\u0301");
  EXPECT_EQ(normalized("\u1100\u1161\u11A8", StepKind::nfc), "\uAC01"); // Hangul
  EXPECT_EQ(normalized("\uAC01", StepKind::nfd), "\u1100\u1161\u11A8");
  EXPECT_EQ(normalized("\u0958", StepKind::nfc), "\u0915\u093C"); // excluded from composition
}

// A run of marks in the worst order: quadratic sorting would take minutes.
TEST(Normalization, longRunsOfMarks) {
  std::string text = "a";
  for (int i = 0; i < 200000; ++i)
    text += "\u0301";
  for (int i = 0; i < 200000; ++i)
    text += "\u0323";
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string result = normalized(text, StepKind::nfd);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(result.size(), text.size());
  EXPECT_EQ(result.substr(0, 3), "a\u0323");
}

TEST(Unicode, caseAndSpace) {
  std::string result;
  lowercase("ABC \u0410\u00C9 \u0130", result);
  EXPECT_EQ(result, "abc \u0430\u00E9 i\u0307");
  EXPECT_EQ(strip(" \u3000\n x y\u00A0\t", true, true), "x y");
  EXPECT_EQ(strip("  x ", false, true), "  x");
  EXPECT_EQ(strip("\u2003", true, true), "");
}

using Documents = std::vector<std::string>;

TEST(EvalDocuments, areSeparatedByLines) {
  EXPECT_EQ(sinter::splitEvalDocuments("one\ntwo\n<|end|>\nthree\n"), (Documents{"one\ntwo", "three"}));
  EXPECT_EQ(sinter::splitEvalDocuments("a\r\n<|end|>\r\nb"), (Documents{"a", "b"}));
  EXPECT_EQ(sinter::splitEvalDocuments("\n<|end|>\n<|end|>\n\n x \n\n"), (Documents{" x "}));
  EXPECT_EQ(sinter::splitEvalDocuments("in a line <|end|> it is text"), (Documents{"in a line <|end|> it is text"}));
  EXPECT_EQ(sinter::splitEvalDocuments(""), Documents());
}

} // namespace
