// The table of decoder families. Adding a row adds the family; see docs/adding-a-family.md for what a row can say and
// what to do when it cannot.

#include "frontend/Families.h"

namespace sinter {

static constexpr Family kFamilies[] = {
    {
        .modelType = "llama", // also SmolLM, TinyLlama, Yi, DeepSeek-LLM and many more
        .architecture = "LlamaForCausalLM",
        .attentionBias = BiasRule::asConfigured,
        .mlpBiasConfigurable = true,
    },
    {
        .modelType = "mistral",
        .architecture = "MistralForCausalLM",
        .windows = WindowRule::everyLayer,
        .windowIfAbsent = 4096,
    },
    {
        .modelType = "qwen2", // also Qwen2.5
        .architecture = "Qwen2ForCausalLM",
        .attentionBias = BiasRule::always,
        .windows = WindowRule::someLayers,
        .windowIfAbsent = 4096,
        .maxWindowLayersIfAbsent = 28,
    },
    {
        .modelType = "qwen3",
        .architecture = "Qwen3ForCausalLM",
        .attentionBias = BiasRule::asConfigured,
        .headNorms = true,
        .windows = WindowRule::someLayers,
        .windowIfAbsent = 4096,
        .maxWindowLayersIfAbsent = 28,
        .headDimIfAbsent = 128,
    },
};

static constexpr bool layersAreNumbered() {
  for (const Family &family : kFamilies)
    if (family.names.layer.find("{}") == std::string_view::npos)
      return false;
  return true;
}
static_assert(layersAreNumbered(), "names.layer needs {} where the layer's number goes");

const Family *findFamily(std::string_view modelType) {
  for (const Family &family : kFamilies)
    if (family.modelType == modelType)
      return &family;
  return nullptr;
}

std::string familyNames() {
  std::string names;
  for (const Family &family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.modelType);
  return names;
}

} // namespace sinter
