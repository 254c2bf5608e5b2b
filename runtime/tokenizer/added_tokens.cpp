// Added tokens lie sorted by their bytes, so those that share a prefix are neighbours: a match narrows a range byte by
// byte and needs no automaton. Most positions of a text are passed over by their first byte alone. Which matches count,
// and how they take white space with them, follows Hugging Face's `tokenizers`.

#include "added_tokens.h"
#include "unicode.h"
#include "utf8.h"

#include <algorithm>

namespace sinter::tokenizer {

AddedTokenFinder::AddedTokenFinder(const tokens::AddedTokens &tokens) : tokens(&tokens) {
  uint32_t next = 0;
  for (uint32_t byte = 0; byte <= 256; ++byte) {
    starts[byte] = next;
    while (next < tokens.ids()->size() && static_cast<unsigned char>(stringAt(*tokens.texts(), next)[0]) == byte)
      ++next;
  }
}

int64_t AddedTokenFinder::longest(std::string_view text) const {
  unsigned char first = static_cast<unsigned char>(text[0]);
  uint32_t low = starts[first];
  uint32_t high = starts[first + 1];
  const tokens::Strings &texts = *tokens->texts();
  int64_t best = -1;
  for (size_t depth = 1; low < high; ++depth) {
    if (stringAt(texts, low).size() == depth)
      best = low++;
    if (depth == text.size())
      break;
    // Every token left is longer than `depth`; keep those whose byte there is the text's.
    unsigned char wanted = static_cast<unsigned char>(text[depth]);
    auto firstNotBelow = [&](uint32_t from, uint32_t to, uint32_t byte) {
      while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (static_cast<unsigned char>(stringAt(texts, middle)[depth]) < byte)
          from = middle + 1;
        else
          to = middle;
      }
      return from;
    };
    low = firstNotBelow(low, high, wanted);
    high = firstNotBelow(low, high, wanted + 1u);
  }
  return best;
}

int64_t AddedTokenFinder::find(std::string_view text) const {
  int64_t index = text.empty() ? -1 : longest(text);
  if (index < 0 || stringAt(*tokens->texts(), static_cast<uint32_t>(index)) != text)
    return -1;
  return tokens->ids()->Get(static_cast<uint32_t>(index));
}

// Whether a token at [begin, end) touches a word character on either side.
static bool isInsideWord(std::string_view text, size_t begin, size_t end) {
  if (end < text.size() && isWordCharacter(readCharacter(text.substr(end)).code))
    return true;
  if (begin == 0)
    return false;
  size_t start = begin - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
    --start;
  return isWordCharacter(readCharacter(text.substr(start)).code);
}

bool AddedTokenFinder::cut(std::string_view text, bool parseSpecial, const Receiver &receive) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    unsigned char first = static_cast<unsigned char>(text[at]);
    int64_t index = starts[first] < starts[first + 1] ? longest(text.substr(at)) : -1;
    if (index < 0) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at + stringAt(*tokens->texts(), static_cast<uint32_t>(index)).size();
    at = end;
    uint8_t flags = tokens->flags()->Get(static_cast<uint32_t>(index));
    if (!parseSpecial && has(flags, tokens::AddedFlags::special))
      continue;
    if (has(flags, tokens::AddedFlags::single_word) && isInsideWord(text, begin, end))
      continue;
    // White space that an earlier token took is not taken again.
    if (has(flags, tokens::AddedFlags::lstrip))
      begin -= trailingSpace(text.substr(0, begin));
    begin = std::max(begin, done);
    if (has(flags, tokens::AddedFlags::rstrip))
      end += leadingSpace(text.substr(end));
    if (end <= begin)
      continue;
    if (done < begin && !receive(text.substr(done, begin - done), done, kText))
      return false;
    if (!receive(text.substr(begin, end - begin), begin, tokens->ids()->Get(static_cast<uint32_t>(index))))
      return false;
    done = end;
    at = std::max(at, done);
  }
  return done == text.size() || receive(text.substr(done), done, kText);
}

} // namespace sinter::tokenizer
