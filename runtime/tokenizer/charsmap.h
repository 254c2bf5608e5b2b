// SentencePiece's table of replacements, as normalizers of type "Precompiled" hold it.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stdint.h>

#include <string>
#include <string_view>

namespace sinter::tokenizer {

class Charsmap {
public:
  // `step` must outlive this. False: the table is missing or its texts are damaged.
  bool open(const tokens::Step &step, std::string &error);

  // The text with its grapheme clusters of up to five bytes, or else its characters, replaced where the table says so.
  // Like Hugging Face's `tokenizers`, which in this differs from SentencePiece itself.
  // False: it would become longer than `most` bytes.
  bool apply(std::string_view text, std::string &result, size_t most) const;

private:
  // Replaces all of `part` by what the table has for the shortest of its starts. False: it has nothing.
  bool append(std::string_view part, std::string &result) const;

  const flatbuffers::Vector<uint32_t> *trie = nullptr;
  std::string_view replacements;
};

} // namespace sinter::tokenizer
