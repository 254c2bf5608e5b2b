// A row of f32 comes in; it goes out normalized, or as s8 codes with a scale and a sum per group, or both without a
// buffer in between: the quantizer normalizes what it loads, twice (once for the maximum, once for the codes), because
// that costs two multiplications and saves a pass over memory.
//
// Sums run in four vector accumulators that are combined in one order, so a row's result depends on nothing but the
// row. Rounding adds 1.5 * 2^23: the float's last bits are then the integer, rounded to nearest even by the addition
// itself, on every instruction set, and no conversion is needed.

#include "codegen/kernels/RowStages.h"
#include "codegen/kernels/KernelBuilder.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kSumChains = 4;
// Codes are made sixteen at a time, one store of a 16-byte register; wider targets take as many as they have lanes.
static constexpr int64_t kCodeLanes = 16;
static constexpr float kRoundingFloat = 12582912.0f; // 1.5 * 2^23
static constexpr int32_t kRoundingBits = 0x4B400000; // its bits
// A group below this counts as zero: 127 / maximum would overflow. 2^-120.
static constexpr float kSmallestMaximum = 7.5231638e-37f;

static Value columnAt(KernelBuilder &b, FloatRow row, Value offset) {
  return row.column ? b.add(row.column, offset) : offset;
}

static Value loadRow(KernelBuilder &b, FloatRow row, Value offset, int64_t width) {
  return b.load(row.buffer, {row.index, columnAt(b, row, offset)}, width);
}

// Sum over the row of value(x), as a scalar.
static Value sumRow(KernelBuilder &b, FloatRow row, int64_t width, function_ref<Value(Value)> value) {
  int64_t lanes = b.lanes(), step = kSumChains * lanes, full = width / step * step;
  Value zeros = b.splat(lanes, 0.0f);
  KernelBuilder::Values sums(kSumChains, zeros);
  auto accumulate = [&](Value sum, Value offset, int64_t count) {
    return b.addf(sum, b.widen(value(loadRow(b, row, offset, count)), zeros));
  };
  if (full)
    sums = b.loop(b.index(0), b.index(full), step, sums, [&](Value i, ValueRange carried) {
      KernelBuilder::Values next;
      for (auto [chain, sum] : llvm::enumerate(carried))
        next.push_back(accumulate(sum, b.add(i, chain * lanes), lanes));
      return next;
    });
  for (int64_t offset = full, chain = 0; offset < width; offset += lanes, ++chain)
    sums[chain] = accumulate(sums[chain], b.index(offset), std::min(lanes, width - offset));
  return b.sumLanes(b.addf(b.addf(sums[0], sums[1]), b.addf(sums[2], sums[3])));
}

namespace {

// What a row is normalized with; without a spec, values pass through.
struct Normalizer {
  RowNorm norm;
  Value mean;    // layer norm only
  Value inverse; // 1 / sqrt(mean square or variance + epsilon)

  Normalizer(KernelBuilder &b, FloatRow row, int64_t width, const RowNorm &norm) : norm(norm) {
    if (!norm.spec)
      return;
    Value count = b.f32(width);
    if (norm.spec.getKind() == tx::NormKind::layer)
      mean = b.divf(sumRow(b, row, width, [](Value x) { return x; }), count);
    // The variance is summed in a second pass, around the mean: a difference of two large sums would lose its digits.
    Value squares = sumRow(b, row, width, [&](Value x) {
      Value centered = center(b, x);
      return b.mulf(centered, centered);
    });
    Value epsilon = b.f32(norm.spec.getEpsilon().getValueAsDouble());
    inverse = b.divf(b.f32(1), math::SqrtOp::create(b, b.addf(b.divf(squares, count), epsilon)));
  }

  Value center(KernelBuilder &b, Value x) const {
    return mean ? b.subf(x, b.broadcast(mean, cast<VectorType>(x.getType()).getNumElements())) : x;
  }

  // `x` are the row's columns from `offset` on.
  Value apply(KernelBuilder &b, Value x, Value offset) const {
    if (!norm.spec)
      return x;
    int64_t width = cast<VectorType>(x.getType()).getNumElements();
    Value y = b.mulf(b.mulf(center(b, x), b.broadcast(inverse, width)), b.load(norm.weight, {offset}, width));
    return norm.bias ? b.addf(y, b.load(norm.bias, {offset}, width)) : y;
  }
};

} // namespace

void emitNormalizeRow(KernelBuilder &b, FloatRow source, int64_t width, const RowNorm &norm, FloatRow destination) {
  Normalizer normalizer(b, source, width, norm);
  b.vectors(width, b.lanes(), [&](Value i, int64_t lanes) {
    Value y = normalizer.apply(b, loadRow(b, source, i, lanes), i);
    b.store(y, destination.buffer, {destination.index, columnAt(b, destination, i)});
  });
}

QuantizedColumns emitQuantizeColumns(KernelBuilder &b, int64_t width, function_ref<Value(Value, int64_t)> value,
                                     function_ref<void(Value, Value)> store) {
  int64_t lanes = std::min(width, std::max(kCodeLanes, b.lanes()));
  Value maxima = b.vectors(width, lanes, b.splat(lanes, 0.0f), [&](Value i, int64_t count, ValueRange carried) {
    Value size = b.widen(math::AbsFOp::create(b, value(i, count)), b.splat(lanes, 0.0f));
    return KernelBuilder::Values{b.maxf(size, carried[0])};
  })[0];
  Value maximum = b.maxLanes(maxima);
  Value isLarge = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, maximum, b.f32(kSmallestMaximum));
  Value zero = b.f32(0), limit = b.f32(127);
  Value scale = arith::SelectOp::create(b, isLarge, b.divf(maximum, limit), zero);
  Value inverse = arith::SelectOp::create(b, isLarge, b.divf(limit, maximum), zero);

  Value sums = b.vectors(width, lanes, b.splat(lanes, 0), [&](Value i, int64_t count, ValueRange carried) {
    Value scaled = b.mulf(value(i, count), b.broadcast(inverse, count));
    Value bits = b.bitcast(b.addf(scaled, b.splat(count, kRoundingFloat)), b.getI32Type());
    Value codes = arith::SubIOp::create(b, bits, b.splat(count, kRoundingBits));
    store(i, codes);
    return KernelBuilder::Values{arith::AddIOp::create(b, b.widen(codes, b.splat(lanes, 0)), carried[0])};
  })[0];
  return {scale, b.sumLanes(sums)};
}

// The `width` columns from `from` on, a group or what the last group has.
static void emitQuantizeGroup(KernelBuilder &b, FloatRow source, Value from, int64_t width,
                              const Normalizer &normalizer, const Format &format, Value group,
                              QuantizedRow destination) {
  auto value = [&](Value i, int64_t lanes) {
    Value offset = b.add(from, i);
    return normalizer.apply(b, loadRow(b, source, offset, lanes), offset);
  };
  auto [scale, sum] = emitQuantizeColumns(b, width, value, [&](Value i, Value codes) {
    b.store(b.toBytes(codes), destination.codes, {destination.index, b.add(from, i)});
  });

  b.storeScalar(scale, destination.scales, {destination.index, group});
  if (format.hasZeros)
    sum = b.mulf(scale, arith::SIToFPOp::create(b, b.getF32Type(), sum));
  else
    sum = arith::MulIOp::create(b, sum, b.i32(-format.impliedZero));
  b.storeScalar(sum, destination.sums, {destination.index, group});
}

void emitQuantizeRow(KernelBuilder &b, FloatRow source, int64_t width, const RowNorm &norm, const Format &format,
                     QuantizedRow destination) {
  Normalizer normalizer(b, source, width, norm);
  int64_t fullGroups = width / format.group, rest = width % format.group;
  b.loop(b.index(0), b.index(fullGroups), 1, [&](Value group) {
    emitQuantizeGroup(b, source, b.mul(group, format.group), format.group, normalizer, format, group, destination);
  });
  if (!rest)
    return;
  emitQuantizeGroup(b, source, b.index(width - rest), rest, normalizer, format, b.index(fullGroups), destination);
  b.vectors(format.group - rest, kCodeLanes, [&](Value i, int64_t count) {
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(b.vectorType(count, b.getI8Type())));
    b.store(zeros, destination.codes, {destination.index, b.add(i, width)});
  });
}

} // namespace sinter::kern
