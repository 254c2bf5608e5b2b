// In: entries that allocate buffers. Out: the offset of every buffer in one arena, and the arena's size.
//
// A buffer of the module lives always. One of an entry lives from its first to its last use in the list of dispatches;
// buffers of different entries never live at once, since entries never run at once. Largest first, each buffer takes
// the tightest gap that is free all through its life (best fit). No plan can be smaller than the most bytes that live
// at any one dispatch: that bound is written beside what was reached.
//
// Lives are those of the list's order. That threads run ahead of each other between barriers is barrier placement's
// care: it sees two buffers that share bytes as a conflict. In a step of one token, where buffers are small and a
// barrier costs as much as a dispatch, a life lasts one dispatch longer, so that a dispatch which needs no barrier for
// its own sake does not get one for writing where its predecessor read.

#include "passes/Arena.h"
#include "passes/Passes.h"

#include "llvm/Support/MathExtras.h"

#include <map>

namespace sinter {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// One allocation and its life: dispatches [first, last] of its entry.
struct Life {
  sched::AllocOp alloc;
  int64_t bytes, first, last;
  int64_t offset = -1;

  bool meets(const Life &other) const { return first <= other.last && other.first <= last; }
};

// The lives of an entry's buffers, in the order of their allocation.
SmallVector<Life> livesOf(sched::FuncOp entry, int64_t alignment) {
  DenseMap<Operation *, int64_t> order;
  for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>()) {
    int64_t index = order.size();
    order[dispatch] = index;
  }
  SmallVector<Life> lives;
  const bool hasPorts = !entry->getParentOfType<ModuleOp>().getOps<sched::PortOp>().empty();
  int64_t longer = entry.getMaxTokens() == 1 && !hasPorts ? 1 : 0;
  for (sched::AllocOp alloc : entry.getOps<sched::AllocOp>()) {
    Life life{alloc, static_cast<int64_t>(llvm::alignTo(bufferBytes(alloc.getType()), alignment)), INT64_MAX, -1};
    for (Operation *user : alloc->getUsers()) {
      life.first = std::min(life.first, order[user]);
      life.last = std::max(life.last, order[user] + longer);
    }
    lives.push_back(life);
  }
  return lives;
}

// The tightest gap at or after `begin` between `taken` (offset -> end, may overlap each other), or the first byte after
// all.
int64_t bestFit(const std::multimap<int64_t, int64_t> &taken, int64_t begin, int64_t bytes) {
  int64_t best = -1, bestGap = INT64_MAX, end = begin;
  for (auto [from, to] : taken) {
    if (int64_t gap = from - end; gap >= bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
    }
    end = std::max(end, to);
  }
  return best >= 0 ? best : end;
}

// Gives every life an offset; the end of the highest.
int64_t place(MutableArrayRef<Life> lives, int64_t begin) {
  SmallVector<Life *> largestFirst = llvm::to_vector(llvm::make_pointer_range(lives));
  llvm::sort(largestFirst,
             [](const Life *a, const Life *b) { return a->bytes != b->bytes ? a->bytes > b->bytes : a < b; });
  int64_t end = begin;
  for (Life *life : largestFirst) {
    std::multimap<int64_t, int64_t> taken;
    for (const Life &other : lives)
      if (other.offset >= 0 && life->meets(other))
        taken.insert({other.offset, other.offset + other.bytes});
    life->offset = bestFit(taken, begin, life->bytes);
    end = std::max(end, life->offset + life->bytes);
  }
  return end;
}

// The most bytes that live at one dispatch: reached at the first use of some buffer.
int64_t mostLive(ArrayRef<Life> lives) {
  int64_t most = 0;
  for (const Life &life : lives) {
    int64_t bytes = 0;
    for (const Life &other : lives)
      bytes += other.first <= life.first && life.first <= other.last ? other.bytes : 0;
    most = std::max(most, bytes);
  }
  return most;
}

struct PlanMemory : sinter::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    SmallVector<sched::PlanOp> plans = llvm::to_vector(getOperation().getOps<sched::PlanOp>());
    if (plans.size() != 1) {
      getOperation().emitError("must have one sched.plan, has ") << plans.size();
      return signalPassFailure();
    }
    if (failed(checkShapes()))
      return signalPassFailure();
    int64_t shared = 0, alignment = bufferAlignment(getOperation());
    for (sched::BufferOp buffer : getOperation().getOps<sched::BufferOp>()) {
      buffer.setOffset(shared);
      shared += llvm::alignTo(bufferBytes(cast<MemRefType>(buffer.getType())), alignment);
    }
    int64_t end = shared, bound = shared;
    for (sched::FuncOp entry : getOperation().getOps<sched::FuncOp>()) {
      SmallVector<Life> lives = livesOf(entry, alignment);
      end = std::max(end, place(lives, shared));
      bound = std::max(bound, shared + mostLive(lives));
      for (Life &life : lives)
        life.alloc.setOffset(life.offset);
    }
    plans.front().setArenaBytes(end);
    // Statistics of passes are compiled out of release builds of LLVM, so the bound goes into the IR.
    plans.front()->setAttr("arena_bound", Builder(&getContext()).getI64IntegerAttr(bound));
  }

  LogicalResult checkShapes() {
    auto check = [](Operation *op, Type type) -> LogicalResult {
      if (cast<MemRefType>(type).hasStaticShape())
        return success();
      return op->emitOpError("must have a static shape to be planned, is ") << type;
    };
    for (sched::BufferOp buffer : getOperation().getOps<sched::BufferOp>())
      if (failed(check(buffer, buffer.getType())))
        return failure();
    WalkResult allocs =
        getOperation().walk([&](sched::AllocOp alloc) { return WalkResult(check(alloc, alloc.getType())); });
    return failure(allocs.wasInterrupted());
  }
};

} // namespace
