// Byte-pair encoding of one piece of text.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stdint.h>

#include <string_view>
#include <vector>

namespace sinter::tokenizer {

// Working memory, reused from piece to piece.
struct BpeMemory {
  struct Symbol {
    uint32_t id;
    uint32_t previous;
    uint32_t next;
  };
  struct Candidate {
    uint32_t rank;
    uint32_t position;
    uint32_t id;
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> queue; // a heap
};

// Appends the ids of `piece` (Sennrich et al. 2016, in the order Hugging Face's BPE gives merges). Time is
// O(n log n) in the piece's length.
void encodeBpe(const tokens::Vocabulary &vocabulary, const tokens::Bpe &bpe, std::string_view piece, BpeMemory &memory,
               std::vector<uint32_t> &ids);

} // namespace sinter::tokenizer
