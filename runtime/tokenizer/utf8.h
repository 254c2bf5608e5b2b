// Reading and writing UTF-8 a character at a time, strict as Unicode 15 table 3-7 is: no surrogates, no overlong forms.
#pragma once

#include <stdint.h>

#include <string>
#include <string_view>

namespace sinter::tokenizer {

struct Character {
  uint32_t code; // 0xFFFD where the bytes are ill-formed
  uint32_t size; // bytes taken, at least 1; of ill-formed input the longest part that some character starts with
  bool valid;
  bool cut; // ill-formed only because the text ends too early
};

// The character at the start of `text`, which is not empty.
inline Character readCharacter(std::string_view text) {
  unsigned char lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80)
    return {lead, 1, true, false};
  uint32_t more = lead >= 0xC2 && lead <= 0xDF ? 1 : (lead & 0xF0) == 0xE0 ? 2 : lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
  if (!more)
    return {0xFFFD, 1, false, false};
  uint32_t code = lead & (0x3F >> more);
  // The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (uint32_t i = 1; i <= more; ++i) {
    if (i == text.size())
      return {0xFFFD, i, false, true};
    unsigned char next = static_cast<unsigned char>(text[i]);
    if (next < low || next > high)
      return {0xFFFD, i, false, false};
    code = code << 6 | (next & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code, more + 1, true, false};
}

inline void appendCharacter(std::string &text, uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | code >> 18);
    text += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

inline bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    Character character = readCharacter(text);
    if (!character.valid)
      return false;
    text.remove_prefix(character.size);
  }
  return true;
}

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Appends `bytes` with each ill-formed part as one U+FFFD.
inline void appendLossy(std::string &text, std::string_view bytes) {
  while (!bytes.empty()) {
    Character character = readCharacter(bytes);
    text += character.valid ? bytes.substr(0, character.size) : kReplacementCharacter;
    bytes.remove_prefix(character.size);
  }
}

} // namespace sinter::tokenizer
