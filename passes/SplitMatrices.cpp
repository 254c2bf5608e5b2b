// In: dispatches as formed. Out: the same, but on a GPU no kernel sees more than `limit` bytes of a matrix. Vulkan promises
// 128 MiB to every kernel on every device (maxStorageBufferRange), and some have no more; a head over 100,000 words is larger.
//
// Rows of a matrix are packed tile after tile, so a run of tiles is a matrix too. A product becomes one product for each
// run, which all write columns of the same rows. An embedding becomes one dispatch for each run, which writes the tokens
// whose rows it has. Runs begin where every device can bind them, in weights and in outputs. The weights are packed as
// before: CPUs read them whole.

#include "dialects/Formats.h"
#include "passes/Arena.h"
#include "passes/Passes.h"
#include "passes/ScheduleSymbols.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

namespace sinter {
#define GEN_PASS_DEF_SPLITMATRICES
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// Offsets and sizes of a dispatch's bindings, by their names.
class Parts {
public:
  explicit Parts(kern::SpecInterface spec) : bindings(spec.getBindings()), numbers(2 * bindings.size(), 0) {}

  // Nothing if there is no such binding.
  void set(StringRef name, int64_t offset, int64_t bytes) {
    for (auto [i, binding] : llvm::enumerate(bindings))
      if (name == binding.name)
        numbers[2 * i] = offset, numbers[2 * i + 1] = bytes;
  }
  ArrayRef<int64_t> get() const { return numbers; }

private:
  SmallVector<kern::BindingInfo> bindings;
  SmallVector<int64_t> numbers;
};

struct SplitMatrices : sinter::impl::SplitMatricesBase<SplitMatrices> {
  using SplitMatricesBase::SplitMatricesBase;

  void runOnOperation() override {
    replaced.clear();
    ScheduleSymbols symbols(getOperation());
    SymbolTable table(getOperation());
    for (sched::FuncOp entry : getOperation().getOps<sched::FuncOp>()) {
      if (entry.getDevice() != sched::Device::gpu)
        continue;
      for (sched::DispatchOp dispatch : llvm::make_early_inc_range(entry.getOps<sched::DispatchOp>())) {
        sched::KernelOp kernel = table.lookup<sched::KernelOp>(dispatch.getKernel());
        LogicalResult done = llvm::TypeSwitch<Attribute, LogicalResult>(kernel.getSpec())
                                 .Case([&](kern::LinearAttr spec) { return split(dispatch, spec, symbols); })
                                 .Case([&](kern::EmbedAttr spec) { return split(dispatch, spec, symbols); })
                                 .Default([](Attribute) { return success(); });
        if (failed(done))
          return signalPassFailure();
      }
    }
    for (StringAttr kernel : replaced)
      if (SymbolTable::symbolKnownUseEmpty(kernel, getOperation()))
        table.lookup(kernel)->erase();
    symbols.sort();
  }

  // Tiles of a run, if `tiles` of `tileBytes` each are more than a kernel sees; 0 if they are not.
  FailureOr<int64_t> tilesOfRun(sched::DispatchOp dispatch, int64_t tiles, int64_t tileBytes) {
    if (tiles * tileBytes <= limit)
      return 0;
    // Where a run begins, in the weights and in a row of floats.
    int64_t step = std::lcm(kGpuAlignment / std::gcd(kGpuAlignment, tileBytes),
                            kGpuAlignment / (kTileRows * int64_t(sizeof(float))));
    int64_t most = limit / tileBytes / step * step;
    if (most == 0)
      return dispatch.emitOpError("reads tiles of ") << tileBytes << " bytes, of which " << step
                                                     << " do not fit into the " << limit.getValue() << " that a kernel sees";
    return most;
  }

  void replace(sched::DispatchOp dispatch, kern::SpecInterface spec, const Parts &parts, int64_t units, bool last,
               ScheduleSymbols &symbols) {
    replaced.insert(dispatch.getKernelAttr().getAttr());
    OpBuilder builder(dispatch);
    sched::DispatchOp::create(builder, dispatch.getLoc(), symbols.kernel(spec), dispatch.getBindings(),
                              builder.getI64IntegerAttr(units), dispatch.getTokensPerUnitAttr(), /*barrier=*/UnitAttr(),
                              last ? dispatch.getTapAttr() : StringAttr(),
                              last ? dispatch.getTapBindingAttr() : IntegerAttr(),
                              builder.getDenseI64ArrayAttr(parts.get()), dispatch.getRowsAttr(),
                              dispatch.getSequenceAttr());
  }

  LogicalResult split(sched::DispatchOp dispatch, kern::LinearAttr spec, ScheduleSymbols &symbols) {
    int64_t matrices = spec.getGlu() ? 2 : 1, tiles = llvm::divideCeil(spec.getRows(), kTileRows);
    int64_t tileBytes = matrices * findFormat(spec.getFormat())->packedBytes(kTileRows, spec.getColumns());
    FailureOr<int64_t> most = tilesOfRun(dispatch, tiles, tileBytes);
    if (failed(most) || *most == 0)
      return most;
    constexpr int64_t floats = kTileRows * sizeof(float); // bytes of a tile in a row or a vector
    for (int64_t first = 0; first < tiles; first += *most) {
      int64_t count = std::min(*most, tiles - first);
      kern::LinearAttr run = kern::LinearAttr::get(
          spec.getContext(), std::min(count * kTileRows, spec.getRows() - first * kTileRows), spec.getColumns(),
          spec.getFormat(), spec.getFusedRows(), spec.getNorm(), spec.getGlu(), spec.getAct(), spec.getBias(),
          spec.getResidual(), spec.getSingle(), spec.getRowFromScalar(), spec.getTokensPerUnit(),
          /*out_rows=*/spec.getRows());
      Parts parts(run);
      parts.set("weights", first * tileBytes, count * tileBytes);
      parts.set("bias", first * matrices * floats, count * matrices * floats);
      parts.set("residual", first * floats, 0);
      parts.set("out", first * floats, 0);
      replace(dispatch, run, parts, count, first + count == tiles, symbols);
    }
    dispatch.erase();
    return success();
  }

  LogicalResult split(sched::DispatchOp dispatch, kern::EmbedAttr spec, ScheduleSymbols &symbols) {
    int64_t tiles = llvm::divideCeil(spec.getVocab(), kTileRows);
    int64_t tileBytes = findFormat(spec.getFormat())->packedBytes(kTileRows, spec.getWidth());
    FailureOr<int64_t> most = tilesOfRun(dispatch, tiles, tileBytes);
    if (failed(most) || *most == 0)
      return most;
    for (int64_t first = 0; first < tiles; first += *most) {
      int64_t count = std::min(*most, tiles - first);
      kern::EmbedAttr run = kern::EmbedAttr::get(spec.getContext(), spec.getVocab(), spec.getWidth(), spec.getFormat(),
                                                 spec.getScale(), spec.getPositions(), spec.getTypes(), first * kTileRows,
                                                 std::min((first + count) * kTileRows, spec.getVocab()));
      Parts parts(run);
      parts.set("table", first * tileBytes, count * tileBytes);
      replace(dispatch, run, parts, dispatch.getUnits(), first + count == tiles, symbols);
    }
    dispatch.erase();
    return success();
  }

  llvm::SetVector<StringAttr> replaced; // kernels of dispatches that were split
};

} // namespace
