// In: @exec with sums, activations and gates of rows that no product took in. Out: each of them as a tx.loops, like any other
// elementwise op: it was an op of tx only so that a product might.

#include "passes/GenericKernel.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>

namespace sinter {
#define GEN_PASS_DEF_LOWERROWS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

Value number(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(static_cast<float>(value)));
}

Value activate(ImplicitLocOpBuilder &b, tx::Activation activation, Value x) {
  auto times = [&](Value a, Value c) -> Value { return arith::MulFOp::create(b, a, c); };
  auto plus = [&](Value a, Value c) -> Value { return arith::AddFOp::create(b, a, c); };
  switch (activation) {
  case tx::Activation::silu:
    return arith::DivFOp::create(b, x, plus(number(b, 1), math::ExpOp::create(b, arith::NegFOp::create(b, x))));
  case tx::Activation::gelu:
    return times(times(x, number(b, 0.5)), plus(number(b, 1), math::ErfOp::create(b, times(x, number(b, std::sqrt(0.5))))));
  case tx::Activation::gelu_tanh: {
    Value cubic = plus(x, times(number(b, 0.044715), times(x, times(x, x))));
    return times(times(x, number(b, 0.5)),
                 plus(number(b, 1), math::TanhOp::create(b, times(number(b, std::sqrt(2 / M_PI)), cubic))));
  }
  case tx::Activation::relu:
    return arith::MaximumFOp::create(b, x, number(b, 0));
  case tx::Activation::tanh:
    return math::TanhOp::create(b, x);
  }
  llvm_unreachable("every activation is above");
}

Value compute(ImplicitLocOpBuilder &b, Operation *op, ValueRange x) {
  if (tx::ActivateOp one = dyn_cast<tx::ActivateOp>(op))
    return activate(b, one.getActivation(), x[0]);
  if (tx::GluOp glu = dyn_cast<tx::GluOp>(op))
    return arith::MulFOp::create(b, activate(b, glu.getActivation(), x[0]), x[1]);
  return arith::AddFOp::create(b, x[0], x[1]);
}

void lower(Operation *op) {
  ImplicitLocOpBuilder b(op->getLoc(), op);
  RankedTensorType type = cast<RankedTensorType>(op->getResult(0).getType());
  MemRefType memory = MemRefType::get(type.getShape(), type.getElementType());
  SmallVector<OpFoldResult> sizes = sizesOf(op->getOperand(0));
  SmallVector<Value> bounds, dynamic;
  for (auto [size, known] : llvm::zip_equal(sizes, type.getShape())) {
    bounds.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
    if (ShapedType::isDynamic(known))
      dynamic.push_back(bounds.back());
  }
  Value zero = arith::ConstantIndexOp::create(b, 0), one = arith::ConstantIndexOp::create(b, 1);
  tx::LoopsOp loops = tx::LoopsOp::create(b, TypeRange(type), op->getOperands(), dynamic);
  Block &block = loops.getBody().emplaceBlock();
  for (size_t i = 0; i <= op->getNumOperands(); ++i)
    block.addArgument(memory, op->getLoc());
  b.setInsertionPointToStart(&block);
  scf::ParallelOp nest =
      scf::ParallelOp::create(b, ValueRange{zero, zero}, bounds, ValueRange{one, one});
  b.setInsertionPointToStart(nest.getBody());
  SmallVector<Value> inputs;
  for (BlockArgument input : block.getArguments().drop_back())
    inputs.push_back(memref::LoadOp::create(b, input, nest.getInductionVars()));
  memref::StoreOp::create(b, compute(b, op, inputs), block.getArguments().back(), nest.getInductionVars());
  op->replaceAllUsesWith(loops);
  op->erase();
}

struct LowerRows : sinter::impl::LowerRowsBase<LowerRows> {
  void runOnOperation() override {
    SmallVector<Operation *> left;
    getOperation().walk([&](Operation *op) {
      if (isa<tx::AddOp, tx::ActivateOp, tx::GluOp>(op))
        left.push_back(op);
    });
    for (Operation *op : left)
      lower(op);
  }
};

} // namespace
