// tokenizer.json holds patterns in Oniguruma's Ruby syntax; the runtime has PCRE2 with UTF, UCP and multi-line anchors.
// The two agree on nearly all that tokenizers use. This rewrites what means something else (\s, \w, \h, \v, \u, (?m),
// intervals before a +), and refuses what PCRE2 10.42 cannot say (nested classes, intersections).
//
// \s and \w become explicit classes: PCRE2's \s has U+180E, which is no white space any more, and its \w leaves out
// marks and connectors.

#include "Components.h"
#include "runtime/tokenizer/pattern.h"

#include <cctype>
#include <cstring>

namespace sinter::tokenizer {
namespace {

// Contents of classes. The second holds every character that the first does not.
constexpr const char *kSpace = "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
                               "\\x{205f}\\x{3000}";
constexpr const char *kNotSpace = "\\x00-\\x08\\x0e-\\x1f\\x21-\\x84\\x86-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}"
                                  "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
                                  "\\x{3001}-\\x{10ffff}";
constexpr const char *kWord = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}"
                              "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";
constexpr const char *kHex = "0-9A-Fa-f";

class Translation {
public:
  Translation(const std::string &regex, const JsonNode &where) : in(regex), where(where) {}

  std::string run() {
    while (at < in.size())
      element();
    return out;
  }

private:
  [[noreturn]] void refuse(const std::string &what) {
    where.fail("byte " + std::to_string(at) + " of the regular expression: " + what + " is not supported");
  }

  bool next(const char *text) const { return in.compare(at, strlen(text), text) == 0; }

  // Copies `count` bytes, or what is left.
  void copy(size_t count) {
    out.append(in, at, count);
    at = std::min(in.size(), at + count);
  }

  void element() {
    switch (in[at]) {
    case '(':
      return openGroup();
    case ')':
      atom = groups.empty() ? out.size() : groups.back();
      if (!groups.empty())
        groups.pop_back();
      return copy(1);
    case '[':
      atom = out.size();
      return charClass();
    case '{':
      return interval();
    case '\\':
      atom = out.size();
      return escape(false);
    case '*':
    case '+':
    case '?':
    case '|':
      return copy(1);
    default:
      atom = out.size();
      copy(1);
      // The rest of a character.
      while (at < in.size() && (static_cast<unsigned char>(in[at]) & 0xC0) == 0x80)
        copy(1);
    }
  }

  void openGroup() {
    groups.push_back(out.size());
    if (!next("(?"))
      return copy(1);
    copy(2);
    if (next("#") || next("~"))
      refuse(std::string("'(?") + in[at] + "'");
    // Options: i as here; m lets the dot match newlines, which PCRE2 calls s. (x, extended, nobody uses.)
    if (at < in.size() && (islower(static_cast<unsigned char>(in[at])) || in[at] == '-')) {
      for (; at < in.size() && in[at] != ')' && in[at] != ':'; ++at) {
        if (in[at] != 'i' && in[at] != 'm' && in[at] != '-')
          refuse(std::string("option '") + in[at] + "'");
        out += in[at] == 'm' ? 's' : in[at];
      }
    }
  }

  // {n}, {n,}, {,m}, {n,m}; anything else is a plain brace.
  void interval() {
    size_t end = at + 1;
    bool hasDigit = false;
    bool hasComma = false;
    for (; end < in.size() && (isdigit(static_cast<unsigned char>(in[end])) || (in[end] == ',' && !hasComma)); ++end) {
      hasDigit |= in[end] != ',';
      hasComma |= in[end] == ',';
    }
    if (!hasDigit || end >= in.size() || in[end] != '}') {
      atom = out.size();
      out += "\\{";
      ++at;
      return;
    }
    if (in[at + 1] == ',')
      out += "{0" + in.substr(at + 1, end - at);
    else
      out.append(in, at, end + 1 - at);
    at = end + 1;
    // Ruby knows no possessive interval: x{1,3}+ repeats the group. A fixed count before ? is optional as a whole.
    if (next("+") || (next("?") && !hasComma)) {
      out.insert(atom, "(?:");
      out += ")";
      copy(1);
    }
  }

  // A backslash and what belongs to it.
  void escape(bool inClass) {
    if (at + 1 >= in.size())
      where.fail("the regular expression ends with a backslash");
    char letter = in[at + 1];
    auto put = [&](const std::string &text) {
      out += text;
      at += 2;
    };
    auto putClass = [&](const char *contents, bool negated) {
      put(inClass ? contents : std::string(negated ? "[^" : "[") + contents + "]");
    };
    switch (letter) {
    case 's':
      return putClass(kSpace, false);
    case 'S':
      return putClass(inClass ? kNotSpace : kSpace, true);
    case 'w':
      return putClass(kWord, false);
    case 'h':
      return putClass(kHex, false);
    case 'W':
    case 'H':
      if (inClass)
        refuse(std::string("'\\") + letter + "' inside a class");
      return putClass(letter == 'W' ? kWord : kHex, true);
    case 'v':
      return put("\\x0b");
    case 'u': {
      std::string digits = in.substr(at + 2, 4);
      if (digits.size() != 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        refuse("'\\u' without four hexadecimal digits");
      put("\\x{" + digits + "}");
      at += 4;
      return;
    }
    case 'p':
    case 'P':
    case 'x': {
      size_t end = in.compare(at + 2, 1, "{") == 0 ? in.find('}', at) : std::string::npos;
      return copy(end == std::string::npos ? 2 : end + 1 - at);
    }
    default:
      // Same in both: \d \b \A \t \n \1 ... and any escaped sign.
      if (isalpha(static_cast<unsigned char>(letter)) && !strchr("dDbBAzZGaefnrtkRX", letter))
        refuse(std::string("'\\") + letter + "'");
      return copy(2);
    }
  }

  void charClass() {
    copy(1);
    if (next("^"))
      copy(1);
    if (next("]"))
      copy(1);
    while (!next("]")) {
      if (at >= in.size())
        where.fail("the regular expression ends inside a class");
      if (next("&&"))
        refuse("'&&', an intersection of classes,");
      if (next("[:")) {
        size_t end = in.find(":]", at);
        copy(end == std::string::npos ? 1 : end + 2 - at);
      } else if (next("[")) {
        refuse("a class inside a class");
      } else if (next("\\")) {
        escape(true);
      } else {
        copy(1);
      }
    }
    copy(1);
  }

  const std::string &in;
  const JsonNode &where;
  std::string out;
  size_t at = 0;
  size_t atom = 0;            // where in `out` the last thing that can be repeated begins
  std::vector<size_t> groups; // where in `out` the open groups begin
};

} // namespace

std::string translateRegex(const std::string &regex, const JsonNode &where) {
  std::string translated = Translation(regex, where).run();
  std::string error;
  if (!Pattern().compile(translated, error))
    where.fail(error + ", in '" + translated.substr(0, 200) + "'");
  return translated;
}

} // namespace sinter::tokenizer
