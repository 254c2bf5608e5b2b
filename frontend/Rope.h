// Rotary position embedding: from what a config says to the numbers that tx.rope carries. Free of LLVM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sinter {

// "rope_scaling" or "rope_parameters" of a config. Negative numbers: not said.
struct RopeConfig {
  std::string key = "rope_scaling"; // of config.json, where this was read
  std::string kind = "default";     // "rope_type"; also linear, llama3, yarn
  double theta = 10000;
  double factor = -1;                                       // how many times longer contexts become
  double lowFrequencyFactor = -1, highFrequencyFactor = -1; // llama3
  double betaFast = -1, betaSlow = -1, attentionFactor = -1, mscale = -1, mscaleAllDims = -1; // yarn
  bool truncate = true;                                                                       // yarn
  int64_t originalContext = -1;                                                               // llama3, yarn
};

// Column pair i turns by position * inverseFrequencies[i] radians; the result is scaled by `factor`.
struct RopeNumbers {
  std::vector<float> inverseFrequencies; // [rotary dims / 2]
  float factor = 1;
};

// `dims`, even, columns of a head rotate; `context` is max_position_embeddings. False if a number that the kind needs
// is missing or senseless; `error` then says which key, without the file.
bool computeRope(const RopeConfig &config, int64_t dims, int64_t context, RopeNumbers &numbers, std::string &error);

// Whether there is a kind of that name, and the list of all for messages.
bool isRopeKind(std::string_view kind);
std::string ropeKindNames();

} // namespace sinter
