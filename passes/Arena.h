// Sizes of buffers in the arena, for the passes that plan with them.
#pragma once

#include "dialects/sched/Sched.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace sinter {

// Buffers and weights start on cache lines, so that no two share one; with entries for GPUs, where every GPU can bind them.
inline constexpr int64_t kCpuAlignment = 64, kGpuAlignment = 256;

inline int64_t bufferAlignment(mlir::ModuleOp module) {
  for (sched::FuncOp entry : module.getOps<sched::FuncOp>())
    if (entry.getDevice() == sched::Device::gpu)
      return kGpuAlignment;
  return kCpuAlignment;
}

// Bytes of a buffer of static shape.
inline int64_t bufferBytes(mlir::MemRefType type) { return type.getNumElements() * type.getElementTypeBitWidth() / 8; }

} // namespace sinter
