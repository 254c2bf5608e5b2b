// A decoder with every question answered: the family's traits applied to a config. Free of LLVM.
#pragma once

#include "frontend/Config.h"
#include "frontend/Rope.h"
#include "frontend/Safetensors.h"

#include <string>
#include <vector>

namespace sinter {

enum class GateActivation : uint8_t { silu, gelu, geluTanh, relu };

struct Decoder {
  const Family *family = nullptr;
  int64_t vocab = 0, hidden = 0, layers = 0, heads = 0, kvHeads = 0, headDim = 0, ffn = 0;
  float normEpsilon = 0;
  GateActivation activation = GateActivation::silu;
  RopeNumbers rope;
  std::vector<int64_t> windows; // [layers], 0: all positions
  bool qkvBias = false, outputBias = false, mlpBias = false;
  bool headNorms = false;
  bool tied = false;

  int64_t queryWidth() const { return heads * headDim; }
  int64_t keyWidth() const { return kvHeads * headDim; }
};

// False with an error naming file and key where the config contradicts itself or its family.
bool resolveDecoder(const Config &config, Decoder &decoder, std::string &error);

// A weight the decoder computes with.
struct DecoderParam {
  std::string name;           // in tx: "layers.3.q"
  std::string tensor;         // in the checkpoint: "model.layers.3.self_attn.q_proj.weight"
  std::vector<int64_t> shape; // [outputs, inputs] or [elements]
};
std::vector<DecoderParam> decoderParams(const Decoder &decoder);

// Finds every param's tensor in the checkpoint: found[i] belongs to params[i]. All tensors that are missing are named
// at once; a wrong shape or a dtype other than F32, F16 and BF16 names tensor, file, expected and found.
bool bindParams(const std::vector<DecoderParam> &params, const Checkpoint &checkpoint,
                std::vector<const TensorEntry *> &found, std::string &error);

} // namespace sinter
