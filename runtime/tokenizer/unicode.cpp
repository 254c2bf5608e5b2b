// White space: what Unicode calls so, and taking it off the ends of a text.

#include "unicode.h"
#include "utf8.h"

namespace sinter::tokenizer {

bool isWhiteSpace(uint32_t code) {
  if (code < 0x80)
    return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

size_t leadingSpace(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    Character character = readCharacter(text.substr(size));
    if (!isWhiteSpace(character.code))
      break;
    size += character.size;
  }
  return size;
}

size_t trailingSpace(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t start = begin - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
      --start;
    if (!isWhiteSpace(readCharacter(text.substr(start)).code))
      break;
    begin = start;
  }
  return text.size() - begin;
}

std::string_view strip(std::string_view text, bool left, bool right) {
  if (left)
    text.remove_prefix(leadingSpace(text));
  if (right)
    text.remove_suffix(trailingSpace(text));
  return text;
}

} // namespace sinter::tokenizer
