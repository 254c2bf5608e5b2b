// A section comes from a file, and files get damaged: FlatBuffers' verifier checks the structure, and what follows
// checks what the numbers mean (ends in order, ids below the vocabulary's size, tables of the right shape). It is
// linear in the section's size, a millisecond or two for the largest vocabularies.

#include "section.h"
#include "token_hash.h"
#include "utf8.h"

#include <algorithm>

namespace sinter::tokenizer {
namespace {

constexpr uint32_t kMostCharacters = 4096; // of a piece for WordPiece, whose time is quadratic in them

class Checker {
public:
  explicit Checker(std::string &error) : error(error) {}

  bool check(const tokens::Tokenizer &root) {
    return checkVocabulary(*root.vocabulary()) && checkModel(root) && checkAdded(*root.added(), root) &&
           checkAdded(*root.added_normalized(), root) && checkIds(root.prefix(), "prefix") &&
           checkIds(root.suffix(), "suffix") && checkPair(root.pair()) && checkDecoder(*root.decoder()) &&
           checkId(root.bos(), "bos") && checkId(root.eos(), "eos") && checkId(root.pad(), "pad") &&
           checkId(root.unk(), "unk");
  }

private:
  bool fail(const std::string &message) {
    error = message;
    return false;
  }

  bool checkStrings(const tokens::Strings &strings, size_t count, const char *name) {
    const flatbuffers::Vector<uint32_t> &ends = *strings.ends();
    if (ends.size() != count)
      return fail(std::string(name) + " holds " + std::to_string(ends.size()) + " strings, expected " +
                  std::to_string(count));
    uint32_t previous = 0;
    for (uint32_t end : ends) {
      if (end < previous)
        return fail(std::string(name) + ": ends are not in order");
      previous = end;
    }
    if (previous != strings.bytes()->size())
      return fail(std::string(name) + ": the strings end at " + std::to_string(previous) + ", expected " +
                  std::to_string(strings.bytes()->size()));
    return true;
  }

  // Values are id + 1, or 0.
  bool checkSlots(const flatbuffers::Vector<uint32_t> &slots, const char *name) {
    for (uint32_t slot : slots)
      if (slot > size)
        return fail(std::string(name) + " names id " + std::to_string(slot - 1) + " of " + std::to_string(size));
    return true;
  }

  bool checkId(int32_t id, const char *name) {
    return (id >= -1 && id < static_cast<int64_t>(size)) ||
           fail(std::string(name) + " is id " + std::to_string(id) + " of " + std::to_string(size));
  }

  bool checkIds(const flatbuffers::Vector<uint32_t> *ids, const char *name) {
    if (ids)
      for (uint32_t id : *ids)
        if (id >= size)
          return fail(std::string(name) + " names id " + std::to_string(id) + " of " + std::to_string(size));
    return true;
  }

  bool checkPair(const flatbuffers::Vector<const tokens::PairPart *> *pair) {
    if (!pair)
      return true;
    uint32_t texts[2] = {0, 0};
    for (const tokens::PairPart *part : *pair) {
      if (part->id() < -2 || part->id() >= static_cast<int64_t>(size))
        return fail("a pair's part is id " + std::to_string(part->id()) + " of " + std::to_string(size));
      if (part->id() < 0)
        ++texts[-1 - part->id()];
    }
    return (texts[0] == 1 && texts[1] == 1) || fail("a pair does not have two texts");
  }

  bool checkVocabulary(const tokens::Vocabulary &vocabulary) {
    if (vocabulary.flags()->size() > kMaxTokens)
      return fail("the vocabulary has " + std::to_string(vocabulary.flags()->size()) + " ids (limit " +
                  std::to_string(kMaxTokens) + ")");
    size = vocabulary.flags()->size();
    texts = vocabulary.texts();
    if (!checkStrings(*vocabulary.texts(), size, "vocabulary texts") ||
        !checkStrings(*vocabulary.bytes(), size, "vocabulary bytes") ||
        !checkSlots(*vocabulary.slots(), "vocabulary slots") || !checkSlots(*vocabulary.low(), "vocabulary low"))
      return false;
    for (uint32_t id = 0; id < size; ++id)
      if (has(vocabulary.flags()->Get(id), tokens::TokenFlags::byte) && stringAt(*vocabulary.bytes(), id).size() != 1)
        return fail("byte token " + std::to_string(id) + " does not stand for one byte");
    if (!isUtf8(
            {reinterpret_cast<const char *>(vocabulary.texts()->bytes()->data()), vocabulary.texts()->bytes()->size()}))
      return fail("vocabulary texts are not UTF-8");
    const flatbuffers::Vector<uint32_t> &slots = *vocabulary.slots();
    if (slots.size() == 0 || (slots.size() & (slots.size() - 1)) != 0)
      return fail("the vocabulary's hash table has " + std::to_string(slots.size()) + " slots, not a power of two");
    bool hasFree = false;
    for (uint32_t slot : slots)
      hasFree |= slot == 0;
    if (!hasFree)
      return fail("the vocabulary's hash table has no free slot");
    if (vocabulary.low()->size() != kLowCodes)
      return fail("the table of low characters has " + std::to_string(vocabulary.low()->size()) +
                  " entries, expected " + std::to_string(kLowCodes));
    return true;
  }

  bool checkModel(const tokens::Tokenizer &root) {
    switch (root.model()) {
    case tokens::ModelKind::bpe:
      return root.bpe() ? checkBpe(*root.bpe()) : fail("the BPE table is missing");
    case tokens::ModelKind::word_piece:
      return root.word_piece() ? checkWordPiece(*root.word_piece()) : fail("the WordPiece table is missing");
    case tokens::ModelKind::unigram:
      return root.unigram() ? checkUnigram(*root.unigram()) : fail("the Unigram table is missing");
    }
    return fail("the model's kind " + std::to_string(static_cast<int>(root.model())) + " is not known to this version");
  }

  bool checkWordPiece(const tokens::WordPiece &words) {
    if (words.unknown() >= size)
      return fail("the unknown token is id " + std::to_string(words.unknown()) + " of " + std::to_string(size));
    return words.most_characters() <= kMostCharacters ||
           fail("pieces may have " + std::to_string(words.most_characters()) + " characters (limit " +
                std::to_string(kMostCharacters) + ")");
  }

  bool checkUnigram(const tokens::Unigram &unigram) {
    if (unigram.scores()->size() != size)
      return fail("there are " + std::to_string(unigram.scores()->size()) + " scores for " + std::to_string(size) +
                  " ids");
    if (unigram.byte_tokens() && unigram.byte_tokens()->size() != 256)
      return fail("the table of byte tokens has " + std::to_string(unigram.byte_tokens()->size()) +
                  " entries, expected 256");
    // How far encoding looks for the end of a token: what is past the longest costs time on every character.
    size_t longest = 0;
    for (uint32_t id = 0; id < size; ++id)
      longest = std::max(longest, stringAt(*texts, id).size());
    if (unigram.longest() > longest)
      return fail("tokens have up to " + std::to_string(longest) + " bytes, the Unigram table says " +
                  std::to_string(unigram.longest()));
    return (!unigram.byte_tokens() || checkSlots(*unigram.byte_tokens(), "byte tokens")) &&
           checkId(unigram.unknown(), "the unknown token");
  }

  bool checkBpe(const tokens::Bpe &bpe) {
    const flatbuffers::Vector<uint32_t> &starts = *bpe.starts();
    const flatbuffers::Vector<const tokens::Merge *> &merges = *bpe.merges();
    if (starts.size() != size + 1 || starts.Get(0) != 0 || starts.Get(size) != merges.size())
      return fail("the merges' index does not fit " + std::to_string(size) + " ids and " +
                  std::to_string(merges.size()) + " merges");
    for (uint32_t left = 0; left < size; ++left)
      if (starts.Get(left) > starts.Get(left + 1))
        return fail("the merges' index is not in order at id " + std::to_string(left));
    for (uint32_t left = 0; left < size; ++left)
      for (uint32_t i = starts.Get(left); i < starts.Get(left + 1); ++i) {
        const tokens::Merge *merge = merges.Get(i);
        if (merge->right() >= size || merge->id() >= size)
          return fail("merge " + std::to_string(i) + " names an id past " + std::to_string(size));
        if (i > starts.Get(left) && merges.Get(i - 1)->right() >= merge->right())
          return fail("merges of id " + std::to_string(left) + " are not in order");
      }
    if (bpe.byte_tokens() && bpe.byte_tokens()->size() != 256)
      return fail("the table of byte tokens has " + std::to_string(bpe.byte_tokens()->size()) +
                  " entries, expected 256");
    return (!bpe.byte_tokens() || checkSlots(*bpe.byte_tokens(), "byte tokens")) &&
           checkId(bpe.unknown(), "the unknown token");
  }

  bool checkAdded(const tokens::AddedTokens &added, const tokens::Tokenizer &root) {
    size_t count = added.ids()->size();
    if (added.flags()->size() != count)
      return fail("added tokens: " + std::to_string(added.flags()->size()) + " flags for " + std::to_string(count) +
                  " tokens");
    if (!checkIds(added.ids(), "an added token") || !checkStrings(*added.texts(), count, "added tokens"))
      return false;
    for (uint32_t i = 0; i < count; ++i) {
      std::string_view text = stringAt(*added.texts(), i);
      if (text.empty() || !isUtf8(text))
        return fail("added token " + std::to_string(i) + " is empty or not UTF-8");
      if (i > 0 && stringAt(*added.texts(), i - 1) >= text)
        return fail("added tokens are not in order");
      if (!has(root.vocabulary()->flags()->Get(added.ids()->Get(i)), tokens::TokenFlags::used))
        return fail("added token " + std::to_string(i) + " has an id without a token");
    }
    return true;
  }

  bool checkDecoder(const tokens::Decoder &decoder) {
    std::string_view strip = view(decoder.strip());
    if (!isUtf8(view(decoder.separator())) || !isUtf8(view(decoder.first_without())) || !isUtf8(strip))
      return fail("the decoder's texts are not UTF-8");
    if (decoder.strip_count() && (strip.empty() || readCharacter(strip).size != strip.size()))
      return fail("the decoder strips something that is not one character");
    return true;
  }

  std::string &error;
  uint32_t size = 0;
  const tokens::Strings *texts = nullptr; // of the vocabulary
};

} // namespace

const tokens::Tokenizer *openSection(const void *data, size_t size, std::string &error) {
  if (reinterpret_cast<uintptr_t>(data) % 8 != 0) {
    error = "the tokenizer section is not at an address that is a multiple of 8";
    return nullptr;
  }
  if (size < 16 || size >= FLATBUFFERS_MAX_BUFFER_SIZE || !tokens::TokenizerBufferHasIdentifier(data)) {
    error = "not a tokenizer section (" + std::to_string(size) + " bytes)";
    return nullptr;
  }
  flatbuffers::Verifier verifier(static_cast<const uint8_t *>(data), size);
  if (!tokens::VerifyTokenizerBuffer(verifier)) {
    error = "the tokenizer section is damaged: its tables do not verify";
    return nullptr;
  }
  const tokens::Tokenizer *root = tokens::GetTokenizer(data);
  std::string reason;
  if (!Checker(reason).check(*root)) {
    error = "the tokenizer section is damaged: " + reason;
    return nullptr;
  }
  return root;
}

int64_t findToken(const tokens::Vocabulary &vocabulary, std::string_view text) {
  const flatbuffers::Vector<uint32_t> &slots = *vocabulary.slots();
  uint32_t mask = slots.size() - 1;
  for (uint32_t at = tokenHash(text.data(), text.size()) & mask;; at = (at + 1) & mask) {
    uint32_t slot = slots.Get(at);
    if (slot == 0)
      return -1;
    if (stringAt(*vocabulary.texts(), slot - 1) == text)
      return slot - 1;
  }
}

} // namespace sinter::tokenizer
