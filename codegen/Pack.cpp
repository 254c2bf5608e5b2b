// sched.weight -> packed bytes. A tile of 32 rows is the unit: its rows are read as f32 from wherever they come from
// (one after another from several params, or tile by tile from two), and packed by themselves. So threads can take
// tiles in any order, and memory holds one f32 tile per thread and one batch of packed tiles, whatever the weight's
// size.

#include "codegen/Pack.h"
#include "codegen/Quantize.h"
#include "llvm/Support/Parallel.h"

#include <cmath>
#include <mutex>

using namespace llvm;

namespace sinter {

// Packed bytes between two calls of the sink.
static constexpr int64_t kBatchBytes = int64_t(8) << 20;

static int64_t tilesOf(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

Expected<PackedWeight> PackedWeight::create(sched::WeightOp weight, mlir::SymbolTable &symbols) {
  auto fail = [&](const Twine &what) { return createStringError("weight @" + weight.getSymName() + ": " + what); };
  PackedWeight packed;
  packed.columns = weight.getColumns();
  packed.interleave = weight.getInterleave();
  packed.add = float(int64_t(weight.getAdd()));
  packed.format = findFormat(weight.getFormat());
  const bool isVector = weight.getFormat() == "vector", isRaw = weight.getFormat() == "raw";
  if (!packed.format && !isVector && !isRaw)
    return fail("has format '" + weight.getFormat() + "', expected vector, raw, " + formatNames());
  if (isRaw) {
    mlir::FlatSymbolRefAttr name = cast<mlir::FlatSymbolRefAttr>(weight.getSources()[0]);
    tx::ParamOp param = symbols.lookup<tx::ParamOp>(name.getValue());
    if (!param)
      return fail("its source @" + name.getValue() + " is not a tx.param");
    mlir::RankedTensorType type = param.getTensorType();
    packed.raw = true;
    packed.sources.push_back({param, type.getNumElements()});
    packed.tiles = 1;
    packed.tileBytes = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
    if (packed.tileBytes != packed.columns)
      return fail("takes " + Twine(packed.tileBytes) + " bytes, planned were " + Twine(packed.columns));
    return packed;
  }

  int64_t rows = 0;
  for (mlir::FlatSymbolRefAttr name : weight.getSources().getAsRange<mlir::FlatSymbolRefAttr>()) {
    tx::ParamOp param = symbols.lookup<tx::ParamOp>(name.getValue());
    if (!param)
      return fail("its source @" + name.getValue() + " is not a tx.param");
    ArrayRef<int64_t> shape = param.getTensorType().getShape();
    if (shape.size() != (isVector ? 1 : 2))
      return fail("its source @" + name.getValue() + " has rank " + Twine(shape.size()) + ", expected " +
                  (isVector ? "1" : "2"));
    if (!isVector && shape[1] != packed.columns)
      return fail("its source @" + name.getValue() + " has " + Twine(shape[1]) + " columns, expected " +
                  Twine(packed.columns));
    packed.sources.push_back({param, shape[0]});
    rows += shape[0];
  }
  if (rows != int64_t(weight.getRows()))
    return fail("its sources have " + Twine(rows) + " rows, expected " + Twine(weight.getRows()));
  if (packed.interleave && packed.sources[0].rows != packed.sources[1].rows)
    return fail("interleaves sources of " + Twine(packed.sources[0].rows) + " and " + Twine(packed.sources[1].rows) +
                " rows, expected the same number");
  packed.tiles = packed.interleave ? 2 * tilesOf(packed.sources[0].rows) : tilesOf(rows);
  packed.tileBytes = isVector ? kTileRows * sizeof(float) : packed.format->packedBytes(kTileRows, packed.columns);
  if (weight.getBytes() && int64_t(*weight.getBytes()) != packed.bytes())
    return fail("takes " + Twine(packed.bytes()) + " bytes, planned were " + Twine(*weight.getBytes()));
  return packed;
}

uint64_t PackedWeight::parameters() const {
  uint64_t count = 0;
  for (const Source &source : sources)
    count += uint64_t(source.rows) * (format ? columns : 1);
  return count;
}

// NaNs and infinities would silently spoil a whole group, and so would what f16 cannot hold: as a weight, or as the scale of
// a group (weights of quantized formats may be larger than their scale; the same limit for all is far beyond real weights).
static Error checkValues(tx::ParamOp param, const Format *format, ArrayRef<float> values) {
  const bool halves = format && (format->kind == FormatClass::f16 || format->isQuantized());
  float largest = 0;
  bool finite = true;
  for (float value : values) {
    finite &= std::abs(value) <= std::numeric_limits<float>::max();
    largest = std::max(largest, std::abs(value));
  }
  if (!finite)
    return createStringError(param.getFile() + ": tensor " + param.getSymName() +
                             ": holds NaN or infinity, expected finite weights");
  if (halves && largest > 65504)
    return createStringError(param.getFile() + ": tensor " + param.getSymName() + ": holds " + std::to_string(largest) +
                             ", format " + format->name + " holds at most 65504; use f32 or bf16");
  return Error::success();
}

Error PackedWeight::packTileAt(tx::ParamReader &reader, int64_t tile, uint8_t *out) const {
  thread_local std::vector<float> rows; // [32][columns]
  rows.assign(kTileRows * columns, 0.0f);
  // Rows [begin, end) of the sources laid end to end; interleaved, of one source alone.
  const int64_t begin = (interleave ? tile / 2 : tile) * kTileRows;
  ArrayRef<Source> parts = sources;
  if (interleave)
    parts = parts.slice(tile % 2, 1);
  int64_t first = 0; // of the part
  for (const Source &part : parts) {
    const int64_t from = std::max(begin, first), to = std::min(begin + kTileRows, first + part.rows);
    if (from < to) {
      MutableArrayRef<float> target(rows.data() + (from - begin) * columns, (to - from) * columns);
      if (Error error = reader.readRows(part.param, from - first, to - from, target.data()))
        return error;
      if (Error error = checkValues(part.param, format, target))
        return error;
    }
    first += part.rows;
  }
  packTile(*format, rows.data(), columns, out);
  return Error::success();
}

Error PackedWeight::packVector(tx::ParamReader &reader, ByteSink sink) const {
  std::vector<float> values(tiles * kTileRows, 0.0f);
  std::vector<float> part;
  int64_t first = 0; // number of the source, interleaved; else where it begins
  for (const Source &source : sources) {
    part.resize(source.rows);
    if (Error error = reader.readRows(source.param, 0, 1, part.data()))
      return error;
    if (Error error = checkValues(source.param, nullptr, part))
      return error;
    for (int64_t i = 0; i < source.rows; ++i)
      values[interleave ? (2 * (i / kTileRows) + first) * kTileRows + i % kTileRows : first + i] = part[i] + add;
    first += interleave ? 1 : source.rows;
  }
  return sink(ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(values.data()), bytes()));
}

Error PackedWeight::copy(tx::ParamReader &reader, ByteSink sink) const {
  std::vector<uint8_t> piece;
  for (int64_t begin = 0; begin < bytes(); begin += piece.size()) {
    piece.resize(std::min(kBatchBytes, bytes() - begin));
    if (Error error = reader.readBytes(sources.front().param, begin, piece.size(), piece.data()))
      return error;
    if (Error error = sink(piece))
      return error;
  }
  return Error::success();
}

Error PackedWeight::pack(tx::ParamReader &reader, ByteSink sink) const {
  if (raw)
    return copy(reader, sink);
  if (!format)
    return packVector(reader, sink);
  const int64_t batch = std::clamp<int64_t>(kBatchBytes / tileBytes, 1, tiles);
  std::vector<uint8_t> bytes(batch * tileBytes);
  for (int64_t begin = 0; begin < tiles; begin += batch) {
    const int64_t count = std::min(batch, tiles - begin);
    std::mutex mutex;
    int64_t failedTile = tiles;
    Error failure = Error::success();
    parallelFor(0, count, [&](size_t i) {
      Error error = packTileAt(reader, begin + i, bytes.data() + i * tileBytes);
      if (!error)
        return;
      // Of several errors the one of the lowest tile is told, whichever thread was first.
      std::lock_guard<std::mutex> lock(mutex);
      if (int64_t(i) < failedTile) {
        consumeError(std::move(failure));
        failure = std::move(error);
        failedTile = i;
      } else {
        consumeError(std::move(error));
      }
    });
    if (failure)
      return failure;
    if (Error error = sink(ArrayRef<uint8_t>(bytes.data(), count * tileBytes)))
      return error;
  }
  return Error::success();
}

} // namespace sinter
