// What each family's row makes of a config.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

namespace {

using Windows = std::vector<int64_t>;

json with(json config, const char *changes) {
  config.update(json::parse(changes));
  return config;
}

TEST(Decoder, Llama) {
  Decoder plain = resolve(smallConfig());
  EXPECT_EQ(plain.headDim, 2);
  EXPECT_TRUE(plain.tied);
  EXPECT_FALSE(plain.qkvBias || plain.outputBias || plain.mlpBias || plain.headNorms);
  EXPECT_EQ(plain.windows, (Windows{0, 0}));
  Decoder biased = resolve(with(smallConfig(), R"({"attention_bias": true, "mlp_bias": true})"));
  EXPECT_TRUE(biased.qkvBias && biased.outputBias && biased.mlpBias);
}

TEST(Decoder, HeadDimension) {
  json config = smallConfig();
  config.erase("head_dim");
  EXPECT_EQ(resolve(config).headDim, 2); // hidden / heads
  EXPECT_EQ(resolve(with(config, R"({"head_dim": null})")).headDim, 2);
  EXPECT_EQ(resolve(with(config, R"({"head_dim": 6})")).headDim, 6);
  config["model_type"] = "qwen3";
  EXPECT_EQ(resolve(config).headDim, 128);
}

TEST(Decoder, TiedOnlyWhenSaid) {
  json config = smallConfig();
  config.erase("tie_word_embeddings");
  for (const char *family : {"llama", "mistral", "qwen2", "qwen3"})
    EXPECT_FALSE(resolve(with(config, ("{\"model_type\": \"" + std::string(family) + "\"}").c_str())).tied) << family;
}

TEST(Decoder, MistralWindows) {
  EXPECT_EQ(resolve(smallConfig("mistral")).windows, (Windows{4096, 4096}));
  EXPECT_EQ(resolve(with(smallConfig("mistral"), R"({"sliding_window": null})")).windows, (Windows{0, 0}));
  EXPECT_EQ(resolve(with(smallConfig("mistral"), R"({"sliding_window": 32})")).windows, (Windows{32, 32}));
}

TEST(Decoder, Qwen2) {
  Decoder decoder = resolve(smallConfig("qwen2"));
  EXPECT_TRUE(decoder.qkvBias);
  EXPECT_FALSE(decoder.outputBias || decoder.mlpBias || decoder.headNorms);
}

TEST(Decoder, QwenWindows) {
  for (const char *family : {"qwen2", "qwen3"}) {
    json config = smallConfig(family);
    EXPECT_EQ(resolve(with(config, R"({"sliding_window": 8})")).windows, (Windows{0, 0})); // not switched on
    EXPECT_EQ(
        resolve(with(config, R"({"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1})")).windows,
        (Windows{0, 8}));
    EXPECT_EQ(resolve(with(config, R"({"use_sliding_window": true, "max_window_layers": 0})")).windows,
              (Windows{4096, 4096}));
    EXPECT_EQ(resolve(with(config, R"({"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 9,
                                       "layer_types": ["sliding_attention", "full_attention"]})"))
                  .windows,
              (Windows{8, 0}));
  }
}

TEST(Decoder, Qwen3) {
  Decoder decoder = resolve(smallConfig("qwen3"));
  EXPECT_TRUE(decoder.headNorms);
  EXPECT_FALSE(decoder.qkvBias || decoder.outputBias);
  Decoder biased = resolve(with(smallConfig("qwen3"), R"({"attention_bias": true})"));
  EXPECT_TRUE(biased.qkvBias && biased.outputBias);
}

TEST(Decoder, Activations) {
  const std::pair<const char *, GateActivation> rows[] = {{"silu", GateActivation::silu},
                                                          {"gelu", GateActivation::gelu},
                                                          {"gelu_pytorch_tanh", GateActivation::geluTanh},
                                                          {"relu", GateActivation::relu}};
  for (auto [name, activation] : rows) {
    json config = smallConfig();
    config["hidden_act"] = name;
    EXPECT_EQ(resolve(config).activation, activation) << name;
  }
}

} // namespace
