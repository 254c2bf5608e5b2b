// Finds added tokens ("<|im_start|>") in a text.
#pragma once

#include "section.h"

#include <array>
#include <functional>
#include <string_view>

namespace sinter::tokenizer {

class AddedTokenFinder {
public:
  static constexpr int64_t kText = -1; // the id of a stretch without an added token

  explicit AddedTokenFinder(const tokens::AddedTokens &tokens);

  // Cuts `text` into added tokens and what lies between them, leftmost and longest first, and sends each with its id or
  // kText, and where it starts in `text`. With `parseSpecial` false, special tokens stay text. False: the receiver
  // stopped.
  using Receiver = std::function<bool(std::string_view text, size_t begin, int64_t id)>;
  bool cut(std::string_view text, bool parseSpecial, const Receiver &receive) const;

  // The id of the token with this text, or -1.
  int64_t find(std::string_view text) const;

private:
  // The longest token at the start of `text`, or -1.
  int64_t longest(std::string_view text) const;

  const tokens::AddedTokens *tokens;
  std::array<uint32_t, 257> starts; // tokens with first byte b: [starts[b], starts[b+1])
};

} // namespace sinter::tokenizer
