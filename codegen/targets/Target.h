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
  llvm::StringRef reserved = ""; // more of LLVM's that say what code must leave alone, not what a CPU has
  uint8_t machine;           // package::Machine
  uint64_t requiredFeatures; // package::CpuFeature bits
  uint32_t priority;         // the loader takes the highest that the CPU runs
  int vectorBytes;           // of one register
  int registers;             // vector registers there are
  bool nativeHalf;           // converts f16 <-> f32 in hardware
  bool signedCodes = false;  // 8-bit codes are multiplied as signed numbers, less 128
  bool laneOperands = false; // multiplications take one lane of a register; else a broadcast of what is in memory
  bool rowPairs = false;     // 8-bit products are of two rows by two outputs, eight columns at a time: kern.dot_2x2
  bool tileProducts = false; // steps of several tokens use kern.tile_product
  const char *support = nullptr; // assembly that code of this target calls
  // From most tokens to one; a step's tokens are split into as many of the first as fit, then of the second, and so on.
  llvm::ArrayRef<RegisterTile> quantizedTiles; // products of 8-bit codes
  llvm::ArrayRef<RegisterTile> floatTiles;
  // Adds the patterns that lower kern.dot.
  void (*addDotPatterns)(mlir::RewritePatternSet &patterns);
  CodeKind code = CodeKind::elf;

  // Runs entries of the schedule that are made for GPUs.
  bool isGpu() const { return code != CodeKind::elf; }
};

// A name for targets that belong together ("aarch64-linux"), or of a CPU, for the best target that it runs.
struct TargetAlias {
  llvm::StringRef name;
  llvm::StringRef targets; // separated by commas
};

llvm::ArrayRef<Target> targets();
llvm::ArrayRef<TargetAlias> targetAliases();
const Target *findTarget(llvm::StringRef name); // nullptr if unknown
// "all" processors, "native" (the best for this machine), "host" (all of this machine's architecture), names and aliases, separated
// by commas. False, with what is wrong in `error`.
bool parseTargets(llvm::StringRef text, std::vector<const Target *> &out, std::string &error);

} // namespace sinter
