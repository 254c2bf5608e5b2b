// config.json of an encoder comes in; an Encoder goes out. As with decoders, what a file asks for and Sinter does not
// compute is an error.

#include "frontend/ConfigReader.h"
#include "frontend/Encoder.h"
#include "frontend/InputFile.h"
#include "frontend/Json.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cmath>

using nlohmann::json;

namespace sinter {
namespace {

constexpr int64_t kMaxHidden = 1 << 16, kMaxFfn = 1 << 18, kMaxVocab = 1 << 24, kMaxLayers = 256, kMaxHeads = 1024,
                  kMaxPositions = 1 << 20, kMaxTypes = 1 << 10, kMaxLabels = 1 << 16;
// Distances that share the last of the buckets, as the public definitions have it; no config says so. A quarter of all
// buckets is for single distances, and must end before that.
constexpr int64_t kMaxRelativeDistance = 128, kMaxRelativeBuckets = 4 * kMaxRelativeDistance - 2;

struct ActivationName {
  std::string_view name;
  EncoderActivation activation;
};
constexpr ActivationName kActivations[] = {
    {"gelu", EncoderActivation::gelu},
    {"gelu_new", EncoderActivation::geluTanh},
    {"gelu_pytorch_tanh", EncoderActivation::geluTanh},
    {"relu", EncoderActivation::relu},
    {"silu", EncoderActivation::silu},
    {"swish", EncoderActivation::silu},
    {"tanh", EncoderActivation::tanh},
};

// What is computed of the hidden rows, by the end of the architecture's name.
struct HeadName {
  std::string_view suffix;
  EncoderTask task;
};
constexpr HeadName kHeads[] = {
    {"ForSequenceClassification", EncoderTask::classify},
    {"ForTokenClassification", EncoderTask::tag},
    {"ForMaskedLM", EncoderTask::embed}, // the encoder without its head
    {"ForPreTraining", EncoderTask::embed},
    {"Model", EncoderTask::embed},
};

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

void readTask(ConfigReader &reader, Encoder &encoder) {
  std::vector<std::string> names;
  reader.readStrings("architectures", names);
  if (names.empty())
    return;
  for (const HeadName &head : kHeads)
    if (endsWith(names.front(), head.suffix)) {
      encoder.info.task = head.task;
      return;
    }
  std::string expected;
  for (const HeadName &head : kHeads)
    expected += (expected.empty() ? "" : ", ") + std::string(head.suffix);
  reader.fail("architectures", "found " + quote(names.front()) + ", expected a name that ends in one of " + expected);
}

void refuseUnsupported(ConfigReader &reader) {
  std::string positions = "absolute";
  reader.readString("position_embedding_type", positions);
  if (positions != "absolute")
    reader.fail("position_embedding_type", "found " + quote(positions) + ", expected 'absolute'");
  for (const char *key : {"is_decoder", "add_cross_attention", "is_encoder_decoder"}) {
    bool asked = false;
    reader.readBool(key, asked);
    if (asked)
      reader.fail(key, "true is not supported: expected an encoder");
  }
  for (const char *key : {"quantization_config", "compression_config"})
    if (reader.find(key))
      reader.fail(key, "checkpoints that are already quantized are not supported");
  if (const json *pruned = reader.find("pruned_heads"); pruned && !pruned->empty())
    reader.fail("pruned_heads", "layers with fewer heads are not supported");
}

// "id2label": {"0": "NEGATIVE", ...}, each number once; "num_labels" where there is none.
void readLabels(ConfigReader &reader, std::vector<std::string> &labels) {
  const json *names = reader.find("id2label");
  int64_t count = 2; // as the library that wrote the config has it
  if (!names) {
    reader.readInteger("num_labels", 1, kMaxLabels, count);
    for (int64_t i = 0; i < count; ++i)
      labels.push_back("LABEL_" + std::to_string(i));
    return;
  }
  if (!names->is_object() || names->empty() || names->size() > size_t(kMaxLabels))
    return reader.fail("id2label", "expected an object with 1 to " + std::to_string(kMaxLabels) + " labels, found " +
                                       describeJson(*names));
  for (size_t i = 0; i < names->size(); ++i) {
    json::const_iterator label = names->find(std::to_string(i));
    if (label == names->end() || !label->is_string())
      return reader.fail("id2label", "expected a text for " + std::to_string(i) + " and each number below " +
                                         std::to_string(names->size()));
    labels.push_back(label->get<std::string>());
  }
}

void readClassifier(ConfigReader &reader, Encoder &encoder) {
  readLabels(reader, encoder.info.labels);
  std::string problem;
  reader.readString("problem_type", problem);
  encoder.info.multiLabel = problem == "multi_label_classification";
  const ClassifierNames &names = encoder.family->classifier;
  const int64_t hidden = encoder.hidden, count = static_cast<int64_t>(encoder.info.labels.size());
  if (encoder.info.task == EncoderTask::classify) {
    encoder.denses.push_back({"head.dense", std::string(names.dense), "", hidden, hidden, true,
                              findEncoderActivation(std::string(names.activation))});
    encoder.denses.push_back({"head.out", std::string(names.out), "", hidden, count});
  } else {
    encoder.denses.push_back({"head.out", "classifier", "", hidden, count});
  }
  encoder.info.outputWidth = count;
}

} // namespace

EncoderActivation findEncoderActivation(const std::string &name) {
  for (const ActivationName &row : kActivations)
    if (row.name == name)
      return row.activation;
  return EncoderActivation::none;
}

std::string encoderActivationNames() {
  std::string names;
  for (const ActivationName &row : kActivations)
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

std::vector<int64_t> relativeThresholds(int64_t buckets, int64_t maxDistance) {
  const int64_t exact = buckets / 2;
  auto bucketOf = [&](int64_t distance) -> int64_t {
    if (distance < exact)
      return distance;
    // In f32, as the models were trained with.
    const float large = std::log(float(distance) / float(exact)) /
                        float(std::log(double(maxDistance) / double(exact))) * float(buckets - exact);
    return std::min(exact + static_cast<int64_t>(large), buckets - 1);
  };
  std::vector<int64_t> thresholds;
  for (int64_t distance = 1; static_cast<int64_t>(thresholds.size()) < buckets - 1; ++distance)
    while (static_cast<int64_t>(thresholds.size()) < bucketOf(distance))
      thresholds.push_back(distance);
  return thresholds;
}

std::string readModelType(const std::string &directory, std::string &error) {
  error.clear();
  const std::string path = directory + "/config.json";
  json root;
  std::string type;
  if (!readJsonObject(path, {}, root, error))
    return "";
  ConfigReader(root, path, error).needString("model_type", type);
  return type;
}

bool readEncoder(const std::string &directory, Encoder &encoder, std::string &error) {
  encoder = {};
  error.clear();
  encoder.path = directory + "/config.json";
  json root;
  if (!readJsonObject(encoder.path, {}, root, error))
    return false;
  ConfigReader reader(root, encoder.path, error);
  std::string modelType, activation = "gelu";
  reader.needString("model_type", modelType);
  const EncoderFamily *family = encoder.family = findEncoderFamily(modelType);
  if (!family) {
    reader.fail("model_type",
                "family " + quote(modelType) + " is not supported, expected one of " + encoderFamilyNames());
    return false;
  }
  readTask(reader, encoder);
  refuseUnsupported(reader);
  const EncoderKeys &keys = family->keys;
  reader.needInteger("vocab_size", 1, kMaxVocab, encoder.vocab);
  reader.needInteger(keys.hidden, 1, kMaxHidden, encoder.hidden);
  reader.needInteger(keys.layers, 1, kMaxLayers, encoder.layers);
  reader.needInteger(keys.heads, 1, kMaxHeads, encoder.heads);
  reader.needInteger(keys.ffn, 1, kMaxFfn, encoder.ffn);
  reader.needInteger("max_position_embeddings", 2, kMaxPositions, encoder.positions);
  reader.readString(keys.activation, activation);
  double epsilon = family->epsilon ? family->epsilon : 1e-12;
  if (!family->epsilon)
    reader.readNumber("layer_norm_eps", 0, 1, epsilon);
  std::vector<uint32_t> pad;
  reader.readTokens("pad_token_id", encoder.vocab, pad);
  if (!pad.empty())
    encoder.pad = pad.front();
  if (family->types) {
    encoder.types = 2;
    reader.readInteger("type_vocab_size", 1, kMaxTypes, encoder.types);
  }
  if (family->positionsFollowPadding)
    encoder.firstPosition = int64_t(encoder.pad.value_or(1)) + 1;
  if (family->relativeBias) {
    encoder.relativeBuckets = 32;
    reader.readInteger("relative_attention_num_buckets", 4, kMaxRelativeBuckets, encoder.relativeBuckets);
  }
  if (reader.failed())
    return false;

  encoder.normEpsilon = static_cast<float>(epsilon);
  encoder.activation = findEncoderActivation(activation);
  if (encoder.activation == EncoderActivation::none)
    reader.fail(keys.activation, "found " + quote(activation) + ", expected one of " + encoderActivationNames());
  if (encoder.hidden % encoder.heads)
    reader.fail(keys.heads, std::to_string(encoder.heads) + " does not divide " + keys.hidden + " " +
                                std::to_string(encoder.hidden));
  if (encoder.context() < 2)
    reader.fail("max_position_embeddings", "expected more than " + std::to_string(encoder.firstPosition + 1) +
                                               ", found " + std::to_string(encoder.positions));
  if (encoder.relativeBuckets % 2)
    reader.fail("relative_attention_num_buckets",
                "expected an even number, found " + std::to_string(encoder.relativeBuckets));
  if (encoder.relativeBuckets)
    encoder.relativeThresholds = relativeThresholds(encoder.relativeBuckets / 2, kMaxRelativeDistance);
  encoder.info.outputWidth = encoder.hidden;
  encoder.info.types = encoder.types;
  if (reader.failed() || !readSentenceModules(directory, encoder, error))
    return false;
  if (encoder.info.task != EncoderTask::embed)
    readClassifier(reader, encoder);
  return !reader.failed();
}

} // namespace sinter
