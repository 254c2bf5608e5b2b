// The argmax kernel: where the largest number of a row is. Each lane keeps the largest that it saw and where that was; the
// first of equal ones stays, since only a larger one replaces it. At the end the lanes agree on the largest, and among
// those that have it, on the smallest place.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

#include <limits>

using namespace mlir;

namespace sinter::kern {

// On a GPU one workgroup reads the whole row: as many lanes as every device allows.
static constexpr int64_t kGpuLanes = 128;

void buildArgmax(KernelBuilder &b, ArgmaxAttr spec) {
  int64_t width = spec.getWidth(), lanes = b.target().isGpu() ? kGpuLanes : b.lanes();
  Value in = b.bindingRows(0, rowStride(width), b.getF32Type()), out = b.binding(1, b.getI32Type());
  Value none = b.splat(lanes, std::numeric_limits<int32_t>::max());
  Value lowest = b.splat(lanes, -std::numeric_limits<float>::infinity());

  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    KernelBuilder::Values best = {lowest, none};
    best = b.vectors(width, lanes, best, [&](Value i, int64_t count, ValueRange carried) {
      Value first = arith::IndexCastOp::create(b, b.getI32Type(), i);
      Value places = arith::AddIOp::create(b, b.broadcast(first, lanes), b.lanesFromZero(lanes));
      Value numbers = b.widen(b.load(in, {t, i}, count), lowest);
      Value larger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, numbers, carried[0]);
      return KernelBuilder::Values{arith::SelectOp::create(b, larger, numbers, carried[0]),
                                   arith::SelectOp::create(b, larger, places, carried[1])};
    });
    Value largest = b.broadcast(b.maxLanes(best[0]), lanes);
    Value has = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, best[0], largest);
    // The smallest place is the largest of the negated ones. A row of nothing but NaN and -infinity has place 0.
    Value negated = arith::SubIOp::create(b, b.splat(lanes, 0), arith::SelectOp::create(b, has, best[1], none));
    Value place = arith::SubIOp::create(b, b.i32(0), b.maxLanes(negated));
    Value found = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place, b.i32(int32_t(width)));
    b.storeScalar(arith::SelectOp::create(b, found, place, b.i32(0)), out, {t});
  });
}

} // namespace sinter::kern
