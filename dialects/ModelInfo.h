// What a model's files say about it beyond its computation: filled by the frontend, stored in the package's manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sinter {

struct GenerationDefaults { // negative: the files say nothing
  bool doSample = false;
  float temperature = -1, topP = -1, minP = -1, repetitionPenalty = -1;
  int topK = -1;
};

// What an encoder's head makes of the hidden rows.
enum class EncoderTask : uint8_t {
  embed,    // one vector
  classify, // one row of logits
  tag,      // logits for each token
};

struct EncoderInfo {
  EncoderTask task = EncoderTask::embed;
  int64_t outputWidth = 0;         // of the vector, or labels
  std::string pooling;             // "mean", "first", "last", "max"
  bool unit = false;               // vectors have length 1
  int64_t types = 0;               // token types; 0: the model has none
  std::vector<std::string> labels; // [outputWidth], but for embeddings
  bool multiLabel = false;         // each label has a probability of its own; else those of all add up to 1
  int64_t usualTokens = 0;         // where the model's files cut texts; 0: they say nothing
};

struct ModelInfo {
  std::string name;   // "llama-1.2B": family and size, so that the same files give the same package wherever they are
  std::string family; // "llama", "qwen3", ...
  int64_t vocab = 0, hidden = 0, layers = 0;
  int64_t trainedContext = 0; // max_position_embeddings
  uint64_t parameters = 0;    // elements of all params, tied ones once
  int32_t bos = -1;           // -1: none
  std::vector<uint32_t> eos;  // ascending, without duplicates
  GenerationDefaults generation;
  std::optional<EncoderInfo> encoder; // none: a decoder
};

} // namespace sinter
