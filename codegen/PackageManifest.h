// A planned sched module -> the FlatBuffer that describes it to the runtime.
#pragma once

#include "codegen/Package.h"
#include "dialects/sched/Sched.h"

namespace sinter {

// Where sections lie in the file.
struct PackageLayout {
  struct Section {
    uint64_t offset = 0, size = 0;
  };
  Section tokenizer, weights;
  std::vector<Section> code; // of PackageContents::code
  uint64_t weightsChecksum = 0;
};

// The module must be planned: every buffer, weight and the plan itself with offsets and sizes. The size of the result
// does not depend on the layout's offsets.
llvm::Expected<std::vector<uint8_t>> buildManifest(const PackageContents &contents, const PackageLayout &layout,
                                                   llvm::ArrayRef<FormatUse> formats);

// Bytes of a cache for all its capacity.
uint64_t cacheBytes(sched::CacheOp cache);

} // namespace sinter
