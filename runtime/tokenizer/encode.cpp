// Text to ids, the whole way: cut at added tokens, normalize, cut at the added tokens that are looked for in normalized
// text, pre-tokenize, and give each piece to the model.

#include "tokenizer.h"
#include "utf8.h"

namespace sinter::tokenizer {
namespace {

// One running encode. The receivers refer to it, so that they are small enough to be kept without an allocation.
class Encoding {
public:
  Encoding(const sinter_tokenizer &tokenizer, uint32_t flags, std::vector<uint32_t> &ids)
      : tokenizer(tokenizer), parseSpecial(flags & SINTER_PARSE_SPECIAL), ids(ids) {}

  bool run(std::string_view text) {
    auto receive = [this](std::string_view part, size_t begin, int64_t id) {
      return id >= 0 ? take(id) : normalizePart({part, begin == 0});
    };
    return tokenizer.added.cut(text, parseSpecial, receive);
  }

  // Why run() returned false.
  const std::string &error() const {
    return normalizerMemory.error.empty() ? preTokenizerMemory.error : normalizerMemory.error;
  }

private:
  bool take(int64_t id) {
    ids.push_back(static_cast<uint32_t>(id));
    return true;
  }

  bool normalizePart(Piece piece) {
    return tokenizer.normalizer.run(piece, normalizerMemory, [this](Piece normalized) {
      bool startsText = normalized.first;
      auto receive = [this, startsText](std::string_view part, size_t begin, int64_t id) {
        return id >= 0 ? take(id) : preTokenizePart({part, startsText && begin == 0});
      };
      return tokenizer.addedNormalized.cut(normalized.text, parseSpecial, receive);
    });
  }

  bool preTokenizePart(Piece piece) {
    return tokenizer.preTokenizer.run(piece, preTokenizerMemory, [this](Piece word) {
      const tokens::Tokenizer &root = *tokenizer.root;
      switch (root.model()) {
      case tokens::ModelKind::bpe:
        encodeBpe(*root.vocabulary(), *root.bpe(), word.text, bpeMemory, ids);
        break;
      case tokens::ModelKind::word_piece:
        encodeWordPiece(*root.vocabulary(), *root.word_piece(), word.text, wordMemory, ids);
        break;
      case tokens::ModelKind::unigram:
        encodeUnigram(*root.vocabulary(), *root.unigram(), word.text, unigramMemory, ids);
        break;
      }
      return true;
    });
  }

  const sinter_tokenizer &tokenizer;
  bool parseSpecial;
  std::vector<uint32_t> &ids;
  StepMemory normalizerMemory;
  StepMemory preTokenizerMemory;
  BpeMemory bpeMemory;
  WordPieceMemory wordMemory;
  UnigramMemory unigramMemory;
};

void appendIds(const flatbuffers::Vector<uint32_t> *source, std::vector<uint32_t> &ids) {
  if (source)
    ids.insert(ids.end(), source->begin(), source->end());
}

} // namespace
} // namespace sinter::tokenizer

bool sinter_tokenizer::encode(std::string_view text, uint32_t flags, std::vector<uint32_t> &ids,
                              std::string &error) const {
  using namespace sinter::tokenizer;
  std::string repaired;
  if (!isUtf8(text)) {
    appendLossy(repaired, text);
    text = repaired;
  }
  if (flags & SINTER_ADD_SPECIAL)
    appendIds(root->prefix(), ids);
  Encoding encoding(*this, flags, ids);
  if (!encoding.run(text)) {
    error = encoding.error();
    return false;
  }
  if (flags & SINTER_ADD_SPECIAL)
    appendIds(root->suffix(), ids);
  return true;
}
