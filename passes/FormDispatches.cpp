// In: tx functions @prefill, @decode and @head, or @encode and @head, quantized, fused, caches planned. Out: sched functions, lists of
// dispatches over buffers; the tx.params stay, since the packer reads weights through them.
//
// One tx op becomes one dispatch, or two: with many tokens, a product whose rows must first be normalized or quantized
// gets a pass over the rows of its own, since every tile of outputs reads all rows. With one token each thread prepares
// the row by itself, which is cheaper than waiting for another thread to do it.
//
// On a GPU there are no threads that could each prepare a row for many tiles, so rows always get a pass of their own; units
// are small, since each is a workgroup and there should be many; and the head ends by finding the largest logit, so that
// only its place need come back.
//
// The residual stream stays in one buffer: a product with a residual adds to it in place where nothing reads the old
// rows afterwards. The stream that an entry returns lives in the @hidden buffer from its first op on, so nothing is
// copied.
//
// In an encoder, a norm's rows are both the input of the next product and the residual behind it: one dispatch leaves
// them normalized in place and quantized beside.

#include "dialects/Formats.h"
#include "passes/Passes.h"
#include "passes/ScheduleSymbols.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

namespace sinter {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// Tokens per unit of rotate_append and attention when there are many: a tile of the cache, so that a unit appends to
// few tiles, and reads each key and value once for 16 rows of queries per head; smaller blocks would read the cache
// more often, larger ones leave too few units to share out among threads.
constexpr int64_t kTokensPerUnit = sched::CacheOp::kTileTokens;

// Rows that a workgroup of a GPU computes at once: tokens of a product, queries of attention. Its registers and its
// memory are few.
constexpr int64_t kGpuRows = 8;

int64_t width(Value rows) { return cast<RankedTensorType>(rows.getType()).getDimSize(1); }

kern::NormSpecAttr specOf(tx::NormAttr norm) {
  return norm ? kern::NormSpecAttr::get(norm.getContext(), norm.getKind(), norm.getEpsilon(), !!norm.getBias())
              : kern::NormSpecAttr();
}

// Query tokens per unit of full attention: as many as the widest target works on at once.
constexpr int64_t kFullTokensPerUnit = 32;

// What entries share.
struct Shared {
  ScheduleSymbols symbols;
  int64_t prefillTokens = 1; // rows of @tokens and @hidden: the most of any entry
};

// Turns one function into one entry.
class Entry {
public:
  Entry(func::FuncOp func, sched::Device device, Shared &shared)
      : func(func), device(device), shared(shared), builder(func.getContext()),
        maxTokens(func->getAttrOfType<IntegerAttr>("tx.max_tokens").getInt()) {}

  LogicalResult form();

private:
  LogicalResult check();
  LogicalResult shareStorage();
  void formRopeTables();
  void formArgmax(Value logits);
  LogicalResult form(tx::EmbedOp op);
  LogicalResult form(tx::EmbedSumOp op);
  LogicalResult form(tx::NormOp op);
  LogicalResult form(tx::LinearOp op);
  LogicalResult form(tx::RotateAppendOp op);
  LogicalResult form(tx::AttentionOp op);
  LogicalResult formFull(tx::AttentionOp op);
  LogicalResult form(tx::SliceOp op);
  LogicalResult form(tx::PoolOp op);
  LogicalResult form(tx::UnitOp op);

  Value buffer(Value value);
  Value alloc(Type element, int64_t columns) { return alloc(element, maxTokens, columns); }
  Value alloc(Type element, int64_t rows, int64_t columns);
  kern::TableAttr table(FlatSymbolRefAttr param, int64_t begin);
  Value biasTable(tx::AttentionOp op);
  Value ref(FlatSymbolRefAttr symbol, MemRefType type);
  LogicalResult bindToModule(Value value, sched::Role role);
  Value matrix(ArrayAttr params, bool interleave = false);
  Value vector(ArrayAttr params, int64_t add = 0, bool interleave = false);
  void addNorm(SmallVectorImpl<Value> &bindings, tx::NormAttr norm);
  SmallVector<Value> rows(Value input, tx::NormAttr norm, StringRef quantize);
  SmallVector<Value> codes(int64_t columns, StringAttr format);
  std::optional<StringRef> formatOf(tx::LinearOp op) { return shared.symbols.param(op.getWeights()[0]).getFormat(); }
  void dispatch(Operation *from, kern::SpecInterface spec, ValueRange bindings, int64_t units, int64_t tokensPerUnit);

  bool single() const { return maxTokens == 1; }
  bool onGpu() const { return device == sched::Device::gpu; }
  // Of attention; `group` heads share their keys.
  int64_t tokensPerUnit(int64_t group) const {
    return single() ? 1 : onGpu() ? std::max<int64_t>(1, kGpuRows / group) : kTokensPerUnit;
  }
  // Of values: whether they have one row whatever the number of tokens.
  bool single(Value value) const {
    return single() || cast<RankedTensorType>(value.getType()).getDimSize(0) == 1;
  }
  int64_t perToken(Value value) const { return single() || !single(value) ? 1 : 0; }
  bool isHidden(Value value) {
    return value == func.getArgument(0) && cast<RankedTensorType>(value.getType()).getRank() == 2;
  }

  func::FuncOp func;
  sched::Device device;
  Shared &shared;
  OpBuilder builder;
  int64_t maxTokens;
  DenseMap<Value, Value> storage;        // value -> the first value in the same place
  DenseMap<Value, Value> buffers;        // first value -> its buffer
  DenseMap<Attribute, Value> refs;       // symbol -> its sched.ref
  DenseMap<Attribute, Value> ropeTables; // rope -> its table
  DenseMap<Attribute, Value> biasTables; // relative bias -> its table
  DenseMap<std::pair<Value, Attribute>, SmallVector<Value>> quantized; // rows, format -> codes, scales, sums
};

LogicalResult Entry::form() {
  if (failed(check()))
    return failure();
  builder.setInsertionPoint(func);
  std::string name = (onGpu() ? "gpu." : "") + func.getName().str();
  sched::FuncOp entry = sched::FuncOp::create(builder, func.getLoc(), name, maxTokens, device);
  builder.setInsertionPointToStart(&entry.getBody().emplaceBlock());

  if (failed(shareStorage()))
    return failure();
  formRopeTables();
  for (Operation &op : func.front()) {
    LogicalResult formed =
        TypeSwitch<Operation *, LogicalResult>(&op)
            .Case<tx::EmbedOp, tx::EmbedSumOp, tx::NormOp, tx::LinearOp, tx::SliceOp, tx::RotateAppendOp,
                  tx::AttentionOp, tx::PoolOp, tx::UnitOp>([&](auto tx) { return form(tx); })
            .Case([](func::ReturnOp) { return success(); })
            .Default([](Operation *other) {
              return other->emitOpError(
                  "has no kernel: supported are tx.embed, tx.embed_sum, tx.norm of whole rows, tx.linear, "
                  "tx.rotate_append, tx.attention, tx.pool and tx.unit, which the fusion passes make of the other ops");
            });
    if (failed(formed))
      return failure();
  }
  if (onGpu() && isHidden(func.getArgument(0)))
    formArgmax(func.front().getTerminator()->getOperand(0));
  return success();
}

void Entry::formArgmax(Value logits) {
  MemRefType type = MemRefType::get({1}, builder.getI32Type());
  sched::BufferOp greedy = shared.symbols.buffer(sched::Role::greedy, type);
  Value place = ref(FlatSymbolRefAttr::get(greedy.getSymNameAttr()), type);
  dispatch(func, kern::ArgmaxAttr::get(builder.getContext(), width(logits)), {buffer(logits), place}, 1, 0);
}

// The functions must look as --sinter-split-entries leaves them.
LogicalResult Entry::check() {
  Operation *terminator = func.front().getTerminator();
  if (terminator->getNumOperands() != 1 || !terminator->getOperand(0).getDefiningOp())
    return func.emitOpError("must return one value that it computes");
  if (func.getNumArguments() == 0 || !isa<RankedTensorType>(func.getArgument(0).getType()))
    return func.emitOpError("must take token ids or hidden rows as its first argument");
  if (func->hasAttr("tx.every_row"))
    return success();
  for (Operation &op : func.front())
    for (Value operand : op.getOperands())
      if (isHidden(operand) && !isa<tx::LinearOp>(op))
        return op.emitOpError("reads the hidden rows, of which the run time names one: only tx.linear can do that");
  if (isHidden(func.getArgument(0)) && !single())
    return func.emitOpError("reads hidden rows, so it must have tx.max_tokens = 1, has ") << maxTokens;
  return success();
}

// Finds which values may lie in the same place: the rotated queries in their product, and a sum in its residual if
// nothing reads the residual later and the product does not read it as its input while writing it.
LogicalResult Entry::shareStorage() {
  for (Operation &op : func.front()) {
    for (Value result : op.getResults())
      storage[result] = result;
    if (tx::RotateAppendOp rotate = dyn_cast<tx::RotateAppendOp>(op))
      storage[rotate.getQuery()] = storage.lookup(rotate.getQkv());
    tx::LinearOp linear = dyn_cast<tx::LinearOp>(op);
    tx::NormOp norm = dyn_cast<tx::NormOp>(op);
    Value before = linear ? linear.getResidual() : norm && !norm.getGroup() ? norm.getInput() : Value();
    if (!before || !before.getDefiningOp() || isa<tx::SliceOp>(before.getDefiningOp()) ||
        (linear && linear.getInput() == before))
      continue;
    bool isLastUse = llvm::all_of(before.getUsers(),
                                  [&](Operation *user) { return user == &op || user->isBeforeInBlock(&op); });
    if (isLastUse)
      storage[op.getResult(0)] = storage.lookup(before);
  }
  // The argument, and what the function returns with all that shares its place, are in buffers of the module.
  Value argument = func.getArgument(0), returned = func.front().getTerminator()->getOperand(0);
  storage[argument] = argument;
  for (Value other : func.getArguments().drop_front())
    if (isa<RankedTensorType>(other.getType())) {
      storage[other] = other;
      if (failed(bindToModule(other, sched::Role::types)))
        return failure();
    }
  sched::Role from = isHidden(argument) ? sched::Role::hidden : sched::Role::tokens;
  sched::Role to = isHidden(argument) ? sched::Role::logits : sched::Role::hidden;
  return success(succeeded(bindToModule(argument, from)) && succeeded(bindToModule(storage.lookup(returned), to)));
}

// Every rotation that the entry uses, once, before anything else: layers share them.
void Entry::formRopeTables() {
  llvm::SetVector<tx::RopeAttr> ropes;
  func.walk([&](tx::RotateAppendOp rotate) {
    if (rotate.getRope())
      ropes.insert(*rotate.getRope());
  });
  for (tx::RopeAttr rope : ropes) {
    Value table = ropeTables[rope] = alloc(builder.getF32Type(), kern::rowStride(rope.getRotaryDims()));
    dispatch(func, kern::RopeTableAttr::get(builder.getContext(), rope), table, 1, 1);
  }
}

LogicalResult Entry::form(tx::EmbedOp op) {
  if (op.getIds() != func.getArgument(0))
    return op.emitOpError("must embed the ids of the step");
  tx::ParamOp table = shared.symbols.param(op.getTableAttr());
  kern::EmbedAttr spec = kern::EmbedAttr::get(builder.getContext(), table.getTensorType().getDimSize(0), width(op),
                                              *table.getFormat(), op.getScaleAttr(), kern::TableAttr(), kern::TableAttr(),
                                              /*begin=*/0, /*end=*/0);
  dispatch(op, spec, {buffer(op.getIds()), matrix(builder.getArrayAttr(op.getTableAttr())), buffer(op)}, 1, 1);
  return success();
}

// Empty without a param.
kern::TableAttr Entry::table(FlatSymbolRefAttr param, int64_t begin) {
  if (!param)
    return {};
  tx::ParamOp table = shared.symbols.param(param);
  return kern::TableAttr::get(builder.getContext(), table.getTensorType().getDimSize(0), *table.getFormat(), begin);
}

LogicalResult Entry::form(tx::EmbedSumOp op) {
  if (op.getIds() != func.getArgument(0))
    return op.emitOpError("must embed the ids of the step");
  tx::ParamOp tokens = shared.symbols.param(op.getTableAttr());
  kern::TableAttr positions = table(op.getPositionsAttr(), op.getBegin()), types = table(op.getTypesAttr(), 0);
  if (positions && maxTokens > positions.getRows() - positions.getBegin())
    return op.emitOpError("has positions for ") << positions.getRows() - positions.getBegin()
                                                << " tokens, but a step may have " << maxTokens;
  SmallVector<Value> bindings = {buffer(op.getIds()), matrix(builder.getArrayAttr(op.getTableAttr()))};
  if (positions)
    bindings.push_back(matrix(builder.getArrayAttr(op.getPositionsAttr())));
  if (types)
    bindings.append({buffer(op.getTypeIds()), matrix(builder.getArrayAttr(op.getTypesAttr()))});
  bindings.push_back(buffer(op));
  kern::EmbedAttr spec = kern::EmbedAttr::get(builder.getContext(), tokens.getTensorType().getDimSize(0), width(op),
                                              *tokens.getFormat(), op.getScaleAttr(), positions, types, /*begin=*/0, /*end=*/0);
  dispatch(op, spec, bindings, 1, 1);
  return success();
}

LogicalResult Entry::form(tx::NormOp op) {
  if (op.getGroup())
    return op.emitOpError("of groups of columns has no kernel of its own: it must fuse into tx.rotate_append");
  SmallVector<Value> bindings = {buffer(op.getInput())};
  addNorm(bindings, op.getNorm());
  bindings.push_back(buffer(op));
  StringAttr format;
  for (Operation *user : op->getUsers())
    if (tx::LinearOp linear = dyn_cast<tx::LinearOp>(user); linear && linear.getInput() == op && !linear.getNorm())
      if (findFormat(*formatOf(linear))->isQuantized() && !single(op))
        format = builder.getStringAttr(*formatOf(linear));
  if (format) {
    SmallVector<Value> outputs = codes(width(op), format);
    llvm::append_range(bindings, outputs);
    quantized[{op.getResult(), format}] = outputs;
  }
  dispatch(op, kern::RowsAttr::get(builder.getContext(), width(op), specOf(op.getNorm()), format, /*keep=*/!!format,
                               /*row_from_scalar=*/false),
           bindings, 1, perToken(op));
  return success();
}

// Read by the full attention that it is for.
LogicalResult Entry::form(tx::SliceOp op) {
  for (Operation *user : op->getUsers())
    if (tx::AttentionOp attention = dyn_cast<tx::AttentionOp>(user); !attention || attention.getPosition())
      return op.emitOpError("has no kernel: it must fuse into tx.rotate_append or be read by full attention");
  return success();
}

LogicalResult Entry::form(tx::PoolOp op) {
  dispatch(op, kern::PoolAttr::get(builder.getContext(), width(op), op.getPooling()),
           {buffer(op.getInput()), buffer(op)}, llvm::divideCeil(width(op), kTileRows), 0);
  return success();
}

LogicalResult Entry::form(tx::UnitOp op) {
  dispatch(op, kern::UnitAttr::get(builder.getContext(), width(op)), {buffer(op.getInput()), buffer(op)}, 1,
           perToken(op));
  return success();
}

LogicalResult Entry::form(tx::LinearOp op) {
  const Format &format = *findFormat(*shared.symbols.param(op.getWeights()[0]).getFormat());
  tx::NormAttr norm = op.getNormAttr();
  bool prepares = norm || format.isQuantized(), fused = prepares && single(op.getInput()) && !onGpu();

  SmallVector<Value> bindings;
  if (prepares && !fused)
    bindings = rows(op.getInput(), norm, format.isQuantized() ? StringRef(format.name) : StringRef());
  else
    bindings.push_back(buffer(op.getInput()));
  if (norm && fused)
    addNorm(bindings, norm);
  bindings.push_back(matrix(op.getWeightsAttr(), /*interleave=*/!!op.getGlu()));
  if (op.getBiases())
    bindings.push_back(vector(op.getBiasesAttr(), /*add=*/0, /*interleave=*/!!op.getGlu()));
  if (op.getResidual())
    bindings.push_back(buffer(op.getResidual()));
  bindings.push_back(buffer(op));

  int64_t perUnit = onGpu() && !single() ? kGpuRows : 0;
  kern::LinearAttr spec = kern::LinearAttr::get(builder.getContext(), width(op), width(op.getInput()), format.name,
                                                fused, fused ? specOf(norm) : kern::NormSpecAttr(), op.getGluAttr(),
                                                op.getActAttr(), op.getBiases().has_value(), !!op.getResidual(),
                                                single(op.getInput()),
                                                /*row_from_scalar=*/isHidden(op.getInput()) && single() && (fused || !prepares),
                                                perUnit, /*out_rows=*/0);
  dispatch(op, spec, bindings, llvm::divideCeil(width(op), kTileRows), perUnit);
  return success();
}

LogicalResult Entry::form(tx::RotateAppendOp op) {
  if (!op.getQkv().hasOneUse())
    return op.emitOpError("rotates its input in place, but that has other users");
  if (!op.getQkv().getDefiningOp<tx::LinearOp>())
    return op.emitOpError("rotates its input in place, so that must be a tx.linear's");
  sched::CacheOp cache = shared.symbols.cache(op.getCacheAttr());
  int64_t heads = op.getHeads(), headDim = cache.getHeadDim(), perUnit = onGpu() || single() ? 1 : kTokensPerUnit;
  tx::RopeAttr rope = op.getRopeAttr();
  SmallVector<Value> bindings = {buffer(op.getQkv())};
  if (rope)
    bindings.push_back(ropeTables.lookup(rope));
  addNorm(bindings, op.getQueryNormAttr());
  addNorm(bindings, op.getKeyNormAttr());
  bindings.push_back(ref(op.getCacheAttr(), MemRefType::get({ShapedType::kDynamic}, cache.getElement())));
  buffers[op.getKeys()] = buffers[op.getValues()] = bindings.back();

  kern::RotateAppendAttr spec = kern::RotateAppendAttr::get(
      builder.getContext(), heads, cache.getKvHeads(), headDim, rope ? rope.getRotaryDims() : 0,
      rope ? rope.getStyle() : tx::RopeStyle::half, cache.getElement(), cache.getCapacity(), perUnit,
      specOf(op.getQueryNormAttr()), specOf(op.getKeyNormAttr()));
  dispatch(op, spec, bindings, cache.getKvHeads(), perUnit);
  return success();
}

// The distances' biases, once per step for all layers that share them.
Value Entry::biasTable(tx::AttentionOp op) {
  tx::RelativeBiasAttr relative = op.getRelativeAttr();
  Value &table = biasTables[relative];
  if (!table) {
    table = alloc(builder.getF32Type(), op.getHeads(), kern::rowStride(2 * maxTokens + 32));
    kern::RelativeBiasAttr spec =
        kern::RelativeBiasAttr::get(builder.getContext(), op.getHeads(), relative.getThresholds(), maxTokens);
    dispatch(func, spec, {matrix(builder.getArrayAttr(relative.getTable())), table}, op.getHeads(), 0);
  }
  return table;
}

LogicalResult Entry::formFull(tx::AttentionOp op) {
  SmallVector<Value> bindings;
  SmallVector<int64_t> strides, columns;
  for (Value rows : {op.getQuery(), op.getKeys(), op.getValues()}) {
    tx::SliceOp slice = rows.getDefiningOp<tx::SliceOp>();
    Value whole = slice ? slice.getInput() : rows;
    bindings.push_back(buffer(whole));
    strides.push_back(kern::rowStride(width(whole)));
    columns.push_back(slice ? slice.getBegin() : 0);
  }
  if (op.getMask())
    bindings.push_back(buffer(op.getMask()));
  if (op.getRelative())
    bindings.push_back(biasTable(op));
  bindings.push_back(buffer(op));
  int64_t tokens = std::min(kFullTokensPerUnit, maxTokens);
  kern::FullAttentionAttr spec = kern::FullAttentionAttr::get(
      builder.getContext(), op.getHeads(), op.getKvHeads(), op.getHeadDim(), op.getScaleAttr(),
      builder.getDenseI64ArrayAttr(strides), builder.getDenseI64ArrayAttr(columns), !!op.getMask(),
      op.getRelative().has_value(), maxTokens, tokens, /*added=*/false, /*sequences=*/false);
  dispatch(op, spec, bindings, op.getKvHeads(), tokens);
  return success();
}

LogicalResult Entry::form(tx::AttentionOp op) {
  if (!op.getPosition())
    return formFull(op);
  tx::RotateAppendOp rotate = op.getQuery().getDefiningOp<tx::RotateAppendOp>();
  if (!rotate || op.getQuery() != rotate.getQuery() || op.getKeys() != rotate.getKeys() ||
      op.getValues() != rotate.getValues())
    return op.emitOpError("must attend with the queries, keys and values of one tx.rotate_append");
  sched::CacheOp cache = shared.symbols.cache(rotate.getCacheAttr());
  if (op.getWindow() != cache.getWindow())
    return op.emitOpError("has a window of ") << op.getWindow() << ", its cache one of " << cache.getWindow();
  int64_t perUnit = tokensPerUnit(op.getHeads() / op.getKvHeads());
  kern::AttentionAttr spec =
      kern::AttentionAttr::get(builder.getContext(), op.getHeads(), op.getKvHeads(), op.getHeadDim(), op.getScaleAttr(),
                               op.getWindow(), cache.getElement(), cache.getCapacity(), perUnit);
  dispatch(op, spec, {buffer(op.getQuery()), buffer(op.getKeys()), buffer(op)}, op.getKvHeads(), perUnit);
  return success();
}

// Where a value lies; allocated when it is first asked for, which is when it is written.
Value Entry::buffer(Value value) {
  Value first = storage.lookup(value);
  Value &buffer = buffers[first];
  if (!buffer)
    buffer = alloc(builder.getF32Type(), single(first) ? 1 : maxTokens, kern::rowStride(width(first)));
  return buffer;
}

Value Entry::alloc(Type element, int64_t rows, int64_t columns) {
  return sched::AllocOp::create(builder, func.getLoc(), MemRefType::get({rows, columns}, element), IntegerAttr());
}

Value Entry::ref(FlatSymbolRefAttr symbol, MemRefType type) {
  Value &ref = refs[symbol];
  if (!ref)
    ref = sched::RefOp::create(builder, func.getLoc(), type, symbol);
  return ref;
}

// Puts a value into the module's buffer of a role: all have room for the largest step, but @logits for one row where
// there is no more.
LogicalResult Entry::bindToModule(Value value, sched::Role role) {
  MemRefType type = MemRefType::get({shared.prefillTokens}, builder.getI32Type());
  if (cast<RankedTensorType>(value.getType()).getRank() == 2)
    type = MemRefType::get(
        {role == sched::Role::logits && single(value) ? 1 : shared.prefillTokens, kern::rowStride(width(value))},
        builder.getF32Type());
  sched::BufferOp buffer = shared.symbols.buffer(role, type);
  if (buffer.getType() != type)
    return func.emitOpError("needs @") << buffer.getSymName() << " to be " << type << ", another entry needs "
                                       << buffer.getType();
  buffers[value] = ref(FlatSymbolRefAttr::get(buffer.getSymNameAttr()), type);
  return success();
}

Value Entry::matrix(ArrayAttr params, bool interleave) {
  return ref(shared.symbols.matrix(params, interleave), MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()));
}

Value Entry::vector(ArrayAttr params, int64_t add, bool interleave) {
  return ref(shared.symbols.vector(params, add, interleave), MemRefType::get({ShapedType::kDynamic}, builder.getF32Type()));
}

void Entry::addNorm(SmallVectorImpl<Value> &bindings, tx::NormAttr norm) {
  if (!norm)
    return;
  bindings.push_back(vector(builder.getArrayAttr(norm.getWeight()), norm.getWeightOffset()));
  if (norm.getBias())
    bindings.push_back(vector(builder.getArrayAttr(norm.getBias())));
}

// A pass over the rows of a product's input: normalized if there is a norm, quantized if there is a format.
SmallVector<Value> Entry::rows(Value input, tx::NormAttr norm, StringRef quantize) {
  StringAttr format = quantize.empty() ? StringAttr() : builder.getStringAttr(quantize);
  if (format && !norm)
    if (auto known = quantized.find({input, format}); known != quantized.end())
      return known->second;
  SmallVector<Value> bindings = {buffer(input)}, outputs;
  addNorm(bindings, norm);
  int64_t columns = width(input);
  if (format)
    outputs = codes(columns, format);
  else
    outputs = {alloc(builder.getF32Type(), kern::rowStride(columns))};
  llvm::append_range(bindings, outputs);
  dispatch(func, kern::RowsAttr::get(builder.getContext(), columns, specOf(norm), format, /*keep=*/false,
                                     /*row_from_scalar=*/isHidden(input) && single()),
           bindings, 1, 1);
  if (format && !norm)
    quantized[{input, format}] = outputs;
  return outputs;
}

// Room for quantized rows: codes, scales, sums.
SmallVector<Value> Entry::codes(int64_t columns, StringAttr name) {
  const Format &format = *findFormat(name.getValue());
  Type sums = format.hasZeros ? Type(builder.getF32Type()) : Type(builder.getI32Type());
  return {alloc(builder.getI8Type(), format.paddedColumns(columns)),
          alloc(builder.getF32Type(), format.groups(columns)), alloc(sums, format.groups(columns))};
}

// Adds a dispatch. If `from` is tapped, so is the dispatch's output.
void Entry::dispatch(Operation *from, kern::SpecInterface spec, ValueRange bindings, int64_t units,
                     int64_t tokensPerUnit) {
  StringAttr tap = from->getAttrOfType<StringAttr>("tap");
  IntegerAttr tapBinding;
  if (tap)
    for (auto [index, binding] : llvm::enumerate(spec.getBindings()))
      if (StringRef(binding.name) == "out")
        tapBinding = builder.getI64IntegerAttr(index);
  sched::DispatchOp made = sched::DispatchOp::create(builder, from->getLoc(), shared.symbols.kernel(spec), bindings,
                                                     units, tokensPerUnit);
  if (tap)
    made.setTapAttr(tap);
  if (tapBinding)
    made.setTapBindingAttr(tapBinding);
}

struct FormDispatches : sinter::impl::FormDispatchesBase<FormDispatches> {
  using FormDispatchesBase::FormDispatchesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(checkPlanned()) || failed(replaceCaches()))
      return signalPassFailure();
    Shared shared{ScheduleSymbols(module)};
    SmallVector<func::FuncOp> funcs = llvm::to_vector(module.getOps<func::FuncOp>());
    for (func::FuncOp func : funcs)
      shared.prefillTokens = std::max(shared.prefillTokens, func->getAttrOfType<IntegerAttr>("tx.max_tokens").getInt());
    SmallVector<sched::Device> devices;
    if (cpu)
      devices.push_back(sched::Device::cpu);
    if (gpu)
      devices.push_back(sched::Device::gpu);
    for (sched::Device device : devices)
      for (func::FuncOp func : funcs)
        if (failed(Entry(func, device, shared).form()))
          return signalPassFailure();
    for (func::FuncOp func : funcs)
      func.erase();
    OpBuilder builder(module.getBodyRegion());
    sched::PlanOp::create(builder, module.getLoc(), context, IntegerAttr(), IntegerAttr());
    shared.symbols.sort();
  }

  // Matrices have formats, caches capacities, functions a number of tokens.
  LogicalResult checkPlanned() {
    for (tx::ParamOp param : getOperation().getOps<tx::ParamOp>())
      if (param.getTensorType().getRank() == 2 && !param.getFormat())
        return param.emitOpError("has no format: run --sinter-quantize first");
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>())
      if (!func->getAttrOfType<IntegerAttr>("tx.max_tokens"))
        return func.emitOpError("has no tx.max_tokens: run --sinter-split-entries first");
    return success();
  }

  LogicalResult replaceCaches() {
    for (tx::CacheOp cache : llvm::make_early_inc_range(getOperation().getOps<tx::CacheOp>())) {
      if (!cache.getElement() || !cache.getCapacity())
        return cache.emitOpError("has no element and capacity: run --sinter-plan-kv-cache first");
      OpBuilder builder(cache);
      sched::CacheOp::create(builder, cache.getLoc(), cache.getSymName(), cache.getKvHeads(), cache.getHeadDim(),
                             cache.getWindow(), *cache.getElement(), *cache.getCapacity());
      cache.erase();
    }
    return success();
  }
};

} // namespace
