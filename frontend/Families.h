// Decoder families as data. What tells one family of Llama-like decoders from another is a handful of traits; a family
// is one row of them, and one builder serves all rows. docs/adding-a-family.md. Free of LLVM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sinter {

// Which projections of attention carry a bias.
enum class BiasRule : uint8_t {
  never,        // none; a config that asks for one is refused
  asConfigured, // q, k, v and o, if "attention_bias" is true
  always,       // q, k and v, whatever the config says
};

// Which layers see only the last "sliding_window" positions.
enum class WindowRule : uint8_t {
  never,      // none; a config that asks for one is refused
  everyLayer, // all, unless "sliding_window" is null
  someLayers, // with "use_sliding_window": those of "layer_types", or else those from "max_window_layers" on
};

// Names of a checkpoint's tensors. `layer` has {} for the layer's number and goes before the names below it;
// projections get ".weight" or ".bias" appended.
struct TensorNames {
  std::string_view embed = "model.embed_tokens.weight";
  std::string_view norm = "model.norm.weight";
  std::string_view head = "lm_head.weight";

  std::string_view layer = "model.layers.{}.";
  std::string_view inputNorm = "input_layernorm.weight";
  std::string_view postNorm = "post_attention_layernorm.weight";
  std::string_view q = "self_attn.q_proj";
  std::string_view k = "self_attn.k_proj";
  std::string_view v = "self_attn.v_proj";
  std::string_view o = "self_attn.o_proj";
  std::string_view queryNorm = "self_attn.q_norm.weight";
  std::string_view keyNorm = "self_attn.k_norm.weight";
  std::string_view gate = "mlp.gate_proj";
  std::string_view up = "mlp.up_proj";
  std::string_view down = "mlp.down_proj";
};

// Values that a family's public definition uses where a config leaves a key out are the members named ...IfAbsent.
struct Family {
  std::string_view modelType;    // "model_type" in config.json
  std::string_view architecture; // of "architectures"
  BiasRule attentionBias = BiasRule::never;
  bool mlpBiasConfigurable = false; // "mlp_bias" puts biases on gate, up and down
  bool headNorms = false;           // queries and keys are RMS-normalized per head, before they rotate
  WindowRule windows = WindowRule::never;
  int64_t windowIfAbsent = 0;
  int64_t maxWindowLayersIfAbsent = 0;
  int64_t headDimIfAbsent = 0; // 0: hidden_size / num_attention_heads
  bool tiedIfAbsent = false;   // the head is the embedding table
  TensorNames names = {};
};

// nullptr if there is none.
const Family *findFamily(std::string_view modelType);

// "llama, mistral, ...", for error messages.
std::string familyNames();

} // namespace sinter
