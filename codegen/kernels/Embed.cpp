// The embed kernel: token ids come in, rows of a packed matrix go out as f32. The matrix is packed for products
// (dialects/Formats.h): lanes there are rows, while a gather wants one row's columns. So the lanes here run over
// columns, and a vector of sixteen is put together from the 4-byte quads of the row, 128 bytes apart. A step reads one
// row per token: this is about as many cache lines as there are, and a second, row-major copy of the table would cost
// more than it saves.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"

using namespace mlir;

namespace sinter::kern {

static constexpr int64_t kLanes = 16;

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
    SmallVector<Value> elements;
    for (int64_t i = 0; i < width; ++i)
      elements.push_back(b.loadScalar(table, {b.add(base, i * kTileRows)}));
    VectorType type = b.vectorType(width, elements.front().getType());
    Value raw = vector::FromElementsOp::create(b, type, elements);
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

  // [quads of a run][runs][4] bytes, a vector for each quad -> [runs][quads of a run][4], sixteen bytes in all.
  Value joinRuns(ValueRange quads, int64_t runs) {
    SmallVector<Value> parts; // i32s
    for (int64_t run = 0; run < runs; ++run)
      for (Value quad : quads)
        parts.push_back(vector::ExtractOp::create(b, b.bitcast(quad, b.getI32Type()), run));
    return b.bitcast(vector::FromElementsOp::create(b, b.vectorType(parts.size(), b.getI32Type()), parts),
                     b.getI8Type());
  }

  // The sixteen codes from column `from` of a group on, as f32.
  Value loadCodes(Value block, int64_t from) {
    const int64_t runs = kLanes / format.runColumns(), words = format.runWords();
    Value base = b.add(b.add(b.mul(block, format.blockBytes() / 4), format.headBytes() / 4), row);
    const int64_t firstWord = from / format.runColumns() * words;
    // A vector for each word of a run, of all runs: [runs][4] bytes.
    KernelBuilder::Values loaded;
    for (int64_t word = 0; word < words; ++word) {
      SmallVector<Value> ofRuns;
      for (int64_t run = 0; run < runs; ++run)
        ofRuns.push_back(b.loadScalar(table, {b.add(base, (firstWord + run * words + word) * kTileRows)}));
      loaded.push_back(
          b.bitcast(vector::FromElementsOp::create(b, b.vectorType(runs, b.getI32Type()), ofRuns), b.getI8Type()));
    }
    KernelBuilder::Values quads = b.unpackQuads(format, loaded); // of all runs, as the words
    Value bytes = joinRuns(quads, runs);
    Value codes = arith::ExtUIOp::create(b, b.vectorType(kLanes, b.getI32Type()), bytes);
    return arith::SIToFPOp::create(b, b.vectorType(kLanes, b.getF32Type()), codes);
  }
};

} // namespace

static void emitFloatRow(KernelBuilder &b, PackedRow &packed, float scale, Value out, Value t) {
  b.vectors(packed.columns, kLanes, [&](Value from, int64_t width) {
    b.store(b.mulf(packed.loadFloats(from, width), b.splat(width, scale)), out, {t, from});
  });
}

// `width` columns of a group, as many as the matrix has.
static void emitGroup(KernelBuilder &b, PackedRow &packed, Value group, int64_t width, float scale, Value out,
                      Value t) {
  const Format &format = packed.format;
  Value block = packed.blockOf(group), first = b.mul(group, format.group);
  Value factor = b.broadcast(b.mulf(packed.loadHeader(block, 0), b.f32(scale)), kLanes);
  Value zero =
      format.hasZeros ? b.broadcast(packed.loadHeader(block, 1), kLanes) : b.splat(kLanes, float(format.impliedZero));
  for (int64_t from = 0; from < width; from += kLanes) {
    Value values = b.mulf(b.subf(packed.loadCodes(block, from), zero), factor);
    if (width - from < kLanes)
      values = b.slice(values, 0, width - from);
    b.store(values, out, {t, b.add(first, from)});
  }
}

void buildEmbed(KernelBuilder &b, EmbedAttr spec) {
  const Format &format = *findFormat(spec.getFormat());
  int64_t width = spec.getWidth();
  float scale = spec.getScale().getValueAsDouble();
  Type element = format.kind == FormatClass::f32    ? Type(b.getF32Type())
                 : format.kind == FormatClass::f16  ? Type(b.getF16Type())
                 : format.kind == FormatClass::bf16 ? Type(b.getBF16Type())
                                                    : Type(b.getI32Type());
  Value ids = b.binding(0, b.getI32Type());
  Value table = b.binding(1, element), halves = b.binding(1, b.getF16Type());
  Value out = b.bindingRows(2, rowStride(width), b.getF32Type());

  b.loop(b.begin(), b.end(), 1, [&](Value t) {
    // Ids come from the caller of the runtime: one out of range must not read outside the table.
    Value id = arith::MaxSIOp::create(b, b.loadScalar(ids, {t}), b.i32(0));
    id = arith::MinSIOp::create(b, id, b.i32(spec.getVocab() - 1));
    Value position = arith::IndexCastUIOp::create(b, b.getIndexType(), id);
    PackedRow packed{b, format, width, table, halves, b.div(position, kTileRows), b.rem(position, kTileRows)};
    if (!format.isQuantized())
      return emitFloatRow(b, packed, scale, out, t);
    int64_t fullGroups = width / format.group, rest = width % format.group;
    b.loop(b.index(0), b.index(fullGroups), 1,
           [&](Value group) { emitGroup(b, packed, group, format.group, scale, out, t); });
    if (rest)
      emitGroup(b, packed, b.index(fullGroups), rest, scale, out, t);
  });
}

} // namespace sinter::kern
