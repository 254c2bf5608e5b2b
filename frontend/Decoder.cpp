// A config and its family's row come in, a Decoder goes out. This is the one place that interprets traits; whatever a
// config says that its family has no meaning for is an error here.

#include "frontend/Decoder.h"

#include "frontend/InputFile.h"

namespace sinter {
namespace {

struct ActivationName {
  std::string_view name; // "hidden_act"
  GateActivation activation;
};
constexpr ActivationName kActivations[] = {
    {"silu", GateActivation::silu},         {"swish", GateActivation::silu},
    {"gelu", GateActivation::gelu},         {"gelu_pytorch_tanh", GateActivation::geluTanh},
    {"gelu_new", GateActivation::geluTanh}, {"relu", GateActivation::relu},
};

constexpr std::string_view kFullAttention = "full_attention", kSlidingAttention = "sliding_attention";

// Fails with "PATH: KEY: MESSAGE".
bool fail(const Config &config, const char *key, const std::string &message, std::string &error) {
  error = config.path + ": " + key + ": " + message;
  return false;
}

std::string inFamily(const Config &config) { return " in family '" + std::string(config.family->modelType) + "'"; }

bool resolveHeads(const Config &config, Decoder &decoder, std::string &error) {
  const int64_t fixed = config.headDim.value_or(config.family->headDimIfAbsent);
  if (!fixed && config.hidden % config.heads)
    return fail(config, "num_attention_heads",
                std::to_string(config.heads) + " does not divide hidden_size " + std::to_string(config.hidden) +
                    ", and there is no head_dim",
                error);
  decoder.headDim = fixed ? fixed : config.hidden / config.heads;
  if (decoder.headDim % 2)
    return fail(config, "head_dim",
                "expected an even number for rotary embedding, found " + std::to_string(decoder.headDim), error);
  if (config.kvHeads > config.heads || config.heads % config.kvHeads)
    return fail(config, "num_key_value_heads",
                "expected a divisor of num_attention_heads " + std::to_string(config.heads) + ", found " +
                    std::to_string(config.kvHeads),
                error);
  decoder.heads = config.heads;
  decoder.kvHeads = config.kvHeads;
  return true;
}

bool resolveBiases(const Config &config, Decoder &decoder, std::string &error) {
  const Family &family = *config.family;
  const bool asked = config.attentionBias.value_or(false);
  if (asked && family.attentionBias == BiasRule::never)
    return fail(config, "attention_bias", "true has no meaning" + inFamily(config), error);
  decoder.qkvBias = family.attentionBias == BiasRule::always || asked;
  decoder.outputBias = family.attentionBias == BiasRule::asConfigured && asked;
  decoder.mlpBias = config.mlpBias.value_or(false);
  if (decoder.mlpBias && !family.mlpBiasConfigurable)
    return fail(config, "mlp_bias", "true has no meaning" + inFamily(config), error);
  return true;
}

// The window that the config switches on, or 0.
int64_t activeWindow(const Config &config) {
  const Family &family = *config.family;
  const bool on = family.windows == WindowRule::everyLayer || config.useSlidingWindow.value_or(false);
  return on ? config.slidingWindow.value_or(family.windowIfAbsent) : 0;
}

bool resolveWindows(const Config &config, Decoder &decoder, std::string &error) {
  const Family &family = *config.family;
  if (family.windows == WindowRule::never) {
    if (config.useSlidingWindow.value_or(false))
      return fail(config, "use_sliding_window", "true has no meaning" + inFamily(config), error);
    if (config.slidingWindow.value_or(0))
      return fail(config, "sliding_window",
                  std::to_string(*config.slidingWindow) + " has no meaning" + inFamily(config), error);
  }
  const int64_t window = activeWindow(config);
  const size_t layers = static_cast<size_t>(config.layers);
  if (!config.layerTypes.empty() && config.layerTypes.size() != layers)
    return fail(config, "layer_types",
                "expected " + std::to_string(layers) + " entries, found " + std::to_string(config.layerTypes.size()),
                error);
  const int64_t firstWindowed =
      family.windows == WindowRule::everyLayer ? 0 : config.maxWindowLayers.value_or(family.maxWindowLayersIfAbsent);
  for (size_t layer = 0; layer < layers; ++layer) {
    bool windowed = window && static_cast<int64_t>(layer) >= firstWindowed;
    if (!config.layerTypes.empty()) {
      const std::string &type = config.layerTypes[layer];
      if (type != kFullAttention && type != kSlidingAttention)
        return fail(config, "layer_types", "expected full_attention or sliding_attention, found " + quote(type), error);
      windowed = type == kSlidingAttention;
      if (windowed && !window)
        return fail(config, "layer_types",
                    "layer " + std::to_string(layer) + " is sliding_attention, but no sliding window is in use", error);
    }
    decoder.windows.push_back(windowed ? window : 0);
  }
  return true;
}

bool resolveActivation(const Config &config, Decoder &decoder, std::string &error) {
  std::string names;
  for (const ActivationName &row : kActivations) {
    if (row.name == config.activation) {
      decoder.activation = row.activation;
      return true;
    }
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return fail(config, "hidden_act", "found " + quote(config.activation) + ", expected one of " + names, error);
}

} // namespace

bool resolveDecoder(const Config &config, Decoder &decoder, std::string &error) {
  decoder = {};
  decoder.family = config.family;
  decoder.vocab = config.vocab;
  decoder.hidden = config.hidden;
  decoder.layers = config.layers;
  decoder.ffn = config.ffn;
  decoder.normEpsilon = static_cast<float>(config.normEpsilon);
  decoder.headNorms = config.family->headNorms;
  decoder.tied = config.tied.value_or(config.family->tiedIfAbsent);
  if (!resolveHeads(config, decoder, error) || !resolveBiases(config, decoder, error) ||
      !resolveWindows(config, decoder, error) || !resolveActivation(config, decoder, error))
    return false;
  std::string problem;
  return computeRope(config.rope, decoder.headDim, config.context, decoder.rope, problem) ||
         fail(config, config.rope.key.c_str(), problem, error);
}

} // namespace sinter
