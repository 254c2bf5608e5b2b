// In: @forward, from tokens to logits. Out: the functions that the runtime calls. Of a decoder, which knows the position
// of its tokens: @prefill and @decode turn tokens into hidden rows, many at once or one; @head turns one hidden row into
// logits. Of an encoder: @encode turns all tokens of a text into hidden rows, and @head reads all of these.
//
// The cut is after the last tapped value, the last layer's output. A prompt's logits are wanted for its last token
// only, and head is often the largest single product of a small model: apart, it runs once per prompt instead of once
// per token, and scoring still gets it for every row. Prefill and decode differ in nothing yet; from here on each is
// compiled for the number of tokens it will see.

#include "passes/Passes.h"

#include "mlir/IR/IRMapping.h"

namespace sinter {
#define GEN_PASS_DEF_SPLITENTRIES
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

constexpr StringLiteral kMaxTokens = "tx.max_tokens";

struct SplitEntries : sinter::impl::SplitEntriesBase<SplitEntries> {
  using SplitEntriesBase::SplitEntriesBase;

  void runOnOperation() override {
    func::FuncOp forward = getOperation().lookupSymbol<func::FuncOp>("forward");
    if (!forward) {
      getOperation().emitError("has no func.func @forward to split");
      return signalPassFailure();
    }
    Operation *tapped = findCut(forward);
    if (!tapped)
      return signalPassFailure();
    if (llvm::any_of(forward.getArgumentTypes(), llvm::IsaPred<IndexType>)) {
      addBody(forward, tapped, "prefill", prefillTokens);
      addBody(forward, tapped, "decode", 1);
    } else {
      addBody(forward, tapped, "encode", context);
    }
    if (failed(addHead(forward, tapped)))
      return signalPassFailure();
    forward.erase();
  }

  // The last tapped op, or null after an error.
  Operation *findCut(func::FuncOp forward) {
    Operation *tapped = nullptr;
    if (forward.isExternal() || !forward.getBody().hasOneBlock()) {
      forward.emitError("must have one block");
      return nullptr;
    }
    for (Operation &op : forward.front())
      if (op.hasAttr("tap"))
        tapped = &op;
    if (!tapped || tapped->getNumResults() != 1) {
      forward.emitError("has no op with one result and a `tap` to split after");
      return nullptr;
    }
    return tapped;
  }

  // @head(hidden) -> logits: the ops after the cut, which may read nothing else. An encoder whose hidden rows are all that
  // is wanted has none.
  LogicalResult addHead(func::FuncOp forward, Operation *tapped) {
    Value hidden = tapped->getResult(0);
    bool isEncoder = llvm::none_of(forward.getArgumentTypes(), llvm::IsaPred<IndexType>);
    if (isEncoder && llvm::equal(forward.front().getTerminator()->getOperands(), tapped->getResults()))
      return success();
    OpBuilder builder(forward);
    func::FuncOp head = func::FuncOp::create(builder, forward.getLoc(), "head",
                                             builder.getFunctionType({hidden.getType()}, forward.getResultTypes()));
    head->setAttr(kMaxTokens, builder.getI64IntegerAttr(isEncoder ? context : 1));
    if (isEncoder)
      head->setAttr("tx.every_row", builder.getUnitAttr());
    Block *entry = head.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    IRMapping mapping;
    mapping.map(hidden, entry->getArgument(0));
    Operation *terminator = forward.front().getTerminator();
    for (Operation *op = tapped->getNextNode(); op != terminator; op = op->getNextNode()) {
      for (Value operand : op->getOperands())
        if (!mapping.contains(operand))
          return op->emitOpError("comes after the last tapped value and may only depend on it");
      builder.clone(*op, mapping);
    }
    for (Value result : terminator->getOperands())
      if (!mapping.contains(result))
        return forward.emitError("returns a value that does not depend on the last tapped one");
    builder.clone(*terminator, mapping);
    return success();
  }

  // @name(ids, position) -> hidden: forward up to the cut.
  void addBody(func::FuncOp forward, Operation *tapped, StringRef name, int64_t maxTokens) {
    OpBuilder builder(forward);
    IRMapping mapping;
    func::FuncOp body = cast<func::FuncOp>(builder.clone(*forward, mapping));
    Value hidden = mapping.lookup(tapped->getResult(0));
    body.setName(name);
    body.setType(builder.getFunctionType(forward.getArgumentTypes(), {hidden.getType()}));
    body->setAttr(kMaxTokens, builder.getI64IntegerAttr(maxTokens));
    Operation *terminator = body.front().getTerminator();
    terminator->setOperands({hidden});
    while (terminator->getPrevNode() != hidden.getDefiningOp())
      terminator->getPrevNode()->erase();
  }
};

} // namespace
