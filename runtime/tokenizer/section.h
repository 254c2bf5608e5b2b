// The tokenizer section, after every offset and index in it was checked: code that reads it needs no further checks.
#pragma once

#include "runtime/tokenizer/tokenizer_generated.h"

#include <stddef.h>

#include <string>
#include <string_view>

namespace sinter::tokenizer {

inline constexpr uint32_t kMaxTokens = 1u << 24;
inline constexpr uint32_t kLowCodes = 512; // entries of Vocabulary.low

// The root of a sound section, or nullptr and a message.
const tokens::Tokenizer *openSection(const void *data, size_t size, std::string &error);

inline std::string_view stringAt(const tokens::Strings &strings, uint32_t index) {
  const uint32_t *ends = strings.ends()->data();
  uint32_t begin = index ? ends[index - 1] : 0;
  return {reinterpret_cast<const char *>(strings.bytes()->data()) + begin, ends[index] - begin};
}

inline std::string_view view(const flatbuffers::String *text) {
  return text ? std::string_view(text->c_str(), text->size()) : std::string_view();
}

inline bool has(uint8_t flags, tokens::TokenFlags flag) { return flags & static_cast<uint8_t>(flag); }
inline bool has(uint8_t flags, tokens::AddedFlags flag) { return flags & static_cast<uint8_t>(flag); }

// The id of one of the model's own tokens, or -1.
int64_t findToken(const tokens::Vocabulary &vocabulary, std::string_view text);

} // namespace sinter::tokenizer
