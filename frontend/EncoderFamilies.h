// Encoder families as data: what tells one kind of BERT from another is names, and a few traits. One builder serves all
// rows. docs/adding-a-family.md. Free of LLVM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sinter {

// Keys of config.json.
struct EncoderKeys {
  const char *hidden = "hidden_size";
  const char *layers = "num_hidden_layers";
  const char *heads = "num_attention_heads";
  const char *ffn = "intermediate_size";
  const char *activation = "hidden_act";
};

// Names of a checkpoint's tensors. `prefix` goes before all but the heads' where the checkpoint has a head; `layer` has
// {} for the layer's number and goes before the names below it. Norms and products get ".weight" and ".bias" appended.
struct EncoderNames {
  std::string_view prefix;
  std::string_view tokens = "embeddings.word_embeddings.weight";
  std::string_view positions = "embeddings.position_embeddings.weight";
  std::string_view types = "embeddings.token_type_embeddings.weight";
  std::string_view embedNorm = "embeddings.LayerNorm";
  std::string_view relative = "";

  std::string_view layer = "encoder.layer.{}.";
  std::string_view q = "attention.self.query";
  std::string_view k = "attention.self.key";
  std::string_view v = "attention.self.value";
  std::string_view o = "attention.output.dense";
  std::string_view attentionNorm = "attention.output.LayerNorm";
  std::string_view up = "intermediate.dense";
  std::string_view down = "output.dense";
  std::string_view outputNorm = "output.LayerNorm";
};

// What classifies texts: a product and activation of the first token's row, and a product that gives the logits. The
// names stand without the family's prefix.
struct ClassifierNames {
  std::string_view dense;
  std::string_view activation; // as in config.json
  std::string_view out;
};

struct EncoderFamily {
  std::string_view modelType;
  bool types = true;                   // has embeddings of token types
  bool positionsFollowPadding = false; // the first token has position pad_token_id + 1
  bool relativeBias = false;           // of attention, in buckets of distances (Raffel et al. 2020)
  double epsilon = 0;                  // of norms; 0: "layer_norm_eps"
  EncoderKeys keys = {};
  EncoderNames names = {};
  ClassifierNames classifier = {};
};

// nullptr if there is none.
const EncoderFamily *findEncoderFamily(std::string_view modelType);

// "bert, roberta, ...", for error messages.
std::string encoderFamilyNames();

} // namespace sinter
