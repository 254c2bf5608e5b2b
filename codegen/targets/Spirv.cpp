// GPUs by way of SPIR-V. A workgroup is what a thread is elsewhere, and a vector register has one lane for each of its
// invocations (codegen/gpu): 32 floats, the rows of a packed weight tile, so that neighbouring invocations read
// neighbouring words. 32 is also what most GPUs run in step.
//
// A register tile of several tokens keeps that many sums in each invocation; every quad of weights is loaded once for all
// of them. Drivers allot registers, so tiles are no larger than what the smallest GPUs have room for.

#include "codegen/targets/Spirv.h"

#include "runtime/package_generated.h"

namespace sinter {

namespace {

constexpr RegisterTile kQuantized[] = {{8, 32}, {4, 32}, {1, 32}};
constexpr RegisterTile kFloats[] = {{8, 32}, {4, 32}, {1, 32}};

// All there is to a GPU; rows below differ in what its interface takes.
constexpr Target kGpu = {
    .name = "vulkan",
    .triple = "spirv-unknown-vulkan",
    .cpu = "",
    .features = "",
    .machine = static_cast<uint8_t>(package::Machine::spirv),
    .requiredFeatures = 0, // by kernel: see the manifest
    .priority = 0,
    .vectorBytes = 128,
    .registers = 16,
    .nativeHalf = true,
    .quantizedTiles = kQuantized,
    .floatTiles = kFloats,
    .addDotPatterns = nullptr, // kern.dot is lowered with everything else that is a vector
    .code = CodeKind::spirv,
};

constexpr Target metal() {
  Target row = kGpu;
  row.name = "metal";
  row.machine = static_cast<uint8_t>(package::Machine::msl);
  row.code = CodeKind::msl;
  return row;
}

const Target kTargets[] = {kGpu, metal()};

} // namespace

llvm::ArrayRef<Target> spirvTargets() { return kTargets; }

} // namespace sinter
