// Patterns in Ruby syntax mean the same after translation; what has no translation is refused.

#include "TokenizerFixture.h"
#include "frontend/tokenizer/Components.h"
#include "runtime/tokenizer/pattern.h"

using namespace sinter::tokenizer;

namespace {

std::string translate(const std::string &regex) {
  static const nlohmann::json null;
  static const std::string file = "tokenizer.json";
  return translateRegex(regex, JsonNode(null, file, "pattern"));
}

std::string refusalOf(const std::string &regex) {
  try {
    return "accepted: " + translate(regex);
  } catch (const Failure &failure) {
    return failure.what();
  }
}

// All matches in `text`, joined by "|".
std::string matches(const std::string &regex, std::string_view text) {
  Pattern pattern;
  std::string error;
  EXPECT_TRUE(pattern.compile(translate(regex), error)) << error;
  MatchMemory memory;
  Match match;
  std::string result;
  for (size_t from = 0; pattern.find(text, from, memory, match, error) == MatchResult::found; from = match.end) {
    result += (result.empty() ? "" : "|") + std::string(text.substr(match.begin, match.end - match.begin));
    if (match.begin == match.end)
      break;
  }
  return result;
}

TEST(RegexTranslation, leavesTheCommonAlone) {
  for (const char *regex : {R"(\p{L}+|\p{N}{1,3})", R"((?i:'s|'t)|a++b*?c?+)", R"([^\r\n\p{L}]?(?!x)(?<=y)(?:z))",
                            R"([\[\]a-z-]\d\1?()\b\.)"})
    EXPECT_EQ(translate(regex), regex);
}

TEST(RegexTranslation, spaceIsUnicodeWhiteSpace) {
  // U+180E is none (it was once), U+0085 and U+3000 are.
  EXPECT_EQ(matches(R"(\S+)", "a\u0085b\u3000c\u180ed"), "a|b|c\u180ed");
  EXPECT_EQ(matches(R"([^\s]+)", "a\u0085b\u3000c\u180ed"), "a|b|c\u180ed");
  EXPECT_EQ(matches(R"([\S]+)", "a\u0085b\u3000c\u180ed"), "a|b|c\u180ed");
  EXPECT_EQ(matches(R"([\s\d]+)", "ab\u2003 1c"), "\u2003 1");
}

TEST(RegexTranslation, wordsHaveMarksAndConnectors) {
  EXPECT_EQ(matches(R"(\w+)", "cafe\u0301 a\u203Fb, 1_\u0663-x"), "cafe\u0301|a\u203Fb|1_\u0663|x");
  EXPECT_EQ(matches(R"(\W+)", "a\u0301, b"), ", ");
}

TEST(RegexTranslation, rubyEscapes) {
  EXPECT_EQ(matches(R"(\h+)", "xyzCAFE09g"), "CAFE09");
  EXPECT_EQ(matches(R"(\u0041\u00e9)", "A\u00e9"), "A\u00e9");
  EXPECT_EQ(matches(R"(a\vb)", "a\x0b"
                               "b"),
            "a\x0b"
            "b");
  EXPECT_EQ(matches("(?m:a.b)", "a\nb"), "a\nb");
  EXPECT_EQ(matches("a.b", "a\nb"), "");
  EXPECT_EQ(matches("^b$", "a\nb\nc"), "b");
}

TEST(RegexTranslation, intervals) {
  // No possessive interval in Ruby: it repeats the group.
  EXPECT_EQ(translate("x{1,3}+"), "(?:x{1,3})+");
  EXPECT_EQ(matches("\\d{1,3}+", "1234567"), "1234567");
  EXPECT_EQ(translate("(ab){,2}"), "(ab){0,2}");
  EXPECT_EQ(translate("[ab]{2}?"), "(?:[ab]{2})?");
  EXPECT_EQ(matches("a{b}", "a{b}"), "a{b}");
}

TEST(RegexTranslation, refusesWhatItCannotSay) {
  EXPECT_EQ(
      refusalOf("[a-z&&[^b]]"),
      "tokenizer.json: pattern: byte 4 of the regular expression: '&&', an intersection of classes, is not supported");
  EXPECT_EQ(refusalOf("[a[bc]]"),
            "tokenizer.json: pattern: byte 2 of the regular expression: a class inside a class is not supported");
  EXPECT_EQ(refusalOf("(?x: a)"),
            "tokenizer.json: pattern: byte 2 of the regular expression: option 'x' is not supported");
  EXPECT_EQ(refusalOf("[\\W]"),
            "tokenizer.json: pattern: byte 1 of the regular expression: '\\W' inside a class is not supported");
  EXPECT_EQ(refusalOf("a\\"), "tokenizer.json: pattern: the regular expression ends with a backslash");
  EXPECT_EQ(refusalOf("[ab"), "tokenizer.json: pattern: the regular expression ends inside a class");
  EXPECT_NE(refusalOf("a(b").find("the regular expression is not valid at byte 3"), std::string::npos);
  EXPECT_NE(refusalOf("\\p{Nonsense}").find("the regular expression is not valid"), std::string::npos);
  EXPECT_NE(refusalOf(std::string(100000, '(')).find("the regular expression is not valid"), std::string::npos);
}

} // namespace
