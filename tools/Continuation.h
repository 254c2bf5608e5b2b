// Continuing a prompt on standard output: what can be asked for, and what came of it.
#pragma once

#include "tools/Artifact.h"

#include <chrono>
#include <optional>

namespace sinter {

struct ContinueOptions {
  std::optional<std::string> prompt, promptOption, promptIds; // at most one; none: the model begins
  std::optional<float> temperature, topP, minP, repetitionPenalty;
  std::optional<uint32_t> topK, maxTokens;
  std::optional<uint64_t> seed;
  uint32_t threads = 0, context = 0, prefillStep = 0;
  std::string logits; // a file for those of the last prompt position
  bool ignoreEos = false;
  bool json = false; // print nothing: the caller prints the result
};

struct Continuation {
  std::vector<uint32_t> prompt, tokens;
  std::string text; // of the tokens; empty if there is no tokenizer
  bool hasText;
  const char *stop;                      // "max_tokens", "context", "eos", "interrupted"
  double prefillRate, decodeRate;        // tokens/s
  double loadSeconds, firstTokenSeconds; // since `started`
  uint64_t seed;
  std::string isa;
  uint32_t threads;
};

// `started`: when the program began, for the times of the result. Throws Failure.
Continuation continuePrompt(const ContinueOptions &options, Artifact &artifact,
                            std::chrono::steady_clock::time_point started);
// For --verbose: one line on standard error.
void printStatistics(const Continuation &result);

} // namespace sinter
