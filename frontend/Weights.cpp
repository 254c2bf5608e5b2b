// Which weights a decoder has, and where a checkpoint keeps them. The list is the only place that pairs our names with
// a family's; the builder of the IR uses our names alone.

#include "frontend/Decoder.h"
#include "frontend/InputFile.h"

#include <algorithm>

namespace sinter {

static std::string layerPrefix(std::string_view pattern, int64_t layer) {
  std::string text(pattern);
  return text.replace(text.find("{}"), 2, std::to_string(layer));
}

std::vector<DecoderParam> decoderParams(const Decoder &decoder) {
  const TensorNames &names = decoder.family->names;
  const int64_t hidden = decoder.hidden, query = decoder.queryWidth(), key = decoder.keyWidth(), ffn = decoder.ffn;
  std::vector<DecoderParam> params = {{"embed", std::string(names.embed), {decoder.vocab, hidden}}};

  struct Projection {
    const char *name;
    std::string_view tensor;
    int64_t outputs, inputs;
    bool bias;
  };
  const Projection projections[] = {
      {"q", names.q, query, hidden, decoder.qkvBias},     {"k", names.k, key, hidden, decoder.qkvBias},
      {"v", names.v, key, hidden, decoder.qkvBias},       {"o", names.o, hidden, query, decoder.outputBias},
      {"gate", names.gate, ffn, hidden, decoder.mlpBias}, {"up", names.up, ffn, hidden, decoder.mlpBias},
      {"down", names.down, hidden, ffn, decoder.mlpBias},
  };
  struct Norm {
    const char *name;
    std::string_view tensor;
    int64_t elements;
    bool present;
  };
  const Norm norms[] = {
      {"input_norm", names.inputNorm, hidden, true},
      {"post_norm", names.postNorm, hidden, true},
      {"q_norm", names.queryNorm, decoder.headDim, decoder.headNorms},
      {"k_norm", names.keyNorm, decoder.headDim, decoder.headNorms},
  };
  for (int64_t layer = 0; layer < decoder.layers; ++layer) {
    const std::string ours = "layers." + std::to_string(layer) + ".", theirs = layerPrefix(names.layer, layer);
    for (const Norm &norm : norms)
      if (norm.present)
        params.push_back({ours + norm.name, theirs + std::string(norm.tensor), {norm.elements}});
    for (const Projection &projection : projections) {
      const std::string tensor = theirs + std::string(projection.tensor);
      params.push_back({ours + projection.name, tensor + ".weight", {projection.outputs, projection.inputs}});
      if (projection.bias)
        params.push_back({ours + projection.name + "_bias", tensor + ".bias", {projection.outputs}});
    }
  }
  params.push_back({"norm", std::string(names.norm), {hidden}});
  if (!decoder.tied)
    params.push_back({"lm_head", std::string(names.head), {decoder.vocab, hidden}});
  return params;
}

static bool isSupported(const std::string &dtype) { return dtype == "F32" || dtype == "F16" || dtype == "BF16"; }

bool bindParams(const std::vector<DecoderParam> &params, const Checkpoint &checkpoint,
                std::vector<const TensorEntry *> &found, std::string &error) {
  constexpr size_t kNamed = 5; // missing tensors in one message
  std::string missing;
  size_t missingCount = 0;
  found.clear();
  for (const DecoderParam &param : params) {
    std::map<std::string, TensorEntry>::const_iterator entry = checkpoint.tensors.find(param.tensor);
    found.push_back(entry == checkpoint.tensors.end() ? nullptr : &entry->second);
    if (!found.back() && ++missingCount <= kNamed)
      missing += (missing.empty() ? "" : ", ") + param.tensor + " " + describeShape(param.shape);
  }
  if (missingCount) {
    error = checkpoint.directory + ": " + std::to_string(missingCount) + " of " + std::to_string(params.size()) +
            " tensors are missing: " + missing +
            (missingCount > kNamed ? ", and " + std::to_string(missingCount - kNamed) + " more" : "");
    return false;
  }
  for (size_t i = 0; i < params.size(); ++i) {
    const TensorEntry &tensor = *found[i];
    const std::string where = checkpoint.path(tensor) + ": tensor " + quote(params[i].tensor);
    if (tensor.shape != params[i].shape) {
      error = where + " has shape " + describeShape(tensor.shape) + ", expected " + describeShape(params[i].shape);
      return false;
    }
    if (!isSupported(tensor.dtype)) {
      error = where + " has dtype " + tensor.dtype + ", expected F32, F16 or BF16";
      return false;
    }
  }
  return true;
}

} // namespace sinter
