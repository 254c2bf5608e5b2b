// The files of sentence-transformers: modules.json names what follows the encoder, each in a folder of its own.
// Pooling, products with an activation and normalization are understood; anything else is an error that names it. A
// directory without modules.json is pooled by the mean, as sentence-transformers does with such a directory.

#include "frontend/ConfigReader.h"
#include "frontend/Encoder.h"
#include "frontend/InputFile.h"
#include "frontend/Json.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cctype>

using nlohmann::json;

namespace sinter {
namespace {

struct PoolingKey {
  const char *key;
  const char *pooling; // as tx spells it
};
constexpr PoolingKey kPoolings[] = {
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_cls_token", "first"},
    {"pooling_mode_lasttoken", "last"},
    {"pooling_mode_max_tokens", "max"},
};
constexpr const char *kOtherPoolings[] = {"pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"};

bool readPooling(const std::string &directory, Encoder &encoder, std::string &error) {
  const std::string path = directory + "/config.json";
  json root;
  if (!readJsonObject(path, {}, root, error))
    return false;
  ConfigReader reader(root, path, error);
  std::string found;
  auto take = [&](const char *key, const char *pooling) {
    bool on = false;
    reader.readBool(key, on);
    if (on && !pooling)
      reader.fail(key, "is not supported");
    if (on && !found.empty())
      reader.fail(key, "several poolings side by side are not supported");
    if (on && pooling)
      found = pooling;
  };
  for (const PoolingKey &row : kPoolings)
    take(row.key, row.pooling);
  for (const char *key : kOtherPoolings)
    take(key, nullptr);
  if (!reader.failed() && found.empty())
    reader.fail("pooling_mode_mean_tokens", "expected one pooling to be true");
  encoder.info.pooling = found;
  return !reader.failed();
}

// A class of torch, "torch.nn.modules.activation.Tanh": its name in small letters is that of config.json.
bool readActivation(const std::string &type, EncoderActivation &activation) {
  std::string name = type.substr(type.rfind('.') + 1);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  activation = findEncoderActivation(name);
  return activation != EncoderActivation::none || name == "identity";
}

bool readDense(const std::string &directory, Encoder &encoder, std::string &error) {
  const std::string path = directory + "/config.json";
  json root;
  if (!readJsonObject(path, {}, root, error))
    return false;
  ConfigReader reader(root, path, error);
  EncoderDense dense;
  std::string activation = "torch.nn.modules.linear.Identity";
  reader.needInteger("in_features", 1, 1 << 20, dense.inputs);
  reader.needInteger("out_features", 1, 1 << 20, dense.outputs);
  reader.readBool("bias", dense.bias);
  reader.readString("activation_function", activation);
  dense.name = "dense." + std::to_string(encoder.denses.size());
  dense.tensor = "linear";
  dense.directory = directory;
  if (!readActivation(activation, dense.activation))
    reader.fail("activation_function", "found " + quote(activation) +
                                           ", expected a class of torch named Identity or as one of " +
                                           encoderActivationNames());
  if (!reader.failed() && dense.inputs != encoder.info.outputWidth)
    reader.fail("in_features", "found " + std::to_string(dense.inputs) + ", but what comes before is " +
                                   std::to_string(encoder.info.outputWidth) + " wide");
  encoder.info.outputWidth = dense.outputs;
  encoder.denses.push_back(dense);
  return !reader.failed();
}

// What stands at place `i` of the list. Everything after a Transformer and a Pooling is a Dense, and at most one
// Normalize, the last.
bool readModule(const std::string &directory, const std::string &where, size_t i, const json &module, Encoder &encoder,
                std::string &error) {
  ConfigReader reader(module, where, error);
  std::string type, folder;
  reader.needString("type", type);
  reader.readString("path", folder);
  if (folder.find('/') != std::string::npos || folder == ".." || folder.find('\0') != std::string::npos)
    reader.fail("path", "expected the name of a folder, found " + quote(folder));
  const std::string kind = type.substr(type.rfind('.') + 1), inside = directory + "/" + folder;
  if ((i == 0) != (kind == "Transformer") || (i == 1) != (kind == "Pooling") || encoder.info.unit)
    reader.fail("type", "found " + quote(type) +
                            " in this place; expected a Transformer, a Pooling, then Dense and at the end Normalize");
  if (kind == "Transformer" && !folder.empty())
    reader.fail("path", "expected the encoder in the directory itself, found it in " + quote(folder));
  if (reader.failed() || kind == "Transformer")
    return !reader.failed();
  if (kind == "Pooling")
    return readPooling(inside, encoder, error);
  if (kind == "Dense")
    return readDense(inside, encoder, error);
  encoder.info.unit = kind == "Normalize";
  if (!encoder.info.unit)
    reader.fail("type", "found " + quote(type) + ", expected Transformer, Pooling, Dense or Normalize");
  return encoder.info.unit;
}

// sentence_bert_config.json, which belongs to the Transformer: how long texts are.
bool readLength(const std::string &directory, Encoder &encoder, std::string &error) {
  const std::string path = directory + "/sentence_bert_config.json";
  if (!fileExists(path))
    return true;
  json root;
  if (!readJsonObject(path, {}, root, error))
    return false;
  ConfigReader reader(root, path, error);
  reader.readInteger("max_seq_length", 2, 1 << 20, encoder.info.usualTokens);
  return !reader.failed();
}

} // namespace

bool readSentenceModules(const std::string &directory, Encoder &encoder, std::string &error) {
  const std::string path = directory + "/modules.json";
  encoder.info.pooling = "mean";
  if (!readLength(directory, encoder, error))
    return false;
  if (!fileExists(path))
    return true;
  json modules;
  if (!readJson(path, {}, modules, error))
    return false;
  if (!modules.is_array() || modules.empty()) {
    error = path + ": expected a list of modules, found " + describeJson(modules);
    return false;
  }
  encoder.info.task = EncoderTask::embed;
  for (size_t i = 0; i < modules.size(); ++i) {
    const std::string where = path + ": module " + std::to_string(i);
    if (!modules[i].is_object()) {
      error = where + ": expected an object, found " + describeJson(modules[i]);
      return false;
    }
    if (!readModule(directory, where, i, modules[i], encoder, error))
      return false;
  }
  return true;
}

} // namespace sinter
