// Unicode by utf8proc. Normalization takes its tables of characters and its composition, but orders marks with a sort
// of our own: the library's exchange of neighbours needs quadratic time on a long run of marks, which any text may
// hold.

#include "unicode.h"
#include "utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

namespace sinter::tokenizer {

using tokens::StepKind;

bool hasNormalization() { return true; }

bool isWordCharacter(uint32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC:
    return true;
  default:
    return code == 0x200C || code == 0x200D; // the two joiners
  }
}

// Below this code no character changes under any (or the composing canonical) form.
static uint32_t unchangedBelow(StepKind form) { return form == StepKind::nfc ? 0x300 : 0x80; }

static bool isUnchanged(std::string_view text, uint32_t bound) {
  while (!text.empty()) {
    Character character = readCharacter(text);
    if (character.code >= bound)
      return false;
    text.remove_prefix(character.size);
  }
  return true;
}

std::string_view normalize(std::string_view text, StepKind form, std::string &storage) {
  if (isUnchanged(text, unchangedBelow(form)))
    return text;
  bool composes = form == StepKind::nfc || form == StepKind::nfkc;
  bool compatibility = form == StepKind::nfkc || form == StepKind::nfkd;
  utf8proc_option_t decomposing =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  utf8proc_int32_t decomposed[32]; // the longest decomposition has 18 characters
  for (size_t at = 0; at < text.size();) {
    Character character = readCharacter(text.substr(at));
    at += character.size;
    int boundary = 0;
    utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(character.code), decomposed, 32, decomposing, &boundary);
    if (count < 0 || count > 32) {
      decomposed[0] = static_cast<utf8proc_int32_t>(character.code);
      count = 1;
    }
    codes.insert(codes.end(), decomposed, decomposed + count);
  }

  // Canonical ordering: runs of marks by their combining class, those of one class in the order they had. A key holds
  // class, place in the run and code, so that a plain sort does it.
  std::vector<uint64_t> run;
  for (size_t i = 0; i <= codes.size(); ++i) {
    uint64_t markClass = i < codes.size() ? utf8proc_get_property(codes[i])->combining_class : 0;
    if (markClass != 0) {
      run.push_back(markClass << 54 | uint64_t(run.size()) << 21 | static_cast<uint32_t>(codes[i]));
      continue;
    }
    std::sort(run.begin(), run.end());
    for (size_t k = 0; k < run.size(); ++k)
      codes[i - run.size() + k] = static_cast<utf8proc_int32_t>(run[k] & 0x1FFFFF);
    run.clear();
  }

  size_t count = codes.size();
  if (composes) {
    utf8proc_option_t composing = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    utf8proc_ssize_t composed =
        utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), composing);
    count = composed < 0 ? count : static_cast<size_t>(composed);
  }
  storage.clear();
  for (size_t i = 0; i < count; ++i)
    appendCharacter(storage, static_cast<uint32_t>(codes[i]));
  return storage;
}

// What BERT counts as Chinese characters: blocks of ideographs, without kana and hangul.
static bool isIdeograph(uint32_t code) {
  static constexpr struct {
    uint32_t first, last;
  } kBlocks[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
                 {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  for (const auto &block : kBlocks)
    if (code >= block.first && code <= block.last)
      return true;
  return false;
}

static bool vanishesWhenCleaned(uint32_t code) {
  if (code == '\t' || code == '\n' || code == '\r')
    return false;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CO:
    return true;
  default:
    return code == 0xFFFD;
  }
}

static bool isMark(uint32_t code, bool spacing) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category == UTF8PROC_CATEGORY_MN ||
         (spacing && (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME));
}

void changeCharacters(std::string_view text, StepKind kind, std::string &result) {
  result.clear();
  while (!text.empty()) {
    const Character character = readCharacter(text);
    const std::string_view same = text.substr(0, character.size);
    text.remove_prefix(character.size);
    const uint32_t code = character.code;
    switch (kind) {
    case StepKind::clean:
      if (!vanishesWhenCleaned(code))
        result += isWhiteSpace(code) ? std::string_view(" ") : same;
      break;
    case StepKind::space_ideographs:
      if (isIdeograph(code))
        result.append(" ").append(same).append(" ");
      else
        result += same;
      break;
    default:
      if (!isMark(code, kind == StepKind::strip_all_marks))
        result += same;
    }
  }
}

size_t graphemeSize(std::string_view text) {
  Character character = readCharacter(text);
  size_t size = character.size;
  utf8proc_int32_t state = 0;
  while (size < text.size()) {
    const Character next = readCharacter(text.substr(size));
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(character.code),
                                         static_cast<utf8proc_int32_t>(next.code), &state))
      break;
    size += next.size;
    character = next;
  }
  return size;
}

void lowercase(std::string_view text, std::string &result) {
  result.clear();
  for (size_t at = 0; at < text.size();) {
    Character character = readCharacter(text.substr(at));
    at += character.size;
    appendCharacter(result, static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character.code))));
    if (character.code == 0x130) // the one letter whose small form is two characters: i with its dot
      appendCharacter(result, 0x307);
  }
}

} // namespace sinter::tokenizer
