// What tokenizers ask of Unicode: classes of characters, normalization forms, case.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stdint.h>

#include <string>
#include <string_view>

namespace sinter::tokenizer {

// Whether this program has what the steps that normalize or change case need (normalization.cpp).
bool hasNormalization();

bool isWhiteSpace(uint32_t code);
// Letters, marks, digits and connectors: what \w means in a Unicode regular expression.
bool isWordCharacter(uint32_t code);

// The text in form `form` (StepKind::nfc, nfd, nfkc, nfkd). The result is `text` itself where that is normalized
// already by the look of it, else lies in `storage`.
std::string_view normalize(std::string_view text, tokens::StepKind form, std::string &storage);

// BERT's changes of single characters: StepKind::clean, space_ideographs, strip_marks, strip_all_marks.
void changeCharacters(std::string_view text, tokens::StepKind kind, std::string &result);

// Bytes of the first grapheme cluster of `text`, which is not empty: a character and what belongs to it.
size_t graphemeSize(std::string_view text);

void lowercase(std::string_view text, std::string &result);

// Without the white space at its ends.
std::string_view strip(std::string_view text, bool left, bool right);
// Bytes of white space at the start, or at the end, of `text`.
size_t leadingSpace(std::string_view text);
size_t trailingSpace(std::string_view text);

} // namespace sinter::tokenizer
