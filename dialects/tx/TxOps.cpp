// Verifiers of the tx ops. The labels (C1), (C2) ... are those of the constraints in TxOps.td.

#include "dialects/CacheElement.h"
#include "dialects/Formats.h"
#include "dialects/tx/Tx.h"

using namespace mlir;

namespace sinter::tx {

static int64_t columns(Value rows) { return cast<RankedTensorType>(rows.getType()).getDimSize(1); }

// The param a symbol names, or an error at `op`.
static FailureOr<ParamOp> findParam(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name) {
  if (ParamOp param = symbols.lookupNearestSymbolFrom<ParamOp>(op, name))
    return param;
  return op->emitOpError("refers to ") << name << ", which is not a tx.param";
}

// A param that must be a vector of `elements`.
static LogicalResult checkVector(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name, int64_t elements,
                                 StringRef what) {
  FailureOr<ParamOp> param = findParam(op, symbols, name);
  if (failed(param))
    return failure();
  RankedTensorType type = param->getTensorType();
  if (type.getRank() != 1 || type.getDimSize(0) != elements)
    return op->emitOpError() << what << " " << name << " is " << type << ", expected " << elements << " elements";
  return success();
}

static LogicalResult checkNorm(Operation *op, SymbolTableCollection &symbols, NormAttr norm, int64_t elements) {
  if (failed(checkVector(op, symbols, norm.getWeight(), elements, "norm weight")))
    return failure();
  return norm.getBias() ? checkVector(op, symbols, norm.getBias(), elements, "norm bias") : success();
}

LogicalResult ParamOp::verify() {
  RankedTensorType type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape() || !type.getElementType().isIntOrFloat() || type.getElementTypeBitWidth() % 8)
    return emitOpError("(C1) must be a static tensor of whole bytes per element, is ") << getType();
  if (getFormat() && !findFormat(*getFormat()))
    return emitOpError("(C2) has format '") << *getFormat() << "', expected one of " << formatNames();
  const int64_t bytes = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  if (getData() && static_cast<int64_t>(getData()->size()) != bytes)
    return emitOpError("(C3) has ") << getData()->size() << " bytes of data, " << type << " takes " << bytes;
  StoredAttr stored = getStoredAttr();
  if (!stored)
    return success();
  const bool codes = type.getElementType().isInteger(8);
  if (type.getRank() != 2 || codes != !!stored.getScales() || (stored.getZeros() && !codes))
    return emitOpError("(C4) is ") << type << " with" << (stored.getScales() ? "" : "out") << " scales";
  auto fits = [&](int64_t count) { return count == 1 || count == type.getDimSize(0); };
  if ((stored.getScales() && !fits(stored.getScales().size())) || (stored.getZeros() && !fits(stored.getZeros().size())))
    return emitOpError("(C5) has scales or zeros that are neither one nor one for each of ") << type.getDimSize(0) << " rows";
  return success();
}

LogicalResult CacheOp::verify() {
  if (getElement() && cacheElementName(*getElement()).empty())
    return emitOpError("element must be f32, f16 or i8, is ") << *getElement();
  if (getCapacity() && *getCapacity() <= 0)
    return emitOpError("capacity must be positive, is ") << *getCapacity();
  return success();
}

LogicalResult EmbedOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<ParamOp> table = findParam(*this, symbols, getTableAttr());
  if (failed(table))
    return failure();
  RankedTensorType type = table->getTensorType();
  if (type.getRank() != 2 || type.getDimSize(1) != columns(getResult()))
    return emitOpError("table ") << getTableAttr() << " is " << type << ", expected " << columns(getResult()) << " columns";
  return success();
}

LogicalResult PositionEmbedOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<ParamOp> table = findParam(*this, symbols, getTableAttr());
  if (failed(table))
    return failure();
  RankedTensorType type = table->getTensorType();
  if (type.getRank() != 2 || type.getDimSize(1) != columns(getResult()) ||
      type.getDimSize(0) <= static_cast<int64_t>(getBegin()))
    return emitOpError("(C1) table ") << getTableAttr() << " is " << type << ", expected " << columns(getResult())
                                      << " columns and more than " << getBegin() << " rows";
  return success();
}

LogicalResult NormOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t width = columns(getInput()), group = getGroup();
  if (group && width % group)
    return emitOpError("(C1) group ") << group << " does not divide " << width << " columns";
  return checkNorm(*this, symbols, getNorm(), group ? group : width);
}

LogicalResult LinearOp::verify() {
  if (getWeights().empty())
    return emitOpError("needs at least one weight");
  if (getBiases() && getBiases()->size() != getWeights().size())
    return emitOpError("(C3) has ") << getWeights().size() << " weights but " << getBiases()->size() << " biases";
  if (getGlu() && getWeights().size() != 2)
    return emitOpError("(C2) with glu needs two weights, gate and up, has ") << getWeights().size();
  if (getGlu() && getAct())
    return emitOpError("(C6) has both glu and act");
  if (getResidual() && getResidual().getType() != getResult().getType())
    return emitOpError("(C4) residual is ") << getResidual().getType() << ", expected " << getResult().getType();
  return success();
}

LogicalResult LinearOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t rows = 0, firstRows = 0;
  std::optional<StringRef> format;
  for (auto [index, attr] : llvm::enumerate(getWeights())) {
    FlatSymbolRefAttr name = cast<FlatSymbolRefAttr>(attr);
    FailureOr<ParamOp> weight = findParam(*this, symbols, name);
    if (failed(weight))
      return failure();
    RankedTensorType type = weight->getTensorType();
    if (type.getRank() != 2 || type.getDimSize(1) != columns(getInput()))
      return emitOpError("(C1) weight ") << name << " is " << type << ", expected " << columns(getInput()) << " columns";
    if (index == 0) {
      firstRows = type.getDimSize(0);
      format = weight->getFormat();
    } else if (format != weight->getFormat()) {
      return emitOpError("(C5) weights have different formats: ") << format.value_or("none") << " and "
             << weight->getFormat().value_or("none");
    }
    if (getGlu() && type.getDimSize(0) != firstRows)
      return emitOpError("(C2) gate has ") << firstRows << " rows, up " << type.getDimSize(0);
    rows += type.getDimSize(0);
    if (getBiases() && failed(checkVector(*this, symbols, cast<FlatSymbolRefAttr>((*getBiases())[index]),
                                          type.getDimSize(0), "(C3) bias")))
      return failure();
  }
  int64_t expected = getGlu() ? rows / 2 : rows;
  if (columns(getResult()) != expected)
    return emitOpError("(C2) weights give ") << expected << " columns, the result has " << columns(getResult());
  return getNorm() ? checkNorm(*this, symbols, *getNorm(), columns(getInput())) : success();
}

LogicalResult SliceOp::verify() {
  if (static_cast<int64_t>(getBegin()) + columns(getResult()) > columns(getInput()))
    return emitOpError("columns [") << getBegin() << ", " << getBegin() + columns(getResult()) << ") exceed the input's "
                                    << columns(getInput());
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim();
  if (columns(getInput()) % headDim)
    return emitOpError("(C1) head_dim ") << headDim << " does not divide " << columns(getInput()) << " columns";
  if (getRope().getRotaryDims() > headDim)
    return emitOpError("(C2) rotates ") << getRope().getRotaryDims() << " dims of a head of " << headDim;
  return success();
}

// The cache a symbol names, if its heads fit `width` columns of keys.
static LogicalResult checkCache(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name, int64_t width) {
  CacheOp cache = symbols.lookupNearestSymbolFrom<CacheOp>(op, name);
  if (!cache)
    return op->emitOpError("refers to ") << name << ", which is not a tx.cache";
  int64_t expected = cache.getKvHeads() * cache.getHeadDim();
  if (width != expected)
    return op->emitOpError("keys have ") << width << " columns, cache " << name << " has " << expected;
  return success();
}

LogicalResult CacheAppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return checkCache(*this, symbols, getCacheAttr(), columns(getKey()));
}

LogicalResult AttentionOp::verify() {
  int64_t heads = getHeads(), kvHeads = getKvHeads(), headDim = getHeadDim();
  if (heads % kvHeads)
    return emitOpError("(C1) ") << kvHeads << " kv heads do not divide " << heads << " heads";
  if (columns(getQuery()) != heads * headDim || columns(getKeys()) != kvHeads * headDim)
    return emitOpError("(C2) query has ") << columns(getQuery()) << " columns, expected " << heads * headDim
                                          << "; keys have " << columns(getKeys()) << ", expected " << kvHeads * headDim;
  if (!getPosition() && getWindow())
    return emitOpError("(C3) has a window of ") << getWindow() << " but no position";
  if (getPosition() && (getMask() || getRelative() || getSequence()))
    return emitOpError("(C4) has a position and ")
           << (getMask() ? "a mask" : getRelative() ? "a relative bias" : "sequences");
  return success();
}

LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getRelative())
    return success();
  FailureOr<ParamOp> table = findParam(*this, symbols, getRelative()->getTable());
  if (failed(table))
    return failure();
  RankedTensorType type = table->getTensorType();
  int64_t rows = 2 * (getRelative()->getThresholds().size() + 1);
  if (type.getRank() != 2 || type.getDimSize(0) != rows || type.getDimSize(1) != static_cast<int64_t>(getHeads()))
    return emitOpError("(C5) table ") << getRelative()->getTable() << " is " << type << ", expected " << rows
                                      << " rows and " << getHeads() << " columns";
  return success();
}

LogicalResult PoolOp::verify() {
  RankedTensorType type = cast<RankedTensorType>(getResult().getType());
  if (type.getDimSize(0) != 1 || type.getDimSize(1) != columns(getInput()))
    return emitOpError("(C1) result is ") << type << ", expected one row of " << columns(getInput());
  return success();
}

LogicalResult EmbedSumOp::verify() {
  if (!getTypeIds() != !getTypes())
    return emitOpError("(C2) has ") << (getTypes() ? "types without ids of them" : "ids of types without their table");
  return success();
}

LogicalResult EmbedSumOp::verifySymbolUses(SymbolTableCollection &symbols) {
  for (FlatSymbolRefAttr name : {getTableAttr(), getPositionsAttr(), getTypesAttr()}) {
    if (!name)
      continue;
    FailureOr<ParamOp> table = findParam(*this, symbols, name);
    if (failed(table))
      return failure();
    RankedTensorType type = table->getTensorType();
    if (type.getRank() != 2 || type.getDimSize(1) != columns(getResult()))
      return emitOpError("(C1) table ") << name << " is " << type << ", expected " << columns(getResult()) << " columns";
  }
  return success();
}

LogicalResult ValueOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<ParamOp> param = findParam(*this, symbols, getParamAttr());
  if (failed(param))
    return failure();
  if (param->getTensorType() != getType())
    return emitOpError("is ") << getType() << ", its param " << getParamAttr() << " is " << param->getTensorType();
  return success();
}

LogicalResult LoopsOp::verify() {
  int64_t dynamic = 0;
  for (Type result : getResultTypes())
    dynamic += cast<RankedTensorType>(result).getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != dynamic)
    return emitOpError("(C1) has ") << getSizes().size() << " sizes, its results have " << dynamic << " dynamic dims";
  SmallVector<Type> tensors(getInputs().getTypes());
  llvm::append_range(tensors, getResultTypes());
  if (getBody().getNumArguments() != tensors.size())
    return emitOpError("(C2) has ") << getBody().getNumArguments() << " arguments in its body, expected "
                                    << tensors.size();
  for (auto [argument, type] : llvm::zip_equal(getBody().getArgumentTypes(), tensors)) {
    RankedTensorType tensor = cast<RankedTensorType>(type);
    if (argument != MemRefType::get(tensor.getShape(), tensor.getElementType()))
      return emitOpError("(C2) has an argument ") << argument << " for " << tensor;
  }
  int64_t parallel = 0;
  for (Operation &op : getBody().front())
    parallel += op.getName().getStringRef() == "scf.parallel";
  if (parallel > 1)
    return emitOpError("(C3) has ") << parallel << " scf.parallel at its top level, expected at most one";
  return success();
}

LogicalResult RotateAppendOp::verify() {
  int64_t width = columns(getQkv()), expected = columns(getQuery()) + 2 * columns(getKeys());
  if (width != expected)
    return emitOpError("(C1) input has ") << width << " columns, queries, keys and values have " << expected;
  if (columns(getQuery()) % static_cast<int64_t>(getHeads()))
    return emitOpError("(C1) ") << getHeads() << " heads do not divide " << columns(getQuery()) << " columns of queries";
  return success();
}

LogicalResult RotateAppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t headDim = columns(getQuery()) / getHeads();
  for (std::optional<NormAttr> norm : {getQueryNorm(), getKeyNorm()})
    if (norm && failed(checkNorm(*this, symbols, *norm, headDim)))
      return failure();
  if (failed(checkCache(*this, symbols, getCacheAttr(), columns(getKeys()))))
    return failure();
  int64_t cacheDim = symbols.lookupNearestSymbolFrom<CacheOp>(*this, getCacheAttr()).getHeadDim();
  if (headDim != cacheDim)
    return emitOpError("(C2) heads of queries have ") << headDim << " columns, those of cache " << getCacheAttr() << " " << cacheDim;
  return success();
}

} // namespace sinter::tx

#define GET_OP_CLASSES
#include "dialects/tx/TxOps.cpp.inc"
