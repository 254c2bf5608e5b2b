// config.json and generation_config.json as typed values, each within sensible bounds. Free of LLVM.
#pragma once

#include "dialects/ModelInfo.h"
#include "frontend/Families.h"
#include "frontend/Rope.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sinter {

// What the file says; Decoder.h says what it means. Optional where the family decides on absence.
struct Config {
  std::string path; // of config.json, for messages
  const Family *family = nullptr;

  int64_t vocab = 0, hidden = 0, layers = 0, heads = 0, ffn = 0, context = 0;
  int64_t kvHeads = 0; // as many as heads if absent
  std::optional<int64_t> headDim;
  double normEpsilon = 1e-6;
  std::string activation = "silu";
  RopeConfig rope;
  std::optional<bool> tied, attentionBias, mlpBias, useSlidingWindow;
  std::optional<int64_t> slidingWindow; // null: 0
  std::optional<int64_t> maxWindowLayers;
  std::vector<std::string> layerTypes; // [layers] or empty

  std::optional<uint32_t> bos;
  std::vector<uint32_t> eos; // ascending, without duplicates
};

// Reads directory/config.json. Refuses unknown families, missing or absurd values, and whatever the file asks for that
// Sinter does not compute.
bool readConfig(const std::string &directory, Config &config, std::string &error);

// Reads directory/generation_config.json, if there is one, into info.generation; its token ids, which must be below
// config.vocab, replace those of the config.
bool readGenerationConfig(const std::string &directory, Config &config, GenerationDefaults &generation,
                          std::string &error);

} // namespace sinter
