// Writes a package: packs and quantizes the weights while streaming them from the model's files, and puts the manifest,
// the code of every target, the tokenizer and the weights into one file (written under a temporary name, then renamed).
#pragma once

#include "codegen/Codegen.h"
#include "dialects/ModelInfo.h"
#include "dialects/tx/ParamReader.h"

#include <functional>
#include <string>
#include <vector>

namespace sinter {

struct PackageContents {
  mlir::ModuleOp module; // planned sched, with the tx.params the weights come from
  ModelInfo info;
  std::vector<CompiledKernels> code;
  std::vector<uint8_t> tokenizer; // may be empty
  std::string chatTemplate;       // may be empty
};

struct FormatUse {
  std::string format;
  uint64_t parameters = 0, bytes = 0;
};

struct PackageStats {
  uint64_t fileBytes = 0, weightBytes = 0, codeBytes = 0, tokenizerBytes = 0, manifestBytes = 0;
  uint64_t arenaBytes = 0, cacheBytes = 0, scratchBytesPerThread = 0;
  double bitsPerWeight = 0; // weight bytes * 8 / parameters
  std::vector<FormatUse> formats;
};

// `progress` (may be empty) is called with bytes of weights done and in all.
llvm::Expected<PackageStats> writePackage(const PackageContents &contents, tx::ParamReader &reader,
                                          const std::string &path,
                                          const std::function<void(uint64_t, uint64_t)> &progress);

} // namespace sinter
