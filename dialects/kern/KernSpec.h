// What passes know of a kernel: its bindings in order, and how units touch them. Filled in by KernSpecs.cpp, a table per kind.
#pragma once

#include <cstdint>

namespace sinter::kern {

// What one unit of a kernel is. Two dispatches with the same domain and the same number of units give unit u to the same
// thread.
enum class Domain : uint8_t { tokens, tiles, kvHeads };

enum class Access : uint8_t { read, write, readWrite };

// `own`: unit u touches only a part of the binding that no other unit touches, the same part for every kernel of the
// domain. `whole`: any unit may touch any part.
enum class Part : uint8_t { own, whole };

struct BindingInfo {
  const char *name;
  Access access;
  Part part;
};

// What a kernel has to do, for measuring: the least that must be read and the products that the model is made of, not what
// an implementation adds to them. Field by field as Work in runtime/package.fbs.
struct Work {
  bool int8 = false;
  int64_t weightBytes = 0;
  int64_t tokenWeightBytes = 0;
  int64_t tokenMultiplyAdds = 0;
  int64_t positionCacheBytes = 0;
  int64_t positionMultiplyAdds = 0;
  int64_t window = 0;
};

// Floats between rows of an activation buffer `width` wide: rows are padded so that tiles of 32 can be stored whole.
inline constexpr int64_t rowStride(int64_t width) { return (width + 31) / 32 * 32; }

} // namespace sinter::kern
