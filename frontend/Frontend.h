// From a model's files to a tx module.
#pragma once

#include "dialects/ModelInfo.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace sinter {

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module; // tx.params (file = path as openable from here), tx.caches, @forward
  ModelInfo info;
  bool isQuantized = false; // weights come as integers of 8 bits
  std::map<std::string, int> raised; // of an ONNX graph: how many of each op were found in it; "generic" are the rest
};

// Reads config.json, generation_config.json and the headers of the safetensors files of a Hugging Face directory.
// Weights are not read. Params are named without the family's prefix and suffix: "embed", "layers.3.q",
// "layers.3.gate", "norm", "lm_head"; caches "kv.3". The op that ends a layer carries the attribute tap = "layers.3". A
// tied head uses @embed. Encoders have no caches, and info.encoder says what @forward returns.
llvm::Expected<ImportedModel> importHuggingFace(const std::string &directory, mlir::MLIRContext &context);

struct OnnxOptions {
  std::map<std::string, int64_t> dims;        // run-time dimensions that are fixed
  std::map<std::string, int64_t> maxDims;     // the most that others may be; kDefaultMaxBatch or kDefaultMaxDim for the rest
  std::map<std::string, std::string> values;  // inputs that are fixed: name -> TensorProto, serialized
  // Products that the file computes with codes of whole tensors become ours, whose codes are finer: faster, and closer to
  // what was quantized than to the file.
  bool requantize = false;
};
inline constexpr int64_t kDefaultMaxBatch = 1, kDefaultMaxDim = 512; // of names with "batch", of others

// Reads an .onnx file. The module has tx.params and @exec: tensors in, tensors out, of tx, linalg and tx.loops ops; arguments
// and results carry tx.name, tx.type and tx.dims (as sched.port has them). @sizes, if there is one, gives the sizes that
// outputs have, and pairs that must be equal (tx.checks). `needed` gets the name of an input whose value must be known, if
// that is what is wrong.
llvm::Expected<ImportedModel> importOnnx(const std::string &path, const OnnxOptions &options,
                                         mlir::MLIRContext &context, std::string *needed = nullptr);

// Finds the transformer inside of an exported decoder: tx.params, tx.caches and @forward as importHuggingFace gives them.
// `info` has what the graph says; names, tokens and the like come from other files.
llvm::Expected<ImportedModel> importOnnxDecoder(const std::string &path, mlir::MLIRContext &context);

// The table of ops: what docs and --stats list.
struct OnnxOpRow {
  std::string domain, name;
  int64_t since, until;
};
std::vector<OnnxOpRow> onnxOps();

} // namespace sinter
