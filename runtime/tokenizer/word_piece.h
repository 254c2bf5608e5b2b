// WordPiece encoding of one piece of text.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

namespace sinter::tokenizer {

// Working memory, reused from piece to piece.
struct WordPieceMemory {
  std::string candidate;    // a part with the continuation before it
  std::vector<size_t> ends; // of the piece's characters
};

// Appends the ids of `piece`: the longest token at its start, then the longest that continues it, and so on (Wu et al.
// 2016); the unknown token if that does not come to the end.
void encodeWordPiece(const tokens::Vocabulary &vocabulary, const tokens::WordPiece &words, std::string_view piece,
                     WordPieceMemory &memory, std::vector<uint32_t> &ids);

} // namespace sinter::tokenizer
