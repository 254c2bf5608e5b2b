// In: @exec and @sizes of tx.loops, @exec also of tx ops on rows. Out: their schedule: one dispatch and one kernel function
// per tx.loops, dispatches of the transformer's kernels for the rows, over buffers that are planned for the largest sizes.
//
// How many rows there are is known when the model runs: @sizes computes it, beside the sizes of outputs.
//
// Equal kernels are one: twelve layers have twelve dispatches of each.

#include "passes/GenericKernel.h"
#include "passes/Passes.h"
#include "passes/RowDispatches.h"
#include "passes/ScheduleSymbols.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <map>

namespace sinter {
#define GEN_PASS_DEF_FORMGENERIC
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

//===-- Entries ----------------------------------------------------------------------------------------------------===//

class GenericEntry {
public:
  GenericEntry(func::FuncOp func, ScheduleSymbols &symbols, std::map<std::string, FlatSymbolRefAttr> &kernels)
      : func(func), module(func->getParentOfType<ModuleOp>()), symbols(symbols), kernels(kernels),
        b(func.getLoc(), func.getContext()), rows(b, symbols, [this](Value value) { return bufferOf(value); }) {}

  LogicalResult form();

private:
  LogicalResult form(tx::LoopsOp loops);
  LogicalResult formCounts();
  Value bufferOf(Value value);
  Value ref(FlatSymbolRefAttr symbol, MemRefType type);
  FlatSymbolRefAttr portBuffer(const Twine &name, sched::Role role, Value tensor);
  MemRefType planned(Value tensor) {
    return MemRefType::get({mostElements(sizesOf(tensor))}, cast<RankedTensorType>(tensor.getType()).getElementType());
  }

  func::FuncOp func;
  ModuleOp module;
  ScheduleSymbols &symbols;
  std::map<std::string, FlatSymbolRefAttr> &kernels; // by text
  ImplicitLocOpBuilder b;
  DenseMap<Value, Value> buffers;
  RowDispatches rows;
};

Value GenericEntry::ref(FlatSymbolRefAttr symbol, MemRefType type) { return sched::RefOp::create(b, type, symbol); }

FlatSymbolRefAttr GenericEntry::portBuffer(const Twine &name, sched::Role role, Value tensor) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  sched::BufferOp buffer = sched::BufferOp::create(b, name.str(), role, planned(tensor), IntegerAttr());
  return FlatSymbolRefAttr::get(buffer.getSymNameAttr());
}

// The text of a kernel is what makes it the same as another.
static std::string textOf(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream out(text);
  function.print(out);
  return text;
}

LogicalResult GenericEntry::form(tx::LoopsOp loops) {
  KernelFunction kernel(loops, module);
  FailureOr<func::FuncOp> built = kernel.build();
  if (failed(built))
    return failure();
  func::FuncOp function = *built;
  const int64_t inputs = loops.getInputs().size(), outputs = loops.getNumResults();
  FlatSymbolRefAttr &name =
      kernels[std::to_string(kernel.units) + "/" + std::to_string(inputs) + textOf(function)];
  if (name) {
    function.erase();
  } else {
    std::string base = "generic_" + std::to_string(kernels.size() - 1);
    function.setSymName(base + ".body");
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module.getBody());
    sched::KernelOp op = sched::KernelOp::create(
        b, base,
        kern::GenericAttr::get(b.getContext(), FlatSymbolRefAttr::get(function), inputs, outputs, kernel.units == 1));
    name = FlatSymbolRefAttr::get(op.getSymNameAttr());
  }
  SmallVector<Value> bindings;
  for (Value input : loops.getInputs())
    bindings.push_back(buffers.lookup(input));
  for (Value result : loops.getResults())
    bindings.push_back(bufferOf(result));
  sched::DispatchOp::create(b, name, bindings, kernel.units, 0);
  return success();
}

// Where a value lies; allocated when it is first asked for, which is when it is written.
Value GenericEntry::bufferOf(Value value) {
  Value &buffer = buffers[value];
  if (!buffer)
    buffer = sched::AllocOp::create(b, planned(value), IntegerAttr());
  return buffer;
}

// The kernel of @sizes that writes the `rows` buffer.
LogicalResult GenericEntry::formCounts() {
  const int64_t count = rows.counts.size();
  b.setInsertionPoint(func.front().getTerminator());
  RankedTensorType type = RankedTensorType::get({count}, b.getI64Type());
  tx::LoopsOp loops = tx::LoopsOp::create(b, TypeRange(type), ValueRange(), ValueRange());
  Block &block = loops.getBody().emplaceBlock();
  Value memory = block.addArgument(MemRefType::get({count}, b.getI64Type()), b.getLoc());
  b.setInsertionPointToStart(&block);
  for (auto [place, value] : llvm::enumerate(rows.counts)) {
    Value number = arith::IndexCastOp::create(b, b.getI64Type(), value);
    memref::StoreOp::create(b, number, memory, ValueRange(arith::ConstantIndexOp::create(b, place).getResult()));
  }
  FlatSymbolRefAttr buffer = portBuffer("rows.buffer", sched::Role::rows, loops.getResult(0));
  b.setInsertionPointToEnd(module.getBody());
  sched::FuncOp sizes;
  for (sched::FuncOp entry : module.getOps<sched::FuncOp>())
    if (entry.getSymName() == "sizes")
      sizes = entry;
  if (!sizes) {
    sizes = sched::FuncOp::create(b, "sizes", 1);
    sizes.getBody().emplaceBlock();
  }
  b.setInsertionPointToEnd(&sizes.getBody().front());
  buffers[loops.getResult(0)] = ref(buffer, planned(loops.getResult(0)));
  return form(loops);
}

// A value that is returned and has no place of its own: an input, a weight, or what is returned already.
static Value copyOf(Value value, ImplicitLocOpBuilder &b) {
  RankedTensorType type = cast<RankedTensorType>(value.getType());
  MemRefType memory = MemRefType::get(type.getShape(), type.getElementType());
  SmallVector<Value> dynamic, sizes;
  Value zero = arith::ConstantIndexOp::create(b, 0), one = arith::ConstantIndexOp::create(b, 1);
  for (OpFoldResult size : sizesOf(value)) {
    sizes.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
    if (isa<Value>(size))
      dynamic.push_back(cast<Value>(size));
  }
  tx::LoopsOp loops = tx::LoopsOp::create(b, TypeRange(type), ValueRange(value), dynamic);
  Block &block = loops.getBody().emplaceBlock();
  Value from = block.addArgument(memory, b.getLoc()), to = block.addArgument(memory, b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  SmallVector<Value> at;
  if (!sizes.empty()) {
    scf::ParallelOp nest = scf::ParallelOp::create(b, SmallVector<Value>(sizes.size(), zero), sizes,
                                                   SmallVector<Value>(sizes.size(), one));
    llvm::append_range(at, nest.getInductionVars());
    b.setInsertionPointToStart(nest.getBody());
  }
  memref::StoreOp::create(b, memref::LoadOp::create(b, from, at), to, at);
  return loops.getResult(0);
}

LogicalResult GenericEntry::form() {
  const bool isExec = func.getName() == "exec";
  if (isExec) {
    b.setInsertionPointToStart(&func.front());
    for (auto [number, name] : llvm::enumerate(func->getAttrOfType<ArrayAttr>("tx.dim_names"))) {
      int64_t most = cast<IntegerAttr>(func->getAttrOfType<ArrayAttr>("tx.dim_max")[number]).getInt();
      tx::DimOp::create(b, number, cast<StringAttr>(name).getValue(), std::max<int64_t>(most, 1));
    }
  }
  func::ReturnOp terminator = cast<func::ReturnOp>(func.front().getTerminator());
  llvm::DenseSet<Value> returned;
  b.setInsertionPoint(terminator);
  for (OpOperand &operand : terminator->getOpOperands()) {
    if (!operand.get().getDefiningOp<tx::LoopsOp>() || returned.contains(operand.get()))
      operand.set(copyOf(operand.get(), b));
    returned.insert(operand.get());
  }
  b.setInsertionPoint(func);
  sched::FuncOp entry = sched::FuncOp::create(b, isExec ? "exec" : "sizes", 1);
  b.setInsertionPointToStart(&entry.getBody().emplaceBlock());
  auto addPort = [&](bool output, unsigned number, Value value, DictionaryAttr facts) {
    FlatSymbolRefAttr buffer =
        portBuffer((output ? "out." : "in.") + Twine(number), sched::Role::port, value);
    buffers[value] = ref(buffer, planned(value));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module.getBody());
    sched::PortOp::create(b, output ? b.getUnitAttr() : UnitAttr(), facts.getAs<StringAttr>("tx.name"), buffer,
                          facts.getAs<StringAttr>("tx.type"), facts.getAs<DenseI64ArrayAttr>("tx.dims"));
  };
  for (BlockArgument argument : func.getArguments())
    addPort(false, argument.getArgNumber(), argument, func.getArgAttrDict(argument.getArgNumber()));
  for (auto [number, value] : llvm::enumerate(terminator.getOperands())) {
    if (isExec) {
      addPort(true, number, value, func.getResultAttrDict(number));
    } else {
      FlatSymbolRefAttr buffer = portBuffer("sizes.buffer", sched::Role::sizes, value);
      buffers[value] = ref(buffer, planned(value));
    }
  }
  for (Operation &op : func.front()) {
    if (tx::LoopsOp loops = dyn_cast<tx::LoopsOp>(op)) {
      if (failed(form(loops)))
        return failure();
    } else if (tensor::ReshapeOp reshape = dyn_cast<tensor::ReshapeOp>(op)) {
      buffers[reshape] = bufferOf(reshape.getSource());
    } else if (RowDispatches::handles(&op)) {
      if (failed(rows.form(&op)))
        return failure();
    } else if (tx::ValueOp value = dyn_cast<tx::ValueOp>(op)) {
      RankedTensorType type = value.getType();
      buffers[value] =
          ref(symbols.raw(value.getParamAttr()), MemRefType::get({type.getNumElements()}, type.getElementType()));
    } else if (!op.hasTrait<OpTrait::IsTerminator>() && !isMemoryEffectFree(&op)) {
      return op.emitOpError("has no kernel");
    }
  }
  return rows.counts.empty() ? success() : formCounts();
}

struct FormGeneric : sinter::impl::FormGenericBase<FormGeneric> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    ScheduleSymbols symbols(module);
    std::map<std::string, FlatSymbolRefAttr> kernels;
    OpBuilder builder(module.getBodyRegion());
    sched::PlanOp::create(builder, module.getLoc(), 1, IntegerAttr(), IntegerAttr());
    // @exec last: it may have something to add to @sizes.
    SmallVector<func::FuncOp> entries = llvm::to_vector(module.getOps<func::FuncOp>());
    llvm::stable_sort(entries, [](func::FuncOp a, func::FuncOp b) { return b.getName() == "exec" && a.getName() != "exec"; });
    addFacts(entries.back());
    for (func::FuncOp func : entries) {
      if (failed(GenericEntry(func, symbols, kernels).form()))
        return signalPassFailure();
    }
    for (func::FuncOp func : entries)
      func.erase();
    symbols.sort();
  }

  // Run-time dimensions, and what must be equal: pairs at the end of the sizes.
  void addFacts(func::FuncOp func) {
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    for (auto [name, most] : llvm::zip_equal(func->getAttrOfType<ArrayAttr>("tx.dim_names"),
                                             func->getAttrOfType<ArrayAttr>("tx.dim_max")))
      sched::DimOp::create(builder, func.getLoc(), cast<StringAttr>(name), cast<IntegerAttr>(most));
    ArrayAttr checks = func->getAttrOfType<ArrayAttr>("tx.checks");
    func::FuncOp sizes = getOperation().lookupSymbol<func::FuncOp>("sizes");
    if (!sizes)
      return;
    int64_t at = cast<RankedTensorType>(sizes.getResultTypes()[0]).getDimSize(0) - 2 * int64_t(checks.size());
    for (Attribute message : checks) {
      sched::CheckOp::create(builder, func.getLoc(), at, at + 1, cast<StringAttr>(message).getValue());
      at += 2;
    }
  }
};

} // namespace
