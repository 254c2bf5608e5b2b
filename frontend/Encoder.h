// An encoder with every question answered: config.json, what sentence-transformers' files add to it, and the family's
// row. Free of LLVM.
#pragma once

#include "dialects/ModelInfo.h"
#include "frontend/Decoder.h"
#include "frontend/EncoderFamilies.h"

#include <optional>
#include <string>
#include <vector>

namespace sinter {

enum class EncoderActivation : uint8_t { none, gelu, geluTanh, relu, silu, tanh };

// A product behind the pooling: of sentence-transformers' Dense modules, or of a classification head.
struct EncoderDense {
  std::string name;      // in tx
  std::string tensor;    // ".weight" and ".bias" follow
  std::string directory; // with a checkpoint of its own, or empty
  int64_t inputs = 0, outputs = 0;
  bool bias = true;
  EncoderActivation activation = EncoderActivation::none;
};

struct Encoder {
  std::string path; // of config.json, for messages
  const EncoderFamily *family = nullptr;
  int64_t vocab = 0, hidden = 0, layers = 0, heads = 0, ffn = 0;
  int64_t positions = 0, firstPosition = 0; // rows of the table, and the first token's
  int64_t types = 0;                        // rows of the table; 0: none
  float normEpsilon = 0;
  EncoderActivation activation = EncoderActivation::gelu;
  int64_t relativeBuckets = 0;             // 0: no relative bias
  std::vector<int64_t> relativeThresholds; // as tx.relative_bias has them

  EncoderInfo info;                 // what is made of the hidden rows
  std::vector<EncoderDense> denses; // behind the pooling, or, of a tagger, on every row
  std::optional<uint32_t> pad;

  int64_t headDim() const { return hidden / heads; }
  int64_t context() const { return positions - firstPosition; }
};

// "model_type" of a directory's config.json; empty with an error if it cannot be read.
std::string readModelType(const std::string &directory, std::string &error);

// Reads config.json, and modules.json with what it names if it is there.
bool readEncoder(const std::string &directory, Encoder &encoder, std::string &error);
// The part that modules.json and sentence_bert_config.json decide. Leaves the encoder as it is where there are no such
// files.
bool readSentenceModules(const std::string &directory, Encoder &encoder, std::string &error);
// "gelu" and so on; none if the name is unknown.
EncoderActivation findEncoderActivation(const std::string &name);
// Every name, for error messages.
std::string encoderActivationNames();

// Distances at which the buckets of one direction begin, all but the first (Raffel et al. 2020): single distances up to
// half of the buckets, then in logarithmic steps up to `maxDistance`, which must be more than that half.
std::vector<int64_t> relativeThresholds(int64_t bucketsPerDirection, int64_t maxDistance);

// The weights, named as this checkpoint names them: with or without the family's prefix, norms with weight and bias or
// with gamma and beta. Those of `denses` with a directory of their own are not among them.
std::vector<DecoderParam> encoderParams(const Encoder &encoder, const Checkpoint &checkpoint);

} // namespace sinter
