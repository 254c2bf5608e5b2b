// A target: what a table says about it, and the lowering of the few ops in which it differs.
#pragma once

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sinter {

// How many tokens by how many outputs a product keeps in registers at once.
struct RegisterTile {
  int tokens;
  int outputs; // divides the 32 rows of a packed tile
};

// What a target's kernels are stored as: one ELF image that is mapped and called, or, for each
// kernel, a SPIR-V module or a text in the Metal Shading Language.
enum class CodeKind : uint8_t { elf, spirv, msl };

struct Target {
  llvm::StringRef name;      // "x86-64-avx2": in packages, --target, SINTER_ISA
  llvm::StringRef triple;    // LLVM's
  llvm::StringRef cpu;       // what LLVM tunes for
  llvm::StringRef features;  // LLVM's, "+avx2,+fma"
  uint64_t requiredFeatures; // package::CpuFeature bits
  uint32_t priority;         // the loader takes the highest that the CPU runs
  int vectorBytes;           // of one register
  bool nativeHalf;           // converts f16 <-> f32 in hardware
  // From most tokens to one; a step's tokens are split into as many of the first as fit, then of the second, and so on.
  llvm::ArrayRef<RegisterTile> quantizedTiles; // products of 8-bit codes
  llvm::ArrayRef<RegisterTile> floatTiles;
  // Adds the patterns that lower kern.dot.
  void (*addDotPatterns)(mlir::RewritePatternSet &patterns);
  CodeKind code = CodeKind::elf;

  // Runs entries of the schedule that are made for GPUs.
  bool isGpu() const { return code != CodeKind::elf; }
};

llvm::ArrayRef<Target> targets();
const Target *findTarget(llvm::StringRef name); // nullptr if unknown
// "all" (processors), "native" (the best for this machine), or names separated by commas. False, with what is wrong in `error`.
bool parseTargets(llvm::StringRef text, std::vector<const Target *> &out, std::string &error);

} // namespace sinter
