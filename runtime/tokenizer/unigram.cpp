// From every place that a way leads to, each token that starts there is a step on. A way replaces another only if it is
// better, and places are visited from left to right, tokens from short to long: that decides ties as Hugging Face's
// implementation does. Scores are f64, as there.

#include "unigram.h"
#include "section.h"
#include "utf8.h"

#include <algorithm>

namespace sinter::tokenizer {

static constexpr uint32_t kNoStart = UINT32_MAX;

static void offer(UnigramMemory::Node &node, double score, uint32_t start, int64_t id) {
  if (node.start == kNoStart || score > node.score)
    node = {score, start, id};
}

static void findWays(const tokens::Vocabulary &vocabulary, const tokens::Unigram &unigram, std::string_view piece,
                     std::vector<UnigramMemory::Node> &nodes) {
  nodes.assign(piece.size() + 1, {0, kNoStart, -1});
  for (uint32_t begin = 0; begin < piece.size();) {
    const uint32_t character = readCharacter(piece.substr(begin)).size;
    const double before = nodes[begin].score;
    bool alone = false; // the character is a token by itself
    const size_t most = std::min<size_t>(piece.size() - begin, unigram.longest());
    for (size_t size = character; size <= most;) {
      if (const int64_t id = findToken(vocabulary, piece.substr(begin, size)); id >= 0) {
        offer(nodes[begin + size], before + unigram.scores()->Get(static_cast<uint32_t>(id)), begin, id);
        alone |= size == character;
      }
      if (begin + size == piece.size())
        break;
      size += readCharacter(piece.substr(begin + size)).size;
    }
    if (!alone)
      offer(nodes[begin + character], before + unigram.unknown_score(), begin, -1);
    begin += character;
  }
}

static void appendUnknown(const tokens::Vocabulary &vocabulary, const tokens::Unigram &unigram, std::string_view text,
                          std::vector<uint32_t> &ids) {
  // What is unknown character by character can be a token as a whole.
  if (const int64_t id = findToken(vocabulary, text); id >= 0) {
    ids.push_back(static_cast<uint32_t>(id));
    return;
  }
  const flatbuffers::Vector<uint32_t> *bytes = unigram.byte_tokens();
  if (bytes && std::all_of(text.begin(), text.end(),
                           [&](char byte) { return bytes->Get(static_cast<unsigned char>(byte)) != 0; })) {
    for (char byte : text)
      ids.push_back(bytes->Get(static_cast<unsigned char>(byte)) - 1);
    return;
  }
  if (unigram.unknown() >= 0)
    ids.push_back(static_cast<uint32_t>(unigram.unknown()));
}

void encodeUnigram(const tokens::Vocabulary &vocabulary, const tokens::Unigram &unigram, std::string_view piece,
                   UnigramMemory &memory, std::vector<uint32_t> &ids) {
  findWays(vocabulary, unigram, piece, memory.nodes);
  // From the end back; neighbouring unknown characters are one part.
  memory.parts.clear();
  for (uint32_t end = static_cast<uint32_t>(piece.size()); end > 0;) {
    const UnigramMemory::Node &node = memory.nodes[end];
    if (node.id < 0 && !memory.parts.empty() && memory.parts.back().id < 0)
      memory.parts.back().begin = node.start;
    else
      memory.parts.push_back({node.start, end, node.id});
    end = node.start;
  }
  for (size_t i = memory.parts.size(); i-- > 0;) {
    const UnigramMemory::Part &part = memory.parts[i];
    if (part.id >= 0)
      ids.push_back(static_cast<uint32_t>(part.id));
    else
      appendUnknown(vocabulary, unigram, piece.substr(part.begin, part.end - part.begin), ids);
  }
}

} // namespace sinter::tokenizer
