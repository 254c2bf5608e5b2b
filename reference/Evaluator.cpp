// Walks @forward and computes every op as it stands, one after another, in f32. Values are dropped after their last
// use. Caches simply keep every row. The formats that params will be stored in (`as "q4"`) are ignored: the evaluator
// is the model in floats, which quantized artifacts are measured against.

#include "reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "reference/Math.h"
#include "reference/Weights.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace llvm;

namespace sinter {

using reference::NormWeights;

struct Evaluator::State {
  struct Cache {
    Rows keys, values; // [tokens so far, kv_heads * head_dim]
  };

  State(mlir::ModuleOp module, tx::ParamReader &reader) : module(module), weights(module, reader) {}

  mlir::ModuleOp module;
  reference::Weights weights;
  std::map<std::string, Cache> caches;
  int64_t position = 0;
  // Of the running step:
  DenseMap<mlir::Value, ArrayRef<uint32_t>> ids; // the function's arguments that are ids
  DenseMap<mlir::Value, Rows> values;

  Expected<NormWeights> loadNorm(tx::NormAttr norm);
  Error applyNorm(tx::NormAttr norm, Rows &rows);
  void append(StringRef cache, const Rows &keys, const Rows &values, Rows &allKeys, Rows &allValues);

  Error run(tx::EmbedOp op);
  Error run(tx::PositionEmbedOp op);
  Error run(tx::EmbedSumOp op);
  Error run(tx::NormOp op);
  Error run(tx::LinearOp op);
  Error run(tx::SliceOp op);
  Error run(tx::AddOp op);
  Error run(tx::ActivateOp op);
  Error run(tx::GluOp op);
  Error run(tx::RopeOp op);
  Error run(tx::CacheAppendOp op);
  Error run(tx::AttentionOp op);
  Error run(tx::PoolOp op);
  Error run(tx::UnitOp op);
  Error run(tx::RotateAppendOp op);
  Error runAny(mlir::Operation *op);
};

Expected<NormWeights> Evaluator::State::loadNorm(tx::NormAttr norm) {
  Expected<reference::Vector> weight = weights.vector(norm.getWeight());
  if (!weight)
    return weight.takeError();
  NormWeights loaded{norm.getKind(), norm.getEpsilon().getValueAsDouble(), std::move(*weight), {}};
  loaded.weight.array() += float(norm.getWeightOffset());
  if (norm.getBias()) {
    Expected<reference::Vector> bias = weights.vector(norm.getBias());
    if (!bias)
      return bias.takeError();
    loaded.bias = std::move(*bias);
  }
  return loaded;
}

Error Evaluator::State::applyNorm(tx::NormAttr norm, Rows &rows) {
  Expected<NormWeights> loaded = loadNorm(norm);
  if (!loaded)
    return loaded.takeError();
  normalize(rows, *loaded);
  return Error::success();
}

Error Evaluator::State::run(tx::EmbedOp op) {
  Rows &result = values[op.getResult()];
  if (Error error = weights.gather(op.getTableAttr(), ids.lookup(op.getIds()), result))
    return error;
  result *= op.getScale().convertToFloat();
  return Error::success();
}

Error Evaluator::State::run(tx::PositionEmbedOp op) {
  std::vector<uint32_t> places(ids.lookup(op.getIds()).size());
  std::iota(places.begin(), places.end(), uint32_t(op.getBegin()));
  return weights.gather(op.getTableAttr(), places, values[op.getResult()]);
}

Error Evaluator::State::run(tx::EmbedSumOp op) {
  Rows result, part;
  if (Error error = weights.gather(op.getTableAttr(), ids.lookup(op.getIds()), result))
    return error;
  result *= op.getScale().convertToFloat();
  if (op.getPositions()) {
    std::vector<uint32_t> places(result.rows());
    std::iota(places.begin(), places.end(), uint32_t(op.getBegin()));
    if (Error error = weights.gather(op.getPositionsAttr(), places, part))
      return error;
    result += part;
  }
  if (op.getTypes()) {
    if (Error error = weights.gather(op.getTypesAttr(), ids.lookup(op.getTypeIds()), part))
      return error;
    result += part;
  }
  values[op.getResult()] = std::move(result);
  return Error::success();
}

Error Evaluator::State::run(tx::NormOp op) {
  Rows rows = values[op.getInput()];
  if (Error error = applyNorm(op.getNorm(), rows))
    return error;
  values[op.getResult()] = std::move(rows);
  return Error::success();
}

static void applyGlu(tx::Activation activation, Rows &gate, const Rows &up) {
  gate = gate.unaryExpr([=](float x) { return reference::activate(activation, x); }).cwiseProduct(up);
}

Error Evaluator::State::run(tx::LinearOp op) {
  Rows input = values[op.getInput()];
  if (op.getNorm())
    if (Error error = applyNorm(*op.getNorm(), input))
      return error;

  SmallVector<int64_t> rowsOf;
  for (mlir::Attribute weight : op.getWeights())
    rowsOf.push_back(module.lookupSymbol<tx::ParamOp>(cast<mlir::FlatSymbolRefAttr>(weight).getAttr())
                         .getTensorType()
                         .getDimSize(0));
  Rows result(input.rows(), sum_of(rowsOf));
  int64_t column = 0;
  for (auto [index, weight] : enumerate(op.getWeights())) {
    auto part = result.middleCols(column, rowsOf[index]);
    if (Error error = weights.multiply(cast<mlir::FlatSymbolRefAttr>(weight), input, part))
      return error;
    if (op.getBiases()) {
      Expected<reference::Vector> bias = weights.vector(cast<mlir::FlatSymbolRefAttr>((*op.getBiases())[index]));
      if (!bias)
        return bias.takeError();
      part.rowwise() += *bias;
    }
    column += rowsOf[index];
  }
  if (op.getGlu()) {
    Rows gate = result.leftCols(rowsOf[0]), up = result.rightCols(rowsOf[1]);
    applyGlu(*op.getGlu(), gate, up);
    result = std::move(gate);
  }
  if (op.getAct())
    result = result.unaryExpr([&](float x) { return reference::activate(*op.getAct(), x); });
  if (op.getResidual())
    result += values[op.getResidual()];
  values[op.getResult()] = std::move(result);
  return Error::success();
}

Error Evaluator::State::run(tx::SliceOp op) {
  int64_t width = cast<mlir::RankedTensorType>(op.getResult().getType()).getDimSize(1);
  Rows part = values[op.getInput()].middleCols(op.getBegin(), width);
  values[op.getResult()] = std::move(part);
  return Error::success();
}

Error Evaluator::State::run(tx::AddOp op) {
  Rows sum = values[op.getLhs()] + values[op.getRhs()];
  values[op.getResult()] = std::move(sum);
  return Error::success();
}

Error Evaluator::State::run(tx::ActivateOp op) {
  Rows rows = values[op.getInput()].unaryExpr([&](float x) { return reference::activate(op.getActivation(), x); });
  values[op.getResult()] = std::move(rows);
  return Error::success();
}

Error Evaluator::State::run(tx::GluOp op) {
  Rows gate = values[op.getGate()];
  applyGlu(op.getActivation(), gate, values[op.getUp()]);
  values[op.getResult()] = std::move(gate);
  return Error::success();
}

Error Evaluator::State::run(tx::RopeOp op) {
  Rows rows = values[op.getInput()];
  reference::rotate(rows, position, op.getRope(), op.getHeadDim());
  values[op.getResult()] = std::move(rows);
  return Error::success();
}

void Evaluator::State::append(StringRef name, const Rows &keys, const Rows &newValues, Rows &allKeys, Rows &allValues) {
  auto extend = [&](Rows &all, const Rows &rows) {
    all.conservativeResize(position + rows.rows(), rows.cols());
    all.bottomRows(rows.rows()) = rows;
  };
  Cache &cache = caches[name.str()];
  extend(cache.keys, keys);
  extend(cache.values, newValues);
  allKeys = cache.keys;
  allValues = cache.values;
}

Error Evaluator::State::run(tx::CacheAppendOp op) {
  Rows keys, allValues;
  append(op.getCache(), values[op.getKey()], values[op.getValue()], keys, allValues);
  values[op.getKeys()] = std::move(keys);
  values[op.getValues()] = std::move(allValues);
  return Error::success();
}

Error Evaluator::State::run(tx::AttentionOp op) {
  reference::AttentionShape shape{int64_t(op.getHeads()), int64_t(op.getKvHeads()), int64_t(op.getHeadDim()),
                                  int64_t(op.getWindow()), op.getScale().convertToFloat()};
  const Rows &query = values[op.getQuery()], &keys = values[op.getKeys()], &all = values[op.getValues()];
  Rows result, bias;
  if (op.getPosition()) {
    result = reference::attend(query, keys, all, position, shape);
  } else {
    reference::FullAttention full{ids.lookup(op.getMask()), nullptr, {}};
    if (tx::RelativeBiasAttr relative = op.getRelativeAttr()) {
      full.thresholds = relative.getThresholds().asArrayRef();
      std::vector<uint32_t> buckets(2 * (full.thresholds.size() + 1));
      std::iota(buckets.begin(), buckets.end(), 0);
      if (Error error = weights.gather(relative.getTable(), buckets, bias))
        return error;
      full.bias = &bias;
    }
    result = reference::attendAll(query, keys, all, shape, full);
  }
  values[op.getResult()] = std::move(result);
  return Error::success();
}

Error Evaluator::State::run(tx::PoolOp op) {
  Rows row = reference::pool(op.getPooling(), values[op.getInput()]);
  values[op.getResult()] = std::move(row);
  return Error::success();
}

Error Evaluator::State::run(tx::UnitOp op) {
  Rows rows = values[op.getInput()];
  for (int64_t t = 0; t < rows.rows(); ++t)
    rows.row(t) /= float(std::max(rows.row(t).cast<double>().norm(), 1e-12));
  values[op.getResult()] = std::move(rows);
  return Error::success();
}

Error Evaluator::State::run(tx::RotateAppendOp op) {
  const int64_t queryColumns = cast<mlir::RankedTensorType>(op.getQuery().getType()).getDimSize(1);
  const int64_t keyColumns = cast<mlir::RankedTensorType>(op.getKeys().getType()).getDimSize(1);
  const int64_t headDim = queryColumns / int64_t(op.getHeads());
  const Rows &qkv = values[op.getQkv()];
  Rows query = qkv.leftCols(queryColumns), key = qkv.middleCols(queryColumns, keyColumns);
  Rows value = qkv.rightCols(keyColumns);
  if (op.getQueryNorm())
    if (Error error = applyNorm(*op.getQueryNorm(), query))
      return error;
  if (op.getKeyNorm())
    if (Error error = applyNorm(*op.getKeyNorm(), key))
      return error;
  if (op.getRope()) {
    reference::rotate(query, position, *op.getRope(), headDim);
    reference::rotate(key, position, *op.getRope(), headDim);
  }
  Rows keys, allValues;
  append(op.getCache(), key, value, keys, allValues);
  values[op.getQuery()] = std::move(query);
  values[op.getKeys()] = std::move(keys);
  values[op.getValues()] = std::move(allValues);
  return Error::success();
}

Error Evaluator::State::runAny(mlir::Operation *op) {
  return TypeSwitch<mlir::Operation *, Error>(op)
      .Case<tx::EmbedOp, tx::PositionEmbedOp, tx::EmbedSumOp, tx::NormOp, tx::LinearOp, tx::SliceOp, tx::AddOp, tx::ActivateOp,
            tx::GluOp, tx::RopeOp, tx::CacheAppendOp, tx::AttentionOp, tx::PoolOp, tx::UnitOp, tx::RotateAppendOp>([&](auto typed) { return run(typed); })
      .Default([](mlir::Operation *other) {
        return createStringError("reference: cannot evaluate " + other->getName().getStringRef() +
                                 ", expected an op of the tx dialect");
      });
}

Evaluator::Evaluator(mlir::ModuleOp module, tx::ParamReader &reader) : state(std::make_unique<State>(module, reader)) {}
Evaluator::~Evaluator() = default;

void Evaluator::reset() {
  state->caches.clear();
  state->position = 0;
}

Expected<Rows> Evaluator::forward(ArrayRef<uint32_t> ids, function_ref<void(StringRef, const Rows &)> tap) {
  return forward(ids, {}, tap);
}

Expected<Rows> Evaluator::forward(ArrayRef<uint32_t> ids, ArrayRef<uint32_t> types,
                                  function_ref<void(StringRef, const Rows &)> tap) {
  mlir::func::FuncOp function = state->module.lookupSymbol<mlir::func::FuncOp>("forward");
  if (!function || function.empty())
    return createStringError("reference: the module has no function @forward");
  state->ids.clear();
  state->values.clear();
  ArrayRef<uint32_t> given[] = {ids, types};
  for (mlir::Value argument : function.getArguments())
    if (isa<mlir::RankedTensorType>(argument.getType())) {
      size_t place = state->ids.size();
      if (place == 2 || (place && types.size() != ids.size()))
        return createStringError("reference: @forward takes more inputs than were given");
      state->ids[argument] = given[place];
    }
  for (mlir::Operation &op : function.getBody().front()) {
    if (mlir::func::ReturnOp done = dyn_cast<mlir::func::ReturnOp>(op)) {
      state->position += ids.size();
      return std::move(state->values[done.getOperand(0)]);
    }
    if (Error error = state->runAny(&op))
      return std::move(error);
    if (mlir::StringAttr name = op.getAttrOfType<mlir::StringAttr>("tap"); name && tap)
      tap(name, state->values[op.getResult(0)]);
    for (mlir::Value operand : op.getOperands())
      if (all_of(operand.getUsers(), [&](mlir::Operation *user) { return user == &op || user->isBeforeInBlock(&op); }))
        state->values.erase(operand);
  }
  return createStringError("reference: @forward does not return");
}

} // namespace sinter
