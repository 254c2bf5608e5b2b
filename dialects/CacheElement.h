// Element types of key/value caches, and the one place that knows how large what they make is.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace sinter {

// Tokens in a tile of the cache: the lanes of one row of keys.
inline constexpr int64_t kCacheTile = 16;

// What `--kv` calls a type: f32, f16, or q8 for i8, codes with one f32 scale per head and token. Empty for other types.
llvm::StringRef cacheElementName(mlir::Type element);
// The type of a name; null if there is none.
mlir::Type cacheElementOfName(mlir::MLIRContext *context, llvm::StringRef name);
// "f32, f16 or q8", for messages.
llvm::StringRef cacheElementNames();

// Of one head's row in a tile: head_dim, for codes rounded up to quads.
int64_t cacheRowElements(mlir::Type element, int64_t headDim);
// Of one head's keys, or its values, in a tile: for codes the sixteen tokens' scales come first (runtime/package.fbs).
int64_t cacheHeadBytes(mlir::Type element, int64_t headDim);

} // namespace sinter
