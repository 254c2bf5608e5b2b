// What rotate_append and attention agree on: the memory of the key/value cache, and what a unit of theirs is.
#pragma once

#include "codegen/kernels/KernelBuilder.h"
#include "dialects/CacheElement.h"

namespace sinter::kern {

// Codes of keys are unsigned: 128 stands for zero.
inline constexpr int32_t kCacheKeyZero = 128, kLargestKeyCode = 255;

// The cache of one layer, tile after tile (runtime/package.fbs), or tiles of it in scratch.
class CacheView {
public:
  using Value = mlir::Value;

  CacheView() = default;
  CacheView(KernelBuilder &b, int64_t binding, mlir::Type element, int64_t kvHeads, int64_t headDim);
  // `tiles` tiles of one head in scratch, f32: keys as well as values, or only values.
  static CacheView scratch(KernelBuilder &b, int64_t tiles, int64_t headDim, bool withKeys);

  // Codes with scales, not floats?
  bool coded() const { return isCoded; }

  // Sixteen tokens' keys, column `d`; floats only.
  Value loadKeys(KernelBuilder &b, Value tile, Value head, Value d) const;
  // Sixteen tokens' codes of columns 4 * quad and on, as vector<64xi8>; coded only, as the next two.
  Value loadKeyCodes(KernelBuilder &b, Value tile, Value head, Value quad) const;
  Value loadKeyScales(KernelBuilder &b, Value tile, Value head) const;
  Value loadValueScales(KernelBuilder &b, Value tile, Value head) const;
  // `width` columns of one token's value as f32: the codes' without their scale.
  Value loadValues(KernelBuilder &b, Value tile, Value head, Value token, Value column, int64_t width) const;

  // To scratch, what the loads above gave.
  void storeKeys(KernelBuilder &b, Value keys, Value tile, Value d) const;
  void storeValues(KernelBuilder &b, Value values, Value tile, Value token, Value column) const;

  // Writes the key and value of one token, `width` columns asked for at a time.
  using Columns = llvm::function_ref<Value(Value column, int64_t width)>;
  void append(KernelBuilder &b, Value tile, Value head, Value token, Columns key, Columns value) const;

  // Hints: lines of a head's keys, counted from its first byte, and of its values, which lie alike.
  enum Plane { keys = 0, values = 1 };
  void prefetchLine(KernelBuilder &b, Plane plane, Value tile, Value head, Value line) const;

private:
  Value planeIndex(KernelBuilder &b, Plane plane) const { return b.index(plane == values ? valuePlane : 0); }

  bool isCoded = false;
  int64_t headDim = 0, headBytes = 0;
  int64_t valuePlane = 1;   // second index of what holds values: 0 in scratch
  Value keyRows, valueRows; // [tiles][2][kv_heads][head_dim][16], [...][16][head_dim]; coded: null
  Value bytes, words, scales; // [tiles][2][kv_heads][headBytes / size] as i8, i32 and f32; not coded: bytes only
};

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
