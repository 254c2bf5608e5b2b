// Which tensors a decoder needs, and the messages when a checkpoint does not have them as expected.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

namespace {

// Writes a file of these tensors; returns the error of binding the decoder's params to it, or "".
std::string bindError(const Decoder &decoder, const std::vector<DecoderParam> &tensors, const char *dtype = "BF16") {
  ModelDirectory directory;
  directory.write("model.safetensors", safetensors(tensors, dtype));
  Checkpoint checkpoint;
  std::vector<const TensorEntry *> found;
  std::string error;
  EXPECT_TRUE(openCheckpoint(directory.path(), checkpoint, error)) << error;
  EXPECT_EQ(bindParams(decoderParams(decoder), checkpoint, found, error), error.empty());
  return error.empty() ? error : error.substr(directory.path().size());
}

DecoderParam find(const std::vector<DecoderParam> &params, const std::string &name) {
  for (const DecoderParam &param : params)
    if (param.name == name)
      return param;
  ADD_FAILURE() << "no param " << name;
  return {};
}

TEST(Weights, Names) {
  json config = smallConfig("qwen3");
  config["attention_bias"] = true;
  config["tie_word_embeddings"] = false;
  std::vector<DecoderParam> params = decoderParams(resolve(config));
  EXPECT_EQ(params.size(), 3u + 2 * (4 + 7 + 4));
  EXPECT_EQ(find(params, "embed").tensor, "model.embed_tokens.weight");
  EXPECT_EQ(find(params, "layers.1.q").tensor, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_EQ(find(params, "layers.1.k").shape, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(find(params, "layers.1.o_bias").tensor, "model.layers.1.self_attn.o_proj.bias");
  EXPECT_EQ(find(params, "layers.0.q_norm").shape, std::vector<int64_t>{2});
  EXPECT_EQ(find(params, "layers.0.down").shape, (std::vector<int64_t>{8, 12}));
  EXPECT_EQ(find(params, "layers.0.post_norm").tensor, "model.layers.0.post_attention_layernorm.weight");
  EXPECT_EQ(find(params, "norm").tensor, "model.norm.weight");
  EXPECT_EQ(find(params, "lm_head").tensor, "lm_head.weight");
}

TEST(Weights, UnusedTensorsAreFine) {
  Decoder decoder = resolve(smallConfig());
  std::vector<DecoderParam> tensors = decoderParams(decoder);
  tensors.push_back({"", "lm_head.weight", {16, 8}});
  tensors.push_back({"", "model.layers.0.self_attn.rotary_emb.inv_freq", {1}});
  EXPECT_EQ(bindError(decoder, tensors), "");
}

TEST(Weights, MissingOnesAreListed) {
  Decoder decoder = resolve(smallConfig());
  std::vector<DecoderParam> tensors = decoderParams(decoder);
  tensors.erase(tensors.begin() + 3); // layers.0.q
  tensors.erase(tensors.begin() + 4); // layers.0.v
  EXPECT_EQ(bindError(decoder, tensors),
            ": 2 of 20 tensors are missing: model.layers.0.self_attn.q_proj.weight [8, 8], "
            "model.layers.0.self_attn.v_proj.weight [4, 8]");
}

TEST(Weights, ManyMissingOnesAreCounted) {
  EXPECT_EQ(
      bindError(resolve(smallConfig()), {{"", "model.embed_tokens.weight", {16, 8}}}),
      ": 19 of 20 tensors are missing: model.layers.0.input_layernorm.weight [8], "
      "model.layers.0.post_attention_layernorm.weight [8], model.layers.0.self_attn.q_proj.weight [8, 8], "
      "model.layers.0.self_attn.k_proj.weight [4, 8], model.layers.0.self_attn.v_proj.weight [4, 8], and 14 more");
}

TEST(Weights, WrongShape) {
  Decoder decoder = resolve(smallConfig());
  std::vector<DecoderParam> tensors = decoderParams(decoder);
  tensors[4].shape = {8, 4}; // layers.0.k, transposed
  EXPECT_EQ(bindError(decoder, tensors),
            "/model.safetensors: tensor 'model.layers.0.self_attn.k_proj.weight' has shape "
            "[8, 4], expected [4, 8]");
}

TEST(Weights, WrongDType) {
  Decoder decoder = resolve(smallConfig());
  EXPECT_EQ(bindError(decoder, decoderParams(decoder), "I16"),
            "/model.safetensors: tensor 'model.embed_tokens.weight' has dtype I16, expected F32, F16 or BF16");
  for (const char *dtype : {"F32", "F16", "BF16"})
    EXPECT_EQ(bindError(decoder, decoderParams(decoder), dtype), "") << dtype;
}

} // namespace
