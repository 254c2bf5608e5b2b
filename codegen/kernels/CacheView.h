// What rotate_append and attention agree on: the shape of the key/value cache, and what a unit of theirs is.
#pragma once

#include "codegen/kernels/KernelBuilder.h"

namespace sinter::kern {

// Tokens in a tile of the cache: the lanes of one row of keys.
inline constexpr int64_t kCacheTile = 16;

// The cache of one layer, tile after tile (runtime/package.fbs). The second dimension is 0 for keys and 1 for values.
struct CacheView {
  mlir::Value keys;   // [tiles, 2, kv_heads, head_dim, 16]
  mlir::Value values; // [tiles, 2, kv_heads, 16, head_dim]
};

inline CacheView bindCache(KernelBuilder &b, int64_t binding, mlir::Type element, int64_t kvHeads, int64_t headDim) {
  auto view = [&](int64_t rows, int64_t columns) -> mlir::Value {
    int64_t tiles = mlir::ShapedType::kDynamic;
    return BindingOp::create(b, mlir::MemRefType::get({tiles, 2, kvHeads, rows, columns}, element), binding);
  };
  return {view(headDim, kCacheTile), view(kCacheTile, headDim)};
}

// Loops over the call's units: unit = kv_head * blocks + block, tokens [first, last) of the step.
inline void loopHeadBlocks(KernelBuilder &b, int64_t tokensPerUnit,
                           llvm::function_ref<void(mlir::Value kvHead, mlir::Value first, mlir::Value last)> body) {
  mlir::Value tokens = b.scalar(Scalar::tokens);
  mlir::Value blocks = b.div(b.add(tokens, tokensPerUnit - 1), tokensPerUnit);
  b.loop(b.begin(), b.end(), 1, [&](mlir::Value unit) {
    mlir::Value kvHead = mlir::arith::DivUIOp::create(b, unit, blocks);
    mlir::Value first = b.mul(mlir::arith::RemUIOp::create(b, unit, blocks), tokensPerUnit);
    body(kvHead, first, b.min(b.add(first, tokensPerUnit), tokens));
  });
}

} // namespace sinter::kern
