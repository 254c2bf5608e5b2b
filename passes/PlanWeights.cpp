// In: the weights of a schedule. Out: where each lies in the package's weights section, and how large that is.
//
// Weights lie in the order in which entries first use them, which is the order in which a decode step streams them. Their
// alignment keeps every block of every format on cache lines, and lets GPUs, if there are entries for them, bind each by itself.

#include "dialects/Formats.h"
#include "passes/Arena.h"
#include "passes/Passes.h"

#include "llvm/Support/MathExtras.h"

namespace sinter {
#define GEN_PASS_DEF_PLANWEIGHTS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

int64_t packedBytes(sched::WeightOp weight) {
  int64_t rows = weight.getRows(), columns = weight.getColumns();
  if (weight.getFormat() == "raw") // one row: its bytes
    return columns;
  // Interleaved sources are padded to tiles each for itself.
  int64_t parts = weight.getInterleave() ? 2 : 1;
  if (weight.getFormat() == "vector")
    return parts * llvm::alignTo(rows / parts, kTileRows) * sizeof(float);
  const Format &format = *findFormat(weight.getFormat()); // checked by the op's verifier
  return parts * format.packedBytes(rows / parts, columns);
}

struct PlanWeights : sinter::impl::PlanWeightsBase<PlanWeights> {
  void runOnOperation() override {
    SmallVector<sched::PlanOp> plans = llvm::to_vector(getOperation().getOps<sched::PlanOp>());
    if (plans.size() != 1) {
      getOperation().emitError("must have one sched.plan, has ") << plans.size();
      return signalPassFailure();
    }
    int64_t end = 0, alignment = bufferAlignment(getOperation());
    for (sched::WeightOp weight : getOperation().getOps<sched::WeightOp>()) {
      int64_t bytes = packedBytes(weight);
      weight.setOffset(end);
      weight.setBytes(bytes);
      end += llvm::alignTo(bytes, alignment);
    }
    plans.front().setWeightsBytes(end);
  }
};

} // namespace
