// Ids to text. The compiler has worked out what each token's decoder gives, so what is left to do is to put bytes
// behind one another, to treat the start of the text, and to make characters of the bytes. A whole text and a stream
// share the first two; they differ in that a stream cannot wait for the end of a run of byte tokens to see if all of it
// is UTF-8.

#include "tokenizer.h"
#include "utf8.h"

namespace sinter::tokenizer {

using tokens::TokenFlags;

void appendTokenBytes(const sinter_tokenizer &tokenizer, uint32_t id, bool first, std::string &bytes) {
  const tokens::Decoder &decoder = *tokenizer.root->decoder();
  std::string_view without = view(decoder.first_without());
  if (!first || without.empty() || tokenizer.has(id, TokenFlags::byte)) {
    if (!first)
      bytes += view(decoder.separator());
    bytes += tokenizer.bytesOf(id);
    return;
  }
  std::string_view text = tokenizer.textOf(id);
  for (size_t at; (at = text.find(without)) != std::string_view::npos; text.remove_prefix(at + without.size()))
    bytes += text.substr(0, at);
  bytes += text;
}

bool decodeAll(const sinter_tokenizer &tokenizer, const uint32_t *ids, size_t count, uint32_t flags, std::string &text,
               std::string &error) {
  const tokens::Decoder &decoder = *tokenizer.root->decoder();
  std::string bytes; // since the last byte token began, or since the start
  auto flush = [&](bool wasByteRun) {
    if (!wasByteRun || isUtf8(bytes))
      appendLossy(text, bytes);
    else
      for (size_t i = 0; i < bytes.size(); ++i)
        text += kReplacementCharacter;
    bytes.clear();
  };
  bool first = !(flags & SINTER_CONTINUE);
  bool inByteRun = false;
  for (size_t i = 0; i < count; ++i) {
    if (!tokenizer.hasToken(ids[i])) {
      error = "id " + std::to_string(ids[i]) + " has no token";
      return false;
    }
    if ((flags & SINTER_SKIP_SPECIAL) && tokenizer.has(ids[i], TokenFlags::special))
      continue;
    bool byte = decoder.byte_runs() && tokenizer.has(ids[i], TokenFlags::byte);
    if (byte != inByteRun)
      flush(inByteRun);
    inByteRun = byte;
    appendTokenBytes(tokenizer, ids[i], first, bytes);
    first = false;
  }
  flush(inByteRun);

  std::string_view strip = view(decoder.strip());
  size_t stripped = 0;
  if (!(flags & SINTER_CONTINUE))
    for (uint32_t i = 0; i < decoder.strip_count() && text.compare(stripped, strip.size(), strip) == 0; ++i)
      stripped += strip.size();
  text.erase(0, stripped);
  return true;
}

} // namespace sinter::tokenizer

using namespace sinter::tokenizer;

void sinter_detokenizer::restart() {
  bool continues = flags & SINTER_CONTINUE;
  first = !continues;
  stripLeft = continues ? 0 : tokenizer->root->decoder()->strip_count();
  pending.clear();
}

void sinter_detokenizer::emit(std::string_view text) {
  std::string_view strip = view(tokenizer->root->decoder()->strip());
  if (stripLeft > 0 && text == strip) {
    --stripLeft;
    return;
  }
  stripLeft = 0;
  ready += text;
}

void sinter_detokenizer::emitIllFormed(size_t size) {
  size_t count = tokenizer->root->decoder()->byte_runs() ? size : 1;
  for (size_t i = 0; i < count; ++i)
    emit(kReplacementCharacter);
}

void sinter_detokenizer::push(uint32_t id) {
  ready.clear();
  if ((flags & SINTER_SKIP_SPECIAL) && tokenizer->has(id, sinter::tokens::TokenFlags::special))
    return;
  appendTokenBytes(*tokenizer, id, first, pending);
  first = false;
  size_t at = 0;
  while (at < pending.size()) {
    Character character = readCharacter(std::string_view(pending).substr(at));
    if (character.cut)
      break;
    if (character.valid)
      emit(std::string_view(pending).substr(at, character.size));
    else
      emitIllFormed(character.size);
    at += character.size;
  }
  pending.erase(0, at);
}

void sinter_detokenizer::finish() {
  ready.clear();
  if (!pending.empty())
    emitIllFormed(pending.size());
  restart();
}
