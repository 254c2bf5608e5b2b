// What becomes of texts in an encoder, for everything that takes them from a command line: `sinter embed`, `sinter
// classify` and self-contained executables. No command-line or JSON library is needed for it.
#pragma once

#include "tools/Artifact.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

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

// Options of embed and classify for CLI11 (TextCommand.cpp).
void addTextOptions(CLI::App &command, TextOptions &options);

// The model's facts; throws if it is not an encoder.
sinter_encoder_info encoderOf(const Artifact &artifact);

// Every text with the tokens around it that the tokenizer puts there; those that are too long lose tokens at their end,
// and standard error says so. Of two texts the longer one loses them.
std::vector<EncoderText> readTexts(const Artifact &artifact, const TextOptions &options);

struct EmbedOptions : TextOptions {
  std::string pooling; // "mean", "first" (also "cls"), "last", "max"; empty: as the model says
  std::string output, hidden;
  bool normalize = false, similarity = false;
};

struct Embeddings {
  std::vector<EncoderText> texts;
  std::vector<std::vector<float>> vectors; // [texts][dimensions]
  std::string pooling;
  bool normalized;
};

Embeddings embedTexts(Artifact &artifact, const EmbedOptions &options);
// --similarity and --output; false: neither was asked for.
bool writeEmbeddings(const Embeddings &embeddings, const EmbedOptions &options);

struct Label {
  std::string name;
  std::string key; // the same, but unlike the others' where names repeat
  float logit;
  double probability;
};

// The labels of a text, or of one of its tokens.
struct LabeledRow {
  uint32_t id;       // of the token
  std::string token; // its text; empty without a tokenizer
  std::vector<Label> labels;
  size_t best; // of `labels`

  const Label &label() const { return labels[best]; }
};

struct LabeledText {
  EncoderText text;
  std::vector<LabeledRow> rows; // one, or as many as tokens
};

std::vector<LabeledText> classifyTexts(Artifact &artifact, const TextOptions &options);
// For people: a line for each text or token.
void printLabels(const Artifact &artifact, const std::vector<LabeledText> &texts);

} // namespace sinter
