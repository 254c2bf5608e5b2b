// In: entries whose buffers have their place in memory. Out: a barrier before each dispatch that needs one.
//
// Without a barrier, threads run through the list at their own pace; thread t computes units [units*t/n, units*(t+1)/n)
// of each dispatch. A dispatch must wait if it reads bytes that an earlier dispatch since the last barrier wrote, or
// writes bytes that one read or wrote. It need not wait if the same thread did both: the two dispatches have the same
// domain and the same units, and both touch only their unit's own part of the same buffer, cut in the same way. The
// list is straight, so placing each barrier as late as possible gives the fewest.
//
// Workgroups of a GPU belong to no thread: there every conflict needs a barrier.
//
// An entry's first dispatch needs no barrier: the runtime starts all threads there.

#include "passes/Arena.h"
#include "passes/Passes.h"

namespace sinter {
#define GEN_PASS_DEF_PLACEBARRIERS
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// How one dispatch touches one buffer.
struct Touch {
  Attribute cache;            // the cache's symbol; null: the arena
  int64_t begin = 0, end = 1; // bytes of the arena
  bool writes = false;

  // Which unit touches which part, if each touches only its own.
  bool own = false;
  Value buffer;
  StringRef binding;
  kern::Domain domain = kern::Domain::tokens;
  int64_t units = 0, tokensPerUnit = 0, rows = 0;

  bool overlaps(const Touch &other) const { return cache == other.cache && begin < other.end && other.begin < end; }

  // Does a unit of both mean the same bytes? Rows are cut alike by all kernels over tokens, and columns by all over
  // tiles; which columns belong to a kv head depends on what the binding is (queries, keys and values, or the output).
  bool cutLike(const Touch &other) const {
    return own && other.own && buffer == other.buffer && domain == other.domain && units == other.units &&
           tokensPerUnit == other.tokensPerUnit && rows == other.rows && (domain != kern::Domain::kvHeads || binding == other.binding);
  }

  bool conflicts(const Touch &other) const { return (writes || other.writes) && overlaps(other) && !cutLike(other); }
};

struct PlaceBarriers : sinter::impl::PlaceBarriersBase<PlaceBarriers> {
  void runOnOperation() override {
    SymbolTableCollection symbols;
    for (sched::FuncOp entry : getOperation().getOps<sched::FuncOp>()) {
      SmallVector<Touch> pending; // since the last barrier
      for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>()) {
        FailureOr<SmallVector<Touch>> touches = touchesOf(dispatch, entry, symbols);
        if (failed(touches))
          return signalPassFailure();
        bool wait = llvm::any_of(*touches, [&](const Touch &later) {
          return llvm::any_of(pending, [&](const Touch &earlier) { return later.conflicts(earlier); });
        });
        dispatch.setBarrier(wait);
        if (wait)
          pending.clear();
        llvm::append_range(pending, *touches);
      }
    }
  }

  // What a dispatch touches beyond the weights, which nothing writes.
  FailureOr<SmallVector<Touch>> touchesOf(sched::DispatchOp dispatch, sched::FuncOp entry,
                                          SymbolTableCollection &symbols) {
    bool threads = entry.getDevice() == sched::Device::cpu, singleToken = entry.getMaxTokens() == 1;
    sched::KernelOp kernel = symbols.lookupNearestSymbolFrom<sched::KernelOp>(dispatch, dispatch.getKernelAttr());
    kern::SpecInterface spec = cast<kern::SpecInterface>(kernel.getSpec());
    SmallVector<Touch> touches;
    for (auto [binding, buffer] : llvm::zip_equal(spec.getBindings(), dispatch.getBindings())) {
      Touch touch;
      touch.writes = binding.access != kern::Access::read;
      touch.own = threads && binding.part == kern::Part::own;
      touch.buffer = buffer;
      touch.binding = binding.name;
      touch.domain = spec.getDomain();
      touch.units = dispatch.getUnits();
      touch.tokensPerUnit = dispatch.getTokensPerUnit();
      touch.rows = static_cast<int64_t>(dispatch.getRows());

      std::optional<int64_t> offset;
      if (sched::AllocOp alloc = buffer.getDefiningOp<sched::AllocOp>()) {
        offset = alloc.getOffset();
      } else {
        sched::RefOp ref = buffer.getDefiningOp<sched::RefOp>();
        if (!ref) {
          dispatch.emitOpError("binds ") << binding.name << " to what is neither a sched.alloc nor a sched.ref";
          return failure();
        }
        Operation *target = symbols.lookupNearestSymbolFrom(dispatch, ref.getSymbolAttr());
        if (isa<sched::WeightOp>(target))
          continue;
        if (isa<sched::CacheOp>(target)) {
          touch.cache = ref.getSymbolAttr();
          // With one token there is one unit per kv head, and it reads what it wrote in this step or what earlier steps
          // wrote.
          touch.own |= threads && singleToken && touch.domain == kern::Domain::kvHeads;
          touches.push_back(touch);
          continue;
        }
        offset = cast<sched::BufferOp>(target).getOffset();
      }
      if (!offset) {
        dispatch.emitOpError("binds ") << binding.name << " to a buffer without offset: run --sinter-plan-memory first";
        return failure();
      }
      touch.begin = *offset;
      touch.end = *offset + bufferBytes(cast<MemRefType>(buffer.getType()));
      touches.push_back(touch);
    }
    return touches;
  }
};

} // namespace
