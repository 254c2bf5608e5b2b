// The short names that builders of kernels use. Nothing here decides anything: each method creates the one or two ops
// its name says.

#include "codegen/kernels/KernelBuilder.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kScratchAlignment = 64;

KernelBuilder::KernelBuilder(ModuleOp module, StringRef name, const Target &target)
    : ImplicitLocOpBuilder(UnknownLoc::get(module.getContext()), module.getContext()), theTarget(target) {
  setInsertionPointToEnd(module.getBody());
  Type indexType = getIndexType();
  function = func::FuncOp::create(*this, name, getFunctionType({indexType, indexType}, {}));
  function->setAttr(kKernelAttr, getUnitAttr());
  setInsertionPointToStart(function.addEntryBlock());
}

void KernelBuilder::finish() {
  func::ReturnOp::create(*this);
  function->setAttr(kScratchBytesAttr, getI64IntegerAttr(scratchBytes));
}

//===-- Constants and index arithmetic ----------------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
Value KernelBuilder::i32(int32_t value) { return arith::ConstantOp::create(*this, getI32IntegerAttr(value)); }
Value KernelBuilder::f32(float value) { return arith::ConstantOp::create(*this, getF32FloatAttr(value)); }

Value KernelBuilder::splat(int64_t width, int32_t value) {
  return arith::ConstantOp::create(*this,
                                   DenseElementsAttr::get(vectorType(width, getI32Type()), getI32IntegerAttr(value)));
}
Value KernelBuilder::splat(int64_t width, float value) {
  return arith::ConstantOp::create(*this,
                                   DenseElementsAttr::get(vectorType(width, getF32Type()), getF32FloatAttr(value)));
}

Value KernelBuilder::lanesFromZero(int64_t width) {
  return LanesOp::create(*this, vectorType(width, getI32Type()));
}

Value KernelBuilder::add(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value KernelBuilder::add(Value a, int64_t b) { return b ? add(a, index(b)) : a; }
Value KernelBuilder::sub(Value a, Value b) { return createOrFold<arith::SubIOp>(a, b); }
Value KernelBuilder::mul(Value a, Value b) { return createOrFold<arith::MulIOp>(a, b); }
Value KernelBuilder::mul(Value a, int64_t b) { return mul(a, index(b)); }
Value KernelBuilder::div(Value a, int64_t b) { return createOrFold<arith::DivUIOp>(a, index(b)); }
Value KernelBuilder::rem(Value a, int64_t b) { return createOrFold<arith::RemUIOp>(a, index(b)); }
Value KernelBuilder::min(Value a, Value b) { return createOrFold<arith::MinUIOp>(a, b); }
Value KernelBuilder::max(Value a, Value b) { return createOrFold<arith::MaxUIOp>(a, b); }

//===-- Memory ----------------------------------------------------------------------------------------------------===//

Value KernelBuilder::binding(int64_t number, Type element) {
  return BindingOp::create(*this, MemRefType::get({ShapedType::kDynamic}, element), number);
}

Value KernelBuilder::bindingRows(int64_t number, int64_t stride, Type element) {
  return BindingOp::create(*this, MemRefType::get({ShapedType::kDynamic, stride}, element), number);
}

Value KernelBuilder::scratch(ArrayRef<int64_t> shape, Type element) {
  MemRefType type = MemRefType::get(shape, element);
  Value result = ScratchOp::create(*this, type, scratchBytes);
  int64_t bytes = (type.getNumElements() * element.getIntOrFloatBitWidth() + 7) / 8;
  scratchBytes += (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  return result;
}

Value KernelBuilder::scratchView(Value scratch, ArrayRef<int64_t> shape, Type element) {
  ScratchOp op = scratch.getDefiningOp<ScratchOp>();
  return ScratchOp::create(*this, MemRefType::get(shape, element), op.getOffset());
}

Value KernelBuilder::scalar(Scalar which) { return ScalarOp::create(*this, getIndexType(), which); }

Value KernelBuilder::load(Value memref, ValueRange at, int64_t width) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(*this, vectorType(width, element), memref, at);
}

Value KernelBuilder::loadScalar(Value memref, ValueRange at) { return memref::LoadOp::create(*this, memref, at); }

Value KernelBuilder::loadF32(Value memref, ValueRange at, int64_t width) {
  Value raw = load(memref, at, width);
  if (cast<VectorType>(raw.getType()).getElementType().isF32())
    return raw;
  return arith::ExtFOp::create(*this, vectorType(width, getF32Type()), raw);
}

std::function<Value(int64_t)> KernelBuilder::loadBroadcasts(Value memref, ValueRange at, int64_t count,
                                                            int64_t width) {
  if (theTarget.laneOperands) {
    Value all = load(memref, at, count);
    return [=](int64_t i) {
      VectorType type = vectorType(width, cast<VectorType>(all.getType()).getElementType());
      return vector::ShuffleOp::create(*this, type, all, all, SmallVector<int64_t>(width, i)).getResult();
    };
  }
  Values place(at);
  return [=](int64_t i) {
    Values here = place;
    here.back() = add(here.back(), i);
    return broadcast(loadScalar(memref, here), width);
  };
}

void KernelBuilder::store(Value vector, Value memref, ValueRange at) {
  vector::StoreOp::create(*this, vector, memref, at);
}

void KernelBuilder::storeScalar(Value value, Value memref, ValueRange at) {
  memref::StoreOp::create(*this, value, memref, at);
}

void KernelBuilder::storeF32(Value vector, Value memref, ValueRange at) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (!element.isF32()) {
    int64_t width = cast<VectorType>(vector.getType()).getNumElements();
    vector = arith::TruncFOp::create(*this, vectorType(width, element), vector);
  }
  store(vector, memref, at);
}

Value KernelBuilder::gather(Value memref, Value base, Value offsets) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  int64_t width = cast<VectorType>(offsets.getType()).getNumElements();
  return GatherOp::create(*this, vectorType(width, element), memref, base, offsets);
}

void KernelBuilder::scatterF32(Value vector, Value memref, ValueRange at, int64_t dimension) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  int64_t width = cast<VectorType>(vector.getType()).getNumElements();
  if (!element.isF32())
    vector = arith::TruncFOp::create(*this, vectorType(width, element), vector);
  ScatterOp::create(*this, vector, memref, at, dimension);
}

void KernelBuilder::prefetch(Value memref, ValueRange at) {
  memref::PrefetchOp::create(*this, memref, at, /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
}

//===-- Control flow ----------------------------------------------------------------------------------------------===//

void KernelBuilder::loop(Value lower, Value upper, int64_t step, function_ref<void(Value)> body) {
  loop(lower, upper, step, {}, [&](Value i, ValueRange) {
    body(i);
    return Values();
  });
}

KernelBuilder::Values KernelBuilder::loop(Value lower, Value upper, int64_t step, ValueRange carried,
                                          function_ref<Values(Value, ValueRange)> body) {
  scf::ForOp forOp = scf::ForOp::create(*this, lower, upper, index(step), carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(forOp.getBody());
  Values next = body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  // A loop that carries nothing is made with its yield.
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return Values(forOp.getResults());
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> then) {
  scf::IfOp ifOp = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(ifOp.thenBlock());
  then();
}

KernelBuilder::Values KernelBuilder::ifElse(Value condition, function_ref<Values()> then,
                                            function_ref<Values()> otherwise) {
  scf::IfOp ifOp = scf::IfOp::create(
      *this, condition, [&](OpBuilder &, Location) { scf::YieldOp::create(*this, then()); },
      [&](OpBuilder &, Location) { scf::YieldOp::create(*this, otherwise()); });
  return Values(ifOp.getResults());
}

void KernelBuilder::vectors(int64_t extent, int64_t width, function_ref<void(Value, int64_t)> body) {
  vectors(extent, width, {}, [&](Value i, int64_t w, ValueRange) {
    body(i, w);
    return Values();
  });
}

KernelBuilder::Values KernelBuilder::vectors(int64_t extent, int64_t width, ValueRange carried,
                                             function_ref<Values(Value, int64_t, ValueRange)> body) {
  int64_t full = extent / width * width;
  Values values(carried);
  if (full == width)
    values = body(index(0), width, values);
  else if (full)
    values = loop(index(0), index(full), width, values, [&](Value i, ValueRange now) { return body(i, width, now); });
  if (extent > full)
    values = body(index(full), extent - full, values);
  return values;
}

//===-- Vectors and arithmetic ------------------------------------------------------------------------------------===//

Value KernelBuilder::broadcast(Value scalar, int64_t width) {
  return vector::BroadcastOp::create(*this, vectorType(width, scalar.getType()), scalar);
}

Value KernelBuilder::bitcast(Value vector, Type element) {
  VectorType type = cast<VectorType>(vector.getType());
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
  return vector::BitCastOp::create(*this, vectorType(bits / element.getIntOrFloatBitWidth(), element), vector);
}

Value KernelBuilder::toBytes(Value vector) {
  int64_t width = cast<VectorType>(vector.getType()).getNumElements();
  return arith::TruncIOp::create(*this, vectorType(width, getI8Type()), vector);
}

Value KernelBuilder::quads(Value codes, int32_t filler) {
  int64_t width = cast<VectorType>(codes.getType()).getNumElements(), whole = (width + 3) / 4 * 4;
  return bitcast(toBytes(widen(codes, splat(whole, filler))), getI32Type());
}

Value KernelBuilder::toFloats(Value vector) {
  int64_t width = cast<VectorType>(vector.getType()).getNumElements();
  return arith::SIToFPOp::create(*this, vectorType(width, getF32Type()), vector);
}

Value KernelBuilder::slice(Value vector, int64_t from, int64_t width) {
  return vector::ExtractStridedSliceOp::create(*this, vector, ArrayRef<int64_t>{from}, ArrayRef<int64_t>{width},
                                               ArrayRef<int64_t>{1});
}

Value KernelBuilder::widen(Value vector, Value filler) {
  if (vector.getType() == filler.getType())
    return vector;
  return vector::InsertStridedSliceOp::create(*this, vector, filler, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{1});
}

static Value reduce(KernelBuilder &b, Reduction kind, Value vector) {
  return ReduceOp::create(b, cast<VectorType>(vector.getType()).getElementType(), kind, vector);
}

Value KernelBuilder::sumLanes(Value vector) { return reduce(*this, Reduction::sum, vector); }
Value KernelBuilder::maxLanes(Value vector) { return reduce(*this, Reduction::max, vector); }

Value KernelBuilder::addf(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
Value KernelBuilder::subf(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
Value KernelBuilder::mulf(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
Value KernelBuilder::divf(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }
// a > b ? a : b, which is x86's max; a NaN in `a` is lost.
Value KernelBuilder::maxf(Value a, Value b) {
  Value greater = arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, a, b);
  return arith::SelectOp::create(*this, greater, a, b);
}
Value KernelBuilder::negf(Value a) { return arith::NegFOp::create(*this, a); }
Value KernelBuilder::fma(Value a, Value b, Value c) { return math::FmaOp::create(*this, a, b, c); }

Value KernelBuilder::activation(tx::Activation kind, Value x) {
  Type type = x.getType();
  auto constant = [&](float value) -> Value {
    if (VectorType vector = dyn_cast<VectorType>(type))
      return splat(vector.getNumElements(), value);
    return f32(value);
  };
  switch (kind) {
  case tx::Activation::silu:
    return divf(x, addf(constant(1), math::ExpOp::create(*this, negf(x))));
  case tx::Activation::gelu: {
    // x Phi(x) = max(x, 0) - |x| Phi(-|x|), the tail by formula 7.1.26 of Abramowitz & Stegun (1964), whose erf is off by
    // 1.5e-7 at most. No branches, and no digits lost where x is very negative.
    Value size = math::AbsFOp::create(*this, x);
    Value t = divf(constant(1), fma(size, constant(0.3275911f * 0.70710678f), constant(1)));
    Value sum = constant(1.061405429f);
    for (float coefficient : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
      sum = fma(sum, t, constant(coefficient));
    Value tail = mulf(mulf(sum, t), math::ExpOp::create(*this, mulf(mulf(x, constant(-0.5f)), x)));
    return fma(mulf(size, constant(-0.5f)), tail, maxf(x, constant(0)));
  }
  case tx::Activation::gelu_tanh: {
    Value cube = mulf(mulf(x, x), x);
    Value inner = mulf(constant(0.79788456080286536f), fma(constant(0.044715f), cube, x));
    return mulf(mulf(x, constant(0.5f)), addf(constant(1), math::TanhOp::create(*this, inner)));
  }
  case tx::Activation::relu:
    return maxf(x, constant(0));
  case tx::Activation::tanh:
    return math::TanhOp::create(*this, x);
  }
  llvm_unreachable("every activation is above");
}

SmallVector<Value> unpackQuads(ImplicitLocOpBuilder &b, const Format &format, ValueRange words) {
  auto all = [&](int value) -> Value {
    VectorType type = cast<VectorType>(words[0].getType());
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getI8IntegerAttr(value)));
  };
  auto masked = [&](Value bytes, int bits) -> Value { return arith::AndIOp::create(b, bytes, all(bits)); };
  auto shifted = [&](Value bytes, int by) -> Value { return arith::ShRUIOp::create(b, bytes, all(by)); };
  switch (format.bits) {
  case 8:
    return {words[0]};
  case 6: {
    Value low = shifted(words[0], 6), middle = masked(shifted(words[1], 4), 0x0c), high = masked(shifted(words[2], 2), 0x30);
    Value last = arith::OrIOp::create(b, arith::OrIOp::create(b, low, middle), high);
    return {masked(words[0], 0x3f), masked(words[1], 0x3f), masked(words[2], 0x3f), last};
  }
  case 4:
    return {masked(words[0], 0x0f), shifted(words[0], 4)};
  }
  llvm_unreachable("every number of bits is above");
}

// Flipping the upper bit takes 128 off.
Value KernelBuilder::shiftCodes(Value codes, int64_t maxCode) {
  if (!codeShift(maxCode))
    return codes;
  VectorType type = cast<VectorType>(codes.getType());
  Value upper = arith::ConstantOp::create(*this, DenseElementsAttr::get(type, getI8IntegerAttr(-128)));
  return arith::XOrIOp::create(*this, codes, upper);
}

Value KernelBuilder::dot(Value acc, Value codes, Value activations, int64_t maxCode) {
  bool isSigned = codeShift(maxCode) != 0;
  return DotOp::create(*this, acc.getType(), acc, codes, activations, isSigned ? 128 : maxCode, isSigned);
}

} // namespace sinter::kern
