// In: several products of the same rows, such as Q, K and V. Out: one product with all the weights, and a slice of its
// columns for each of the old results. The rows are then normalized, quantized and read once, and threads share out one
// large product instead of meeting after each of three small ones.
//
// Products join if nothing is fused into them yet, their weights have one format, and either all or none have biases.

#include "passes/Passes.h"

#include "llvm/ADT/MapVector.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEPROJECTIONS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

StringAttr formatOf(tx::LinearOp linear) {
  FlatSymbolRefAttr name = cast<FlatSymbolRefAttr>(linear.getWeights()[0]);
  return SymbolTable::lookupNearestSymbolFrom<tx::ParamOp>(linear, name).getFormatAttr();
}

// In a program, slices of the product have no place of their own: only attention reads a part of wider rows.
bool canJoin(tx::LinearOp linear) {
  if (linear->getParentOfType<func::FuncOp>()->hasAttr("tx.dim_names") &&
      !llvm::all_of(linear->getUsers(), llvm::IsaPred<tx::AttentionOp>))
    return false;
  return !linear.getNorm() && !linear.getGlu() && !linear.getAct() && !linear.getResidual() && !linear->hasAttr("tap");
}

// Replaces products of one input by slices of their common product.
void join(ArrayRef<tx::LinearOp> linears) {
  tx::LinearOp first = linears.front();
  SmallVector<Attribute> weights, biases;
  SmallVector<Location> locations;
  int64_t columns = 0;
  for (tx::LinearOp linear : linears) {
    llvm::append_range(weights, linear.getWeights());
    if (linear.getBiases())
      llvm::append_range(biases, *linear.getBiases());
    locations.push_back(linear.getLoc());
    columns += linear.getType().getDimSize(1);
  }

  OpBuilder builder(first);
  RankedTensorType type = RankedTensorType::get({ShapedType::kDynamic, columns}, builder.getF32Type());
  tx::LinearOp product =
      tx::LinearOp::create(builder, builder.getFusedLoc(locations), type, first.getInput(),
                           builder.getArrayAttr(weights), biases.empty() ? ArrayAttr() : builder.getArrayAttr(biases),
                           /*norm=*/tx::NormAttr(), /*glu=*/tx::ActivationAttr(), /*act=*/tx::ActivationAttr(), /*residual=*/Value());
  int64_t begin = 0;
  for (tx::LinearOp linear : linears) {
    tx::SliceOp slice = tx::SliceOp::create(builder, linear.getLoc(), linear.getType(), product, begin);
    begin += linear.getType().getDimSize(1);
    linear.replaceAllUsesWith(slice.getResult());
  }
  for (tx::LinearOp linear : linears)
    linear.erase();
}

struct FuseProjections : sinter::impl::FuseProjectionsBase<FuseProjections> {
  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      // Products by what must agree for them to join. In the order of the program, so that Q comes before K before V.
      llvm::MapVector<std::pair<Value, StringAttr>, SmallVector<tx::LinearOp>> groups;
      func.walk([&](tx::LinearOp linear) {
        if (canJoin(linear))
          groups[{linear.getInput(), formatOf(linear)}].push_back(linear);
      });
      for (auto &[key, linears] : groups) {
        size_t biased = llvm::count_if(linears, [](tx::LinearOp linear) { return linear.getBiases().has_value(); });
        if (linears.size() > 1 && (biased == 0 || biased == linears.size()))
          join(linears);
      }
    }
  }
};

} // namespace
