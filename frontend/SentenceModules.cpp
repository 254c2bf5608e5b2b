// The files of sentence-transformers: modules.json names what follows the encoder, each in a folder of its own. Pooling,
// products with an activation and normalization are understood; anything else is an error that names it. A directory
// without modules.json is pooled by the mean, as sentence-transformers does with such a directory.

#include "frontend/ConfigReader.h"
#include "frontend/Encoder.h"
#include "frontend/InputFile.h"
#include "frontend/Json.h"

#include "nlohmann/json.hpp"

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

struct DenseActivation {
  std::string_view name;
  EncoderActivation activation;
};
constexpr DenseActivation kDenseActivations[] = {
    {"torch.nn.modules.linear.Identity", EncoderActivation::none},
    {"torch.nn.modules.activation.Tanh", EncoderActivation::tanh},
    {"torch.nn.modules.activation.ReLU", EncoderActivation::relu},
    {"torch.nn.modules.activation.GELU", EncoderActivation::gelu},
};

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
  bool known = false;
  for (const DenseActivation &row : kDenseActivations)
    if (row.name == activation) {
      dense.activation = row.activation;
      known = true;
    }
  if (!known)
    reader.fail("activation_function", "found " + quote(activation) + ", which is not supported");
  if (!reader.failed() && dense.inputs != encoder.info.outputWidth)
    reader.fail("in_features", "found " + std::to_string(dense.inputs) + ", but what comes before is " +
                                   std::to_string(encoder.info.outputWidth) + " wide");
  encoder.info.outputWidth = dense.outputs;
  encoder.denses.push_back(dense);
  return !reader.failed();
}

} // namespace

bool readSentenceModules(const std::string &directory, Encoder &encoder, std::string &error) {
  const std::string path = directory + "/modules.json";
  encoder.info.pooling = "mean";
  if (!fileExists(path))
    return true;
  // The file is a list; the reader of objects takes it as a member of one.
  InputFile file;
  std::string text;
  json root;
  constexpr uint64_t kMostBytes = 1 << 20;
  if (!file.open(path, error))
    return false;
  if (file.size() > kMostBytes) {
    error = path + ": " + std::to_string(file.size()) + " bytes, expected at most " + std::to_string(kMostBytes);
    return false;
  }
  text.resize(file.size());
  if (!file.read(0, file.size(), text.data(), error) ||
      !parseJsonObject("{\"modules\":" + text + "}", path, {}, root, error))
    return false;
  if (!root["modules"].is_array() || root["modules"].empty()) {
    error = path + ": expected a list of modules, found " + describeJson(root["modules"]);
    return false;
  }
  encoder.info.task = EncoderTask::embed;
  for (size_t i = 0; i < root["modules"].size(); ++i) {
    const json &module = root["modules"][i];
    const std::string where = path + ": module " + std::to_string(i);
    if (!module.is_object()) {
      error = where + ": expected an object, found " + describeJson(module);
      return false;
    }
    ConfigReader reader(module, where, error);
    std::string type, folder;
    reader.needString("type", type);
    reader.readString("path", folder);
    if (!reader.failed() && (folder.find('/') != std::string::npos || folder == ".." || folder.find('\0') != std::string::npos))
      reader.fail("path", "expected the name of a folder, found " + quote(folder));
    if (reader.failed())
      return false;
    const std::string kind = type.substr(type.rfind('.') + 1), inside = directory + "/" + folder;
    const bool afterUnit = encoder.info.unit;
    if ((i == 0) != (kind == "Transformer") || afterUnit || (i == 1 && kind != "Pooling") || (i > 1 && kind == "Pooling")) {
      reader.fail("type", "found " + quote(type) + " in this place; expected a Transformer, a Pooling, then Dense and at the end Normalize");
      return false;
    }
    if (kind == "Transformer") {
      if (!folder.empty()) {
        reader.fail("path", "expected the encoder in the directory itself, found it in " + quote(folder));
        return false;
      }
    } else if (kind == "Pooling") {
      if (!readPooling(inside, encoder, error))
        return false;
    } else if (kind == "Dense") {
      if (!readDense(inside, encoder, error))
        return false;
    } else if (kind == "Normalize") {
      encoder.info.unit = true;
    } else {
      reader.fail("type", "found " + quote(type) + ", expected Transformer, Pooling, Dense or Normalize");
      return false;
    }
  }
  return true;
}

} // namespace sinter
