// No file makes the readers crash, read out of bounds, overflow or allocate without measure: each of a model's files is
// cut and changed in thousands of seeded ways, under AddressSanitizer and UBSan. What is refused must say why in one
// line that names the file; what passes must lie within the file.

#include "ModelDirectory.h"
#include "frontend/Encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

// Files of some kilobytes justify no allocation of megabytes.
extern "C" const char *__asan_default_options() { return "max_allocation_size_mb=32:allocator_may_return_null=0"; }

namespace {

constexpr const char *kIndex = "model.safetensors.index.json";

// A small model in one file or in two, every optional thing in its configs.
struct Model {
  std::map<std::string, std::string> files;

  explicit Model(bool sharded) {
    json config = smallConfig("qwen3");
    config["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}};
    config["layer_types"] = {"full_attention", "sliding_attention"};
    config["use_sliding_window"] = true;
    config["sliding_window"] = 16;
    config["eos_token_id"] = {2, 3};
    config["architectures"] = {"Qwen3ForCausalLM"};
    std::vector<DecoderParam> params = decoderParams(resolve(config));
    files["config.json"] = config.dump(1);
    files["generation_config.json"] =
        R"({"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.9, "eos_token_id": [2, 3]})";
    if (!sharded) {
      files["model.safetensors"] = safetensors(params);
      return;
    }
    const std::vector<DecoderParam> halves[] = {{params.begin(), params.begin() + 9},
                                                {params.begin() + 9, params.end()}};
    json map;
    for (int half = 0; half < 2; ++half) {
      const std::string name = "model-" + std::to_string(half) + ".safetensors";
      files[name] = safetensors(halves[half]);
      for (const DecoderParam &param : halves[half])
        map[param.tensor] = name;
    }
    files[kIndex] = json{{"metadata", {{"total_size", 3}}}, {"weight_map", map}}.dump(1);
  }
};

// An encoder with sentence-transformers' files, or one with labels and a relative bias.
std::map<std::string, std::string> encoderFiles(bool labels) {
  json config = {{"model_type", labels ? "mpnet" : "bert"},
                 {"architectures", {labels ? "MPNetForSequenceClassification" : "BertModel"}},
                 {"vocab_size", 16},
                 {"hidden_size", 8},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 4},
                 {"intermediate_size", 12},
                 {"max_position_embeddings", 32},
                 {"type_vocab_size", 2},
                 {"layer_norm_eps", 1e-12},
                 {"pad_token_id", 1},
                 {"hidden_act", "gelu"}};
  const auto module = [](const char *type, const char *path) {
    return json{{"path", path}, {"type", std::string("sentence_transformers.models.") + type}};
  };
  std::map<std::string, std::string> files;
  if (labels) {
    config["relative_attention_num_buckets"] = 32;
    config["id2label"] = {{"0", "no"}, {"1", "yes"}};
    config["problem_type"] = "multi_label_classification";
  } else {
    files["modules.json"] =
        json{module("Transformer", ""), module("Pooling", "1"), module("Dense", "2"), module("Normalize", "3")}.dump(1);
    files["1/config.json"] = R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})";
    files["2/config.json"] =
        R"({"in_features": 8, "out_features": 6, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh"})";
    files["2/model.safetensors"] = safetensors({{"", "linear.weight", {6, 8}}, {"", "linear.bias", {6}}});
    files["sentence_bert_config.json"] = R"({"max_seq_length": 24, "do_lower_case": false})";
  }
  files["config.json"] = config.dump(1);
  ModelDirectory directory;
  for (const auto &[name, bytes] : files)
    directory.write(name, std::string_view(bytes));
  Encoder encoder;
  std::string error;
  EXPECT_TRUE(readEncoder(directory.path(), encoder, error)) << error;
  files["model.safetensors"] = safetensors(encoderParams(encoder, Checkpoint()));
  return files;
}

// What was refused must say why in one line that names a file of the directory.
bool refused(const ModelDirectory &directory, const std::string &error) {
  EXPECT_EQ(error.rfind(directory.path(), 0), 0u) << error;
  EXPECT_GT(error.size(), directory.path().size() + 10) << error;
  EXPECT_LT(error.size(), 2000u) << error;
  EXPECT_TRUE(std::all_of(error.begin(), error.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) << error;
  return false;
}

// As below, of an encoder.
bool readEncoderFiles(const ModelDirectory &directory) {
  Encoder encoder;
  Checkpoint checkpoint;
  std::vector<const TensorEntry *> found;
  std::string error;
  if (!readEncoder(directory.path(), encoder, error) || !openCheckpoint(directory.path(), checkpoint, error) ||
      !bindParams(encoderParams(encoder, checkpoint), checkpoint, found, error))
    return refused(directory, error);
  EXPECT_TRUE(error.empty());
  EXPECT_EQ(encoder.relativeThresholds.size(),
            encoder.relativeBuckets ? size_t(encoder.relativeBuckets / 2 - 1) : size_t(0));
  EXPECT_TRUE(std::is_sorted(encoder.relativeThresholds.begin(), encoder.relativeThresholds.end()));
  for (const EncoderDense &dense : encoder.denses)
    if (Checkpoint own; !dense.directory.empty() && !openCheckpoint(dense.directory, own, error))
      return refused(directory, error);
  return true;
}

// Reads the whole directory as importing does. Returns whether it passed, having checked what came out.
bool readAll(const ModelDirectory &directory) {
  Config config;
  GenerationDefaults generation;
  Decoder decoder;
  Checkpoint checkpoint;
  std::vector<const TensorEntry *> found;
  std::string error;
  if (readConfig(directory.path(), config, error) &&
      readGenerationConfig(directory.path(), config, generation, error) && resolveDecoder(config, decoder, error) &&
      openCheckpoint(directory.path(), checkpoint, error) &&
      bindParams(decoderParams(decoder), checkpoint, found, error)) {
    EXPECT_TRUE(error.empty());
    for (const TensorEntry *tensor : found) {
      const uint64_t size = std::filesystem::file_size(checkpoint.path(*tensor));
      EXPECT_TRUE(tensor->offset <= size && tensor->bytes <= size - tensor->offset);
    }
    return true;
  }
  return refused(directory, error);
}

// One change that a careless writer, a broken disk or an attacker could make.
std::string mutate(std::string text, std::mt19937 &random) {
  static const std::string tokens[] = {"-1",
                                       "0",
                                       "1",
                                       "3",
                                       "1e999",
                                       "-0.0",
                                       "1.5",
                                       "2147483648",
                                       "4294967296",
                                       "9223372036854775807",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "null",
                                       "true",
                                       "\"\"",
                                       "[]",
                                       "{}",
                                       "\"x\"",
                                       "[[[[[[[[[[[[[[[[[[",
                                       "\\",
                                       "\"",
                                       ",",
                                       ":",
                                       "}",
                                       "]",
                                       "\xff",
                                       "\xed\xa0\x80",
                                       std::string(1, '\0'),
                                       "\"model_type\": \"llama\",",
                                       "NaN",
                                       "Infinity",
                                       "\"../x\"",
                                       "1e308",
                                       "1e-308"};
  auto below = [&](size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); };
  if (text.empty())
    return tokens[below(std::size(tokens))];
  const size_t at = below(text.size()), length = 1 + below(std::min<size_t>(text.size() - at, 40));
  switch (below(8)) {
  case 0: // a bit flips
    text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
    return text;
  case 1: // the file ends early
    return text.substr(0, at);
  case 2: // a piece is lost
    return text.erase(at, length);
  case 3: // a piece appears twice
    return text.insert(at, text.substr(at, length));
  case 4: // something is inserted
    return text.insert(at, tokens[below(std::size(tokens))]);
  case 5: // something is overwritten
    return text.replace(at, length, tokens[below(std::size(tokens))]);
  case 6: // a piece is copied elsewhere
    return text.replace(below(text.size()), length, text.substr(at, length));
  default: { // a number becomes another
    size_t begin = text.find_first_of("0123456789", at);
    if (begin == std::string::npos)
      return text.substr(0, at);
    size_t end = text.find_first_not_of("0123456789.", begin);
    return text.replace(begin, end - begin, tokens[below(12)]);
  }
  }
}

struct Target {
  const char *name, *file;
  bool sharded;
};

void PrintTo(const Target &target, std::ostream *out) { *out << target.name; }

class Mutations : public testing::TestWithParam<Target> {};

// Changes one of `files` again and again; `read` reads them all.
void mutateFile(const std::map<std::string, std::string> &files, const std::string &file,
                bool (*read)(const ModelDirectory &)) {
  constexpr int kRounds = 2500;
  ModelDirectory directory;
  for (const auto &[name, bytes] : files)
    directory.write(name, std::string_view(bytes));
  ASSERT_TRUE(read(directory));
  const std::string &good = files.at(file);
  // Weights are never looked at, so what is changed in a safetensors file is its length and header.
  const bool binary = file.find(".safetensors") == file.size() - 12;
  const size_t header = binary ? good.find("}}") + 2 : good.size();
  std::mt19937 random(20240607);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string text = good.substr(0, header);
    for (uint32_t changes = 1 + random() % 3; changes > 0; --changes)
      text = mutate(text, random);
    // Half of the headers get a length that fits again, so that what is within them is reached.
    if (binary && random() % 2 && text.size() > 8)
      text = safetensors(std::string_view(text).substr(8), 0);
    directory.write(file, std::string_view(text + good.substr(header)));
    refused += !read(directory);
    if (testing::Test::HasFailure())
      FAIL() << "round " << round << ": " << text.substr(0, 4000);
  }
  EXPECT_GT(refused, kRounds / 4); // many changes matter
}

TEST_P(Mutations, GiveErrorsNotCrashes) { mutateFile(Model(GetParam().sharded).files, GetParam().file, readAll); }

INSTANTIATE_TEST_SUITE_P(Files, Mutations,
                         testing::Values(Target{"Config", "config.json", false},
                                         Target{"GenerationConfig", "generation_config.json", false},
                                         Target{"Safetensors", "model.safetensors", false},
                                         Target{"Shard", "model-1.safetensors", true}, Target{"Index", kIndex, true}),
                         [](const testing::TestParamInfo<Target> &info) { return info.param.name; });

class EncoderMutations : public testing::TestWithParam<std::pair<bool, const char *>> {};

TEST_P(EncoderMutations, GiveErrorsNotCrashes) {
  const auto &[labels, file] = GetParam();
  mutateFile(encoderFiles(labels), file, readEncoderFiles);
}

INSTANTIATE_TEST_SUITE_P(Files, EncoderMutations,
                         testing::Values(std::pair(true, "config.json"), std::pair(true, "model.safetensors"),
                                         std::pair(false, "config.json"), std::pair(false, "modules.json"),
                                         std::pair(false, "1/config.json"), std::pair(false, "2/config.json"),
                                         std::pair(false, "2/model.safetensors"),
                                         std::pair(false, "sentence_bert_config.json")));

// Every length a file can have been cut to.
TEST(Truncation, EveryLengthIsRefused) {
  const Model model(false);
  for (const char *file : {"config.json", "generation_config.json", "model.safetensors"}) {
    ModelDirectory directory;
    for (const auto &[name, bytes] : model.files)
      directory.write(name, std::string_view(bytes));
    const std::string &good = model.files.at(file);
    for (size_t length = 0; length < good.size(); ++length) {
      directory.write(file, std::string_view(good).substr(0, length));
      EXPECT_FALSE(readAll(directory)) << file << " of " << length << " bytes";
    }
  }
}

} // namespace
