// In: embeddings of tokens, positions and token types, added in any order. Out: one op that gathers all of them, so that
// a row is written once instead of read and written by every sum.
//
// The embedding of tokens is the one whose ids are the function's first argument; at most one embedding of positions and
// one of other ids go along.

#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"

namespace sinter {
#define GEN_PASS_DEF_FUSEEMBEDDINGS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// The terms of a sum, and the ops that make them and add them.
struct Terms {
  tx::EmbedOp tokens, types;
  tx::PositionEmbedOp positions;
  SmallVector<Operation *> ops;

  // False: `value` is not a sum of embeddings that only this sum reads.
  bool collect(Value value, Value ids, bool isRoot) {
    Operation *op = value.getDefiningOp();
    if (!op || (!isRoot && (!op->hasOneUse() || op->hasAttr("tap"))))
      return false;
    ops.push_back(op);
    if (tx::AddOp add = dyn_cast<tx::AddOp>(op))
      return collect(add.getLhs(), ids, false) && collect(add.getRhs(), ids, false);
    if (tx::PositionEmbedOp embed = dyn_cast<tx::PositionEmbedOp>(op))
      return !std::exchange(positions, embed);
    tx::EmbedOp embed = dyn_cast<tx::EmbedOp>(op);
    if (!embed)
      return false;
    if (embed.getIds() == ids)
      return !std::exchange(tokens, embed);
    return embed.getScale().convertToFloat() == 1 && !std::exchange(types, embed);
  }
};

struct FuseEmbeddings : sinter::impl::FuseEmbeddingsBase<FuseEmbeddings> {
  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal() || func.getNumArguments() == 0)
        continue;
      // From the last sum backward: a sum's own terms are gone once it was fused.
      for (Operation *op = &func.front().back(); op;) {
        tx::AddOp add = dyn_cast<tx::AddOp>(op);
        Operation *sum = add ? fuse(add, func.getArgument(0)) : nullptr;
        op = (sum ? sum : op)->getPrevNode();
      }
    }
  }

  // The op that `add` became, or null.
  Operation *fuse(tx::AddOp add, Value ids) {
    Terms terms;
    if (!terms.collect(add, ids, /*isRoot=*/true) || !terms.tokens)
      return nullptr;
    OpBuilder builder(add);
    FlatSymbolRefAttr positions, types;
    int64_t begin = 0;
    Value typeIds;
    if (terms.positions) {
      positions = terms.positions.getTableAttr();
      begin = terms.positions.getBegin();
    }
    if (terms.types) {
      types = terms.types.getTableAttr();
      typeIds = terms.types.getIds();
    }
    tx::EmbedSumOp sum =
        tx::EmbedSumOp::create(builder, add.getLoc(), add.getType(), ids, terms.tokens.getTableAttr(), positions,
                               builder.getI64IntegerAttr(begin), typeIds, types, terms.tokens.getScaleAttr());
    sum->setDiscardableAttrs(add->getDiscardableAttrDictionary());
    add.getResult().replaceAllUsesWith(sum.getResult());
    for (Operation *op : terms.ops) // users before what they use
      op->erase();
    return sum;
  }
};

} // namespace
