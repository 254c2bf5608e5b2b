// As --sinter-form-dispatches does it for an encoder, with two differences: every op has its own number of rows, which may only
// be known when the model runs, and values lie where the loops around them want them, row after row.

#include "passes/RowDispatches.h"

#include "dialects/Formats.h"
#include "passes/GenericKernel.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter {

// Query rows per unit of attention: as many as the widest target works on at once.
static constexpr int64_t kRowsPerUnit = 32;

static int64_t width(Value rows) { return cast<RankedTensorType>(rows.getType()).getDimSize(1); }

static int64_t mostRows(Value rows) { return mostElements(sizesOf(rows)[0]); }

static kern::NormSpecAttr specOf(tx::NormAttr norm) {
  return kern::NormSpecAttr::get(norm.getContext(), norm.getKind(), norm.getEpsilon(), !!norm.getBias());
}

bool RowDispatches::handles(Operation *op) { return isa<tx::NormOp, tx::LinearOp, tx::AttentionOp, tx::SliceOp>(op); }

LogicalResult RowDispatches::form(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tx::NormOp, tx::LinearOp, tx::AttentionOp, tx::SliceOp>([&](auto typed) { return form(typed); })
      .Default([](Operation *) { return failure(); });
}

LogicalResult RowDispatches::form(tx::NormOp op) {
  if (op.getGroup())
    return op.emitOpError("of groups of columns has no kernel in a program");
  SmallVector<Value> bindings = {buffer(op.getInput())};
  addNorm(bindings, op.getNorm());
  bindings.push_back(buffer(op));
  StringAttr format;
  for (Operation *user : op->getUsers())
    if (tx::LinearOp linear = dyn_cast<tx::LinearOp>(user); linear && linear.getInput() == op && !linear.getNorm())
      if (findFormat(formatOf(linear))->isQuantized())
        format = b.getStringAttr(formatOf(linear));
  if (format) {
    SmallVector<Value> outputs = codes(op, format);
    llvm::append_range(bindings, outputs);
    quantized[{op.getResult(), format}] = outputs;
  }
  dispatch(op, kern::RowsAttr::get(b.getContext(), width(op), specOf(op.getNorm()), format, /*keep=*/!!format,
                                   /*row_from_scalar=*/false),
           bindings, 1, 1);
  return success();
}

LogicalResult RowDispatches::form(tx::LinearOp op) {
  const Format &format = *findFormat(formatOf(op));
  tx::NormAttr norm = op.getNormAttr();
  SmallVector<Value> bindings;
  if (norm || format.isQuantized())
    bindings = prepared(op.getInput(), norm, format.isQuantized() ? StringRef(format.name) : StringRef());
  else
    bindings.push_back(buffer(op.getInput()));
  bindings.push_back(matrix(op.getWeightsAttr(), /*interleave=*/!!op.getGlu()));
  if (op.getBiases())
    bindings.push_back(vector(op.getBiasesAttr(), /*add=*/0, /*interleave=*/!!op.getGlu()));
  if (op.getResidual())
    bindings.push_back(buffer(op.getResidual()));
  bindings.push_back(buffer(op));
  dispatch(op, kern::LinearAttr::get(b.getContext(), width(op), width(op.getInput()), format.name, /*fused_rows=*/false,
                                     kern::NormSpecAttr(), op.getGluAttr(), op.getActAttr(), op.getBiases().has_value(),
                                     !!op.getResidual(), /*single=*/false, /*row_from_scalar=*/false,
                                     /*tokens_per_unit=*/0, /*out_rows=*/0),
           bindings, llvm::divideCeil(width(op), kTileRows), 0);
  return success();
}

// Read by the attention that it is for.
LogicalResult RowDispatches::form(tx::SliceOp op) {
  for (Operation *user : op->getUsers())
    if (!isa<tx::AttentionOp>(user))
      return op.emitOpError("has no kernel in a program: it must be read by attention");
  return success();
}

LogicalResult RowDispatches::form(tx::AttentionOp op) {
  if (op.getPosition() || op.getRelative())
    return op.emitOpError("of a program has neither a position nor a relative bias");
  SmallVector<Value> bindings;
  SmallVector<int64_t> strides, columns;
  for (Value rows : {op.getQuery(), op.getKeys(), op.getValues()}) {
    tx::SliceOp slice = rows.getDefiningOp<tx::SliceOp>();
    Value whole = slice ? slice.getInput() : rows;
    bindings.push_back(buffer(whole));
    strides.push_back(kern::rowStride(width(whole)));
    columns.push_back(slice ? slice.getBegin() : 0);
  }
  bool added = false;
  if (Value mask = op.getMask()) {
    bindings.push_back(buffer(mask));
    added = cast<RankedTensorType>(mask.getType()).getElementType().isF32();
  }
  bindings.push_back(buffer(op));
  const int64_t most = mostRows(op), rowsPerUnit = std::min(kRowsPerUnit, most);
  dispatch(op, kern::FullAttentionAttr::get(b.getContext(), op.getHeads(), op.getKvHeads(), op.getHeadDim(),
                                            op.getScaleAttr(), b.getDenseI64ArrayAttr(strides),
                                            b.getDenseI64ArrayAttr(columns), !!op.getMask(), /*relative=*/false, most,
                                            rowsPerUnit, added, !!op.getSequence()),
           bindings, op.getKvHeads(), rowsPerUnit);
  if (op.getSequence()) {
    const int64_t sequence = count(op.getSequence());
    cast<sched::DispatchOp>(&b.getInsertionBlock()->back()).setSequence(sequence);
  }
  return success();
}

//===-- Bindings ---------------------------------------------------------------------------------------------------===//

StringRef RowDispatches::formatOf(tx::LinearOp op) { return *symbols.param(op.getWeights()[0]).getFormat(); }

Value RowDispatches::ref(FlatSymbolRefAttr symbol, Type element) {
  Value &ref = refs[symbol];
  if (!ref)
    ref = sched::RefOp::create(b, MemRefType::get({ShapedType::kDynamic}, element), symbol);
  return ref;
}

Value RowDispatches::matrix(ArrayAttr params, bool interleave) {
  return ref(symbols.matrix(params, interleave), b.getI8Type());
}

Value RowDispatches::vector(ArrayAttr params, int64_t add, bool interleave) {
  return ref(symbols.vector(params, add, interleave), b.getF32Type());
}

Value RowDispatches::alloc(Type element, int64_t rows, int64_t columns) {
  return sched::AllocOp::create(b, MemRefType::get({rows, columns}, element), IntegerAttr());
}

void RowDispatches::addNorm(SmallVectorImpl<Value> &bindings, tx::NormAttr norm) {
  if (!norm)
    return;
  bindings.push_back(vector(b.getArrayAttr(norm.getWeight()), norm.getWeightOffset(), false));
  if (norm.getBias())
    bindings.push_back(vector(b.getArrayAttr(norm.getBias()), 0, false));
}

// Room for quantized rows: codes, scales, sums.
SmallVector<Value> RowDispatches::codes(Value rows, StringAttr name) {
  const Format &format = *findFormat(name.getValue());
  Type sums = format.hasZeros ? Type(b.getF32Type()) : Type(b.getI32Type());
  const int64_t most = mostRows(rows), columns = width(rows);
  return {alloc(b.getI8Type(), most, format.paddedColumns(columns)), alloc(b.getF32Type(), most, format.groups(columns)),
          alloc(sums, most, format.groups(columns))};
}

// A pass over the rows of a product's input: normalized if there is a norm, quantized if there is a format.
SmallVector<Value> RowDispatches::prepared(Value input, tx::NormAttr norm, StringRef quantize) {
  StringAttr format = quantize.empty() ? StringAttr() : b.getStringAttr(quantize);
  if (!norm)
    if (auto known = quantized.find({input, format}); known != quantized.end())
      return known->second;
  SmallVector<Value> bindings = {buffer(input)}, outputs;
  addNorm(bindings, norm);
  if (format)
    outputs = codes(input, format);
  else
    outputs = {alloc(b.getF32Type(), mostRows(input), kern::rowStride(width(input)))};
  llvm::append_range(bindings, outputs);
  dispatch(input, kern::RowsAttr::get(b.getContext(), width(input), norm ? specOf(norm) : kern::NormSpecAttr(), format,
                                      /*keep=*/false, /*row_from_scalar=*/false),
           bindings, 1, 1);
  if (!norm)
    quantized[{input, format}] = outputs;
  return outputs;
}

// As sched.dispatch has it.
int64_t RowDispatches::count(OpFoldResult number) {
  if (std::optional<int64_t> known = getConstantIntValue(number))
    return *known;
  Value value = cast<Value>(number);
  counts.insert(value);
  return -1 - static_cast<int64_t>(llvm::find(counts, value) - counts.begin());
}

void RowDispatches::dispatch(Value like, kern::SpecInterface spec, ValueRange bindings, int64_t units, int64_t rowsPerUnit) {
  sched::DispatchOp made = sched::DispatchOp::create(b, symbols.kernel(spec), bindings, units, rowsPerUnit);
  made.setRows(count(sizesOf(like)[0]));
}

} // namespace sinter
