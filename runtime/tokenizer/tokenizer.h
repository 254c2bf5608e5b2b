// The objects behind the C API's handles.
#pragma once

#include "added_tokens.h"
#include "bpe.h"
#include "sinter_tokenizer.h"
#include "steps.h"
#include "unigram.h"
#include "word_piece.h"

#include <string>
#include <string_view>
#include <vector>

struct sinter_tokenizer {
  explicit sinter_tokenizer(const sinter::tokens::Tokenizer *root)
      : root(root), added(*root->added()), addedNormalized(*root->added_normalized()) {}

  bool open(std::string &error) {
    return normalizer.open(*root->normalizer(), "normalizer", error) &&
           preTokenizer.open(*root->pre_tokenizer(), "pre_tokenizer", error);
  }

  // Appends the ids of `text`. False: a pattern failed.
  bool encode(std::string_view text, uint32_t flags, std::vector<uint32_t> &ids, std::string &error) const;

  bool hasToken(uint32_t id) const {
    return id < root->vocabulary()->flags()->size() && has(id, sinter::tokens::TokenFlags::used);
  }
  bool has(uint32_t id, sinter::tokens::TokenFlags flag) const {
    return sinter::tokenizer::has(root->vocabulary()->flags()->Get(id), flag);
  }
  std::string_view textOf(uint32_t id) const { return sinter::tokenizer::stringAt(*root->vocabulary()->texts(), id); }
  std::string_view bytesOf(uint32_t id) const { return sinter::tokenizer::stringAt(*root->vocabulary()->bytes(), id); }

  const sinter::tokens::Tokenizer *root;
  sinter::tokenizer::AddedTokenFinder added;
  sinter::tokenizer::AddedTokenFinder addedNormalized;
  sinter::tokenizer::Steps normalizer;
  sinter::tokenizer::Steps preTokenizer;
};

namespace sinter::tokenizer {

// What a token adds to decoded text where it stands: the decoder treats the first token of a text differently.
void appendTokenBytes(const sinter_tokenizer &tokenizer, uint32_t id, bool first, std::string &bytes);

// All of `ids` at once. False: an id has no token.
bool decodeAll(const sinter_tokenizer &tokenizer, const uint32_t *ids, size_t count, uint32_t flags, std::string &text,
               std::string &error);

} // namespace sinter::tokenizer

struct sinter_detokenizer {
  sinter_detokenizer(const sinter_tokenizer *tokenizer, uint32_t flags) : tokenizer(tokenizer), flags(flags) {
    restart();
  }

  void restart();
  void push(uint32_t id);
  void finish();

  const sinter_tokenizer *tokenizer;
  uint32_t flags;
  std::string ready; // what the last call completed
private:
  void emit(std::string_view text);
  void emitIllFormed(size_t size);

  std::string pending; // the start of a character
  bool first;          // no token has given text yet
  uint32_t stripLeft;  // characters that may still be taken off the start
};
