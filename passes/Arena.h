// Sizes of buffers in the arena, for the passes that plan with them.
#pragma once

#include "mlir/IR/BuiltinTypes.h"

namespace sinter {

// Buffers start on cache lines, so that no two share one.
inline constexpr int64_t kArenaAlignment = 64;

// Bytes of a buffer of static shape.
inline int64_t bufferBytes(mlir::MemRefType type) { return type.getNumElements() * type.getElementTypeBitWidth() / 8; }

} // namespace sinter
