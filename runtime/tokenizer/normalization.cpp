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
