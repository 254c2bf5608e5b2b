// 2^x by splitting x into an integer, which becomes the exponent, and a rest in [-1/2, 1/2], whose power is a polynomial.

#include "codegen/kernels/Softmax.h"

using namespace mlir;

namespace sinter::kern {

Value emitPowerOfTwo(KernelBuilder &b, Value x) {
  static constexpr float kCoefficients[] = {
      0.000154614447f, 0.00134004282f, 0.00961805668f, 0.0555032723f, 0.240226509f, 0.693147207f, 1.0f};
  static constexpr float kRounding = 12582912.0f; // 1.5 * 2^23: the sum's last bits are the integer
  int64_t width = cast<VectorType>(x.getType()).getNumElements();
  x = b.maxf(x, b.splat(width, -127.0f));
  Value rounded = b.addf(x, b.splat(width, kRounding));
  Value rest = b.subf(x, b.subf(rounded, b.splat(width, kRounding)));
  Value power = b.splat(width, kCoefficients[0]);
  for (float coefficient : ArrayRef<float>(kCoefficients).drop_front())
    power = b.fma(power, rest, b.splat(width, coefficient));
  // The exponent field of 2^n is n + 127, and 0 for n = -127.
  Value exponent = arith::AddIOp::create(b, b.bitcast(rounded, b.getI32Type()), b.splat(width, 127));
  Value scale = arith::ShLIOp::create(b, exponent, b.splat(width, 23));
  return b.mulf(power, b.bitcast(scale, b.getF32Type()));
}

} // namespace sinter::kern
