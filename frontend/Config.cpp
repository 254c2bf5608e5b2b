// config.json comes in, a Config goes out. A file that asks for anything Sinter does not compute must not pass: wrong
// text from a model that seemed to compile is worse than an error. Most keys of a config are harmless though (training,
// library versions), so the keys that are not are listed, each with the value at which it asks for nothing.

#include "frontend/Config.h"

#include "frontend/ConfigReader.h"
#include "frontend/EncoderFamilies.h"
#include "frontend/InputFile.h"
#include "frontend/Json.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <limits>

using nlohmann::json;

namespace sinter {
namespace {

// Bounds on sizes. They are far above every published model, and their products stay far below 2^63.
constexpr int64_t kMaxHidden = 1 << 18, kMaxFfn = 1 << 21, kMaxVocab = 1 << 24, kMaxLayers = 1024, kMaxHeads = 4096,
                  kMaxHeadDim = 4096, kMaxContext = 1 << 30;

// A key that changes what is computed, and the number at which it does not. Absent, null and false never do.
struct UnsupportedKey {
  const char *key;
  double harmless; // kNone: no number is
  const char *what;
};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr UnsupportedKey kUnsupported[] = {
    {"quantization_config", kNone, "checkpoints that are already quantized"},
    {"compression_config", kNone, "checkpoints that are already quantized"},
    {"num_experts", 0, "mixtures of experts"},
    {"num_local_experts", 0, "mixtures of experts"},
    {"n_routed_experts", 0, "mixtures of experts"},
    {"moe_intermediate_size", 0, "mixtures of experts"},
    {"partial_rotary_factor", 1, "rotary embedding of a part of each head"},
    {"rope_interleaved", kNone, "interleaved rotary embedding"},
    {"no_rope_layers", kNone, "layers without rotary embedding"},
    {"no_rope_layer_interval", 0, "layers without rotary embedding"},
    {"dual_chunk_attention_config", kNone, "dual chunk attention"},
    {"attention_chunk_size", 0, "chunked attention"},
    {"attn_logit_softcapping", 0, "softcapped attention"},
    {"final_logit_softcapping", 0, "softcapped logits"},
    {"query_pre_attn_scalar", kNone, "another scale of attention"},
    {"attention_multiplier", kNone, "another scale of attention"},
    {"embedding_multiplier", 1, "scaled embeddings"},
    {"residual_multiplier", 1, "scaled residuals"},
    {"logits_scaling", 1, "scaled logits"},
    {"logit_scale", 1, "scaled logits"},
    {"clip_qkv", 0, "clipped queries, keys and values"},
    {"use_qk_norm", kNone, "query and key normalization in this family"},
    {"alibi", kNone, "linear position biases"},
    {"is_encoder_decoder", kNone, "encoder-decoder models"},
    {"use_bidirectional_attention", kNone, "bidirectional attention"},
    {"cross_attention_layers", kNone, "cross attention"},
    {"text_config", kNone, "models of more than text"},
    {"vision_config", kNone, "models of more than text"},
    {"audio_config", kNone, "models of more than text"},
};

void refuseUnsupported(const json &root, ConfigReader &reader) {
  for (const UnsupportedKey &row : kUnsupported) {
    const json *value = reader.find(row.key);
    if (!value || (value->is_boolean() && *value == false) || (value->is_number() && *value == row.harmless))
      continue;
    reader.fail(row.key, "found " + describeJson(*value) + "; not supported: " + std::string(row.what));
  }
}

// Architectures with other heads (classification, embeddings) share the model_type but not the computation.
void checkArchitectures(const Family &family, ConfigReader &reader) {
  std::vector<std::string> names;
  reader.readStrings("architectures", names);
  if (!names.empty() && std::find(names.begin(), names.end(), family.architecture) == names.end())
    reader.fail("architectures", "expected '" + std::string(family.architecture) + "' for model_type '" +
                                     std::string(family.modelType) + "', found " + quote(names.front()));
}

void readRopeScaling(ConfigReader &reader, RopeConfig &rope) {
  constexpr double kMost = 1e6;
  reader.readString("type", rope.kind);
  reader.readString("rope_type", rope.kind); // the newer spelling wins
  if (!isRopeKind(rope.kind))
    return reader.fail("rope_type", "found " + quote(rope.kind) + ", expected one of " + ropeKindNames());
  for (const char *key : {"mrope_section", "short_factor", "long_factor"})
    if (reader.find(key))
      return reader.fail(key, "is not supported");
  for (const char *key : {"full_attention", "sliding_attention"})
    if (reader.find(key))
      return reader.fail(key, "rotary embedding that differs between layers is not supported");
  double partial = 1;
  reader.readNumber("partial_rotary_factor", 0, 1, partial);
  if (partial != 1)
    return reader.fail("partial_rotary_factor", "rotary embedding of a part of each head is not supported");
  reader.readNumber("rope_theta", 1, 1e12, rope.theta);
  reader.readNumber("factor", 1, kMost, rope.factor);
  reader.readNumber("low_freq_factor", 0, kMost, rope.lowFrequencyFactor);
  reader.readNumber("high_freq_factor", 0, kMost, rope.highFrequencyFactor);
  reader.readNumber("beta_fast", 0, kMost, rope.betaFast);
  reader.readNumber("beta_slow", 0, kMost, rope.betaSlow);
  reader.readNumber("attention_factor", 0, kMost, rope.attentionFactor);
  reader.readNumber("mscale", 0, kMost, rope.mscale);
  reader.readNumber("mscale_all_dim", 0, kMost, rope.mscaleAllDims);
  reader.readBool("truncate", rope.truncate);
  reader.readInteger("original_max_position_embeddings", 1, kMaxContext, rope.originalContext);
}

// "rope_theta" with "rope_scaling", or all in "rope_parameters" since version 5 of Hugging Face's library.
void readRope(ConfigReader &reader, RopeConfig &rope, std::string &error) {
  reader.readNumber("rope_theta", 1, 1e12, rope.theta);
  for (const char *key : {"rope_scaling", "rope_parameters"}) {
    const json *value = reader.find(key);
    if (reader.failed() || !value)
      continue;
    if (!value->is_object())
      return reader.fail(key, "expected an object, found " + describeJson(*value));
    ConfigReader scaling(*value, reader.location() + ": " + key, error);
    rope.key = key;
    readRopeScaling(scaling, rope);
  }
}

void readTokens(ConfigReader &reader, Config &config) {
  std::vector<uint32_t> bos;
  reader.readTokens("bos_token_id", config.vocab, bos);
  if (!bos.empty())
    config.bos = bos.front();
  reader.readTokens("eos_token_id", config.vocab, config.eos);
}

} // namespace

bool readConfig(const std::string &directory, Config &config, std::string &error) {
  config = {};
  error.clear();
  config.path = directory + "/config.json";
  json root;
  if (!readJsonObject(config.path, {}, root, error))
    return false;
  ConfigReader reader(root, config.path, error);

  std::string modelType;
  reader.needString("model_type", modelType);
  if (reader.failed())
    return false;
  config.family = findFamily(modelType);
  if (!config.family) {
    reader.fail("model_type", "family " + quote(modelType) + " is not supported, expected one of " + familyNames() +
                                  ", " + encoderFamilyNames());
    return false;
  }
  checkArchitectures(*config.family, reader);
  refuseUnsupported(root, reader);

  reader.needInteger("vocab_size", 1, kMaxVocab, config.vocab);
  reader.needInteger("hidden_size", 1, kMaxHidden, config.hidden);
  reader.needInteger("num_hidden_layers", 1, kMaxLayers, config.layers);
  reader.needInteger("num_attention_heads", 1, kMaxHeads, config.heads);
  reader.needInteger("intermediate_size", 1, kMaxFfn, config.ffn);
  reader.needInteger("max_position_embeddings", 1, kMaxContext, config.context);
  config.kvHeads = config.heads;
  reader.readInteger("num_key_value_heads", 1, kMaxHeads, config.kvHeads);
  reader.readInteger("head_dim", 1, kMaxHeadDim, config.headDim);
  reader.readNumber("rms_norm_eps", 0, 1, config.normEpsilon);
  reader.readString("hidden_act", config.activation);
  reader.readBool("tie_word_embeddings", config.tied);
  reader.readBool("attention_bias", config.attentionBias);
  reader.readBool("mlp_bias", config.mlpBias);
  reader.readBool("use_sliding_window", config.useSlidingWindow);
  if (reader.has("sliding_window") && !reader.find("sliding_window"))
    config.slidingWindow = 0;
  reader.readInteger("sliding_window", 0, kMaxContext, config.slidingWindow);
  reader.readInteger("max_window_layers", 0, kMaxLayers * 16, config.maxWindowLayers);
  reader.readStrings("layer_types", config.layerTypes);
  readRope(reader, config.rope, error);
  readTokens(reader, config);
  return !reader.failed();
}

bool readGenerationConfig(const std::string &directory, Config &config, GenerationDefaults &generation,
                          std::string &error) {
  error.clear();
  const std::string path = directory + "/generation_config.json";
  if (!fileExists(path))
    return true;
  json root;
  if (!readJsonObject(path, {}, root, error))
    return false;
  ConfigReader reader(root, path, error);
  int64_t topK = -1;
  reader.readBool("do_sample", generation.doSample);
  reader.readNumber("temperature", 0, 100, generation.temperature);
  reader.readNumber("top_p", 0, 1, generation.topP);
  reader.readNumber("min_p", 0, 1, generation.minP);
  reader.readNumber("repetition_penalty", 0.01, 100, generation.repetitionPenalty);
  reader.readInteger("top_k", 0, kMaxVocab, topK);
  generation.topK = static_cast<int>(topK);
  readTokens(reader, config);
  return !reader.failed();
}

} // namespace sinter
