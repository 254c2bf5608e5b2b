// Whole directories to IR: the ops that come out, the params' places, what the files say beside them, and errors.

#include "ModelDirectory.h"

#include "dialects/tx/Tx.h"
#include "frontend/Frontend.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mlir;
using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

namespace {

constexpr char kTales[] = SINTER_SOURCE_DIR "/models/tales";
constexpr char kShared[] = SINTER_SOURCE_DIR "/../shared/models";

// @forward as one line per op: its name, symbols and what else tells families apart.
std::string outline(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  func::FuncOp forward = module.lookupSymbol<func::FuncOp>("forward");
  for (Operation &op : forward.getBody().front()) {
    llvm::StringRef name = op.getName().getStringRef();
    name.consume_front("tx.");
    out << name;
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](tx::EmbedOp embed) { out << " " << embed.getTable(); })
        .Case([&](tx::NormOp norm) {
          FlatSymbolRefAttr weight = norm.getNorm().getWeight();
          out << " " << weight.getValue();
          if (norm.getGroup())
            out << " group " << norm.getGroup();
        })
        .Case([&](tx::LinearOp linear) {
          for (Attribute weight : linear.getWeights())
            out << " " << cast<FlatSymbolRefAttr>(weight).getValue();
          if (ArrayAttr biases = linear.getBiasesAttr())
            for (Attribute bias : biases)
              out << " + " << cast<FlatSymbolRefAttr>(bias).getValue();
        })
        .Case([&](tx::RopeOp rope) { out << " of " << rope.getHeadDim(); })
        .Case([&](tx::CacheAppendOp append) { out << " " << append.getCache(); })
        .Case([&](tx::AttentionOp attention) {
          out << " " << attention.getHeads() << "/" << attention.getKvHeads() << " window " << attention.getWindow();
        })
        .Case([&](tx::GluOp glu) { out << " " << tx::stringifyActivation(glu.getActivation()); })
        .Case([&](tx::AddOp) {
          if (StringAttr tap = op.getAttrOfType<StringAttr>("tap"))
            out << " tap " << tap.getValue();
        });
    out << "\n";
  }
  return text;
}

// Imports a directory with this config and weights of zeros, and outlines it.
std::string importSmall(json config) {
  config["num_hidden_layers"] = 1;
  ModelDirectory directory;
  directory.writeJson("config.json", config);
  directory.write("model.safetensors", safetensors(decoderParams(resolve(config))));
  MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(directory.path(), context);
  if (!model)
    return llvm::toString(model.takeError());
  return outline(*model->module);
}

TEST(Import, PlainLlama) {
  EXPECT_EQ(importSmall(smallConfig()), "embed embed\n"
                                        "norm layers.0.input_norm\n"
                                        "linear layers.0.q\n"
                                        "rope of 2\n"
                                        "linear layers.0.k\n"
                                        "rope of 2\n"
                                        "linear layers.0.v\n"
                                        "cache_append kv.0\n"
                                        "attention 4/2 window 0\n"
                                        "linear layers.0.o\n"
                                        "add\n"
                                        "norm layers.0.post_norm\n"
                                        "linear layers.0.gate\n"
                                        "linear layers.0.up\n"
                                        "glu silu\n"
                                        "linear layers.0.down\n"
                                        "add tap layers.0\n"
                                        "norm norm\n"
                                        "linear embed\n"
                                        "func.return\n");
}

TEST(Import, EveryTrait) {
  json config = smallConfig("qwen3");
  config.update(json::parse(R"({"attention_bias": true, "use_sliding_window": true, "sliding_window": 8,
                                "max_window_layers": 0, "tie_word_embeddings": false, "hidden_act": "gelu_new"})"));
  EXPECT_EQ(importSmall(config), "embed embed\n"
                                 "norm layers.0.input_norm\n"
                                 "linear layers.0.q + layers.0.q_bias\n"
                                 "norm layers.0.q_norm group 2\n"
                                 "rope of 2\n"
                                 "linear layers.0.k + layers.0.k_bias\n"
                                 "norm layers.0.k_norm group 2\n"
                                 "rope of 2\n"
                                 "linear layers.0.v + layers.0.v_bias\n"
                                 "cache_append kv.0\n"
                                 "attention 4/2 window 8\n"
                                 "linear layers.0.o + layers.0.o_bias\n"
                                 "add\n"
                                 "norm layers.0.post_norm\n"
                                 "linear layers.0.gate\n"
                                 "linear layers.0.up\n"
                                 "glu gelu_tanh\n"
                                 "linear layers.0.down\n"
                                 "add tap layers.0\n"
                                 "norm norm\n"
                                 "linear lm_head\n"
                                 "func.return\n");
}

TEST(Import, Tales) {
  MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(std::string(kTales) + "/", context);
  ASSERT_TRUE(static_cast<bool>(model)) << llvm::toString(model.takeError());
  const ModelInfo &info = model->info;
  EXPECT_EQ(info.name, "llama-1.2M");
  EXPECT_EQ(info.family, "llama");
  EXPECT_EQ(info.vocab, 1024);
  EXPECT_EQ(info.hidden, 128);
  EXPECT_EQ(info.layers, 6);
  EXPECT_EQ(info.trainedContext, 256);
  EXPECT_EQ(info.parameters, 1238656u);
  EXPECT_EQ(info.bos, 1);
  EXPECT_EQ(info.eos, std::vector<uint32_t>{2});
  EXPECT_TRUE(info.generation.doSample);
  EXPECT_EQ(info.generation.temperature, 0.8f);
  EXPECT_EQ(info.generation.topP, 0.95f);
  EXPECT_EQ(info.generation.topK, -1);

  // 8 + 5976 bytes of header; q of layer 0 follows at 582144 of the data.
  tx::ParamOp query = model->module->lookupSymbol<tx::ParamOp>("layers.0.q");
  ASSERT_TRUE(query);
  EXPECT_EQ(query.getFile(), std::string(kTales) + "/model.safetensors");
  EXPECT_EQ(query.getOffset(), 8u + 5976 + 582144);
  EXPECT_EQ(query.getTensorType(), RankedTensorType::get({128, 128}, BFloat16Type::get(&context)));
  EXPECT_FALSE(query.getFormat());
  tx::CacheOp cache = model->module->lookupSymbol<tx::CacheOp>("kv.5");
  ASSERT_TRUE(cache);
  EXPECT_EQ(cache.getKvHeads(), 2u);
  EXPECT_EQ(cache.getHeadDim(), 32u);
}

TEST(Import, NameOfADirectoryGivenByDots) {
  MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(std::string(kTales) + "/../tales/.", context);
  ASSERT_TRUE(static_cast<bool>(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->info.name, "llama-1.2M");
}

TEST(Import, Errors) {
  MLIRContext context;
  llvm::Expected<ImportedModel> absent = importHuggingFace("/nowhere/model", context);
  EXPECT_EQ(llvm::toString(absent.takeError()),
            "/nowhere/model: expected a directory with config.json and model.safetensors");
  ModelDirectory directory;
  llvm::Expected<ImportedModel> empty = importHuggingFace(directory.path(), context);
  EXPECT_EQ(llvm::toString(empty.takeError()),
            directory.file("config.json") + ": cannot be opened: No such file or directory");
}

// Parameters as the models' authors count them.
struct SharedModel {
  const char *name;
  uint64_t parameters;
  int64_t context;
};

void PrintTo(const SharedModel &model, std::ostream *out) { *out << model.name; }

class SharedModels : public testing::TestWithParam<SharedModel> {};

TEST_P(SharedModels, Import) {
  const std::string directory = std::string(kShared) + "/" + GetParam().name;
  if (!llvm::sys::fs::is_directory(directory))
    GTEST_SKIP() << "no model at " << directory;
  MLIRContext context;
  llvm::Expected<ImportedModel> model = importHuggingFace(directory, context);
  ASSERT_TRUE(static_cast<bool>(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->info.parameters, GetParam().parameters);
  EXPECT_EQ(model->info.trainedContext, GetParam().context);
}

INSTANTIATE_TEST_SUITE_P(Models, SharedModels,
                         testing::Values(SharedModel{"stories260K", 260032, 512},
                                         SharedModel{"stories15M", 15191712, 256},
                                         SharedModel{"minimind2-small", 29106688, 32768},
                                         SharedModel{"tales", 1238656, 256}),
                         [](const testing::TestParamInfo<SharedModel> &info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
