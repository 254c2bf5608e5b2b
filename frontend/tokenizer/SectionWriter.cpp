// Lays the section out: tokens by id, the hash table over them, merges by their left token, added tokens by their
// bytes. The same parts give the same bytes: nothing here goes by the order of a hash map.

#include "SectionWriter.h"
#include "runtime/tokenizer/section.h"
#include "runtime/tokenizer/token_hash.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/utf8.h"

#include <algorithm>
#include <cstdio>
#include <memory>

namespace sinter::tokenizer {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

template <typename Flag> uint8_t bit(bool condition, Flag flag) {
  return condition ? static_cast<uint8_t>(flag) : uint8_t(0);
}

// Every id with its token.
struct TokenTable {
  std::vector<const std::string *> texts; // nullptr: no token
  std::vector<uint8_t> flags;
  std::vector<uint32_t> modelIds; // of the model's own tokens, ascending
};

class Writer {
public:
  Writer(const TokenizerParts &parts, const std::string &file) : parts(parts), file(file) { collectTokens(); }

  // `normalized`: the texts of the added tokens that are looked for in normalized text, as they are there.
  std::vector<uint8_t> write(const std::map<std::string, const AddedToken *> &normalized) {
    FlatBufferBuilder builder(1 << 20);
    Offset<tokens::Vocabulary> vocabulary = writeVocabulary(builder);
    const bool isBpe = parts.model.kind == tokens::ModelKind::bpe;
    Offset<tokens::Bpe> bpe = isBpe ? writeBpe(builder) : Offset<tokens::Bpe>();
    Offset<tokens::WordPiece> wordPiece = writeWordPiece(builder);
    Offset<tokens::Unigram> unigram = writeUnigram(builder);
    std::map<std::string, const AddedToken *> plain;
    for (const AddedToken &token : parts.addedTokens)
      if (!token.normalized && !token.text.empty())
        plain.emplace(token.text, &token);
    Offset<tokens::AddedTokens> added = writeAdded(builder, plain);
    Offset<tokens::AddedTokens> addedNormalized = writeAdded(builder, normalized);
    auto normalizer = writeSteps(builder, parts.normalizer);
    auto preTokenizer = writeSteps(builder, parts.preTokenizer);
    auto prefix = builder.CreateVector(parts.ids.prefix);
    auto suffix = builder.CreateVector(parts.ids.suffix);
    Offset<tokens::Decoder> decoder = writeDecoder(builder);
    Offset<flatbuffers::Vector<const tokens::PairPart *>> pair;
    if (!parts.ids.pair.empty())
      pair = builder.CreateVectorOfStructs(parts.ids.pair);
    builder.Finish(tokens::CreateTokenizer(builder, parts.model.kind, vocabulary, bpe, wordPiece, unigram, added,
                                           normalizer, addedNormalized, preTokenizer, prefix, suffix, decoder,
                                           parts.bos, parts.eos, parts.pad, parts.unk, pair),
                   tokens::TokenizerIdentifier());
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
  }

private:
  void place(uint32_t id, const std::string &text) {
    if (table.texts[id] && *table.texts[id] != text)
      throw Failure(file + ": id " + std::to_string(id) + " belongs to '" + table.texts[id]->substr(0, 100) +
                    "' and to '" + text.substr(0, 100) + "'");
    table.texts[id] = &text;
    table.flags[id] |= static_cast<uint8_t>(tokens::TokenFlags::used);
  }

  void collectTokens() {
    size_t count = parts.model.ids.size() + parts.addedTokens.size();
    size_t size = 0;
    for (const std::pair<const std::string, uint32_t> &token : parts.model.ids)
      size = std::max<size_t>(size, token.second + 1);
    for (const AddedToken &token : parts.addedTokens)
      size = std::max<size_t>(size, token.id + 1);
    if (size > 2 * count + 100000)
      throw Failure(file + ": " + std::to_string(count) + " tokens have ids up to " + std::to_string(size - 1) +
                    ": too many ids without a token");
    table.texts.resize(size);
    table.flags.resize(size);
    // Sorted, so that a message about a shared id is always the same one.
    std::vector<const std::pair<const std::string, uint32_t> *> own;
    for (const std::pair<const std::string, uint32_t> &token : parts.model.ids)
      own.push_back(&token);
    std::sort(own.begin(), own.end(), [](const auto *a, const auto *b) {
      return a->second != b->second ? a->second < b->second : a->first < b->first;
    });
    for (const std::pair<const std::string, uint32_t> *token : own) {
      place(token->second, token->first);
      table.modelIds.push_back(token->second);
    }
    for (const AddedToken &token : parts.addedTokens) {
      place(token.id, token.text);
      table.flags[token.id] |=
          static_cast<uint8_t>(tokens::TokenFlags::added) | bit(token.special, tokens::TokenFlags::special);
    }
  }

  Offset<tokens::Strings> writeStrings(FlatBufferBuilder &builder, const std::vector<std::string> &strings) {
    std::vector<uint32_t> ends;
    std::string bytes;
    for (const std::string &text : strings) {
      bytes += text;
      if (bytes.size() > UINT32_MAX / 4)
        throw Failure(file + ": the tokens' texts are longer than a gigabyte");
      ends.push_back(static_cast<uint32_t>(bytes.size()));
    }
    auto endsVector = builder.CreateVector(ends);
    auto bytesVector = builder.CreateVector(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
    return tokens::CreateStrings(builder, endsVector, bytesVector);
  }

  Offset<tokens::Vocabulary> writeVocabulary(FlatBufferBuilder &builder) {
    size_t size = table.texts.size();
    std::vector<std::string> texts(size);
    std::vector<std::string> bytes(size);
    for (size_t id = 0; id < size; ++id) {
      if (!table.texts[id])
        continue;
      texts[id] = *table.texts[id];
      bool byteToken = false;
      bytes[id] = parts.decoder.bytesOf(texts[id], byteToken);
      table.flags[id] |= bit(byteToken, tokens::TokenFlags::byte);
    }
    size_t slotCount = 2;
    while (slotCount < table.modelIds.size() * 3 / 2 + 1)
      slotCount *= 2;
    std::vector<uint32_t> slots(slotCount);
    std::vector<uint32_t> low(kLowCodes);
    for (uint32_t id : table.modelIds) {
      const std::string &text = texts[id];
      size_t at = tokenHash(text.data(), text.size()) & (slotCount - 1);
      while (slots[at])
        at = (at + 1) & (slotCount - 1);
      slots[at] = id + 1;
      if (text.empty())
        continue;
      Character first = readCharacter(text);
      if (first.size == text.size() && first.code < kLowCodes)
        low[first.code] = id + 1;
    }
    Offset<tokens::Strings> textStrings = writeStrings(builder, texts);
    Offset<tokens::Strings> byteStrings = writeStrings(builder, bytes);
    return tokens::CreateVocabularyDirect(builder, textStrings, byteStrings, &table.flags, &slots, &low);
  }

  Offset<tokens::Bpe> writeBpe(FlatBufferBuilder &builder) {
    std::vector<uint32_t> starts(table.texts.size() + 1);
    std::vector<tokens::Merge> merges;
    for (const BpeMerge &merge : parts.model.merges) {
      ++starts[merge.left + 1];
      merges.push_back(tokens::Merge(merge.right, merge.rank, merge.id));
    }
    for (size_t i = 1; i < starts.size(); ++i)
      starts[i] += starts[i - 1];
    std::vector<uint32_t> byteTokens = findByteTokens();
    return tokens::CreateBpeDirect(builder, &starts, &merges, byteTokens.empty() ? nullptr : &byteTokens,
                                   static_cast<int32_t>(parts.model.unknown), parts.model.fuseUnknown,
                                   parts.model.ignoreMerges);
  }

  // id + 1 of each byte's token; empty without byte fallback.
  std::vector<uint32_t> findByteTokens() const {
    std::vector<uint32_t> result;
    for (int byte = 0; parts.model.byteFallback && byte < 256; ++byte) {
      char name[8];
      snprintf(name, sizeof name, "<0x%02X>", byte);
      std::unordered_map<std::string, uint32_t>::const_iterator found = parts.model.ids.find(name);
      result.push_back(found == parts.model.ids.end() ? 0 : found->second + 1);
    }
    return result;
  }

  Offset<tokens::WordPiece> writeWordPiece(FlatBufferBuilder &builder) {
    if (parts.model.kind != tokens::ModelKind::word_piece)
      return {};
    return tokens::CreateWordPieceDirect(builder, parts.model.continuation.c_str(),
                                         static_cast<uint32_t>(parts.model.unknown), parts.model.mostCharacters);
  }

  Offset<tokens::Unigram> writeUnigram(FlatBufferBuilder &builder) {
    if (parts.model.kind != tokens::ModelKind::unigram)
      return {};
    // Added tokens past the list have no score; nothing asks for it.
    std::vector<double> scores = parts.model.scores;
    const double least = scores.empty() ? 0 : *std::min_element(scores.begin(), scores.end());
    scores.resize(table.texts.size(), least);
    size_t longest = 0;
    for (const std::pair<const std::string, uint32_t> &token : parts.model.ids)
      longest = std::max(longest, token.first.size());
    std::vector<uint32_t> byteTokens = findByteTokens();
    // An unknown character costs as much more than the least likely token as SentencePiece has it.
    return tokens::CreateUnigramDirect(builder, &scores, static_cast<uint32_t>(longest),
                                       static_cast<int32_t>(parts.model.unknown), least - 10,
                                       byteTokens.empty() ? nullptr : &byteTokens);
  }

  // `tokens` by the text that is looked for; a map goes by the order of bytes.
  Offset<tokens::AddedTokens> writeAdded(FlatBufferBuilder &builder,
                                         const std::map<std::string, const AddedToken *> &added) {
    std::vector<uint32_t> ids;
    std::vector<uint8_t> flags;
    std::vector<std::string> texts;
    for (const std::pair<const std::string, const AddedToken *> &entry : added) {
      const AddedToken &token = *entry.second;
      texts.push_back(entry.first);
      ids.push_back(token.id);
      flags.push_back(bit(token.singleWord, tokens::AddedFlags::single_word) |
                      bit(token.lstrip, tokens::AddedFlags::lstrip) | bit(token.rstrip, tokens::AddedFlags::rstrip) |
                      bit(token.special, tokens::AddedFlags::special));
    }
    Offset<tokens::Strings> strings = writeStrings(builder, texts);
    return tokens::CreateAddedTokensDirect(builder, &ids, &flags, strings);
  }

  static Offset<flatbuffers::Vector<Offset<tokens::Step>>> writeSteps(FlatBufferBuilder &builder,
                                                                      const std::vector<StepSpec> &steps) {
    auto text = [&](const std::string &value) {
      return value.empty() ? Offset<flatbuffers::String>() : builder.CreateString(value);
    };
    std::vector<Offset<tokens::Step>> offsets;
    for (const StepSpec &step : steps) {
      Offset<flatbuffers::String> regex = step.regex ? builder.CreateString(*step.regex) : text("");
      Offset<flatbuffers::String> literal = text(step.literal);
      Offset<flatbuffers::String> replacement = text(step.text);
      Offset<flatbuffers::Vector<uint32_t>> trie;
      Offset<flatbuffers::Vector<uint8_t>> replacements;
      if (!step.trie.empty()) {
        trie = builder.CreateVector(step.trie);
        replacements =
            builder.CreateVector(reinterpret_cast<const uint8_t *>(step.replacements.data()), step.replacements.size());
      }
      offsets.push_back(tokens::CreateStep(builder, step.kind, regex, literal, replacement, step.behavior, step.invert,
                                           step.onlyFirst, step.left, step.right, trie, replacements));
    }
    return builder.CreateVector(offsets);
  }

  Offset<tokens::Decoder> writeDecoder(FlatBufferBuilder &builder) {
    const DecoderPlan &plan = parts.decoder;
    return tokens::CreateDecoderDirect(builder, plan.separator.c_str(), plan.strip.c_str(), plan.stripCount,
                                       plan.firstWithout.c_str(), plan.byteFallback);
  }

  const TokenizerParts &parts;
  const std::string &file;
  TokenTable table;
};

// FlatBuffers needs its bytes at a multiple of 8, which a vector of bytes promises nowhere.
class AlignedCopy {
public:
  explicit AlignedCopy(const std::vector<uint8_t> &bytes) : words((bytes.size() + 7) / 8), size(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t *>(words.data()));
  }
  // Opens it with the runtime's reader: a section that this refuses must not leave the compiler.
  std::unique_ptr<sinter_tokenizer> open(const std::string &file) const {
    std::string error;
    const tokens::Tokenizer *root = openSection(words.data(), size, error);
    std::unique_ptr<sinter_tokenizer> opened = root ? std::make_unique<sinter_tokenizer>(root) : nullptr;
    if (!opened || !opened->open(error))
      throw Failure(file + ": the compiled tokenizer does not open: " + error);
    return opened;
  }

private:
  std::vector<uint64_t> words;
  size_t size;
};

} // namespace

int32_t TokenizerParts::idOf(const std::string &text) const {
  for (const AddedToken &token : addedTokens)
    if (token.text == text)
      return static_cast<int32_t>(token.id);
  std::unordered_map<std::string, uint32_t>::const_iterator found = model.ids.find(text);
  return found == model.ids.end() ? -1 : static_cast<int32_t>(found->second);
}

std::vector<uint8_t> writeSection(const TokenizerParts &parts, const std::string &file) {
  Writer writer(parts, file);
  std::vector<uint8_t> section = writer.write({});
  AlignedCopy copy(section);
  std::unique_ptr<sinter_tokenizer> opened = copy.open(file);

  // Added tokens for normalized text are looked for as the normalizer leaves them ("<s>" as "▁<s>"), so the section
  // without them normalizes them, and they go into the one that is kept.
  std::map<std::string, const AddedToken *> normalized;
  for (const AddedToken &token : parts.addedTokens) {
    if (!token.normalized || token.text.empty())
      continue;
    std::string text;
    StepMemory memory;
    if (!opened->normalizer.run({token.text, true}, memory, [&](Piece piece) {
          text = piece.text;
          return true;
        }))
      throw Failure(file + ": added token '" + token.text.substr(0, 100) + "': " + memory.error);
    if (!text.empty())
      normalized.emplace(text, &token);
  }
  if (normalized.empty())
    return section;
  section = writer.write(normalized);
  AlignedCopy(section).open(file);
  return section;
}

} // namespace sinter::tokenizer
