// What the kernels of attention share of the softmax. Scores are kept in units of log2(e), so that weights are powers of
// two.
#pragma once

#include "codegen/kernels/KernelBuilder.h"

#include <limits>

namespace sinter::kern {

inline constexpr double kLog2E = 1.44269504088896340736;
// Masked scores lie below every maximum, which starts above them: their difference is a large negative number, never 0.
inline constexpr float kMasked = std::numeric_limits<float>::lowest();
inline constexpr float kFirstMaximum = -1e30f;

// 2^x for x <= 0, as vectors; exactly 0 for x <= -127. The degree-6 polynomial through the Chebyshev nodes of [-1/2,
// 1/2] is off by 2.5e-9, less than the roundings of f32.
mlir::Value emitPowerOfTwo(KernelBuilder &b, mlir::Value x);

} // namespace sinter::kern
