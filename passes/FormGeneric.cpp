// In: @exec and @sizes of tx.loops. Out: their schedule: one dispatch and one kernel function per tx.loops, over buffers that
// are planned for the largest sizes.
//
// A kernel function gets its sizes as everything else does, from the run-time dimensions: the arithmetic that leads to
// them is cloned into it. The iterations of its scf.parallel are numbered in row-major order and cut into even parts, one
// per unit; the innermost loop stays a loop over neighbouring elements, which LLVM makes vectors of. A part begins and
// ends wherever the numbers say, so that one short axis does not leave threads without work.
//
// Equal kernels are one: twelve layers have twelve dispatches of each.

#include "passes/Passes.h"
#include "passes/ScheduleSymbols.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

#include <map>

namespace sinter {
#define GEN_PASS_DEF_FORMGENERIC
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// Parts that a kernel's iterations are cut into: a few for each of the threads that a machine of this kind has.
constexpr int64_t kUnits = 64;
// Iterations without an inner loop that are not worth waking others for.
constexpr int64_t kFewIterations = 4096;

//===-- Sizes ------------------------------------------------------------------------------------------------------===//

struct Interval {
  int64_t low, high;
};

// What an index computed from run-time dimensions lies in. Saturates; an op that is not known gives everything.
Interval boundsOf(Value value) {
  constexpr int64_t kMost = INT64_MAX;
  auto saturate = [](__int128 x) { return int64_t(x > kMost ? kMost : x < -kMost ? -kMost : x); };
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return {constant.getSExtValue(), constant.getSExtValue()};
  Operation *op = value.getDefiningOp();
  if (tx::DimOp dim = dyn_cast_or_null<tx::DimOp>(op))
    return {0, static_cast<int64_t>(dim.getMax())};
  if (!op || op->getNumOperands() != 2)
    return {-kMost, kMost};
  Interval a = boundsOf(op->getOperand(0)), b = boundsOf(op->getOperand(1));
  if (isa<arith::AddIOp>(op))
    return {saturate(__int128(a.low) + b.low), saturate(__int128(a.high) + b.high)};
  if (isa<arith::SubIOp>(op))
    return {saturate(__int128(a.low) - b.high), saturate(__int128(a.high) - b.low)};
  if (isa<arith::MulIOp>(op)) {
    __int128 ends[] = {__int128(a.low) * b.low, __int128(a.low) * b.high, __int128(a.high) * b.low,
                       __int128(a.high) * b.high};
    return {saturate(*std::min_element(ends, ends + 4)), saturate(*std::max_element(ends, ends + 4))};
  }
  if (isa<arith::MinSIOp>(op))
    return {std::min(a.low, b.low), std::min(a.high, b.high)};
  if (isa<arith::MaxSIOp>(op))
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
  if (isa<arith::FloorDivSIOp, arith::DivSIOp, arith::DivUIOp>(op) && b.low > 0) {
    int64_t low = std::min(a.low, int64_t(0)), high = std::max<int64_t>(a.high / b.low, 0);
    return {low, high};
  }
  return {-kMost, kMost};
}

// The sizes of a tensor, each an attribute or a value of @exec.
SmallVector<OpFoldResult> sizesOf(Value tensor) {
  RankedTensorType type = cast<RankedTensorType>(tensor.getType());
  OpBuilder builder(tensor.getContext());
  SmallVector<OpFoldResult> sizes;
  SmallVector<Value> dynamic;
  if (tx::LoopsOp loops = tensor.getDefiningOp<tx::LoopsOp>()) {
    size_t next = 0;
    for (Value result : loops.getResults()) {
      int64_t count = cast<RankedTensorType>(result.getType()).getNumDynamicDims();
      if (result == tensor)
        llvm::append_range(dynamic, loops.getSizes().slice(next, count));
      next += count;
    }
  } else if (tensor::ReshapeOp reshape = tensor.getDefiningOp<tensor::ReshapeOp>()) {
    if (tensor::FromElementsOp shape = reshape.getShape().getDefiningOp<tensor::FromElementsOp>())
      for (auto [size, element] : llvm::zip_equal(type.getShape(), shape.getElements()))
        if (ShapedType::isDynamic(size))
          dynamic.push_back(element);
  } else if (BlockArgument argument = dyn_cast<BlockArgument>(tensor)) {
    func::FuncOp function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    DenseI64ArrayAttr dims = function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "tx.dims");
    // form() has put them at the start, in order.
    for (int64_t dim : dims.asArrayRef())
      if (dim < 0)
        dynamic.push_back(cast<tx::DimOp>(*std::next(argument.getOwner()->begin(), -1 - dim)));
  }
  size_t next = 0;
  for (int64_t size : type.getShape())
    sizes.push_back(ShapedType::isDynamic(size) ? OpFoldResult(dynamic[next++])
                                                : OpFoldResult(builder.getIndexAttr(size)));
  return sizes;
}

int64_t mostElements(ArrayRef<OpFoldResult> sizes) {
  __int128 count = 1;
  for (OpFoldResult size : sizes) {
    count *= std::max<int64_t>(isa<Attribute>(size) ? cast<IntegerAttr>(cast<Attribute>(size)).getInt()
                                                    : boundsOf(cast<Value>(size)).high,
                               0);
    count = std::min<__int128>(count, INT64_MAX);
  }
  return static_cast<int64_t>(count);
}

//===-- Kernels ----------------------------------------------------------------------------------------------------===//

// One tx.loops -> the function that a kernel's spec names.
class KernelFunction {
public:
  KernelFunction(tx::LoopsOp loops, ModuleOp module)
      : loops(loops), b(loops.getLoc(), OpBuilder::atBlockEnd(module.getBody())) {}

  FailureOr<func::FuncOp> build();
  int64_t units = 1;

private:
  Value view(int64_t index, Value tensor);
  FailureOr<Value> capture(Value outer);
  void countUnits(scf::ParallelOp parallel);
  void distribute(scf::ParallelOp parallel);
  Value valueOf(OpFoldResult size) {
    return isa<Attribute>(size)
               ? Value(arith::ConstantIndexOp::create(b, cast<IntegerAttr>(cast<Attribute>(size)).getInt()))
               : mapping.lookup(cast<Value>(size));
  }

  tx::LoopsOp loops;
  ImplicitLocOpBuilder b;
  func::FuncOp function;
  IRMapping mapping;             // of @exec's values to the kernel's
  DenseMap<int64_t, Value> dims; // run-time dimensions by number
};

// Clones the arithmetic that computes an index, down to run-time dimensions.
FailureOr<Value> KernelFunction::capture(Value outer) {
  if (Value known = mapping.lookupOrNull(outer))
    return known;
  Operation *op = outer.getDefiningOp();
  Value inner;
  if (tx::DimOp dim = dyn_cast_or_null<tx::DimOp>(op)) {
    Value &known = dims[dim.getIndex()];
    if (!known)
      known = kern::DimOp::create(b, dim.getIndex());
    inner = known;
  } else if (op && isMemoryEffectFree(op) && op->getNumResults() == 1 && op->getNumRegions() == 0 &&
             llvm::none_of(op->getOperandTypes(), [](Type type) { return isa<ShapedType>(type); })) {
    for (Value operand : op->getOperands())
      if (failed(capture(operand)))
        return failure();
    inner = b.clone(*op, mapping)->getResult(0);
  } else {
    return loops.emitOpError("uses a value from outside that does not come from run-time dimensions: ") << outer;
  }
  mapping.map(outer, inner);
  return inner;
}

// A binding as the row-major memref of a tensor's sizes.
Value KernelFunction::view(int64_t index, Value tensor) {
  RankedTensorType type = cast<RankedTensorType>(tensor.getType());
  MemRefType memory = MemRefType::get(type.getShape(), type.getElementType());
  if (type.hasStaticShape())
    return kern::BindingOp::create(b, memory, index);
  Value flat = kern::BindingOp::create(b, MemRefType::get({ShapedType::kDynamic}, type.getElementType()), index);
  SmallVector<OpFoldResult> sizes, strides(type.getRank());
  for (OpFoldResult size : sizesOf(tensor))
    sizes.push_back(isa<Attribute>(size) ? size : OpFoldResult(mapping.lookup(cast<Value>(size))));
  OpFoldResult stride = b.getIndexAttr(1);
  for (int64_t i = type.getRank(); i-- > 0;) {
    strides[i] = stride;
    std::optional<int64_t> a = getConstantIntValue(stride), c = getConstantIntValue(sizes[i]);
    if (a && c)
      stride = b.getIndexAttr(*a * *c);
    else
      stride = Value(arith::MulIOp::create(b, getValueOrCreateConstantIndexOp(b, b.getLoc(), stride),
                                           getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[i])));
  }
  return memref::ReinterpretCastOp::create(b, memory, flat, OpFoldResult(b.getIndexAttr(0)), sizes, strides);
}

void KernelFunction::countUnits(scf::ParallelOp parallel) {
  __int128 most = 1;
  for (Value upper : parallel.getUpperBound()) {
    memref::DimOp dim = upper.getDefiningOp<memref::DimOp>();
    Interval bounds;
    if (dim && isa<BlockArgument>(dim.getSource())) {
      const unsigned number = cast<BlockArgument>(dim.getSource()).getArgNumber(), inputs = loops.getInputs().size();
      Value tensor = number < inputs ? loops.getInputs()[number] : Value(loops.getResult(number - inputs));
      OpFoldResult size = sizesOf(tensor)[*dim.getConstantIndex()];
      bounds = isa<Attribute>(size) ? Interval{*getConstantIntValue(size), *getConstantIntValue(size)}
                                    : boundsOf(cast<Value>(size));
    } else {
      bounds = boundsOf(upper);
    }
    most = std::min<__int128>(most * std::max<int64_t>(bounds.high, 0), INT64_MAX);
  }
  bool hasLoop = false;
  parallel.getBody()->walk([&](scf::ForOp) { hasLoop = true; });
  units = most <= (hasLoop ? 1 : kFewIterations) ? 1 : static_cast<int64_t>(std::min<__int128>(most, kUnits));
}

// Cuts the iterations: this call's are [total * begin / units, total * end / units) in row-major order.
void KernelFunction::distribute(scf::ParallelOp parallel) {
  b.setInsertionPoint(parallel);
  Value zero = arith::ConstantIndexOp::create(b, 0), one = arith::ConstantIndexOp::create(b, 1);
  SmallVector<Value> sizes = parallel.getUpperBound();
  Value total = one;
  for (Value size : sizes)
    total = arith::MulIOp::create(b, total, size);
  Value count = arith::ConstantIndexOp::create(b, units);
  auto cut = [&](Value at) -> Value {
    return arith::DivUIOp::create(b, arith::MulIOp::create(b, total, at), count);
  };
  Value low = cut(function.getArgument(0)), high = cut(function.getArgument(1));
  auto moveBody = [&](scf::ForOp loop, ValueRange at) {
    Block *body = parallel.getBody();
    for (auto [argument, value] : llvm::zip_equal(body->getArguments(), at))
      argument.replaceAllUsesWith(value);
    body->getTerminator()->erase(); // scf.reduce without operands
    loop.getBody()->getOperations().splice(loop.getBody()->getTerminator()->getIterator(), body->getOperations());
  };
  if (sizes.size() == 1) {
    scf::ForOp loop = scf::ForOp::create(b, low, high, one);
    moveBody(loop, loop.getInductionVar());
  } else {
    Value inner = arith::MaxUIOp::create(b, sizes.back(), one);
    Value first = arith::DivUIOp::create(b, low, inner);
    Value last = arith::DivUIOp::create(b, arith::AddIOp::create(b, high, arith::SubIOp::create(b, inner, one)), inner);
    scf::ForOp rows = scf::ForOp::create(b, first, last, one);
    b.setInsertionPointToStart(rows.getBody());
    Value row = rows.getInductionVar(), start = arith::MulIOp::create(b, row, inner);
    SmallVector<Value> at(sizes.size());
    Value rest = row;
    for (size_t i = sizes.size() - 1; i-- > 0;) {
      if (i == 0) {
        at[0] = rest;
        break;
      }
      at[i] = arith::RemUIOp::create(b, rest, sizes[i]);
      rest = arith::DivUIOp::create(b, rest, sizes[i]);
    }
    Value from = arith::MaxSIOp::create(b, arith::SubIOp::create(b, low, start), zero);
    Value to = arith::MinSIOp::create(b, arith::SubIOp::create(b, high, start), inner);
    scf::ForOp columns = scf::ForOp::create(b, from, to, one);
    at.back() = columns.getInductionVar();
    moveBody(columns, at);
  }
  parallel.erase();
}

FailureOr<func::FuncOp> KernelFunction::build() {
  function = func::FuncOp::create(b, "generic", b.getFunctionType({b.getIndexType(), b.getIndexType()}, {}));
  function->setAttr("kern.kernel", b.getUnitAttr());
  function->setAttr("kern.scratch_bytes", b.getI64IntegerAttr(0));
  b.setInsertionPointToStart(function.addEntryBlock());

  llvm::SetVector<Value> outside;
  getUsedValuesDefinedAbove(loops.getBody(), outside);
  SmallVector<Value> tensors = loops.getInputs();
  llvm::append_range(tensors, loops.getResults());
  for (Value tensor : tensors)
    for (OpFoldResult size : sizesOf(tensor))
      if (isa<Value>(size))
        outside.insert(cast<Value>(size));
  for (Value value : outside)
    if (failed(capture(value)))
      return failure();
  for (auto [index, tensor] : llvm::enumerate(tensors))
    mapping.map(loops.getBody().getArgument(index), view(index, tensor));

  for (Operation &op : loops.getBody().front())
    if (scf::ParallelOp parallel = dyn_cast<scf::ParallelOp>(op))
      countUnits(parallel);
  scf::ParallelOp parallel;
  for (Operation &op : loops.getBody().front()) {
    Operation *clone = b.clone(op, mapping);
    if (isa<scf::ParallelOp>(clone))
      parallel = cast<scf::ParallelOp>(clone);
  }
  func::ReturnOp::create(b);
  if (parallel)
    distribute(parallel);
  return function;
}

//===-- Entries ----------------------------------------------------------------------------------------------------===//

class GenericEntry {
public:
  GenericEntry(func::FuncOp func, ScheduleSymbols &symbols, std::map<std::string, FlatSymbolRefAttr> &kernels)
      : func(func), module(func->getParentOfType<ModuleOp>()), symbols(symbols), kernels(kernels),
        b(func.getLoc(), func.getContext()) {}

  LogicalResult form();

private:
  LogicalResult form(tx::LoopsOp loops);
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
  for (Value result : loops.getResults()) {
    Value &buffer = buffers[result];
    if (!buffer)
      buffer = sched::AllocOp::create(b, planned(result), IntegerAttr());
    bindings.push_back(buffer);
  }
  sched::DispatchOp::create(b, name, bindings, b.getI64IntegerAttr(kernel.units), b.getI64IntegerAttr(0), UnitAttr(),
                            StringAttr(), IntegerAttr(), /*parts=*/DenseI64ArrayAttr());
  return success();
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
      buffers[reshape] = buffers.lookup(reshape.getSource());
    } else if (tx::ValueOp value = dyn_cast<tx::ValueOp>(op)) {
      RankedTensorType type = value.getType();
      buffers[value] =
          ref(symbols.raw(value.getParamAttr()), MemRefType::get({type.getNumElements()}, type.getElementType()));
    } else if (!op.hasTrait<OpTrait::IsTerminator>() && !isMemoryEffectFree(&op)) {
      return op.emitOpError("has no kernel");
    }
  }
  return success();
}

struct FormGeneric : sinter::impl::FormGenericBase<FormGeneric> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    ScheduleSymbols symbols(module);
    std::map<std::string, FlatSymbolRefAttr> kernels;
    OpBuilder builder(module.getBodyRegion());
    sched::PlanOp::create(builder, module.getLoc(), 1, IntegerAttr(), IntegerAttr());
    SmallVector<func::FuncOp> entries = llvm::to_vector(module.getOps<func::FuncOp>());
    for (func::FuncOp func : entries) {
      if (func.getName() == "exec")
        addFacts(func);
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
