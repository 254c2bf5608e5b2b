// One piece becomes a chain of symbols, one for each character; then the pair with the lowest rank is merged, the
// leftmost first, until no pair has a merge. Candidates wait in a heap and are checked when their turn comes, so a
// piece of a million characters (Llama 2 has no pre-tokenizer: its piece is the whole text) takes no longer than a
// million words.

#include "bpe.h"
#include "section.h"
#include "utf8.h"

#include <algorithm>

namespace sinter::tokenizer {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

// The merge of two tokens, or nullptr. A token has few merges as the left half, so the search is short.
const tokens::Merge *findMerge(const tokens::Bpe &bpe, uint32_t left, uint32_t right) {
  const tokens::Merge *merges = reinterpret_cast<const tokens::Merge *>(bpe.merges()->Data());
  const tokens::Merge *begin = merges + bpe.starts()->Get(left);
  const tokens::Merge *end = merges + bpe.starts()->Get(left + 1);
  const tokens::Merge *found =
      std::lower_bound(begin, end, right, [](const tokens::Merge &merge, uint32_t id) { return merge.right() < id; });
  return found != end && found->right() == right ? found : nullptr;
}

// Orders the heap: the lowest rank on top, then the leftmost.
bool later(const BpeMemory::Candidate &a, const BpeMemory::Candidate &b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

class Chain {
public:
  Chain(const tokens::Vocabulary &vocabulary, const tokens::Bpe &bpe, BpeMemory &memory)
      : vocabulary(vocabulary), bpe(bpe), symbols(memory.symbols), queue(memory.queue) {
    symbols.clear();
    queue.clear();
  }

  // A symbol per character; characters without a token become byte tokens or the unknown token.
  void split(std::string_view piece) {
    bool pendingUnknown = false;
    for (size_t at = 0; at < piece.size();) {
      Character character = readCharacter(piece.substr(at));
      std::string_view text = piece.substr(at, character.size);
      at += character.size;
      int64_t id = character.code < kLowCodes ? static_cast<int64_t>(vocabulary.low()->Get(character.code)) - 1
                                              : findToken(vocabulary, text);
      if (id >= 0) {
        if (pendingUnknown)
          append(static_cast<uint32_t>(bpe.unknown()));
        pendingUnknown = false;
        append(static_cast<uint32_t>(id));
      } else if (!appendBytes(text) && bpe.unknown() >= 0) {
        if (pendingUnknown && !bpe.fuse_unknown())
          append(static_cast<uint32_t>(bpe.unknown()));
        pendingUnknown = true;
      }
    }
    if (pendingUnknown)
      append(static_cast<uint32_t>(bpe.unknown()));
  }

  void merge() {
    for (uint32_t i = 0; i + 1 < symbols.size(); ++i)
      offer(i);
    while (!queue.empty()) {
      std::pop_heap(queue.begin(), queue.end(), later);
      BpeMemory::Candidate candidate = queue.back();
      queue.pop_back();
      BpeMemory::Symbol &left = symbols[candidate.position];
      if (left.id == kNone || left.next == kNone)
        continue;
      // The pair may have changed since; it counts if it still makes the same token.
      const tokens::Merge *current = findMerge(bpe, left.id, symbols[left.next].id);
      if (!current || current->id() != candidate.id)
        continue;
      BpeMemory::Symbol &right = symbols[left.next];
      left.id = candidate.id;
      left.next = right.next;
      right.id = kNone;
      if (left.next != kNone) {
        symbols[left.next].previous = candidate.position;
        offer(candidate.position);
      }
      if (left.previous != kNone)
        offer(left.previous);
    }
  }

  void collect(std::vector<uint32_t> &ids) const {
    for (const BpeMemory::Symbol &symbol : symbols)
      if (symbol.id != kNone)
        ids.push_back(symbol.id);
  }

private:
  void append(uint32_t id) {
    uint32_t index = static_cast<uint32_t>(symbols.size());
    if (index > 0)
      symbols[index - 1].next = index;
    symbols.push_back({id, index > 0 ? index - 1 : kNone, kNone});
  }

  bool appendBytes(std::string_view text) {
    if (!bpe.byte_tokens())
      return false;
    for (char byte : text)
      if (bpe.byte_tokens()->Get(static_cast<unsigned char>(byte)) == 0)
        return false;
    for (char byte : text)
      append(bpe.byte_tokens()->Get(static_cast<unsigned char>(byte)) - 1);
    return true;
  }

  // Queues the merge of symbol `position` with the one after it, if there is one.
  void offer(uint32_t position) {
    const BpeMemory::Symbol &left = symbols[position];
    if (left.next == kNone)
      return;
    if (const tokens::Merge *found = findMerge(bpe, left.id, symbols[left.next].id)) {
      queue.push_back({found->rank(), position, found->id()});
      std::push_heap(queue.begin(), queue.end(), later);
    }
  }

  const tokens::Vocabulary &vocabulary;
  const tokens::Bpe &bpe;
  std::vector<BpeMemory::Symbol> &symbols;
  std::vector<BpeMemory::Candidate> &queue;
};

} // namespace

void encodeBpe(const tokens::Vocabulary &vocabulary, const tokens::Bpe &bpe, std::string_view piece, BpeMemory &memory,
               std::vector<uint32_t> &ids) {
  if (bpe.ignore_merges()) {
    int64_t id = findToken(vocabulary, piece);
    if (id >= 0) {
      ids.push_back(static_cast<uint32_t>(id));
      return;
    }
  }
  Chain chain(vocabulary, bpe, memory);
  chain.split(piece);
  chain.merge();
  chain.collect(ids);
}

} // namespace sinter::tokenizer
