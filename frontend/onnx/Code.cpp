// The one or two ops that each name in Code.h says.

#include "frontend/onnx/Code.h"

#include "mlir/IR/Matchers.h"

#include <cmath>
#include <functional>

using namespace mlir;

namespace sinter::onnx_import {

static bool isFloat(Value x) { return isa<FloatType>(x.getType()); }

Value Code::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
Value Code::i64(int64_t value) { return arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }
Value Code::boolean(bool value) { return arith::ConstantOp::create(*this, getBoolAttr(value)); }
Value Code::number(Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(*this, cast<TypedAttr>(Attribute(getFloatAttr(type, value))));
  // Infinities and what else no integer is become the nearest.
  const int64_t integer = !(value > -0x1p63) ? INT64_MIN : value >= 0x1p63 ? INT64_MAX : static_cast<int64_t>(value);
  return arith::ConstantOp::create(*this, cast<TypedAttr>(Attribute(getIntegerAttr(type, integer))));
}

Value Code::add(Value a, Value b) {
  return isFloat(a) ? createOrFold<arith::AddFOp>(a, b) : createOrFold<arith::AddIOp>(a, b);
}
Value Code::sub(Value a, Value b) {
  return isFloat(a) ? createOrFold<arith::SubFOp>(a, b) : createOrFold<arith::SubIOp>(a, b);
}
Value Code::mul(Value a, Value b) {
  return isFloat(a) ? createOrFold<arith::MulFOp>(a, b) : createOrFold<arith::MulIOp>(a, b);
}

static bool isNonZeroConstant(Value x) {
  APInt value;
  return matchPattern(x, m_ConstantInt(&value)) && !value.isZero();
}

// Integer division traps at 0, and at the smallest number by -1: such divisors become 1, and the result is chosen.
Value Code::div(Value a, Value b, bool isUnsigned) {
  if (isFloat(a))
    return createOrFold<arith::DivFOp>(a, b);
  if (isNonZeroConstant(b))
    return isUnsigned ? createOrFold<arith::DivUIOp>(a, b) : createOrFold<arith::DivSIOp>(a, b);
  auto integer = [&](int64_t value) { return a.getType().isIndex() ? index(value) : like(a, double(value)); };
  Value zero = integer(0), one = integer(1), isZero = eq(b, zero);
  if (isUnsigned)
    return select(isZero, zero, arith::DivUIOp::create(*this, a, select(isZero, one, b)));
  Value isMinus = eq(b, integer(-1));
  Value quotient = arith::DivSIOp::create(*this, a, select(either(isZero, isMinus), one, b));
  return select(isZero, zero, select(isMinus, sub(zero, a), quotient));
}

Value Code::rem(Value a, Value b, bool isUnsigned) {
  if (isFloat(a)) // fmod
    return sub(a, mul(truncate(div(a, b)), b));
  return sub(a, mul(div(a, b, isUnsigned), b));
}

Value Code::min(Value a, Value b, bool isUnsigned) {
  if (isFloat(a))
    return arith::MinimumFOp::create(*this, a, b);
  return isUnsigned ? createOrFold<arith::MinUIOp>(a, b) : createOrFold<arith::MinSIOp>(a, b);
}
Value Code::max(Value a, Value b, bool isUnsigned) {
  if (isFloat(a))
    return arith::MaximumFOp::create(*this, a, b);
  return isUnsigned ? createOrFold<arith::MaxUIOp>(a, b) : createOrFold<arith::MaxSIOp>(a, b);
}
Value Code::neg(Value a) {
  if (isFloat(a))
    return arith::NegFOp::create(*this, a);
  return sub(a.getType().isIndex() ? index(0) : like(a, 0), a);
}
Value Code::abs(Value a, bool isUnsigned) {
  if (isFloat(a))
    return math::AbsFOp::create(*this, a);
  return isUnsigned ? a : max(a, neg(a));
}

Value Code::eq(Value a, Value b) {
  if (isFloat(a))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, a, b);
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, b);
}
Value Code::ne(Value a, Value b) {
  if (isFloat(a))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::UNE, a, b);
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, a, b);
}
Value Code::lt(Value a, Value b, bool isUnsigned) {
  if (isFloat(a))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, a, b);
  return arith::CmpIOp::create(*this, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt, a, b);
}
Value Code::le(Value a, Value b, bool isUnsigned) {
  if (isFloat(a))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLE, a, b);
  return arith::CmpIOp::create(*this, isUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle, a, b);
}
Value Code::invert(Value a) {
  IntegerType type = cast<IntegerType>(a.getType());
  return arith::XOrIOp::create(*this, a,
                               arith::ConstantOp::create(*this, getIntegerAttr(type, APInt::getAllOnes(type.getWidth()))));
}
Value Code::select(Value condition, Value a, Value b) { return createOrFold<arith::SelectOp>(condition, a, b); }

Value Code::floor(Value x) { return math::FloorOp::create(*this, x); }
Value Code::ceil(Value x) { return math::CeilOp::create(*this, x); }
Value Code::round(Value x) { return math::RoundEvenOp::create(*this, x); }
Value Code::truncate(Value x) { return math::TruncOp::create(*this, x); }
Value Code::sigmoid(Value x) { return div(like(x, 1), add(like(x, 1), exp(neg(x)))); }

//===-- Conversions ------------------------------------------------------------------------------------------------===//

// The largest and smallest values that floats of the type hold and that convert to the integer.
static Value saturate(Code &b, Value x, ElemRef to) {
  const bool single = x.getType().isF32();
  double high, low;
  if (to->isUnsigned()) {
    high = to->bits == 64 ? (single ? 0x1.fffffep63 : 0x1.fffffffffffffp63) : std::ldexp(1.0, to->bits) - 1;
    low = 0;
  } else {
    high = to->bits == 64   ? (single ? 0x1.fffffep62 : 0x1.fffffffffffffp62)
           : to->bits == 32 ? (single ? 0x1.fffffep30 : 0x1.fffffffcp30)
                            : std::ldexp(1.0, to->bits - 1) - 1;
    low = -std::ldexp(1.0, to->bits - 1);
  }
  if (to->bits == 32 && to->isUnsigned() && single)
    high = 0x1.fffffep31;
  Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
  return b.select(isNumber, b.clamp(x, b.like(x, low), b.like(x, high)), b.like(x, 0));
}

Value Code::convert(Value x, ElemRef from, ElemRef to) {
  Type type = computeType(to, getContext());
  if (to->isBool())
    return from->isBool() ? x : ne(x, like(x, 0));
  if (from->isBool() && !to->isReal())
    return arith::ExtUIOp::create(*this, type, x);
  if (from->isReal() && to->isReal()) {
    if (x.getType() != type)
      x = type.isF64() ? Value(arith::ExtFOp::create(*this, type, x)) : Value(arith::TruncFOp::create(*this, type, x));
    return x;
  }
  if (to->isReal())
    return from->isUnsigned() ? Value(arith::UIToFPOp::create(*this, type, x))
                              : Value(arith::SIToFPOp::create(*this, type, x));
  if (from->isReal()) {
    // Narrow integers wrap, as they do everywhere else: through 32 bits.
    ElemRef wide = to->bits < 32 ? elem::i32() : to;
    x = saturate(*this, x, wide);
    Type wideType = computeType(wide, getContext());
    x = wide->isUnsigned() ? Value(arith::FPToUIOp::create(*this, wideType, x))
                           : Value(arith::FPToSIOp::create(*this, wideType, x));
    return wideType == type ? x : Value(arith::TruncIOp::create(*this, type, x));
  }
  const unsigned width = x.getType().getIntOrFloatBitWidth(), wanted = type.getIntOrFloatBitWidth();
  if (width == wanted)
    return x;
  if (width > wanted)
    return arith::TruncIOp::create(*this, type, x);
  return from->isUnsigned() ? Value(arith::ExtUIOp::create(*this, type, x))
                            : Value(arith::ExtSIOp::create(*this, type, x));
}

Value Code::toIndex(Value x, bool isUnsigned) {
  if (x.getType().isIndex())
    return x;
  return isUnsigned ? createOrFold<arith::IndexCastUIOp>(getIndexType(), x)
                    : createOrFold<arith::IndexCastOp>(getIndexType(), x);
}

Value Code::fromIndex(Value x, Type type) {
  if (type.isIndex())
    return x;
  if (!isa<FloatType>(type))
    return createOrFold<arith::IndexCastOp>(type, x);
  return arith::SIToFPOp::create(*this, type, createOrFold<arith::IndexCastOp>(getI64Type(), x));
}

Value Code::fromStorage(Value x, ElemRef elem) {
  if (elem->isBool())
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, x, like(x, 0));
  if (elem->isReal() && elem->bits == 16)
    return arith::ExtFOp::create(*this, getF32Type(), x);
  return x;
}

Value Code::toStorage(Value x, ElemRef elem) {
  if (elem->isBool())
    return arith::ExtUIOp::create(*this, getI8Type(), x);
  if (elem->isReal() && elem->bits == 16)
    return arith::TruncFOp::create(*this, storageType(elem, getContext()), x);
  return x;
}

//===-- Memory -----------------------------------------------------------------------------------------------------===//

Value Code::load(const Mem &memory, ValueRange at) {
  return fromStorage(memref::LoadOp::create(*this, memory.memref, at), memory.elem);
}
void Code::store(Value value, const Mem &memory, ValueRange at) {
  memref::StoreOp::create(*this, toStorage(value, memory.elem), memory.memref, at);
}
Value Code::loadFlat(const Mem &memory, Value at) { return load(memory, delinearize(at, memory.sizes)); }
void Code::storeFlat(Value value, const Mem &memory, Value at) { store(value, memory, delinearize(at, memory.sizes)); }

Value Code::wrap(Value at, Value size) {
  at = select(lt(at, index(0)), add(at, size), at);
  return max(min(at, sub(size, index(1))), index(0));
}

//===-- Control flow -----------------------------------------------------------------------------------------------===//

Code::Values Code::loop(Value low, Value high, ValueRange carried,
                        function_ref<Values(Value, ValueRange)> body) {
  scf::ForOp loop = scf::ForOp::create(*this, low, high, index(1), carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (carried.empty())
    setInsertionPointToEnd(loop.getBody());
  else
    scf::YieldOp::create(*this, results);
  return Values(loop.getResults());
}

void Code::loop(Value low, Value high, function_ref<void(Value)> body) {
  loop(low, high, {}, [&](Value i, ValueRange) {
    body(i);
    return Values();
  });
}

Code::Values Code::loopNest(ValueRange sizes, ValueRange carried,
                            function_ref<Values(ValueRange, ValueRange)> body) {
  Values at;
  std::function<Values(ValueRange)> nest = [&](ValueRange state) -> Values {
    if (at.size() == sizes.size())
      return body(at, state);
    return loop(index(0), sizes[at.size()], state, [&](Value i, ValueRange inner) {
      at.push_back(i);
      Values results = nest(inner);
      at.pop_back();
      return results;
    });
  };
  return nest(carried);
}

void Code::loopNest(ValueRange sizes, function_ref<void(ValueRange)> body) {
  loopNest(sizes, {}, [&](ValueRange at, ValueRange) {
    body(at);
    return Values();
  });
}

void Code::parallel(ValueRange sizes, function_ref<void(ValueRange)> body) {
  if (sizes.empty())
    return body({});
  Values low(sizes.size(), index(0)), step(sizes.size(), index(1));
  scf::ParallelOp loop = scf::ParallelOp::create(*this, low, sizes, step);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVars());
}

void Code::ifThen(Value condition, function_ref<void()> then) {
  scf::IfOp branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
}

Value Code::ifElse(Type type, Value condition, function_ref<Value()> then, function_ref<Value()> otherwise) {
  scf::IfOp branch = scf::IfOp::create(*this, TypeRange(type), condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise());
  return branch.getResult(0);
}

//===-- Index spaces -----------------------------------------------------------------------------------------------===//

Value Code::product(ValueRange sizes) {
  Value result = index(1);
  for (Value size : sizes)
    result = mul(result, size);
  return result;
}

Value Code::linearize(ValueRange at, ValueRange sizes) {
  Value result = index(0);
  for (auto [i, size] : llvm::zip_equal(at, sizes))
    result = add(mul(result, size), i);
  return result;
}

Code::Values Code::delinearize(Value flat, ValueRange sizes) {
  Values at(sizes.size());
  for (size_t i = sizes.size(); i-- > 0;) {
    if (i == 0) {
      at[0] = flat;
      break;
    }
    Value size = max(sizes[i], index(1));
    at[i] = createOrFold<arith::RemUIOp>(flat, size);
    flat = createOrFold<arith::DivUIOp>(flat, size);
  }
  return at;
}

Value addReordered(Code &code, Value a, Value b) {
  if (!isFloat(a))
    return code.add(a, b);
  return arith::AddFOp::create(code, a, b,
                               arith::FastMathFlagsAttr::get(code.getContext(), arith::FastMathFlags::reassoc));
}

} // namespace sinter::onnx_import
