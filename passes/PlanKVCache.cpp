// In: caches as the model needs them. Out: their element type and capacity in tokens.
//
// A cache that keeps everything holds the context. One of a windowed layer is a ring: while a step writes positions
// p .. p + n - 1, its first token still reads back to p - window + 1, so window + n - 1 slots that do not alias are
// enough, with n at most a prefill chunk. Both are rounded up to tiles of 16 tokens, the unit of the cache's layout.

#include "dialects/CacheElement.h"
#include "passes/Passes.h"

#include "llvm/Support/MathExtras.h"

namespace sinter {
#define GEN_PASS_DEF_PLANKVCACHE
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

struct PlanKVCache : sinter::impl::PlanKVCacheBase<PlanKVCache> {
  using PlanKVCacheBase::PlanKVCacheBase;

  void runOnOperation() override {
    if (context <= 0 || prefillTokens <= 0) {
      getOperation().emitError("context and prefill tokens must be positive, are ")
          << static_cast<int64_t>(context) << " and " << static_cast<int64_t>(prefillTokens);
      return signalPassFailure();
    }
    Type elementType = cacheElementOfName(&getContext(), element);
    if (!elementType) {
      getOperation().emitError("unknown cache element '") << element << "', expected " << cacheElementNames();
      return signalPassFailure();
    }
    int64_t chunk = std::min<int64_t>(prefillTokens, context);
    for (tx::CacheOp cache : getOperation().getOps<tx::CacheOp>()) {
      int64_t tokens = context;
      if (int64_t window = cache.getWindow(); window && window < context) // no sum that could overflow
        tokens = std::min<int64_t>(context, window + chunk);
      cache.setElement(elementType);
      cache.setCapacity(llvm::alignTo(tokens, sched::CacheOp::kTileTokens));
    }
  }
};

} // namespace
