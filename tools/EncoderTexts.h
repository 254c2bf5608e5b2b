// What embed and classify share: texts from the command line or a file, as tokens that fit the model.
#pragma once

#include "tools/Artifact.h"

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sinter {

struct TextOptions {
  std::string model;
  std::vector<std::string> texts, ids; // ids: lists of tokens instead of texts
  std::string file;                    // a text per line
  std::optional<std::string> first;    // stands before each text, as one of two
  uint32_t threads = 0;
  bool json = false;
};

struct EncoderText {
  std::string text; // empty where ids were given
  std::vector<uint32_t> ids;
  bool truncated = false;
  std::vector<uint32_t> types; // of the tokens; empty: all 0
};

void addTextOptions(CLI::App &command, TextOptions &options);

// The model's facts; throws if it is not an encoder.
sinter_encoder_info encoderOf(const Artifact &artifact);

// Every text with the tokens around it that the tokenizer puts there; those that are too long lose tokens at their end,
// and standard error says so. Of two texts the longer one loses them.
std::vector<EncoderText> readTexts(const Artifact &artifact, const TextOptions &options);

// "mean", "first" (also "cls"), "last" or "max" of hidden rows.
std::vector<float> poolRows(const sinter_encoding &encoding, uint32_t width, const std::string &pooling);

} // namespace sinter
