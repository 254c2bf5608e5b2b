// In: a kernel of invocations that exchange values through arrays in workgroup memory, and read buffers that they write.
// Out: the same with a barrier before each access that must wait: a load after a store to the same array or buffer, and
// a store after a load. Arrays and buffers are told apart, places within them are not, so this is on the safe side.
//
// A store after a store waits for nothing: builders do not overwrite what another lane wrote before anybody read it.
// Loops are gone through twice, since what an iteration leaves open the next one meets. All control flow outside of
// predicated accesses is the same for all invocations (DistributeLanes.cpp), so a barrier may stand in any loop.

#include "codegen/gpu/GpuLowering.h"

#include "dialects/kern/Kern.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace sinter {

namespace {

// An array in workgroup memory by its op, or a binding by its number.
using Place = std::pair<Operation *, int64_t>;

// What was accessed since the last barrier.
struct Open {
  DenseSet<Place> stores, loads;
  void merge(const Open &other) {
    stores.insert(other.stores.begin(), other.stores.end());
    loads.insert(other.loads.begin(), other.loads.end());
  }
};

Place placeOf(Value memref) {
  if (kern::BindingOp binding = memref.getDefiningOp<kern::BindingOp>())
    return {nullptr, binding.getIndex()};
  return {memref.getDefiningOp(), 0};
}

class Placement {
public:
  explicit Placement(MLIRContext *context) : b(context) {}

  void walk(Block &block, Open &open, bool insert) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (scf::ForOp loop = dyn_cast<scf::ForOp>(op)) {
        Open next = open;
        walk(*loop.getBody(), next, /*insert=*/false);
        open.merge(next);
        next = open;
        walk(*loop.getBody(), next, insert);
        open.merge(next); // the loop may run zero times
      } else if (scf::IfOp branch = dyn_cast<scf::IfOp>(op); branch && !op.hasAttr(kPredicatedAttr)) {
        Open then = open, otherwise = open;
        walk(*branch.thenBlock(), then, insert);
        if (branch.elseBlock())
          walk(*branch.elseBlock(), otherwise, insert);
        open.merge(then);
        open.merge(otherwise);
      } else {
        access(op, open, insert);
      }
    }
  }

private:
  void access(Operation &op, Open &open, bool insert) {
    SmallVector<Place> loads, stores;
    op.walk([&](Operation *inner) {
      if (memref::LoadOp load = dyn_cast<memref::LoadOp>(inner))
        loads.push_back(placeOf(load.getMemRef()));
      if (memref::StoreOp store = dyn_cast<memref::StoreOp>(inner))
        stores.push_back(placeOf(store.getMemRef()));
    });
    bool waits = llvm::any_of(loads, [&](Place place) { return open.stores.contains(place); }) ||
                 llvm::any_of(stores, [&](Place place) { return open.loads.contains(place); });
    if (waits) {
      open = {};
      if (insert) {
        b.setInsertionPoint(&op);
        spirv::MemorySemantics memory = spirv::MemorySemantics::AcquireRelease |
                                        spirv::MemorySemantics::WorkgroupMemory |
                                        spirv::MemorySemantics::UniformMemory;
        spirv::ControlBarrierOp::create(b, op.getLoc(), spirv::Scope::Workgroup, spirv::Scope::Workgroup, memory);
      }
    }
    open.loads.insert(loads.begin(), loads.end());
    open.stores.insert(stores.begin(), stores.end());
  }

  OpBuilder b;
};

class PlaceWorkgroupBarriers : public PassWrapper<PlaceWorkgroupBarriers, OperationPass<func::FuncOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlaceWorkgroupBarriers)
  StringRef getArgument() const override { return "sinter-place-workgroup-barriers"; }
  StringRef getDescription() const override { return "Put barriers where invocations depend on one another"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<spirv::SPIRVDialect>(); }
  void runOnOperation() override {
    Open open;
    Placement(&getContext()).walk(getOperation().getBody().front(), open, /*insert=*/true);
  }
};

} // namespace

std::unique_ptr<Pass> createPlaceWorkgroupBarriersPass() { return std::make_unique<PlaceWorkgroupBarriers>(); }

} // namespace sinter
