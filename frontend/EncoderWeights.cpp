// Which weights an encoder has, and where a checkpoint keeps them. Checkpoints of one family differ: what was saved
// without a head lacks the family's prefix, and early ones call the vectors of norms gamma and beta.

#include "frontend/Encoder.h"

namespace sinter {

std::vector<DecoderParam> encoderParams(const Encoder &encoder, const Checkpoint &checkpoint) {
  const EncoderNames &names = encoder.family->names;
  const int64_t hidden = encoder.hidden, ffn = encoder.ffn;
  const bool prefixed = checkpoint.tensors.count(std::string(names.prefix) + std::string(names.tokens));
  const std::string prefix = prefixed ? std::string(names.prefix) : "";
  std::vector<DecoderParam> params;
  auto matrix = [&](const std::string &ours, const std::string &tensor, int64_t rows, int64_t columns) {
    params.push_back({ours, tensor, {rows, columns}});
  };
  auto product = [&](const std::string &ours, const std::string &theirs, int64_t outputs, int64_t inputs, bool bias) {
    params.push_back({ours, theirs + ".weight", {outputs, inputs}});
    if (bias)
      params.push_back({ours + "_bias", theirs + ".bias", {outputs}});
  };
  auto norm = [&](const std::string &ours, const std::string &theirs) {
    const bool old = !checkpoint.tensors.count(theirs + ".weight") && checkpoint.tensors.count(theirs + ".gamma");
    params.push_back({ours, theirs + (old ? ".gamma" : ".weight"), {hidden}});
    params.push_back({ours + "_bias", theirs + (old ? ".beta" : ".bias"), {hidden}});
  };

  matrix("embed", prefix + std::string(names.tokens), encoder.vocab, hidden);
  matrix("positions", prefix + std::string(names.positions), encoder.positions, hidden);
  if (encoder.types)
    matrix("types", prefix + std::string(names.types), encoder.types, hidden);
  norm("embed_norm", prefix + std::string(names.embedNorm));
  if (encoder.relativeBuckets)
    matrix("relative", prefix + std::string(names.relative), encoder.relativeBuckets, encoder.heads);
  for (int64_t layer = 0; layer < encoder.layers; ++layer) {
    const std::string number = std::to_string(layer), ours = "layers." + number + ".";
    std::string theirs = prefix + std::string(names.layer);
    theirs.replace(theirs.find("{}"), 2, number);
    auto inLayer = [&](std::string_view name) { return theirs + std::string(name); };
    product(ours + "q", inLayer(names.q), hidden, hidden, true);
    product(ours + "k", inLayer(names.k), hidden, hidden, true);
    product(ours + "v", inLayer(names.v), hidden, hidden, true);
    product(ours + "o", inLayer(names.o), hidden, hidden, true);
    norm(ours + "attention_norm", inLayer(names.attentionNorm));
    product(ours + "up", inLayer(names.up), ffn, hidden, true);
    product(ours + "down", inLayer(names.down), hidden, ffn, true);
    norm(ours + "output_norm", inLayer(names.outputNorm));
  }
  for (const EncoderDense &dense : encoder.denses)
    if (dense.directory.empty())
      product(dense.name, dense.tensor, dense.outputs, dense.inputs, dense.bias);
  return params;
}

} // namespace sinter
