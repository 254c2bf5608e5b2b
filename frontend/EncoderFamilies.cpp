// The table of encoder families. Adding a row adds the family.

#include "frontend/EncoderFamilies.h"

namespace sinter {

static constexpr ClassifierNames kRobertaClassifier = {"classifier.dense", "tanh", "classifier.out_proj"};

static constexpr EncoderFamily kFamilies[] = {
    {
        .modelType = "bert", // also MiniLM, BGE, E5, GTE and many more
        .names = {.prefix = "bert."},
        .classifier = {"bert.pooler.dense", "tanh", "classifier"},
    },
    {
        .modelType = "roberta",
        .positionsFollowPadding = true,
        .names = {.prefix = "roberta."},
        .classifier = kRobertaClassifier,
    },
    {
        .modelType = "xlm-roberta", // also multilingual E5, BGE-M3
        .positionsFollowPadding = true,
        .names = {.prefix = "roberta."},
        .classifier = kRobertaClassifier,
    },
    {
        .modelType = "camembert",
        .positionsFollowPadding = true,
        .names = {.prefix = "roberta."},
        .classifier = kRobertaClassifier,
    },
    {
        .modelType = "mpnet",
        .types = false,
        .positionsFollowPadding = true,
        .relativeBias = true,
        .names = {.prefix = "mpnet.",
                  .relative = "encoder.relative_attention_bias.weight",
                  .q = "attention.attn.q",
                  .k = "attention.attn.k",
                  .v = "attention.attn.v",
                  .o = "attention.attn.o",
                  .attentionNorm = "attention.LayerNorm"},
        .classifier = kRobertaClassifier,
    },
    {
        .modelType = "distilbert",
        .types = false,
        .epsilon = 1e-12,
        .keys = {.hidden = "dim",
                 .layers = "n_layers",
                 .heads = "n_heads",
                 .ffn = "hidden_dim",
                 .activation = "activation"},
        .names = {.prefix = "distilbert.",
                  .layer = "transformer.layer.{}.",
                  .q = "attention.q_lin",
                  .k = "attention.k_lin",
                  .v = "attention.v_lin",
                  .o = "attention.out_lin",
                  .attentionNorm = "sa_layer_norm",
                  .up = "ffn.lin1",
                  .down = "ffn.lin2",
                  .outputNorm = "output_layer_norm"},
        .classifier = {"pre_classifier", "relu", "classifier"},
    },
};

static constexpr bool layersAreNumbered() {
  for (const EncoderFamily &family : kFamilies)
    if (family.names.layer.find("{}") == std::string_view::npos)
      return false;
  return true;
}
static_assert(layersAreNumbered(), "names.layer needs {} where the layer's number goes");

const EncoderFamily *findEncoderFamily(std::string_view modelType) {
  for (const EncoderFamily &family : kFamilies)
    if (family.modelType == modelType)
      return &family;
  return nullptr;
}

std::string encoderFamilyNames() {
  std::string names;
  for (const EncoderFamily &family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.modelType);
  return names;
}

} // namespace sinter
