// The embed kernel: token ids come in, rows of a packed matrix go out as f32; rows of two more, for positions and token
// types, are added to them. The matrix is packed for products
// (dialects/Formats.h): lanes there are rows, while a gather wants one row's columns. So the lanes here run over
// columns, and a vector is gathered from the 4-byte quads of the row, 128 bytes apart. A step reads one
// row per token: this is about as many cache lines as there are, and a second, row-major copy of the table would cost
// more than it saves.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kQuad = 4; // columns whose codes share a word, byte by byte
// Columns at a time: sixteen, or what a wider target has lanes for.
static int64_t lanesOf(KernelBuilder &b) { return std::max<int64_t>(16, b.lanes()); }

namespace {

// Reads one row of a packed matrix.
struct PackedRow {
  KernelBuilder &b;
  const Format &format;
  int64_t columns;
  Value table;     // seen as the elements of a float format, or as i32 quads
  Value halves;    // the same bytes as f16, for scales
  Value tile, row; // which tile of 32 rows, which of its rows

  // Columns [from, from + width) of a float format.
  Value loadFloats(Value from, int64_t width) {
    Value base = b.add(b.mul(b.add(b.mul(tile, columns), from), kTileRows), row);
    Value offsets = arith::MulIOp::create(b, b.lanesFromZero(width), b.splat(width, int32_t(kTileRows)));
    Value raw = b.gather(table, base, offsets);
    if (format.kind == FormatClass::f32)
      return raw;
    return arith::ExtFOp::create(b, b.vectorType(width, b.getF32Type()), raw);
  }

  Value blockOf(Value group) { return b.add(b.mul(tile, format.groups(columns)), group); }

  // Entry `which` (0: scales, 1: zeros) of a block's header, for this row.
  Value loadHeader(Value block, int64_t which) {
    Value at = b.add(b.add(b.mul(block, format.blockBytes() / 2), which * kTileRows), row);
    return arith::ExtFOp::create(b, b.getF32Type(), b.loadScalar(halves, {at}));
  }

  // The codes of `width` columns from column `from` of a group on, as f32. Each lane takes the words that its column is in
  // and shifts its own bits down.
  Value loadCodes(Value block, int64_t from, int64_t width) {
    const int64_t words = format.runWords(), runColumns = format.runColumns();
    Value base = b.add(b.add(b.mul(block, format.blockBytes() / 4), format.headBytes() / 4), row);
    base = b.add(base, from / runColumns * words * kTileRows);
    auto constant = [&](int64_t value) { return b.splat(width, int32_t(value)); };
    auto left = [&](Value x, int64_t by) -> Value { return arith::ShLIOp::create(b, x, constant(by)); };
    auto both = [&](Value x, int64_t mask) -> Value { return arith::AndIOp::create(b, x, constant(mask)); };
    auto right = [&](Value x, Value by) -> Value { return arith::ShRUIOp::create(b, x, by); };

    Value column = b.lanesFromZero(width);
    Value firstWord = arith::MulIOp::create(b, right(column, constant(llvm::Log2_64(runColumns))), constant(words * kTileRows));
    Value shift = left(both(column, kQuad - 1), 3); // to the column's byte
    auto word = [&](int64_t number) { return b.gather(table, b.add(base, number * kTileRows), firstWord); };
    Value codes;
    if (format.bits == 6) {
      // The first three quads of a run have a word each, the last one the upper two bits of all three.
      Value quad = both(right(column, constant(2)), 3), last;
      Value upper = arith::AddIOp::create(b, shift, constant(6));
      for (int64_t i = 0; i < words; ++i) {
        Value bytes = word(i), low = both(right(bytes, shift), 63), high = left(both(right(bytes, upper), 3), 2 * i);
        Value own = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, quad, constant(i));
        codes = codes ? Value(arith::SelectOp::create(b, own, low, codes)) : low;
        last = last ? Value(arith::OrIOp::create(b, last, high)) : high;
      }
      Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, quad, constant(3));
      codes = arith::SelectOp::create(b, isLast, last, codes);
    } else {
      if (format.bits == 4) // quad by quad: four low nibbles of a pair, then its four high ones
        shift = arith::AddIOp::create(b, shift, both(column, kQuad));
      codes = both(right(word(0), shift), format.maxCode());
    }
    return arith::SIToFPOp::create(b, b.vectorType(width, b.getF32Type()), codes);
  }
};

} // namespace

namespace {

// Where a row goes, times a scale, and whether it is added to what is there.
struct Destination {
  Value out, t;
  float scale;
  bool add;

  void store(KernelBuilder &b, Value values, Value column) const {
    int64_t width = cast<VectorType>(values.getType()).getNumElements();
    b.store(add ? b.addf(b.load(out, {t, column}, width), values) : values, out, {t, column});
  }
};

} // namespace

static void emitFloatRow(KernelBuilder &b, PackedRow &packed, const Destination &to) {
  b.vectors(packed.columns, lanesOf(b), [&](Value from, int64_t width) {
    to.store(b, b.mulf(packed.loadFloats(from, width), b.splat(width, to.scale)), from);
  });
}

// `width` columns of a group, as many as the matrix has.
static void emitGroup(KernelBuilder &b, PackedRow &packed, Value group, int64_t width, const Destination &to) {
  const Format &format = packed.format;
  Value block = packed.blockOf(group), first = b.mul(group, format.group);
  Value scaled = b.mulf(packed.loadHeader(block, 0), b.f32(to.scale));
  Value zero = format.hasZeros ? packed.loadHeader(block, 1) : b.f32(float(format.impliedZero));
  for (int64_t from = 0; from < width; from += lanesOf(b)) {
    int64_t count = std::min(lanesOf(b), width - from);
    Value codes = b.subf(packed.loadCodes(block, from, count), b.broadcast(zero, count));
    to.store(b, b.mulf(codes, b.broadcast(scaled, count)), b.add(first, from));
  }
}

// A packed matrix as a binding.
static PackedRow bindTable(KernelBuilder &b, int64_t binding, StringRef name, int64_t columns) {
  const Format &format = *findFormat(name);
  Type element = format.kind == FormatClass::f32    ? Type(b.getF32Type())
                 : format.kind == FormatClass::f16  ? Type(b.getF16Type())
                 : format.kind == FormatClass::bf16 ? Type(b.getBF16Type())
                                                    : Type(b.getI32Type());
  return {b, format, columns, b.binding(binding, element), b.binding(binding, b.getF16Type()), Value(), Value()};
}

static void emitRow(KernelBuilder &b, PackedRow packed, Value place, const Destination &to) {
  packed.tile = b.div(place, kTileRows);
  packed.row = b.rem(place, kTileRows);
  const Format &format = packed.format;
  if (!format.isQuantized())
    return emitFloatRow(b, packed, to);
  int64_t fullGroups = packed.columns / format.group, rest = packed.columns % format.group;
  b.loop(b.index(0), b.index(fullGroups), 1, [&](Value group) { emitGroup(b, packed, group, format.group, to); });
  if (rest)
    emitGroup(b, packed, b.index(fullGroups), rest, to);
}

// Ids come from the caller of the runtime: one out of range must not read outside of a table of `rows`.
static Value loadId(KernelBuilder &b, Value ids, Value t, int64_t rows) {
  Value id = arith::MaxSIOp::create(b, b.loadScalar(ids, {t}), b.i32(0));
  id = arith::MinSIOp::create(b, id, b.i32(rows - 1));
  return arith::IndexCastUIOp::create(b, b.getIndexType(), id);
}

void buildEmbed(KernelBuilder &b, EmbedAttr spec) {
  int64_t width = spec.getWidth(), binding = 0;
  TableAttr positions = spec.getPositions(), types = spec.getTypes();
  auto bind = [&](StringRef format) { return bindTable(b, binding++, format, width); };
  Value ids = b.binding(binding++, b.getI32Type()), typeIds;
  PackedRow table = bind(spec.getFormat());
  std::optional<PackedRow> positionTable, typeTable;
  if (positions)
    positionTable.emplace(bind(positions.getFormat()));
  if (types) {
    typeIds = b.binding(binding++, b.getI32Type());
    typeTable.emplace(bind(types.getFormat()));
  }
  Value out = b.bindingRows(binding++, rowStride(width), b.getF32Type());

  auto emitToken = [&](Value t, Value row) {
    emitRow(b, table, row, {out, t, float(spec.getScale().getValueAsDouble()), false});
    // Steps have no more tokens than there are positions: the pass that makes them sees to it.
    if (positions)
      emitRow(b, *positionTable, b.add(t, positions.getBegin()), {out, t, 1, true});
    if (types)
      emitRow(b, *typeTable, loadId(b, typeIds, t, types.getRows()), {out, t, 1, true});
  };
  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    Value row = loadId(b, ids, t, spec.getVocab());
    if (!spec.getEnd())
      return emitToken(t, row);
    // Rows before the first that is bound wrap around to large numbers.
    row = b.sub(row, b.index(spec.getBegin()));
    Value bound = b.index(spec.getEnd() - spec.getBegin());
    b.ifThen(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, row, bound), [&] { emitToken(t, row); });
  });
}

} // namespace sinter::kern
