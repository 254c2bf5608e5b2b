// Unigram encoding of one piece of text.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stdint.h>

#include <string_view>
#include <vector>

namespace sinter::tokenizer {

// Working memory, reused from piece to piece.
struct UnigramMemory {
  struct Node {
    double score;   // of the best way that ends here
    uint32_t start; // of its last token; kNoStart: no way ends here
    int64_t id;     // of its last token; -1: unknown
  };
  struct Part {
    uint32_t begin, end;
    int64_t id;
  };
  std::vector<Node> nodes; // [bytes + 1]
  std::vector<Part> parts;
};

// Appends the ids of the most likely way to make `piece` of tokens (Kudo 2018), found by Viterbi's algorithm.
// Characters that no token holds are unknown; a run of them becomes its bytes' tokens or one unknown token.
void encodeUnigram(const tokens::Vocabulary &vocabulary, const tokens::Unigram &unigram, std::string_view piece,
                   UnigramMemory &memory, std::vector<uint32_t> &ids);

} // namespace sinter::tokenizer
