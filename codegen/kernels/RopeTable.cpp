// The rope_table kernel: cosines and sines of a step's positions, once per step instead of once per layer and head.
//
// The angle is the f32 product position * inverse_frequency, as the models were trained with; its cosine and sine are those
// of exactly that number. With positions in the hundreds of thousands an f32 range reduction would lose every digit, so
// everything after the product is f64: x - round(x * 2/pi) * pi/2 is off by no more than 2^-53 * x (1e-11 at x = 131072), and
// the Taylor polynomials up to r^13 and r^14 on |r| <= pi/4 are off by less than 1e-12. What remains is the rounding to f32.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

#include <cmath>

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kLanes = 8; // doubles: one register of AVX-512, two of AVX2
static constexpr double kPi = 3.14159265358979323846;
// Adding 1.5 * 2^52 rounds to an integer and leaves it in the last bits.
static constexpr double kRounding = 6755399441055744.0;
static constexpr int kTerms = 7; // of each polynomial, after the leading one

namespace {

// Cosine and sine of a vector of doubles.
struct SineCosine {
  KernelBuilder &b;
  int64_t width;

  Value splat(double value) {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorType(width, b.getF64Type()), b.getF64FloatAttr(value)));
  }
  Value splatInt(int64_t value) {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorType(width, b.getI64Type()), b.getI64IntegerAttr(value)));
  }

  // sum over n of (-1)^n square^n / (2n + odd)!, n = 0 .. kTerms
  Value series(Value square, int odd) {
    double factorial[kTerms + 1] = {1};
    for (int n = 1; n <= kTerms; ++n)
      factorial[n] = factorial[n - 1] * (2 * n + odd) * (2 * n + odd - 1);
    Value sum = splat((kTerms % 2 ? -1 : 1) / factorial[kTerms]);
    for (int n = kTerms - 1; n >= 0; --n)
      sum = b.addf(b.mulf(sum, square), splat((n % 2 ? -1 : 1) / factorial[n]));
    return sum;
  }

  // `value` with its sign changed where bit 1 of `quarter` is set.
  Value withSign(Value value, Value quarter) {
    Value sign = arith::ShLIOp::create(b, arith::AndIOp::create(b, quarter, splatInt(2)), splatInt(62));
    return b.bitcast(arith::XOrIOp::create(b, b.bitcast(value, b.getI64Type()), sign), b.getF64Type());
  }

  std::pair<Value, Value> operator()(Value angle) {
    Value rounded = b.addf(b.mulf(angle, splat(2 / kPi)), splat(kRounding));
    Value quarter = b.bitcast(rounded, b.getI64Type()); // quarter turns; only the last two bits matter
    Value rest = b.subf(angle, b.mulf(b.subf(rounded, splat(kRounding)), splat(kPi / 2)));
    Value square = b.mulf(rest, rest);
    Value sine = b.mulf(series(square, 1), rest), cosine = series(square, 0);
    Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, quarter, splatInt(1)), splatInt(0));
    Value first = arith::SelectOp::create(b, isOdd, sine, cosine), second = arith::SelectOp::create(b, isOdd, cosine, sine);
    // Quarters 0 .. 3 have the cosines c, -s, -c, s and the sines s, c, -s, -c.
    return {withSign(first, arith::AddIOp::create(b, quarter, splatInt(1))), withSign(second, quarter)};
  }
};

} // namespace

void buildRopeTable(KernelBuilder &b, RopeTableAttr spec) {
  ArrayRef<float> frequencies = spec.getRope().getInverseFrequencies();
  int64_t pairs = frequencies.size();
  Value out = b.bindingRows(0, rowStride(2 * pairs), b.getF32Type());
  Value position = b.scalar(Scalar::position);
  double factor = spec.getRope().getFactor().getValueAsDouble();

  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    Value integer = arith::IndexCastOp::create(b, b.getI32Type(), b.add(position, t));
    Value where = arith::SIToFPOp::create(b, b.getF32Type(), integer);
    for (int64_t i = 0; i < pairs; i += kLanes) {
      int64_t width = std::min(kLanes, pairs - i);
      VectorType type = b.vectorType(width, b.getF32Type()), wide = b.vectorType(width, b.getF64Type());
      Value inverse = arith::ConstantOp::create(b, DenseElementsAttr::get(type, frequencies.slice(i, width)));
      SineCosine sineCosine{b, width};
      auto [cosine, sine] = sineCosine(arith::ExtFOp::create(b, wide, b.mulf(b.broadcast(where, width), inverse)));
      auto put = [&](Value value, int64_t column) {
        Value scaled = b.mulf(value, sineCosine.splat(factor));
        b.store(arith::TruncFOp::create(b, type, scaled), out, {t, b.index(column)});
      };
      put(cosine, i);
      put(sine, pairs + i);
    }
  });
}

} // namespace sinter::kern
