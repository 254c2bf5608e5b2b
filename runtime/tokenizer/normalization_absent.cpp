// In the place of normalization.cpp where a program is to be small: for tokenizers that neither normalize nor change
// case, as those of GPT-2, Llama and most of their kin. utf8proc's tables would be a third of a megabyte. Opening a
// tokenizer that does need them fails.

#include "pattern.h"
#include "unicode.h"
#include "utf8.h"

namespace sinter::tokenizer {

bool hasNormalization() { return false; }

// Asked for beside the few added tokens that must stand alone, so rarely that the pattern need not be kept.
bool isWordCharacter(uint32_t code) {
  if (code < 0x80)
    return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || code == '_' || (code >= 'a' && code <= 'z');
  if (code == 0x200C || code == 0x200D) // the two joiners
    return true;
  Pattern pattern;
  MatchMemory memory;
  Match match;
  std::string error, text;
  appendCharacter(text, code);
  return pattern.compile("[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}]", error) &&
         pattern.find(text, 0, memory, match, error) == MatchResult::found;
}

std::string_view normalize(std::string_view text, tokens::StepKind, std::string &) { return text; }

void lowercase(std::string_view text, std::string &result) { result = text; }

void changeCharacters(std::string_view text, tokens::StepKind, std::string &result) { result = text; }

size_t graphemeSize(std::string_view text) { return readCharacter(text).size; }

} // namespace sinter::tokenizer
