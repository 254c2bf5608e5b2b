// A tx.loops comes in, a kernel function goes out.
//
// A kernel function gets its sizes as everything else does, from the run-time dimensions: the arithmetic that leads to
// them is cloned into it. The iterations of its scf.parallel are numbered in row-major order and cut into even parts, one
// per unit; the innermost loop stays a loop over neighbouring elements, which LLVM makes vectors of. A part begins and
// ends wherever the numbers say, so that one short axis does not leave threads without work.

#include "passes/GenericKernel.h"

#include "dialects/kern/Kern.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter;

// Parts that a kernel's iterations are cut into: a few for each of the threads that a machine of this kind has.
static constexpr int64_t kUnits = 64;
// Iterations without an inner loop that are not worth waking others for.
static constexpr int64_t kFewIterations = 4096;

//===-- Sizes ------------------------------------------------------------------------------------------------------===//

Interval sinter::boundsOf(Value value) {
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

SmallVector<OpFoldResult> sinter::sizesOf(Value tensor) {
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
  } else if (Operation *op = tensor.getDefiningOp(); op && op->getDialect() && isa<tx::TxDialect>(op->getDialect())) {
    // Rows: as many as there are of the first operand.
    if (type.getRank() == 2 && type.isDynamicDim(0))
      return {sizesOf(op->getOperand(0))[0], builder.getIndexAttr(type.getDimSize(1))};
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

int64_t sinter::mostElements(ArrayRef<OpFoldResult> sizes) {
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
