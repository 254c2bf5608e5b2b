// The trie is a double array (Aoe 1989) in the layout of Darts-clone: the lowest byte of a unit is the label that leads
// to it, bit 8 says that a key ends there, bit 9 scales the offset to its children, the rest is that offset. The unit
// of a key's end holds a value below 2^31: where the replacement starts. Every index is checked as it is followed.

#include "charsmap.h"
#include "section.h"
#include "unicode.h"
#include "utf8.h"

namespace sinter::tokenizer {

static constexpr size_t kLongestCluster = 5; // bytes

bool Charsmap::open(const tokens::Step &step, std::string &error) {
  if (!step.trie() || step.trie()->size() == 0 || !step.replacements() || step.replacements()->size() == 0) {
    error = "no table of replacements";
    return false;
  }
  trie = step.trie();
  replacements = {reinterpret_cast<const char *>(step.replacements()->data()), step.replacements()->size()};
  if (replacements.back() != 0 || !isUtf8(replacements)) {
    error = "the replacements are not UTF-8 ended by a zero";
    return false;
  }
  return true;
}

bool Charsmap::append(std::string_view part, std::string &result) const {
  auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
  const uint32_t size = trie->size();
  uint32_t node = offset(trie->Get(0));
  for (char c : part) {
    const uint32_t label = static_cast<unsigned char>(c);
    node ^= label;
    if (label == 0 || node >= size)
      return false;
    const uint32_t unit = trie->Get(node);
    if ((unit & ((1u << 31) | 0xff)) != label)
      return false;
    node ^= offset(unit);
    if (!(unit >> 8 & 1))
      continue;
    if (node >= size)
      return false;
    const uint32_t start = trie->Get(node) & 0x7fffffff;
    // In the middle of a character there is no text.
    if (start >= replacements.size() || (static_cast<unsigned char>(replacements[start]) & 0xC0) == 0x80)
      return false;
    result += replacements.substr(start, replacements.find('\0', start) - start);
    return true;
  }
  return false;
}

bool Charsmap::apply(std::string_view text, std::string &result, size_t most) const {
  result.clear();
  while (!text.empty() && result.size() <= most) {
    std::string_view cluster = text.substr(0, graphemeSize(text));
    text.remove_prefix(cluster.size());
    if (cluster.size() <= kLongestCluster && append(cluster, result))
      continue;
    while (!cluster.empty() && result.size() <= most) {
      const std::string_view character = cluster.substr(0, readCharacter(cluster).size);
      cluster.remove_prefix(character.size());
      if (!append(character, result))
        result += character;
    }
  }
  return result.size() <= most;
}

} // namespace sinter::tokenizer
