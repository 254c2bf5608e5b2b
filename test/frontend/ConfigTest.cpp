// config.json and generation_config.json: values, defaults, and the message of each thing that can be wrong.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

namespace {

Config read(const json &config) {
  ModelDirectory directory;
  directory.writeJson("config.json", config);
  Config result;
  std::string error;
  EXPECT_TRUE(readConfig(directory.path(), result, error)) << error;
  return result;
}

TEST(Config, Defaults) {
  Config config = read(smallConfig());
  EXPECT_EQ(config.normEpsilon, 1e-6);
  EXPECT_EQ(config.rope.theta, 10000);
  EXPECT_EQ(config.rope.kind, "default");
  EXPECT_EQ(config.activation, "silu");
  EXPECT_FALSE(config.bos.has_value());
  EXPECT_TRUE(config.eos.empty());
  json withoutKv = smallConfig();
  withoutKv.erase("num_key_value_heads");
  EXPECT_EQ(read(withoutKv).kvHeads, 4);
}

TEST(Config, EndTokens) {
  json config = smallConfig();
  config["eos_token_id"] = 7;
  EXPECT_EQ(read(config).eos, std::vector<uint32_t>{7});
  config["eos_token_id"] = {9, 2, 9};
  EXPECT_EQ(read(config).eos, (std::vector<uint32_t>{2, 9}));
  config["eos_token_id"] = nullptr;
  EXPECT_TRUE(read(config).eos.empty());
}

TEST(Config, RopeInBothSpellings) {
  json config = smallConfig();
  config["rope_theta"] = 500000;
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
  Config old = read(config);
  EXPECT_EQ(old.rope.theta, 500000);
  EXPECT_EQ(old.rope.kind, "linear");
  EXPECT_EQ(old.rope.factor, 2);

  json newer = smallConfig();
  newer["rope_parameters"] = {{"rope_type", "llama3"},   {"rope_theta", 20000.0},
                              {"factor", 8.0},           {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 32}};
  Config read5 = read(newer);
  EXPECT_EQ(read5.rope.theta, 20000);
  EXPECT_EQ(read5.rope.kind, "llama3");
  EXPECT_EQ(read5.rope.originalContext, 32);
}

// One key of a small Llama config, and the value it is changed to.
struct BadValue {
  const char *key, *value, *message;
};

void PrintTo(const BadValue &row, std::ostream *out) { *out << row.key << " = " << row.value; }

class ConfigErrors : public testing::TestWithParam<BadValue> {};

TEST_P(ConfigErrors, AreNamed) {
  json config = smallConfig();
  config[GetParam().key] = json::parse(GetParam().value);
  EXPECT_NE(configError(config).find(GetParam().message), std::string::npos) << configError(config);
}

const BadValue kBadValues[] = {
    {"model_type", "\"gpt2\"",
     "model_type: family 'gpt2' is not supported, expected one of llama, mistral, qwen2, qwen3"},
    {"model_type", "3", "model_type: expected a string, found 3"},
    {"model_type", "null", "model_type: is missing"},
    {"architectures", "[\"LlamaForSequenceClassification\"]",
     "architectures: expected 'LlamaForCausalLM' for model_type 'llama', found 'LlamaForSequenceClassification'"},
    {"hidden_size", "0", "hidden_size: expected an integer from 1 to 262144, found 0"},
    {"hidden_size", "-8", "hidden_size: expected an integer"},
    {"hidden_size", "8.5", "hidden_size: expected an integer from 1 to 262144, found 8.5"},
    {"hidden_size", "\"8\"", "hidden_size: expected an integer from 1 to 262144, found '8'"},
    {"hidden_size", "null", "hidden_size: is missing"},
    {"hidden_size", "9007199254740993", "found 9007199254740993"},
    {"hidden_size", "18446744073709551615", "found 18446744073709551615"},
    {"hidden_size", "[8]", "found [8]"},
    {"vocab_size", "1000000000", "vocab_size: expected an integer from 1 to 16777216"},
    {"num_hidden_layers", "100000", "num_hidden_layers: expected an integer from 1 to 1024"},
    {"num_attention_heads", "5000", "num_attention_heads: expected an integer from 1 to 4096"},
    {"num_key_value_heads", "3", "num_key_value_heads: expected a divisor of num_attention_heads 4, found 3"},
    {"num_key_value_heads", "8", "num_key_value_heads: expected a divisor of num_attention_heads 4, found 8"},
    {"head_dim", "3", "head_dim: expected an even number for rotary embedding, found 3"},
    {"intermediate_size", "{}", "intermediate_size: expected an integer from 1 to 2097152, found an object"},
    {"max_position_embeddings", "0", "max_position_embeddings: expected an integer"},
    {"rms_norm_eps", "-1e-5", "rms_norm_eps: expected a number from 0.0 to 1.0, found -1e-05"},
    {"rms_norm_eps", "\"small\"", "rms_norm_eps: expected a number"},
    {"hidden_act", "\"mish\"", "hidden_act: found 'mish', expected one of silu, swish, gelu"},
    {"tie_word_embeddings", "1", "tie_word_embeddings: expected true or false, found 1"},
    {"eos_token_id", "16", "eos_token_id: expected token ids below vocab_size 16, found 16"},
    {"eos_token_id", "[1, -1]", "eos_token_id: expected token ids below vocab_size 16, found [1, -1]"},
    {"rope_theta", "0", "rope_theta: expected a number from 1.0"},
    {"rope_scaling", "7", "rope_scaling: expected an object, found 7"},
    {"rope_scaling", R"({"rope_type": "dynamic", "factor": 2.0})",
     "rope_scaling: rope_type: found 'dynamic', expected one of default, linear, llama3, yarn"},
    {"rope_scaling", R"({"type": "longrope", "short_factor": [1.0]})", "rope_type: found 'longrope'"},
    {"rope_scaling", R"({"type": "mrope", "mrope_section": [1, 1]})", "rope_type: found 'mrope'"},
    {"rope_scaling", R"({"rope_type": "linear"})", "rope_scaling: rope type 'linear' needs a positive 'factor'"},
    {"rope_scaling", R"({"rope_type": "linear", "factor": 0})", "rope_scaling: factor: expected a number from 1.0"},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64})",
     "needs 'high_freq_factor' above 'low_freq_factor'"},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8.0})", "needs a positive 'low_freq_factor'"},
    {"rope_parameters", R"({"rope_type": "linear"})", "rope_parameters: rope type 'linear' needs a positive 'factor'"},
    {"rope_parameters", R"({"full_attention": {"rope_type": "default"}})", "rope_parameters: full_attention: "},
    {"rope_parameters", R"({"rope_type": "default", "partial_rotary_factor": 0.5})",
     "rope_parameters: partial_rotary_factor: "},
    {"partial_rotary_factor", "0.5",
     "partial_rotary_factor: found 0.5; not supported: rotary embedding of a part of each head"},
    {"quantization_config", R"({"quant_method": "gptq"})",
     "quantization_config: found an object; not supported: checkpoints that are already quantized"},
    {"num_local_experts", "8", "num_local_experts: found 8; not supported: mixtures of experts"},
    {"final_logit_softcapping", "30.0", "final_logit_softcapping: found 30.0; not supported: softcapped logits"},
    {"no_rope_layers", "[1, 1]", "no_rope_layers: found [1, 1]; not supported: layers without rotary embedding"},
    {"sliding_window", "32", "sliding_window: 32 has no meaning in family 'llama'"},
    {"use_sliding_window", "true", "use_sliding_window: true has no meaning in family 'llama'"},
    {"layer_types", R"(["full_attention"])", "layer_types: expected 2 entries, found 1"},
    {"layer_types", R"(["full_attention", "linear_attention"])",
     "layer_types: expected full_attention or sliding_attention, found 'linear_attention'"},
    {"layer_types", R"(["full_attention", "sliding_attention"])",
     "layer_types: layer 1 is sliding_attention, but no sliding window is in use"},
    {"layer_types", "[1, 2]", "layer_types: expected a list of strings, found [1, 2]"},
};
INSTANTIATE_TEST_SUITE_P(Values, ConfigErrors, testing::ValuesIn(kBadValues),
                         [](const testing::TestParamInfo<BadValue> &info) {
                           return info.param.key + ("_" + std::to_string(info.index));
                         });

TEST(Config, HarmlessValuesPass) {
  json config = smallConfig();
  for (const char *text :
       {R"({"num_local_experts": 0, "partial_rotary_factor": 1.0, "logit_scale": 1, "alibi": false})",
        R"({"quantization_config": null, "sliding_window": null, "rope_scaling": null})",
        R"({"pretraining_tp": 4, "use_cache": true, "attention_dropout": 0.1, "unheard_of": [1]})"})
    config.update(json::parse(text));
  EXPECT_EQ(configError(config), "");
}

TEST(Config, BiasesThatAFamilyLacks) {
  json config = smallConfig("mistral");
  config["attention_bias"] = true;
  EXPECT_EQ(configError(config), "attention_bias: true has no meaning in family 'mistral'");
  config = smallConfig("qwen2");
  config["mlp_bias"] = true;
  EXPECT_EQ(configError(config), "mlp_bias: true has no meaning in family 'qwen2'");
}

TEST(Config, HeadsMustDivideHidden) {
  json config = smallConfig();
  config.erase("head_dim");
  config["num_attention_heads"] = 3;
  config["num_key_value_heads"] = 3;
  EXPECT_EQ(configError(config), "num_attention_heads: 3 does not divide hidden_size 8, and there is no head_dim");
}

TEST(Config, NotJson) {
  const std::pair<std::string, const char *> texts[] = {
      {"", "not valid JSON at byte"},
      {"[]", "expected a JSON object, found []"},
      {"{\"model_type\": \"llama\", \"model_type\": \"llama\"}", "key 'model_type' appears twice"},
      {"{\"a\": " + std::string(1000, '[') + std::string(1000, ']') + "}", "nested deeper than 16 levels"},
      {"{\"a\": 1e999}", "not valid JSON at byte"},
      {std::string("{}\0 more", 8), "not valid JSON at byte 3, which is zero"},
      {"{\"a\": \"\xff\"}", "not valid JSON at byte"},
      {std::string(5 << 20, ' '), "JSON of 5242880 bytes, expected at most 4194304"},
      {"{\"a\": [0" + std::string(1 << 19, ',') + "]}", "not valid JSON at byte"},
  };
  for (const auto &[text, message] : texts) {
    ModelDirectory directory;
    directory.write("config.json", text);
    Config config;
    std::string error;
    EXPECT_FALSE(readConfig(directory.path(), config, error));
    EXPECT_NE(error.find(message), std::string::npos) << error;
  }
}

TEST(Config, TooManyValues) {
  std::string text = "{\"a\": [0";
  for (int i = 0; i < 300000; ++i)
    text += ",0";
  ModelDirectory directory;
  directory.write("config.json", std::string_view(text + "]}"));
  Config config;
  std::string error;
  EXPECT_FALSE(readConfig(directory.path(), config, error));
  EXPECT_NE(error.find("more than 262144 values"), std::string::npos) << error;
}

// Reads generation_config.json beside a vocabulary of 16 with eos 3.
std::string generationError(const char *text, Config &config, GenerationDefaults &generation) {
  ModelDirectory directory;
  directory.write("generation_config.json", text);
  config.vocab = 16;
  config.eos = {3};
  std::string error;
  EXPECT_EQ(readGenerationConfig(directory.path(), config, generation, error), error.empty());
  return error.empty() ? error : error.substr(directory.file("generation_config.json: ").size());
}

TEST(GenerationConfig, Values) {
  Config config;
  GenerationDefaults generation;
  ASSERT_EQ(generationError(R"({"do_sample": true, "temperature": 0.5, "top_k": 20, "top_p": 0.9, "min_p": 0.1,
                                "repetition_penalty": 1, "eos_token_id": [5, 4], "bos_token_id": 1})",
                            config, generation),
            "");
  EXPECT_TRUE(generation.doSample);
  EXPECT_EQ(generation.temperature, 0.5f);
  EXPECT_EQ(generation.topK, 20);
  EXPECT_EQ(generation.topP, 0.9f);
  EXPECT_EQ(generation.minP, 0.1f);
  EXPECT_EQ(generation.repetitionPenalty, 1.0f);
  EXPECT_EQ(config.eos, (std::vector<uint32_t>{4, 5}));
  EXPECT_EQ(config.bos, std::optional<uint32_t>(1));
}

TEST(GenerationConfig, SaysNothing) {
  Config config;
  GenerationDefaults generation;
  ASSERT_EQ(generationError(R"({"temperature": null})", config, generation), "");
  EXPECT_FALSE(generation.doSample);
  EXPECT_LT(generation.temperature, 0);
  EXPECT_LT(generation.topK, 0);
  EXPECT_EQ(config.eos, std::vector<uint32_t>{3}); // the config's
}

TEST(GenerationConfig, Absent) {
  ModelDirectory directory;
  Config config;
  GenerationDefaults generation;
  std::string error;
  EXPECT_TRUE(readGenerationConfig(directory.path(), config, generation, error)) << error;
}

TEST(GenerationConfig, Errors) {
  Config config;
  GenerationDefaults generation;
  EXPECT_EQ(generationError(R"({"temperature": "hot"})", config, generation),
            "temperature: expected a number from 0.0 to 100.0, found 'hot'");
  EXPECT_EQ(generationError(R"({"top_p": 1.5})", config, generation),
            "top_p: expected a number from 0.0 to 1.0, found 1.5");
  EXPECT_EQ(generationError(R"({"top_k": -1})", config, generation),
            "top_k: expected an integer from 0 to 16777216, found -1");
  EXPECT_EQ(generationError(R"({"do_sample": "yes"})", config, generation),
            "do_sample: expected true or false, found 'yes'");
  EXPECT_EQ(generationError(R"({"eos_token_id": 99})", config, generation),
            "eos_token_id: expected token ids below vocab_size 16, found 99");
}

} // namespace
