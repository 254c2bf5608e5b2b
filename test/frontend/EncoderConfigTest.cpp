// Configs of encoders: what rows and files become, and an error for each thing that cannot be.

#include "frontend/Encoder.h"
#include "test/frontend/ModelDirectory.h"

#include <gtest/gtest.h>

using namespace sinter;
using nlohmann::json;

namespace {

json bert() {
  return {{"model_type", "bert"},    {"architectures", {"BertModel"}},
          {"vocab_size", 16},        {"hidden_size", 8},
          {"num_hidden_layers", 2},  {"num_attention_heads", 4},
          {"intermediate_size", 12}, {"max_position_embeddings", 32},
          {"type_vocab_size", 2},    {"layer_norm_eps", 1e-12},
          {"hidden_act", "gelu"}};
}

struct Files {
  json config = bert(), modules;
  std::map<std::string, json> more; // by the file's name

  std::string read(Encoder &encoder) const {
    test::ModelDirectory directory;
    directory.writeJson("config.json", config);
    if (!modules.is_null())
      directory.writeJson("modules.json", modules);
    for (const auto &[name, value] : more)
      directory.writeJson(name, value);
    std::string error;
    readEncoder(directory.path(), encoder, error);
    const size_t at = error.find(directory.path());
    return at == std::string::npos ? error : error.replace(at, directory.path().size(), "m");
  }
  std::string error() const {
    Encoder encoder;
    return read(encoder);
  }
};

std::string errorWith(const char *key, const json &value) {
  Files files;
  files.config[key] = value;
  return files.error();
}

TEST(EncoderConfig, Bert) {
  Encoder encoder;
  ASSERT_EQ(Files().read(encoder), "");
  EXPECT_EQ(encoder.headDim(), 2);
  EXPECT_EQ(encoder.context(), 32);
  EXPECT_EQ(encoder.types, 2);
  EXPECT_EQ(encoder.info.task, EncoderTask::embed);
  EXPECT_EQ(encoder.info.pooling, "mean");
  EXPECT_FALSE(encoder.info.unit);
}

TEST(EncoderConfig, PositionsBehindThePadding) {
  Files files;
  files.config["model_type"] = "xlm-roberta";
  files.config["pad_token_id"] = 1;
  Encoder encoder;
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.firstPosition, 2);
  EXPECT_EQ(encoder.context(), 30);
}

// Distances at which buckets begin, worked out from the definition in T5's paper: eight single distances, then
// 8 * 16^(i / 8).
TEST(EncoderConfig, RelativeThresholds) {
  EXPECT_EQ(relativeThresholds(16, 128), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91}));
}

TEST(EncoderConfig, Labels) {
  Files files;
  files.config["architectures"] = {"BertForSequenceClassification"};
  files.config["id2label"] = {{"0", "no"}, {"1", "yes"}};
  Encoder encoder;
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.info.labels, (std::vector<std::string>{"no", "yes"}));
  EXPECT_EQ(encoder.info.outputWidth, 2);
  ASSERT_EQ(encoder.denses.size(), 2u);
  EXPECT_EQ(encoder.denses[0].tensor, "bert.pooler.dense");
  files.config["id2label"] = {{"0", "no"}, {"2", "yes"}};
  EXPECT_EQ(files.error(), "m/config.json: id2label: expected a text for 1 and each number below 2");
}

TEST(EncoderConfig, Errors) {
  EXPECT_EQ(errorWith("hidden_size", nullptr), "m/config.json: hidden_size: is missing");
  EXPECT_EQ(errorWith("num_attention_heads", 3), "m/config.json: num_attention_heads: 3 does not divide hidden_size 8");
  EXPECT_EQ(errorWith("position_embedding_type", "relative_key"),
            "m/config.json: position_embedding_type: found 'relative_key', expected 'absolute'");
  EXPECT_EQ(errorWith("is_decoder", true), "m/config.json: is_decoder: true is not supported: expected an encoder");
  EXPECT_EQ(errorWith("pruned_heads", {{"0", {1}}}),
            "m/config.json: pruned_heads: layers with fewer heads are not supported");
  EXPECT_EQ(errorWith("architectures", {"BertForQuestionAnswering"}),
            "m/config.json: architectures: found 'BertForQuestionAnswering', expected a name that ends in one of "
            "ForSequenceClassification, ForTokenClassification, ForMaskedLM, ForPreTraining, Model");
  EXPECT_EQ(errorWith("hidden_act", "mish"),
            "m/config.json: hidden_act: found 'mish', expected one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, "
            "swish, tanh");
  EXPECT_EQ(errorWith("max_position_embeddings", 1),
            "m/config.json: max_position_embeddings: expected an integer from 2 to 1048576, found 1");
}

TEST(EncoderConfig, RelativeBucketsEnd) {
  Files files;
  files.config["model_type"] = "mpnet";
  files.config["relative_attention_num_buckets"] = 510; // 127 single distances each way, and 128 on the last
  Encoder encoder;
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.relativeThresholds.size(), 254u);
  EXPECT_EQ(encoder.relativeThresholds.back(), 128);
  for (int buckets : {512, 1024}) {
    files.config["relative_attention_num_buckets"] = buckets;
    EXPECT_EQ(files.error(),
              "m/config.json: relative_attention_num_buckets: expected an integer from 4 to 510, found " +
                  std::to_string(buckets));
  }
}

TEST(EncoderConfig, IndependentLabels) {
  Files files;
  files.config["architectures"] = {"BertForSequenceClassification"};
  Encoder encoder;
  for (const char *problem : {"single_label_classification", "multi_label_classification"}) {
    files.config["problem_type"] = problem;
    ASSERT_EQ(files.read(encoder), "");
    EXPECT_EQ(encoder.info.multiLabel, problem[0] == 'm') << problem;
  }
}

TEST(EncoderConfig, LengthOfTexts) {
  Files files;
  files.more["sentence_bert_config.json"] = {{"max_seq_length", 24}, {"do_lower_case", false}};
  Encoder encoder;
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.info.usualTokens, 24);
  files.more["sentence_bert_config.json"] = {{"max_seq_length", nullptr}};
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.info.usualTokens, 0);
  files.more["sentence_bert_config.json"] = {{"max_seq_length", 0}};
  EXPECT_EQ(files.error(),
            "m/sentence_bert_config.json: max_seq_length: expected an integer from 2 to 1048576, found 0");
}

json module(const char *type, const char *path) {
  return {{"idx", 0}, {"name", "0"}, {"path", path}, {"type", std::string("sentence_transformers.models.") + type}};
}

std::string errorOfModules(const json &modules) {
  Files files;
  files.modules = modules;
  return files.error();
}

TEST(EncoderConfig, ModulesErrors) {
  const json transformer = module("Transformer", "");
  EXPECT_EQ(errorOfModules(json::object()), "m/modules.json: expected a list of modules, found an object");
  EXPECT_EQ(errorOfModules(json::array({module("Pooling", "1_Pooling")})),
            "m/modules.json: module 0: type: found 'sentence_transformers.models.Pooling' in this place; expected a "
            "Transformer, a Pooling, then Dense and at the end Normalize");
  EXPECT_EQ(
      errorOfModules(json::array({module("Transformer", "0_Transformer")})),
      "m/modules.json: module 0: path: expected the encoder in the directory itself, found it in '0_Transformer'");
  EXPECT_EQ(errorOfModules({transformer, module("Pooling", "../other")}),
            "m/modules.json: module 1: path: expected the name of a folder, found '../other'");
  EXPECT_EQ(errorOfModules({transformer, module("Pooling", "absent")}).substr(0, 38),
            "m/absent/config.json: cannot be opened");
}

// Folders with the files of modules: none stands for the directory itself, whose config.json is then the encoder's too.
TEST(EncoderConfig, Modules) {
  Files files;
  files.modules = {module("Transformer", ""), module("Pooling", "1"), module("Dense", "2"), module("Normalize", "")};
  files.more["1/config.json"] = {{"pooling_mode_max_tokens", true}};
  json &dense = files.more["2/config.json"] = {
      {"in_features", 8}, {"out_features", 3}, {"activation_function", "torch.nn.modules.activation.ReLU"}};
  Encoder encoder;
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.info.pooling, "max");
  EXPECT_TRUE(encoder.info.unit);
  EXPECT_EQ(encoder.info.outputWidth, 3);
  ASSERT_EQ(encoder.denses.size(), 1u);
  EXPECT_EQ(encoder.denses[0].activation, EncoderActivation::relu);
  dense["activation_function"] = "torch.nn.modules.linear.Identity";
  ASSERT_EQ(files.read(encoder), "");
  EXPECT_EQ(encoder.denses[0].activation, EncoderActivation::none);
  dense["activation_function"] = "torch.nn.modules.activation.Softmax";
  EXPECT_EQ(files.error(),
            "m/2/config.json: activation_function: found 'torch.nn.modules.activation.Softmax', expected a "
            "class of torch named Identity or as one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh");
  dense["in_features"] = 9;
  dense.erase("activation_function");
  EXPECT_EQ(files.error(), "m/2/config.json: in_features: found 9, but what comes before is 8 wide");
  files.more["1/config.json"]["pooling_mode_cls_token"] = true;
  EXPECT_EQ(files.error(), "m/1/config.json: pooling_mode_max_tokens: several poolings side by side are not supported");
}

// A list and something behind it are not JSON, wherever the reader might have put them.
TEST(EncoderConfig, ModulesAreOneList) {
  test::ModelDirectory directory;
  directory.writeJson("config.json", bert());
  directory.write("modules.json", std::string_view("[], \"x\": 1"));
  Encoder encoder;
  std::string error;
  EXPECT_FALSE(readEncoder(directory.path(), encoder, error));
  EXPECT_EQ(error.substr(directory.path().size(), 40), "/modules.json: not valid JSON at byte 3,");
}

} // namespace
