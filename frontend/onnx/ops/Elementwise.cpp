// Arithmetic, comparisons and logic, element by element, with broadcasting. Halves are computed in f32 and rounded after each
// op, as ONNX defines them. Integers that turn out to be sizes of other tensors are computed here and now.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

// Before opset 7, `broadcast` and `axis` say where the second tensor goes.
static void alignOld(Node &node) {
  if (node.version >= 7 || node.inputs.size() != 2 || !node.integer("broadcast", 0) || !node.has("axis"))
    return;
  Tensor &b = node.inputs[1];
  const int64_t axis = node.axis(node.integer("axis"), node.in(0).rank());
  Shape shape = b.shape;
  while (axis + static_cast<int64_t>(shape.size()) < node.in(0).rank())
    shape.push_back(1);
  b = node.importer.reshape(b, shape);
}

static void sameElems(Node &node) {
  for (const Tensor &input : node.inputs)
    if (input.exists() && input.elem != node.in(0).elem)
      fail(std::string("inputs are of ") + node.in(0).elem->name + " and " + input.elem->name + ", expected one type");
}

// Integer arithmetic on known sizes: the polynomial, if both are known and there are few.
using SizeRule = std::optional<Dim> (*)(DimTable &dims, const Dim &a, const Dim &b);
static std::optional<Tensor> foldSizes(Node &node, SizeRule rule) {
  Importer &im = node.importer;
  const Tensor &a = node.in(0), &b = node.in(1);
  if (a.elem->isReal() || a.elem->isBool() || a.rank() > 1 || b.rank() > 1)
    return std::nullopt;
  std::optional<std::vector<Dim>> x = im.knownSizes(a), y = im.knownSizes(b);
  if (!x || !y || x->empty() || y->empty() || (x->size() != y->size() && x->size() != 1 && y->size() != 1))
    return std::nullopt;
  std::vector<Dim> values;
  for (size_t i = 0; i < std::max(x->size(), y->size()); ++i) {
    std::optional<Dim> value = rule(im.dims, (*x)[x->size() == 1 ? 0 : i], (*y)[y->size() == 1 ? 0 : i]);
    if (!value)
      return std::nullopt;
    values.push_back(*value);
  }
  return im.fromSizes(values, a.elem, im.broadcast({a.shape, b.shape}));
}

// Real arithmetic on known scalars: scales that exporters compute from the size of a head.
using RealRule = double (*)(double a, double b);
static std::optional<Tensor> foldReals(Node &node, RealRule rule) {
  Importer &im = node.importer;
  if (!node.in(0).elem->isReal())
    return std::nullopt;
  std::vector<double> values;
  for (const Tensor &input : node.inputs) {
    std::optional<std::vector<double>> known;
    if (input.rank() == 0 || input.count().is(1))
      known = im.knownReals(input);
    if (!known || known->size() != 1 || input.rank() > 0)
      return std::nullopt;
    values.push_back(known->front());
  }
  return im.scalar(node.in(0).elem, rule(values[0], values.size() > 1 ? values[1] : 0));
}

static std::optional<Dim> sizeAdd(DimTable &, const Dim &a, const Dim &b) { return a + b; }
static std::optional<Dim> sizeSub(DimTable &, const Dim &a, const Dim &b) { return a - b; }
static std::optional<Dim> sizeMul(DimTable &, const Dim &a, const Dim &b) { return a * b; }
static std::optional<Dim> sizeDiv(DimTable &dims, const Dim &a, const Dim &b) {
  if (dims.range(a).low < 0 || dims.range(b).low < 0 || b.is(0)) // ONNX rounds towards zero
    return a.constant() && b.constant() && !b.is(0) && !b.is(-1) ? std::optional<Dim>(*a.constant() / *b.constant())
                                                                : std::nullopt;
  return dims.floorDiv(a, b);
}
static std::optional<Dim> sizeMin(DimTable &dims, const Dim &a, const Dim &b) { return dims.min(a, b); }
static std::optional<Dim> sizeMax(DimTable &dims, const Dim &a, const Dim &b) { return dims.max(a, b); }
static std::optional<Dim> sizeNone(DimTable &, const Dim &, const Dim &) { return std::nullopt; }

static double realAdd(double a, double b) { return a + b; }
static double realSub(double a, double b) { return a - b; }
static double realMul(double a, double b) { return a * b; }
static double realDiv(double a, double b) { return a / b; }
static double realPow(double a, double b) { return std::pow(a, b); }
static double realSqrt(double a, double) { return std::sqrt(a); }
static double realReciprocal(double a, double) { return 1 / a; }
static double realNeg(double a, double) { return -a; }

using Binary = Value (*)(Code &c, Value a, Value b, bool isUnsigned);

template <Binary rule, SizeRule size, RealRule real = nullptr> static Tensors arithmetic(Node &node) {
  alignOld(node);
  sameElems(node);
  node.in(1);
  if (std::optional<Tensor> folded = foldSizes(node, size))
    return {*folded};
  if (real)
    if (std::optional<Tensor> folded = foldReals(node, real))
      return {*folded};
  const ElemRef elem = node.in(0).elem;
  if (elem->isBool())
    fail("takes numbers, its inputs are bool");
  return {node.importer.map(node.inputs, elem,
                            [&](Code &c, ValueRange x) { return rule(c, x[0], x[1], elem->isUnsigned()); })};
}

// Max, Min, Sum and Mean of any number of tensors.
template <Binary rule, SizeRule size, bool mean = false> static Tensors variadic(Node &node) {
  sameElems(node);
  const ElemRef elem = node.in(0).elem;
  if (node.inputs.size() == 2)
    if (std::optional<Tensor> folded = foldSizes(node, size))
      return {*folded};
  return {node.importer.map(node.inputs, elem, [&](Code &c, ValueRange x) {
    Value result = x[0];
    for (Value other : x.drop_front())
      result = rule(c, result, other, elem->isUnsigned());
    return mean ? c.div(result, c.like(result, static_cast<double>(x.size()))) : result;
  })};
}

static Value add(Code &c, Value a, Value b, bool) { return c.add(a, b); }
static Value sub(Code &c, Value a, Value b, bool) { return c.sub(a, b); }
static Value mul(Code &c, Value a, Value b, bool) { return c.mul(a, b); }
static Value div(Code &c, Value a, Value b, bool u) { return c.div(a, b, u); }
static Value min(Code &c, Value a, Value b, bool u) { return c.min(a, b, u); }
static Value max(Code &c, Value a, Value b, bool u) { return c.max(a, b, u); }

static Value prelu(Code &c, Value x, Value slope, bool u) {
  return c.select(c.lt(x, c.like(x, 0), u), c.mul(slope, x), x);
}

// With fmod the sign is the dividend's, else the divisor's.
static Tensors mod(Node &node) {
  sameElems(node);
  const ElemRef elem = node.in(0).elem;
  const bool fmod = node.integer("fmod", 0);
  if (std::optional<Tensor> folded = foldSizes(node, [](DimTable &dims, const Dim &a, const Dim &b) {
        return dims.range(a).low >= 0 && dims.range(b).low > 0 ? std::optional<Dim>(dims.mod(a, b)) : std::nullopt;
      }))
    return {*folded};
  node.in(1);
  return {node.importer.map(node.inputs, elem, [&](Code &c, ValueRange x) {
    Value rest = c.rem(x[0], x[1], elem->isUnsigned());
    if (fmod || elem->isUnsigned())
      return rest;
    Value zero = c.like(rest, 0);
    Value wrong = c.both(c.ne(rest, zero), c.ne(c.lt(rest, zero), c.lt(x[1], zero)));
    return c.select(wrong, c.add(rest, x[1]), rest);
  })};
}

// x^y, with both in f32 or f64, or by repeated squaring of integers.
static Value integerPower(Code &c, Value x, Value y) {
  Value one = c.like(x, 1), zero = c.like(x, 0);
  Code::Values results = c.loop(c.index(0), c.index(x.getType().getIntOrFloatBitWidth()), {one, x, y},
                                [&](Value, ValueRange s) -> Code::Values {
                                  Value odd = c.eq(c.both(s[2], one), one);
                                  Value half = mlir::arith::ShRUIOp::create(c, s[2], one);
                                  return {c.select(odd, c.mul(s[0], s[1]), s[0]), c.mul(s[1], s[1]), half};
                                });
  // A negative exponent leaves 1, -1, or nothing.
  Value isOne = c.eq(x, one), isMinus = c.eq(x, c.like(x, -1));
  return c.select(c.lt(y, zero), c.select(c.either(isOne, isMinus), results[0], zero), results[0]);
}

static Tensors power(Node &node) {
  alignOld(node);
  Importer &im = node.importer;
  const Tensor base = node.in(0), exponent = node.in(1);
  if (base.elem == exponent.elem)
    if (std::optional<Tensor> folded = foldReals(node, realPow))
      return {*folded};
  std::optional<std::vector<double>> known;
  if (exponent.count().is(1))
    known = im.knownReals(exponent);
  const ElemRef wide = base.elem->isReal() ? base.elem : exponent.elem->isReal() ? elem::f32() : base.elem;
  return {im.map({base, exponent}, base.elem, [&](Code &c, ValueRange x) -> Value {
    Value a = c.convert(x[0], base.elem, wide), result;
    if (known && known->front() == 2)
      result = c.mul(a, a);
    else if (known && known->front() == 3)
      result = c.mul(c.mul(a, a), a);
    else if (known && known->front() == 0.5 && wide->isReal())
      result = c.sqrt(a);
    else if (wide->isReal())
      result = mlir::math::PowFOp::create(c, a, c.convert(x[1], exponent.elem, wide));
    else
      result = integerPower(c, a, c.convert(x[1], exponent.elem, wide));
    return c.convert(result, wide, base.elem);
  })};
}

//===-- Comparisons and logic --------------------------------------------------------------------------------------===//

using Compare = Value (*)(Code &c, Value a, Value b, bool isUnsigned);
static Value equal(Code &c, Value a, Value b, bool) { return c.eq(a, b); }
static Value greater(Code &c, Value a, Value b, bool u) { return c.lt(b, a, u); }
static Value less(Code &c, Value a, Value b, bool u) { return c.lt(a, b, u); }
static Value greaterOrEqual(Code &c, Value a, Value b, bool u) { return c.le(b, a, u); }
static Value lessOrEqual(Code &c, Value a, Value b, bool u) { return c.le(a, b, u); }

// What a - b lies in -> the answer, if it is sure.
static std::optional<bool> surely(Compare rule, DimTable::Range d) {
  if (rule == equal)
    return d.low > 0 || d.high < 0 ? std::optional(false) : d.low == 0 && d.high == 0 ? std::optional(true) : std::nullopt;
  if (rule == greater)
    return d.low > 0 ? std::optional(true) : d.high <= 0 ? std::optional(false) : std::nullopt;
  if (rule == greaterOrEqual)
    return d.low >= 0 ? std::optional(true) : d.high < 0 ? std::optional(false) : std::nullopt;
  return rule == less ? surely(greater, {-d.high, -d.low}) : surely(greaterOrEqual, {-d.high, -d.low});
}

template <Compare rule> static Tensors compare(Node &node) {
  alignOld(node);
  sameElems(node);
  const ElemRef elem = node.in(0).elem;
  Importer &im = node.importer;
  node.in(1);
  // Comparisons of sizes decide about shapes: what is sure is known.
  std::optional<std::vector<Dim>> x = im.knownSizes(node.in(0)), y = im.knownSizes(node.in(1));
  if (x && y && node.in(0).rank() <= 1 && node.in(1).rank() <= 1 &&
      (x->size() == y->size() || x->size() == 1 || y->size() == 1)) {
    const size_t count = std::max(x->size(), y->size());
    std::vector<Dim> answers;
    for (size_t i = 0; i < count; ++i)
      if (std::optional<bool> answer =
              surely(rule, im.dims.range((*x)[x->size() == 1 ? 0 : i] - (*y)[y->size() == 1 ? 0 : i])))
        answers.push_back(*answer ? 1 : 0);
    if (answers.size() == count)
      return {im.fromSizes(answers, elem::boolean(), im.broadcast({node.in(0).shape, node.in(1).shape}))};
  }
  return {im.map(node.inputs, elem::boolean(),
                 [&](Code &c, ValueRange x) { return rule(c, x[0], x[1], elem->isUnsigned()); })};
}

using Logic = Value (*)(Code &c, Value a, Value b);
template <Logic rule> static Tensors logic(Node &node) {
  alignOld(node);
  sameElems(node);
  node.in(1);
  return {node.importer.map(node.inputs, node.in(0).elem,
                            [&](Code &c, ValueRange x) { return rule(c, x[0], x[1]); })};
}
static Value both(Code &c, Value a, Value b) { return c.both(a, b); }
static Value either(Code &c, Value a, Value b) { return c.either(a, b); }
static Value differ(Code &c, Value a, Value b) { return mlir::arith::XOrIOp::create(c, a, b); }

static Tensors shift(Node &node) {
  sameElems(node);
  const bool left = node.text("direction") == "LEFT";
  const ElemRef elem = node.in(0).elem;
  node.in(1);
  return {node.importer.map(node.inputs, elem, [&](Code &c, ValueRange x) -> Value {
    Value fits = c.lt(x[1], c.like(x[1], elem->bits), true);
    Value shifted = left ? Value(mlir::arith::ShLIOp::create(c, x[0], x[1]))
                         : Value(mlir::arith::ShRUIOp::create(c, x[0], x[1]));
    return c.select(fits, shifted, c.like(x[0], 0));
  })};
}

// Where, also among known sizes, by a condition that is known.
static Tensors where(Node &node) {
  Importer &im = node.importer;
  if (node.in(1).elem != node.in(2).elem || !node.in(0).elem->isBool())
    fail("takes a bool and two tensors of one type");
  std::optional<std::vector<Dim>> condition = im.knownSizes(node.in(0)), x = im.knownSizes(node.in(1)),
                                  y = im.knownSizes(node.in(2));
  if (condition && x && y && !node.in(1).elem->isReal()) {
    std::vector<Dim> values;
    const size_t count = std::max({condition->size(), x->size(), y->size()});
    auto at = [&](const std::vector<Dim> &of, size_t i) { return of[of.size() == 1 ? 0 : i]; };
    auto fits = [&](const std::vector<Dim> &of) { return of.size() == 1 || of.size() == count; };
    if (fits(*condition) && fits(*x) && fits(*y)) {
      for (size_t i = 0; i < count; ++i)
        values.push_back(at(*condition, i).is(0) ? at(*y, i) : at(*x, i));
      return {im.fromSizes(values, node.in(1).elem,
                           im.broadcast({node.in(0).shape, node.in(1).shape, node.in(2).shape}))};
    }
  }
  return {im.map(node.inputs, node.in(1).elem,
                 [](Code &c, ValueRange v) { return c.select(v[0], v[1], v[2]); })};
}

static Tensors clip(Node &node) {
  Importer &im = node.importer;
  const ElemRef elem = node.in(0).elem;
  Tensors inputs = {node.in(0)};
  int low = -1, high = -1;
  auto bound = [&](size_t input, const char *attribute) {
    if (node.version >= 11 ? !node.has(input) : !node.has(attribute))
      return -1;
    inputs.push_back(node.version >= 11 ? node.in(input) : im.scalar(elem, node.real(attribute)));
    return static_cast<int>(inputs.size()) - 1;
  };
  low = bound(1, "min");
  high = bound(2, "max");
  return {im.map(inputs, elem, [&](Code &c, ValueRange x) {
    Value result = x[0];
    if (low >= 0)
      result = c.max(result, x[low], elem->isUnsigned());
    if (high >= 0)
      result = c.min(result, x[high], elem->isUnsigned());
    return result;
  })};
}

//===-- Of one tensor ----------------------------------------------------------------------------------------------===//

using Unary = Value (*)(Code &c, Value x, ElemRef elem);
template <Unary rule, RealRule real = nullptr> static Tensors unary(Node &node) {
  node.in(0);
  node.inputs.resize(1);
  if (real)
    if (std::optional<Tensor> folded = foldReals(node, real))
      return {*folded};
  const ElemRef elem = node.in(0).elem;
  if (real == realNeg && !elem->isReal() && node.in(0).rank() <= 1)
    if (std::optional<std::vector<Dim>> known = node.importer.knownSizes(node.in(0))) {
      for (Dim &dim : *known)
        dim = Dim(0) - dim;
      return {node.importer.fromSizes(*known, elem, node.in(0).shape)};
    }
  return {node.importer.map(node.inputs, elem, [&](Code &c, ValueRange x) { return rule(c, x[0], elem); })};
}
static Value absolute(Code &c, Value x, ElemRef e) { return c.abs(x, e->isUnsigned()); }
static Value negate(Code &c, Value x, ElemRef) { return c.neg(x); }
static Value invert(Code &c, Value x, ElemRef) { return c.invert(x); }
static Value floorOf(Code &c, Value x, ElemRef) { return c.floor(x); }
static Value ceilOf(Code &c, Value x, ElemRef) { return c.ceil(x); }
static Value roundOf(Code &c, Value x, ElemRef) { return c.round(x); }
static Value sqrtOf(Code &c, Value x, ElemRef) { return c.sqrt(x); }
static Value reciprocal(Code &c, Value x, ElemRef) { return c.div(c.like(x, 1), x); }
static Value sign(Code &c, Value x, ElemRef e) {
  Value zero = c.like(x, 0), one = c.like(x, 1);
  Value positive = c.select(c.lt(zero, x, e->isUnsigned()), one, zero);
  return e->isUnsigned() ? positive : c.select(c.lt(x, zero), c.like(x, -1), positive);
}
template <typename MathOp> static Value mathOf(Code &c, Value x, ElemRef) { return MathOp::create(c, x); }

static Tensors isNan(Node &node) {
  return {node.importer.map(node.in(0), elem::boolean(), [](Code &c, ValueRange x) { return c.ne(x[0], x[0]); })};
}
static Tensors isInf(Node &node) {
  const bool negative = node.integer("detect_negative", 1), positive = node.integer("detect_positive", 1);
  return {node.importer.map(node.in(0), elem::boolean(), [&](Code &c, ValueRange x) {
    Value up = positive ? c.eq(x[0], c.like(x[0], INFINITY)) : c.boolean(false);
    Value down = negative ? c.eq(x[0], c.like(x[0], -INFINITY)) : c.boolean(false);
    return c.either(up, down);
  })};
}

static Tensors castTo(Node &node) {
  Tensor input = node.in(0);
  const ElemRef to = elemOf(static_cast<int>(node.integer("to")));
  if (to->isReal() && input.rank() == 0)
    if (std::optional<std::vector<double>> known = node.importer.knownReals(input); known && known->size() == 1)
      return {node.importer.scalar(to, known->front())};
  return {node.importer.cast(input, to)};
}
static Tensors castLike(Node &node) { return {node.importer.cast(node.in(0), node.in(1).elem)}; }
static Tensors bitCast(Node &node) {
  const ElemRef to = elemOf(static_cast<int>(node.integer("to")));
  const Tensor &input = node.in(0);
  if (to->bits != input.elem->bits || to->isBool() || input.elem->isBool())
    fail("casts between elements of different size");
  return {node.importer.loops(input, {{to, input.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel(out[0].sizes, [&](ValueRange at) {
      Value x = mlir::memref::LoadOp::create(c, in[0].memref, at);
      mlir::Type type = storageType(to, c.getContext());
      if (x.getType() != type)
        x = mlir::arith::BitcastOp::create(c, type, x);
      mlir::memref::StoreOp::create(c, x, out[0].memref, at);
    });
  })};
}

ArrayRef<Op> elementwiseOps() {
  static const Op ops[] = {
      {"", "Add", 1, kNewest, arithmetic<add, sizeAdd, realAdd>},
      {"", "Sub", 1, kNewest, arithmetic<sub, sizeSub, realSub>},
      {"", "Mul", 1, kNewest, arithmetic<mul, sizeMul, realMul>},
      {"", "Div", 1, kNewest, arithmetic<div, sizeDiv, realDiv>},
      {"", "Mod", 10, kNewest, mod},
      {"", "Pow", 1, kNewest, power},
      {"", "PRelu", 1, kNewest, arithmetic<prelu, sizeNone>},
      {"", "Max", 1, kNewest, variadic<max, sizeMax>},
      {"", "Min", 1, kNewest, variadic<min, sizeMin>},
      {"", "Sum", 1, kNewest, variadic<add, sizeAdd>},
      {"", "Mean", 1, kNewest, variadic<add, sizeNone, true>},
      {"", "Equal", 1, kNewest, compare<equal>},
      {"", "Greater", 1, kNewest, compare<greater>},
      {"", "GreaterOrEqual", 12, kNewest, compare<greaterOrEqual>},
      {"", "Less", 1, kNewest, compare<less>},
      {"", "LessOrEqual", 12, kNewest, compare<lessOrEqual>},
      {"", "And", 1, kNewest, logic<both>},
      {"", "Or", 1, kNewest, logic<either>},
      {"", "Xor", 1, kNewest, logic<differ>},
      {"", "BitwiseAnd", 18, kNewest, logic<both>},
      {"", "BitwiseOr", 18, kNewest, logic<either>},
      {"", "BitwiseXor", 18, kNewest, logic<differ>},
      {"", "BitwiseNot", 18, kNewest, unary<invert>},
      {"", "BitShift", 11, kNewest, shift},
      {"", "Where", 9, kNewest, where},
      {"", "Clip", 6, kNewest, clip},
      {"", "Not", 1, kNewest, unary<invert>},
      {"", "Abs", 6, kNewest, unary<absolute>},
      {"", "Neg", 6, kNewest, unary<negate, realNeg>},
      {"", "Sign", 9, kNewest, unary<sign>},
      {"", "Floor", 6, kNewest, unary<floorOf>},
      {"", "Ceil", 6, kNewest, unary<ceilOf>},
      {"", "Round", 11, kNewest, unary<roundOf>},
      {"", "Sqrt", 6, kNewest, unary<sqrtOf, realSqrt>},
      {"", "Reciprocal", 6, kNewest, unary<reciprocal, realReciprocal>},
      {"", "Exp", 6, kNewest, unary<mathOf<mlir::math::ExpOp>>},
      {"", "Log", 6, kNewest, unary<mathOf<mlir::math::LogOp>>},
      {"", "Sin", 7, kNewest, unary<mathOf<mlir::math::SinOp>>},
      {"", "Cos", 7, kNewest, unary<mathOf<mlir::math::CosOp>>},
      {"", "Tan", 7, kNewest, unary<mathOf<mlir::math::TanOp>>},
      {"", "Asin", 7, kNewest, unary<mathOf<mlir::math::AsinOp>>},
      {"", "Acos", 7, kNewest, unary<mathOf<mlir::math::AcosOp>>},
      {"", "Atan", 7, kNewest, unary<mathOf<mlir::math::AtanOp>>},
      {"", "Sinh", 9, kNewest, unary<mathOf<mlir::math::SinhOp>>},
      {"", "Cosh", 9, kNewest, unary<mathOf<mlir::math::CoshOp>>},
      {"", "Tanh", 6, kNewest, unary<mathOf<mlir::math::TanhOp>>},
      {"", "Asinh", 9, kNewest, unary<mathOf<mlir::math::AsinhOp>>},
      {"", "Acosh", 9, kNewest, unary<mathOf<mlir::math::AcoshOp>>},
      {"", "Atanh", 9, kNewest, unary<mathOf<mlir::math::AtanhOp>>},
      {"", "Erf", 9, kNewest, unary<mathOf<mlir::math::ErfOp>>},
      {"", "IsNaN", 9, kNewest, isNan},
      {"", "IsInf", 10, kNewest, isInf},
      {"", "Cast", 6, kNewest, castTo},
      {"", "CastLike", 15, kNewest, castLike},
      {"", "BitCast", 26, 99, bitCast},
  };
  return ops;
}

} // namespace sinter::onnx_import
