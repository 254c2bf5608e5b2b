// A tokenizer as read, and the section it becomes.
#pragma once

#include "Components.h"

namespace sinter::tokenizer {

struct TokenizerParts {
  TokenModel model;
  std::vector<AddedToken> addedTokens; // no text twice
  std::vector<StepSpec> normalizer;
  std::vector<StepSpec> preTokenizer;
  Template ids;
  DecoderPlan decoder;
  int32_t bos = -1;
  int32_t eos = -1;
  int32_t pad = -1;
  int32_t unk = -1;

  // The id of a token, added or the model's own, or -1.
  int32_t idOf(const std::string &text) const;
};

// Throws Failure where two tokens share an id or ids are far apart; `file` starts the message.
std::vector<uint8_t> writeSection(const TokenizerParts &parts, const std::string &file);

} // namespace sinter::tokenizer
