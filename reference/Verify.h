// Compares a compiled package with the specification, layer by layer and in what it predicts.
#pragma once

#include "reference/Evaluator.h"
#include "runtime/sinter.h"

#include <string>
#include <vector>

namespace sinter {

struct LayerError {
  std::string name;       // "layers.3"
  double largest = 0;     // largest absolute difference
  double relative = 0;    // L2 of the difference / L2 of the reference
};

struct VerifyReport {
  std::vector<LayerError> layers;
  LayerError logits;
  double klMean = 0, klMax = 0;    // nats, KL(reference || compiled), over positions
  double top1Agreement = 0;        // share of positions with the same most likely token
  bool encoder = false;            // `logits` are what the encoder's head gives, and there are no predictions to compare
  double cosine = 1;               // of an encoder: the smallest between rows of the reference and of the package
  int64_t positions = 0;
  double klBound = 0, errorBound = 0;
  bool passed = false;
  std::string isa;
};

// Runs `ids` through both, the package opened with `options`: on a CPU with the code for an instruction set, or on a device.
// The bounds are those of the package's coarsest format in use (dialects/Formats.h).
llvm::Expected<VerifyReport> verifyPackage(const std::string &packagePath, const sinter_model_options &options,
                                           mlir::ModuleOp specification, tx::ParamReader &reader,
                                           llvm::ArrayRef<uint32_t> ids);

} // namespace sinter
