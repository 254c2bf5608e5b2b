// A Hugging Face directory comes in, a tx module and what else the files say go out. Reads as the story: config,
// family's traits, checkpoint, params, IR. Everything before the IR is free of LLVM and reports errors as text.

#include "dialects/tx/Tx.h"
#include "frontend/Decoder.h"
#include "frontend/DecoderBuilder.h"
#include "frontend/EncoderBuilder.h"
#include "frontend/Frontend.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;

namespace sinter {

static llvm::Error asError(const std::string &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "%s", message.c_str());
}

// "llama-1.2B", "bert-23M". Directories are called anything, and configs carry the names of the models they were made
// from; this is the same for the same files.
static std::string sizedName(const std::string &family, uint64_t parameters) {
  static constexpr struct {
    uint64_t size;
    const char *suffix;
  } units[] = {{1000000000, "B"}, {1000000, "M"}, {1000, "K"}};
  for (const auto &unit : units) {
    const uint64_t tenths = (parameters + unit.size / 20) / (unit.size / 10);
    if (tenths < 10)
      continue;
    const std::string number = tenths < 100 ? std::to_string(tenths / 10) + "." + std::to_string(tenths % 10)
                                            : std::to_string((tenths + 5) / 10);
    return family + "-" + number + unit.suffix;
  }
  return family + "-" + std::to_string(parameters);
}

static uint64_t elementsOf(const std::vector<int64_t> &shape) {
  uint64_t elements = 1;
  for (int64_t extent : shape)
    elements *= static_cast<uint64_t>(extent);
  return elements;
}

static ModelInfo describe(const Config &config, const GenerationDefaults &generation,
                          const std::vector<DecoderParam> &params) {
  ModelInfo info;
  info.family = std::string(config.family->modelType);
  info.vocab = config.vocab;
  info.hidden = config.hidden;
  info.layers = config.layers;
  info.trainedContext = config.context;
  for (const DecoderParam &param : params)
    info.parameters += elementsOf(param.shape);
  info.name = sizedName(info.family, info.parameters);
  info.bos = config.bos ? static_cast<int32_t>(*config.bos) : -1;
  info.eos = config.eos;
  info.generation = generation;
  return info;
}

static bool bindEncoder(const Encoder &encoder, const std::string &directory, std::vector<Checkpoint> &checkpoints,
                        std::vector<EncoderTensor> &bound, std::string &error) {
  // The model's own checkpoint, then those of the products behind it. Entries stay where they are: no reallocation.
  checkpoints.resize(1 + encoder.denses.size());
  auto bind = [&](const std::vector<DecoderParam> &params, const Checkpoint &checkpoint) {
    std::vector<const TensorEntry *> tensors;
    if (!bindParams(params, checkpoint, tensors, error))
      return false;
    for (size_t i = 0; i < params.size(); ++i)
      bound.push_back({params[i], tensors[i], checkpoint.path(*tensors[i])});
    return true;
  };
  if (!openCheckpoint(directory, checkpoints[0], error) ||
      !bind(encoderParams(encoder, checkpoints[0]), checkpoints[0]))
    return false;
  for (size_t i = 0; i < encoder.denses.size(); ++i) {
    const EncoderDense &dense = encoder.denses[i];
    if (dense.directory.empty())
      continue;
    std::vector<DecoderParam> params = {{dense.name, dense.tensor + ".weight", {dense.outputs, dense.inputs}}};
    if (dense.bias)
      params.push_back({dense.name + "_bias", dense.tensor + ".bias", {dense.outputs}});
    if (!openCheckpoint(dense.directory, checkpoints[i + 1], error) || !bind(params, checkpoints[i + 1]))
      return false;
  }
  return true;
}

static llvm::Expected<ImportedModel> importEncoder(const std::string &directory, MLIRContext &context) {
  std::string error;
  Encoder encoder;
  std::vector<Checkpoint> checkpoints;
  std::vector<EncoderTensor> tensors;
  if (!readEncoder(directory, encoder, error) || !bindEncoder(encoder, directory, checkpoints, tensors, error))
    return asError(error);
  context.loadDialect<tx::TxDialect, func::FuncDialect>();
  ImportedModel model;
  model.module = buildEncoder(encoder, tensors, context);
  ModelInfo &info = model.info;
  info.family = std::string(encoder.family->modelType);
  info.vocab = encoder.vocab;
  info.hidden = encoder.hidden;
  info.layers = encoder.layers;
  info.trainedContext = encoder.context();
  for (const EncoderTensor &tensor : tensors)
    info.parameters += elementsOf(tensor.param.shape);
  info.name = sizedName(info.family, info.parameters);
  info.encoder = encoder.info;
  if (failed(verify(*model.module)))
    return asError(directory + ": the imported program does not verify; please report this");
  return model;
}

static bool hasCheckpoint(const std::string &directory) {
  return llvm::sys::fs::exists(directory + "/model.safetensors") ||
         llvm::sys::fs::exists(directory + "/model.safetensors.index.json");
}

// An export beside the configuration, the most exact first. Empty: there is none, or a checkpoint, which is what it was made of.
static std::string exportedModel(const std::string &directory) {
  if (hasCheckpoint(directory))
    return {};
  for (const char *folder : {"/onnx/", "/"})
    for (const char *name : {"model", "decoder_model_merged", "model_fp16", "model_quantized", "model_int8", "model_uint8"}) {
      const std::string path = directory + folder + name + ".onnx";
      if (llvm::sys::fs::exists(path))
        return path;
    }
  return {};
}

static llvm::Expected<ImportedModel> importExportedDecoder(const std::string &directory, const std::string &path,
                                                           MLIRContext &context) {
  std::string error;
  Config config;
  GenerationDefaults generation;
  if (!readConfig(directory, config, error) || !readGenerationConfig(directory, config, generation, error))
    return asError(error);
  llvm::Expected<ImportedModel> model = importOnnxDecoder(path, context);
  if (!model)
    return model;
  ModelInfo &info = model->info, told = describe(config, generation, {});
  if (info.vocab != told.vocab || info.hidden != told.hidden || info.layers != told.layers)
    return asError(path + ": computes " + std::to_string(info.layers) + " layers of " + std::to_string(info.hidden) +
                   " columns and " + std::to_string(info.vocab) + " logits, config.json says " +
                   std::to_string(told.layers) + ", " + std::to_string(told.hidden) + " and " + std::to_string(told.vocab));
  told.parameters = info.parameters;
  told.name = sizedName(told.family, told.parameters);
  info = told;
  return model;
}

llvm::Expected<ImportedModel> importHuggingFace(const std::string &path, MLIRContext &context) {
  llvm::StringRef trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with("/"))
    trimmed = trimmed.drop_back();
  const std::string directory = trimmed.str();
  if (!llvm::sys::fs::is_directory(directory))
    return asError(directory + ": expected a directory with config.json and model.safetensors");

  std::string error;
  const std::string type = readModelType(directory, error);
  if (!error.empty())
    return asError(error);
  if (findEncoderFamily(type))
    return importEncoder(directory, context);
  if (const std::string exported = exportedModel(directory); !exported.empty())
    return importExportedDecoder(directory, exported, context);
  Config config;
  GenerationDefaults generation;
  Decoder decoder;
  Checkpoint checkpoint;
  std::vector<const TensorEntry *> tensors;
  if (!readConfig(directory, config, error) || !readGenerationConfig(directory, config, generation, error) ||
      !resolveDecoder(config, decoder, error) || !openCheckpoint(directory, checkpoint, error))
    return asError(error);
  const std::vector<DecoderParam> params = decoderParams(decoder);
  if (!bindParams(params, checkpoint, tensors, error))
    return asError(error);

  context.loadDialect<tx::TxDialect, func::FuncDialect>();
  ImportedModel model;
  model.module = buildDecoder(decoder, params, tensors, checkpoint, context);
  model.info = describe(config, generation, params);
  if (failed(verify(*model.module)))
    return asError(directory + ": the imported program does not verify; please report this");
  return model;
}

} // namespace sinter
