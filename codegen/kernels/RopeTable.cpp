// The rope_table kernel: cosines and sines of a step's positions, once per step instead of once per layer and head.
//
// The angle is the f32 product position * inverse_frequency, as the models were trained with; its cosine and sine are
// those of exactly that number. Angles reach 10^5 and more, where nothing is left of a cosine that is reduced in f32:
// math.cos and math.sin are expanded with a reduction in f64 (ExpandMath.cpp).

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kLanes = 16;

void buildRopeTable(KernelBuilder &b, RopeTableAttr spec) {
  ArrayRef<float> frequencies = spec.getRope().getInverseFrequencies();
  int64_t pairs = frequencies.size();
  float factor = spec.getRope().getFactor().getValueAsDouble();
  Value out = b.bindingRows(0, rowStride(2 * pairs), b.getF32Type());
  Value position = b.scalar(Scalar::position);

  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    Value integer = arith::IndexCastOp::create(b, b.getI32Type(), b.add(position, t));
    Value place = arith::SIToFPOp::create(b, b.getF32Type(), integer);
    for (int64_t i = 0; i < pairs; i += kLanes) {
      int64_t width = std::min(kLanes, pairs - i);
      VectorType type = b.vectorType(width, b.getF32Type());
      Value inverse = arith::ConstantOp::create(b, DenseElementsAttr::get(type, frequencies.slice(i, width)));
      Value angle = b.mulf(b.broadcast(place, width), inverse);
      auto put = [&](Value value, int64_t column) {
        b.store(b.mulf(value, b.splat(width, factor)), out, {t, b.index(column)});
      };
      put(math::CosOp::create(b, angle), i);
      put(math::SinOp::create(b, angle), pairs + i);
    }
  });
}

} // namespace sinter::kern
