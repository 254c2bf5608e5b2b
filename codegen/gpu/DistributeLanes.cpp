// In: a kernel as its builder made it, one thread with vector registers. Out: the same kernel as one invocation of a
// workgroup sees it, without vectors. The workgroup is the thread, and its invocations are the lanes of its registers:
// a vector<32xf32> becomes one f32 in each of 32 invocations, vector loads become neighbouring scalar loads, scalars stay
// and are the same in all. So builders need not know of GPUs, and a kernel that is right on a CPU is right here.
//
// Bytes come in two forms. A vector<128xi8> beside vector<32xi32> is what a product reads: each lane holds four bytes
// in an i32 ("packed"). Vectors of bytes that are no wider than the workgroup are one byte to a lane; seen as words, each
// lane fetches its four.
//
// What crosses lanes (folding a register, moving its parts) goes through an array in workgroup memory. Barriers are placed
// later, by what each of these arrays and buffers needs (PlaceWorkgroupBarriers.cpp): all control flow but single
// predicated accesses is the same in all invocations, so barriers may stand anywhere outside of those.

#include "codegen/gpu/GpuLowering.h"

#include "codegen/kernels/KernelBuilder.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter {

namespace {

int64_t widthOf(Type type) { return cast<VectorType>(type).getNumElements(); }
bool isBytes(Type type) {
  VectorType vector = dyn_cast<VectorType>(type);
  return vector && vector.getElementType().isInteger(8);
}

class Distributor {
public:
  explicit Distributor(func::FuncOp function) : function(function), b(function.getLoc(), function.getContext()) {}

  LogicalResult run() {
    findWidth();
    Block &old = function.getBody().front();
    Block *entry = new Block();
    function.getBody().push_front(entry);
    b.setInsertionPointToStart(entry);
    lane = arith::IndexCastOp::create(b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    unit = gpu::BlockIdOp::create(b, gpu::Dimension::x);
    Value next = arith::AddIOp::create(b, unit, index(1));
    map.map(old.getArgument(0), unit);
    map.map(old.getArgument(1), next);
    for (Operation &op : old)
      if (failed(convert(op)))
        return failure();
    old.erase();
    function.setType(b.getFunctionType({}, {}));
    function->setAttr(kWorkgroupAttr, b.getI64IntegerAttr(width));
    return success();
  }

private:
  // As many invocations as the widest register has lanes, rounded up to a power of two.
  void findWidth() {
    function.walk([&](Operation *op) {
      for (Type type : op->getResultTypes())
        if (isa<VectorType>(type) && !isBytes(type))
          width = std::max<int64_t>(width, llvm::PowerOf2Ceil(widthOf(type)));
      if (vector::StoreOp store = dyn_cast<vector::StoreOp>(op)) // of bytes: one to a lane
        width = std::max<int64_t>(width, llvm::PowerOf2Ceil(widthOf(store.getVectorType())));
    });
  }

  bool isPacked(Type type) const { return isBytes(type) && widthOf(type) > width; }
  Type laneType(Type type) {
    VectorType vector = dyn_cast<VectorType>(type);
    if (!vector)
      return type;
    Type element = vector.getElementType();
    return isPacked(type) ? Type(b.getI32Type()) : element.isBF16() ? Type(b.getI16Type()) : element;
  }

  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
  Value i32(int64_t value) { return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value))); }
  Value isBelow(Value x, int64_t bound) { return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, i32(bound)); }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value toIndex(Value x) { return arith::IndexCastUIOp::create(b, b.getIndexType(), x); }
  Value get(Value value) { return map.lookup(value); }
  LogicalResult set(Value from, Value to) {
    map.map(from, to);
    return success();
  }

  //===-- Memory ----------------------------------------------------------------------------------------------------===//

  // The element's place from the start of the buffer. Buffers are rows of static strides.
  Value place(MemRefType type, ValueRange indices) {
    SmallVector<int64_t> strides;
    int64_t offset;
    (void)type.getStridesAndOffset(strides, offset);
    Value at = index(offset);
    for (auto [i, stride] : llvm::zip_equal(indices, strides))
      at = b.createOrFold<arith::AddIOp>(at, b.createOrFold<arith::MulIOp>(get(i), index(stride)));
    return at;
  }

  // The buffer that a memref of the builder views, flat and with elements that lanes hold.
  Value flat(Value memref, Type element) {
    if (kern::BindingOp binding = memref.getDefiningOp<kern::BindingOp>()) {
      MemRefType type = MemRefType::get({ShapedType::kDynamic}, element);
      return kern::BindingOp::create(b, type, binding.getIndex());
    }
    kern::ScratchOp scratch = memref.getDefiningOp<kern::ScratchOp>();
    if (!scratch) {
      memref.getDefiningOp()->emitOpError("makes a buffer that is neither a binding nor scratch");
      return {};
    }
    Value &array = scratchArrays[scratch.getOffset()];
    MemRefType type = cast<MemRefType>(memref.getType());
    if (!array)
      array = workgroupArray(element, type.getNumElements());
    if (cast<MemRefType>(array.getType()).getElementType() == element)
      return array;
    scratch.emitOpError("is seen with two types, which workgroup memory cannot be");
    return {};
  }

  Value workgroupArray(Type element, int64_t elements) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    Attribute space = spirv::StorageClassAttr::get(b.getContext(), spirv::StorageClass::Workgroup);
    return memref::AllocOp::create(b, MemRefType::get({elements}, element, MemRefLayoutAttrInterface(), space));
  }

  Type memoryElement(Type vectorOrScalar) { return laneType(vectorOrScalar); }

  // Runs `body` in the lanes below `count`.
  void inLanes(int64_t count, function_ref<void()> body) {
    if (count >= width)
      return body();
    Value condition = isBelow(lane, count);
    scf::IfOp only = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    only->setAttr(kPredicatedAttr, b.getUnitAttr());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(only.thenBlock());
    body();
  }

  // Lanes past a narrow vector read its last element again: any value will do there.
  Value laneWithin(int64_t count) {
    return count >= width ? lane : Value(arith::MinUIOp::create(b, lane, i32(count - 1)));
  }

  LogicalResult load(vector::LoadOp op) {
    VectorType type = op.getVectorType();
    Value at = place(op.getMemRefType(), op.getIndices()), in = flat(op.getBase(), memoryElement(type));
    int64_t count = widthOf(type);
    if (isPacked(type)) {
      at = arith::DivUIOp::create(b, at, index(4));
      count /= 4;
    }
    if (!in)
      return failure();
    at = arith::AddIOp::create(b, at, toIndex(laneWithin(count)));
    return set(op, memref::LoadOp::create(b, in, at));
  }

  LogicalResult store(vector::StoreOp op) {
    VectorType type = op.getVectorType();
    if (isPacked(type))
      return op.emitOpError("stores packed bytes, which no kernel does on a GPU so far");
    Value at = place(op.getMemRefType(), op.getIndices()), in = flat(op.getBase(), memoryElement(type));
    if (!in)
      return failure();
    at = arith::AddIOp::create(b, at, toIndex(lane));
    inLanes(widthOf(type), [&] { memref::StoreOp::create(b, get(op.getValueToStore()), in, at); });
    return success();
  }

  LogicalResult load(memref::LoadOp op) {
    Value in = flat(op.getMemRef(), laneType(op.getType()));
    if (!in)
      return failure();
    return set(op, memref::LoadOp::create(b, in, place(op.getMemRefType(), op.getIndices())));
  }

  LogicalResult store(memref::StoreOp op) {
    Value in = flat(op.getMemRef(), laneType(op.getValue().getType()));
    if (!in)
      return failure();
    Value at = place(op.getMemRefType(), op.getIndices());
    inLanes(1, [&] { memref::StoreOp::create(b, get(op.getValue()), in, at); });
    return success();
  }

  LogicalResult gather(kern::GatherOp op) {
    Value in = flat(op.getMemref(), memoryElement(op.getType()));
    if (!in)
      return failure();
    // Idle lanes have offsets of their own making: they read what lane 0 reads.
    Value offset = get(op.getOffsets());
    if (int64_t count = widthOf(op.getType()); count < width)
      offset = select(isBelow(lane, count), offset, i32(0));
    return set(op, memref::LoadOp::create(b, in, arith::AddIOp::create(b, get(op.getBase()), toIndex(offset)).getResult()));
  }

  LogicalResult scatter(kern::ScatterOp op) {
    MemRefType type = cast<MemRefType>(op.getMemref().getType());
    Value in = flat(op.getMemref(), memoryElement(op.getVector().getType()));
    if (!in)
      return failure();
    SmallVector<int64_t> strides;
    int64_t offset;
    (void)type.getStridesAndOffset(strides, offset);
    Value step = arith::MulIOp::create(b, toIndex(lane), index(strides[op.getDimension()]));
    Value at = arith::AddIOp::create(b, place(type, op.getIndices()), step);
    inLanes(widthOf(op.getVector().getType()), [&] { memref::StoreOp::create(b, get(op.getVector()), in, at); });
    return success();
  }

  //===-- Across lanes ----------------------------------------------------------------------------------------------===//

  // The values that lanes `from` hold. Two arrays in turns save a barrier.
  SmallVector<Value> exchange(Value value, ArrayRef<Value> from) {
    Value &array = exchangeArrays[value.getType()][turn ^= 1];
    if (!array)
      array = workgroupArray(value.getType(), width);
    memref::StoreOp::create(b, value, array, toIndex(lane));
    return llvm::map_to_vector(
        from, [&](Value one) -> Value { return memref::LoadOp::create(b, array, toIndex(one)); });
  }
  Value exchange(Value value, Value from) { return exchange(value, ArrayRef(from)).front(); }

  // As kern.reduce says: the upper half onto the lower, round by round.
  LogicalResult reduce(kern::ReduceOp op) {
    Value value = get(op.getVector());
    bool isFloat = isa<FloatType>(value.getType()), isSum = op.getKind() == kern::Reduction::sum;
    auto combine = [&](Value x, Value y) -> Value {
      if (isSum)
        return isFloat ? Value(arith::AddFOp::create(b, x, y)) : Value(arith::AddIOp::create(b, x, y));
      if (!isFloat)
        return arith::MaxSIOp::create(b, x, y);
      return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y);
    };
    for (int64_t count = widthOf(op.getVector().getType()); count > 1;) {
      int64_t half = count / 2, rest = count - half;
      Value from = arith::AndIOp::create(b, arith::AddIOp::create(b, lane, i32(rest)), i32(width - 1));
      Value folded = combine(value, exchange(value, from));
      value = rest == half ? folded : select(isBelow(lane, half), folded, value);
      count = rest;
    }
    return set(op, exchange(value, i32(0)));
  }

  LogicalResult insert(vector::InsertStridedSliceOp op) {
    VectorType source = op.getSourceVectorType();
    int64_t at = cast<IntegerAttr>(op.getOffsets()[0]).getInt(), count = widthOf(source);
    Value value = get(op.getValueToStore());
    if (at == 0)
      return set(op, select(isBelow(lane, count), value, get(op.getDest())));
    Value from = arith::SubIOp::create(b, lane, i32(at)); // wraps below `at`, where it is not used
    Value moved = exchange(value, arith::AndIOp::create(b, from, i32(width - 1)));
    return set(op, select(isBelow(from, count), moved, get(op.getDest())));
  }

  LogicalResult extractSlice(vector::ExtractStridedSliceOp op) {
    int64_t at = cast<IntegerAttr>(op.getOffsets()[0]).getInt();
    Value value = get(op.getSource());
    if (at == 0)
      return set(op, value);
    Value from = arith::AndIOp::create(b, arith::AddIOp::create(b, lane, i32(at)), i32(width - 1));
    return set(op, exchange(value, from));
  }

  LogicalResult extract(vector::ExtractOp op) {
    if (op.getNumIndices() != 1 || op.hasDynamicPosition())
      return op.emitOpError("has no form on a GPU: one constant position is expected");
    return set(op, exchange(get(op.getSource()), i32(op.getStaticPosition()[0])));
  }

  LogicalResult fromElements(vector::FromElementsOp op) {
    Value value = get(op.getElements().front());
    for (auto [i, element] : llvm::enumerate(op.getElements()))
      if (i > 0 && element != op.getElements().front())
        value = select(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, i32(i)), get(element), value);
    return set(op, value);
  }

  LogicalResult interleave(vector::InterleaveOp op) {
    Value half = arith::ShRUIOp::create(b, lane, i32(1));
    Value left = exchange(get(op.getLhs()), half), right = exchange(get(op.getRhs()), half);
    Value odd = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, arith::AndIOp::create(b, lane, i32(1)), i32(1));
    return set(op, select(odd, right, left));
  }

  LogicalResult deinterleave(vector::DeinterleaveOp op) {
    Value twice = arith::AndIOp::create(b, arith::ShLIOp::create(b, lane, i32(1)), i32(width - 1));
    Value value = get(op.getSource());
    map.map(op.getRes1(), exchange(value, twice));
    return set(op.getRes2(), exchange(value, arith::OrIOp::create(b, twice, i32(1))));
  }

  //===-- Within lanes ----------------------------------------------------------------------------------------------===//

  LogicalResult constant(arith::ConstantOp op) {
    DenseElementsAttr values = cast<DenseElementsAttr>(op.getValue());
    if (isPacked(op.getType())) {
      if (!values.isSplat())
        return op.emitOpError("is not the same in all bytes");
      uint32_t byte = values.getSplatValue<APInt>().getZExtValue();
      return set(op, i32(int32_t(byte * 0x01010101u)));
    }
    bool counts = !values.isSplat() && values.getElementType().isInteger(32);
    for (auto [i, value] : llvm::enumerate(values.getValues<Attribute>()))
      counts = counts && cast<IntegerAttr>(value).getInt() == int64_t(i);
    if (counts) // 0, 1, 2 ...
      return set(op, lane);
    SmallVector<TypedAttr> elements;
    for (Attribute value : values.getValues<Attribute>())
      elements.push_back(cast<TypedAttr>(value));
    if (values.isSplat())
      elements.resize(1);
    return set(op, chooseByLane(elements, 0));
  }

  // A tree of selects: lane i gets element i.
  Value chooseByLane(ArrayRef<TypedAttr> elements, int64_t first) {
    if (elements.size() == 1)
      return arith::ConstantOp::create(b, elements.front());
    int64_t half = llvm::PowerOf2Ceil(elements.size()) / 2;
    Value low = chooseByLane(elements.take_front(half), first), high = chooseByLane(elements.drop_front(half), first + half);
    return select(isBelow(lane, first + half), low, high);
  }

  // Bytes, one to a lane, as words; lanes past the last word get any.
  LogicalResult words(vector::BitCastOp op) {
    Value byte = arith::ExtUIOp::create(b, b.getI32Type(), get(op.getSource()));
    SmallVector<Value> from;
    for (int64_t i = 0; i < 4; ++i) {
      Value at = arith::AddIOp::create(b, arith::MulIOp::create(b, lane, i32(4)), i32(i));
      from.push_back(arith::AndIOp::create(b, at, i32(width - 1)));
    }
    Value word;
    for (auto [i, part] : llvm::enumerate(exchange(byte, from))) {
      Value moved = i ? Value(arith::ShLIOp::create(b, part, i32(8 * i))) : part;
      word = word ? Value(arith::OrIOp::create(b, word, moved)) : moved;
    }
    return set(op, word);
  }

  LogicalResult bitcast(vector::BitCastOp op) {
    Type from = op.getSourceVectorType(), to = op.getResultVectorType();
    Type fromLane = laneType(from), toLane = laneType(to);
    if (isBytes(from) && !isPacked(from) && getElementTypeOrSelf(to).isInteger(32))
      return words(op);
    if (isBytes(from) != isBytes(to) && !(isPacked(from) || isPacked(to)))
      return op.emitOpError("takes ") << from << " apart into " << to << ", which only whole registers of bytes can be";
    if (fromLane == toLane)
      return set(op, get(op.getSource()));
    return set(op, arith::BitcastOp::create(b, toLane, get(op.getSource())));
  }

  // acc + sum of four products of unsigned and signed bytes.
  LogicalResult dot(kern::DotOp op) {
    Value codes = get(op.getCodes()), activations = get(op.getActivations()), sum = get(op.getAcc());
    for (int64_t i = 0; i < 4; ++i) {
      Value code = arith::AndIOp::create(b, arith::ShRUIOp::create(b, codes, i32(8 * i)), i32(255));
      Value activation = arith::ShRSIOp::create(b, arith::ShLIOp::create(b, activations, i32(24 - 8 * i)), i32(24));
      sum = arith::AddIOp::create(b, sum, arith::MulIOp::create(b, code, activation));
    }
    return set(op, sum);
  }

  // Shifts of packed bytes must not let bits cross from one byte to the next.
  LogicalResult shiftBytes(Operation &op, bool left) {
    DenseElementsAttr by;
    if (!matchPattern(op.getOperand(1), m_Constant(&by)) || !by.isSplat())
      return op.emitOpError("shifts packed bytes by what is not a constant");
    int64_t count = by.getSplatValue<APInt>().getZExtValue();
    uint32_t mask = (left ? 0xffu << count & 0xffu : 0xffu >> count) * 0x01010101u;
    Value value = get(op.getOperand(0));
    Value shifted = left ? Value(arith::ShLIOp::create(b, value, i32(count))) : arith::ShRUIOp::create(b, value, i32(count));
    return set(op.getResult(0), arith::AndIOp::create(b, shifted, i32(int32_t(mask))));
  }

  LogicalResult elementwise(Operation &op) {
    auto packed = [&](Type type) { return isPacked(type); };
    if (llvm::any_of(op.getOperandTypes(), packed) || llvm::any_of(op.getResultTypes(), packed)) {
      if (isa<arith::ShRUIOp, arith::ShLIOp>(op))
        return shiftBytes(op, isa<arith::ShLIOp>(op));
      if (!isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op))
        return op.emitOpError("on packed bytes has no form on a GPU");
    }
    SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), [&](Value value) { return get(value); });
    // Devices need not compute with bytes, only widen them.
    if (isa<arith::SIToFPOp>(op) && operands.front().getType().isInteger(8))
      operands.front() = arith::ExtSIOp::create(b, b.getI32Type(), operands.front());
    SmallVector<Type> types = llvm::map_to_vector(op.getResultTypes(), [&](Type type) { return laneType(type); });
    // A bf16 is its bits here.
    if (isa<arith::BitcastOp>(op) && operands.front().getType() == types.front())
      return set(op.getResult(0), operands.front());
    OperationState state(op.getLoc(), op.getName(), operands, types, op.getAttrs());
    Operation *copy = b.create(state);
    map.map(op.getResults(), copy->getResults());
    return success();
  }

  //===-- Control flow ----------------------------------------------------------------------------------------------===//

  LogicalResult convertBody(Block &from, Block *to) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(to);
    for (Operation &op : from)
      if (failed(convert(op)))
        return failure();
    return success();
  }

  LogicalResult convertFor(scf::ForOp op) {
    // A loop over this call's units: the workgroup has one.
    if (get(op.getLowerBound()) == unit && op.getUpperBound() == function.getBody().back().getArgument(1) &&
        op.getNumResults() == 0) {
      map.map(op.getInductionVar(), unit);
      for (Operation &inner : op.getBody()->without_terminator())
        if (failed(convert(inner)))
          return failure();
      return success();
    }
    SmallVector<Value> inits = llvm::map_to_vector(op.getInitArgs(), [&](Value value) { return get(value); });
    scf::ForOp copy =
        scf::ForOp::create(b, get(op.getLowerBound()), get(op.getUpperBound()), get(op.getStep()), inits);
    // A loop that carries nothing is made with its yield.
    copy.getBody()->clear();
    map.map(op.getInductionVar(), copy.getInductionVar());
    map.map(op.getRegionIterArgs(), copy.getRegionIterArgs());
    map.map(op.getResults(), copy.getResults());
    return convertBody(*op.getBody(), copy.getBody());
  }

  LogicalResult convertIf(scf::IfOp op) {
    SmallVector<Type> types = llvm::map_to_vector(op.getResultTypes(), [&](Type type) { return laneType(type); });
    scf::IfOp copy = scf::IfOp::create(b, types, get(op.getCondition()), /*withElseRegion=*/!!op.elseBlock());
    copy.thenBlock()->clear();
    map.map(op.getResults(), copy.getResults());
    if (failed(convertBody(*op.thenBlock(), copy.thenBlock())))
      return failure();
    if (!op.elseBlock())
      return success();
    copy.elseBlock()->clear();
    return convertBody(*op.elseBlock(), copy.elseBlock());
  }

  LogicalResult convert(Operation &op) {
    b.setLoc(op.getLoc());
    return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
        .Case([&](scf::ForOp loop) { return convertFor(loop); })
        .Case([&](scf::IfOp branch) { return convertIf(branch); })
        .Case<vector::LoadOp, memref::LoadOp>([&](auto access) { return load(access); })
        .Case<vector::StoreOp, memref::StoreOp>([&](auto access) { return store(access); })
        .Case([&](kern::GatherOp access) { return gather(access); })
        .Case([&](kern::ScatterOp access) { return scatter(access); })
        .Case([&](kern::LanesOp lanes) { return set(lanes, lane); })
        .Case([&](kern::ReduceOp reduction) { return reduce(reduction); })
        .Case([&](kern::DotOp product) { return dot(product); })
        .Case([&](vector::BroadcastOp broadcast) { return set(broadcast, get(broadcast.getSource())); })
        .Case([&](vector::BitCastOp cast) { return bitcast(cast); })
        .Case([&](vector::InsertStridedSliceOp part) { return insert(part); })
        .Case([&](vector::ExtractStridedSliceOp part) { return extractSlice(part); })
        .Case([&](vector::ExtractOp part) { return extract(part); })
        .Case([&](vector::FromElementsOp elements) { return fromElements(elements); })
        .Case([&](vector::InterleaveOp parts) { return interleave(parts); })
        .Case([&](vector::DeinterleaveOp parts) { return deinterleave(parts); })
        .Case<kern::BindingOp, kern::ScratchOp, memref::PrefetchOp>([](auto) { return success(); })
        .Default([&](Operation *other) -> LogicalResult {
          if (arith::ConstantOp value = dyn_cast<arith::ConstantOp>(other); value && isa<VectorType>(value.getType()))
            return constant(value);
          if (other->getDialect() && other->getDialect()->getNamespace() == "vector")
            return other->emitOpError("has no form on a GPU");
          return elementwise(*other);
        });
  }

  func::FuncOp function;
  ImplicitLocOpBuilder b;
  IRMapping map;
  int64_t width = 1;
  Value lane; // i32
  Value unit; // index
  DenseMap<int64_t, Value> scratchArrays;
  DenseMap<Type, std::array<Value, 2>> exchangeArrays;
  unsigned turn = 0;
};

class DistributeLanes : public PassWrapper<DistributeLanes, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DistributeLanes)
  StringRef getArgument() const override { return "sinter-distribute-lanes"; }
  StringRef getDescription() const override { return "Give each invocation of a workgroup one lane of every vector"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, gpu::GPUDialect, memref::MemRefDialect, scf::SCFDialect, spirv::SPIRVDialect>();
  }
  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      if (failed(Distributor(function).run()))
        return signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createDistributeLanesPass() { return std::make_unique<DistributeLanes>(); }

} // namespace sinter
