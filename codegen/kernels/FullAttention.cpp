// The full_attention kernel: every query of a step sees every key (Vaswani et al. 2017), with the online softmax of the
// causal kernel and neither cache nor order.
//
// Queries are the lanes. They are turned around once per unit; after that keys and values are read where their product
// left them, one broadcast element at a time, and nothing is ever added or compared across lanes: scores, maxima, sums
// and weights of a query stay in its lane. A register tile is a few keys (or, for the outputs, a few columns of the
// head) by two registers of queries. Between the two, blocks of keys go through the softmax.
//
// Lanes past the last query repeat it, and their results are not stored. A query's arithmetic does not depend on which
// others share its tile, so a text gives the same bits alone as in any company.

#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/Softmax.h"

#include <algorithm>

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

// Keys of a block: its scores stay in the first-level cache.
static constexpr int64_t kBlockKeys = 96;

// Registers as rows of a square -> registers as its columns. In round s, pairs of rows 2^s apart exchange what is not
// on their diagonal.
static Values transposed(KernelBuilder &b, Values rows) {
  int64_t lanes = rows.size();
  for (int64_t step = 1; step < lanes; step *= 2)
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & step)
        continue;
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        low.push_back(lane & step ? lanes + (lane ^ step) : lane);
        high.push_back(lane & step ? lanes + lane : lane ^ step);
      }
      Value first = rows[i], second = rows[i + step];
      rows[i] = vector::ShuffleOp::create(b, first, second, low);
      rows[i + step] = vector::ShuffleOp::create(b, first, second, high);
    }
  return rows;
}

namespace {

class FullAttention {
public:
  FullAttention(KernelBuilder &b, FullAttentionAttr spec)
      : b(b), spec(spec), headDim(spec.getHeadDim()), group(spec.getHeads() / spec.getKvHeads()), lanes(b.lanes()),
        vectors(2), queries(vectors * lanes), most(b.target().floatTiles.front().tokens) {}

  void emit();

private:
  void bind();
  // Queries [first, last) of a kv head's group see keys [from, to).
  void emitSpan(Value kvHead, Value begin, Value end, Value from, Value to);
  // The queries of tokens [first, first + queries) of a head, as columns.
  void loadQueries(Value head, Value first);
  void emitBlock(Value kvHead, Value head, Value first, Value key, Value end);
  // Scores of keys [key, key + count) of the block that starts at `from`; the maxima that come out.
  Values emitScores(Value kvHead, Value head, Value first, Value from, Value key, int64_t count, ValueRange maxima);
  void emitOutputs(Value kvHead, Value from, Value end, Values rescaling);
  void storeOutputs(Value head, Value first, Value last);

  // Column ranges of a head that outputs are computed in: [from, from + width).
  SmallVector<std::pair<int64_t, int64_t>> pieces(int64_t widest) const {
    int64_t count = (headDim + widest - 1) / widest;
    SmallVector<std::pair<int64_t, int64_t>> result;
    for (int64_t i = 0; i < count; ++i)
      result.push_back({headDim * i / count, headDim * (i + 1) / count - headDim * i / count});
    return result;
  }
  Value at(int64_t vector) { return b.index(vector * lanes); }
  Values splats(float value) { return Values(vectors, b.splat(lanes, value)); }
  Values load(Value rows, Value row) {
    Values result;
    for (int64_t v = 0; v < vectors; ++v)
      result.push_back(b.load(rows, {row, at(v)}, lanes));
    return result;
  }
  void store(ValueRange row, Value rows, Value index) {
    for (int64_t v = 0; v < vectors; ++v)
      b.store(row[v], rows, {index, at(v)});
  }

  KernelBuilder &b;
  FullAttentionAttr spec;
  const int64_t headDim, group, lanes, vectors, queries, most;
  Value query, keys, values, mask, bias, out, tokens;
  Value columns; // f32 [head_dim][queries]: the queries times scale * log2(e)
  Value scores;  // f32 [block keys][queries]
  Value outputs; // f32 [head_dim][queries], not yet divided by the sums
  Value state;   // f32 [2][queries]: maxima, sums
  Value rows;    // f32 [queries][head_dim padded]: outputs on their way to memory
};

} // namespace

void FullAttention::bind() {
  Type f32 = b.getF32Type();
  ArrayRef<int64_t> strides = spec.getStrides();
  int64_t binding = 0;
  query = b.bindingRows(binding++, strides[0], f32);
  keys = b.bindingRows(binding++, strides[1], f32);
  values = b.bindingRows(binding++, strides[2], f32);
  if (spec.getMask())
    mask = b.binding(binding++, spec.getAdded() ? f32 : Type(b.getI32Type()));
  if (spec.getRelative())
    bias = b.bindingRows(binding++, rowStride(2 * spec.getMaxTokens() + 32), f32);
  out = b.bindingRows(binding++, rowStride(spec.getHeads() * headDim), f32);
  columns = b.scratch({headDim, queries}, f32);
  scores = b.scratch({kBlockKeys, queries}, f32);
  outputs = b.scratch({headDim, queries}, f32);
  state = b.scratch({2, queries}, f32);
  rows = b.scratch({queries, (headDim + lanes - 1) / lanes * lanes}, f32);
  tokens = b.scalar(Scalar::tokens);
}

void FullAttention::loadQueries(Value head, Value first) {
  Value last = b.sub(tokens, b.index(1)), from = b.add(b.mul(head, headDim), spec.getColumns()[0]);
  Value scale = b.splat(lanes, float(spec.getScale().getValueAsDouble() * kLog2E));
  for (int64_t v = 0; v < vectors; ++v)
    for (int64_t d = 0; d < headDim; d += lanes) {
      int64_t width = std::min(lanes, headDim - d);
      Values square;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Value row = b.load(query, {b.min(b.add(first, v * lanes + lane), last), b.add(from, d)}, width);
        square.push_back(b.mulf(b.widen(row, b.splat(lanes, 0.0f)), scale));
      }
      square = transposed(b, square);
      for (int64_t i = 0; i < width; ++i)
        b.store(square[i], columns, {b.index(d + i), at(v)});
    }
  store(splats(kFirstMaximum), state, b.index(0));
  store(splats(0), state, b.index(1));
  b.loop(b.index(0), b.index(headDim), 1, [&](Value d) { store(splats(0), outputs, d); });
}

Values FullAttention::emitScores(Value kvHead, Value head, Value first, Value from, Value key, int64_t count,
                                 ValueRange maxima) {
  Value column = b.add(b.mul(kvHead, headDim), spec.getColumns()[1]);
  Values sums(count * vectors, b.splat(lanes, 0.0f));
  sums = b.loop(b.index(0), b.index(headDim), 1, sums, [&](Value d, ValueRange before) {
    Values lanesOfQueries = load(columns, d), after;
    for (int64_t k = 0; k < count; ++k) {
      Value element = b.broadcast(b.loadScalar(keys, {b.add(key, k), b.add(column, d)}), lanes);
      for (int64_t v = 0; v < vectors; ++v)
        after.push_back(b.fma(element, lanesOfQueries[v], before[k * vectors + v]));
    }
    return after;
  });
  Values largest(maxima);
  for (int64_t k = 0; k < count; ++k) {
    Value place = b.add(key, k), seen, added;
    if (mask && spec.getAdded()) {
      // Half of the lowest number, so that a score with it is still one: then its weight is 0, as that of -infinity.
      Value lowest = b.f32(kMasked / 2), raw = b.mulf(b.loadScalar(mask, {place}), b.f32(kLog2E));
      added = b.broadcast(arith::MaximumFOp::create(b, raw, lowest), lanes);
    } else if (mask) {
      Value zero = b.i32(0);
      seen = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.loadScalar(mask, {place}), zero);
    }
    for (int64_t v = 0; v < vectors; ++v) {
      Value score = sums[k * vectors + v];
      if (bias) {
        // Column max_tokens + i - j, for queries i in the lanes.
        Value distance = b.sub(b.add(b.add(first, v * lanes), b.index(spec.getMaxTokens())), place);
        score = b.addf(score, b.load(bias, {head, distance}, lanes));
      }
      if (added)
        score = b.addf(score, added);
      if (seen)
        score = arith::SelectOp::create(b, seen, score, b.splat(lanes, kMasked));
      b.store(score, scores, {b.sub(place, from), at(v)});
      largest[v] = b.maxf(score, largest[v]);
    }
  }
  return largest;
}

void FullAttention::emitOutputs(Value kvHead, Value from, Value end, Values rescaling) {
  Value column = b.add(b.mul(kvHead, headDim), spec.getColumns()[2]);
  for (auto [d, width] : pieces(most)) {
    Values sums;
    for (int64_t i = 0; i < width; ++i)
      for (auto [v, before] : llvm::enumerate(load(outputs, b.index(d + i))))
        sums.push_back(b.mulf(before, rescaling[v]));
    sums = b.loop(from, end, 1, sums, [&, d = d, width = width](Value key, ValueRange before) {
      Values weights = load(scores, b.sub(key, from)), after;
      for (int64_t i = 0; i < width; ++i) {
        Value element = b.broadcast(b.loadScalar(values, {key, b.add(column, d + i)}), lanes);
        for (int64_t v = 0; v < vectors; ++v)
          after.push_back(b.fma(element, weights[v], before[i * vectors + v]));
      }
      return after;
    });
    for (int64_t i = 0; i < width; ++i)
      store(ValueRange(sums).slice(i * vectors, vectors), outputs, b.index(d + i));
  }
}

// One step of the online softmax: keys [from, end).
void FullAttention::emitBlock(Value kvHead, Value head, Value first, Value from, Value end) {
  Values before = load(state, b.index(0)), maxima = before;
  Value done = from;
  for (int64_t count = most; count > 0; count = count > 2 ? count / 2 : count - 1) {
    Value until = b.add(done, b.mul(b.div(b.sub(end, done), count), count));
    maxima = b.loop(done, until, count, maxima, [&](Value key, ValueRange largest) {
      return emitScores(kvHead, head, first, from, key, count, largest);
    });
    done = until;
  }
  store(maxima, state, b.index(0));
  Values rescaling, sums = load(state, b.index(1));
  for (int64_t v = 0; v < vectors; ++v) {
    rescaling.push_back(emitPowerOfTwo(b, b.subf(before[v], maxima[v])));
    sums[v] = b.mulf(sums[v], rescaling[v]);
  }
  sums = b.loop(from, end, 1, sums, [&](Value key, ValueRange before) {
    Value row = b.sub(key, from);
    Values weights = load(scores, row), after;
    for (int64_t v = 0; v < vectors; ++v) {
      weights[v] = emitPowerOfTwo(b, b.subf(weights[v], maxima[v]));
      after.push_back(b.addf(before[v], weights[v]));
    }
    store(weights, scores, row);
    return after;
  });
  store(sums, state, b.index(1));
  emitOutputs(kvHead, from, end, rescaling);
}

void FullAttention::storeOutputs(Value head, Value first, Value last) {
  Values sums = load(state, b.index(1)), inverses;
  for (Value sum : sums) {
    // A query that sees nothing has the sum 0 and outputs of 0.
    Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, b.splat(lanes, 0.0f));
    Value one = b.splat(lanes, 1.0f);
    inverses.push_back(b.divf(one, arith::SelectOp::create(b, isZero, one, sum)));
  }
  for (int64_t v = 0; v < vectors; ++v)
    for (int64_t d = 0; d < headDim; d += lanes) {
      Values square;
      for (int64_t i = 0; i < lanes; ++i)
        square.push_back(d + i < headDim ? b.mulf(b.load(outputs, {b.index(d + i), at(v)}, lanes), inverses[v])
                                         : b.splat(lanes, 0.0f));
      for (auto [lane, row] : llvm::enumerate(transposed(b, square)))
        b.store(row, rows, {b.index(v * lanes + lane), b.index(d)});
    }
  b.loop(first, last, 1, [&](Value t) {
    b.vectors(headDim, lanes, [&](Value d, int64_t width) {
      b.store(b.load(rows, {b.sub(t, first), d}, width), out, {t, b.add(b.mul(head, headDim), d)});
    });
  });
}

void FullAttention::emitSpan(Value kvHead, Value begin, Value end, Value from, Value to) {
  b.loop(b.index(0), b.index(group), 1, [&](Value member) {
    Value head = b.add(b.mul(kvHead, group), member);
    b.loop(begin, end, queries, [&](Value first) {
      loadQueries(head, first);
      b.loop(from, to, kBlockKeys, [&](Value key) {
        emitBlock(kvHead, head, first, key, b.min(b.add(key, kBlockKeys), to));
      });
      storeOutputs(head, first, b.min(b.add(first, queries), end));
    });
  });
}

void FullAttention::emit() {
  bind();
  Value blocks = b.div(b.add(tokens, spec.getTokensPerUnit() - 1), spec.getTokensPerUnit());
  b.loop(b.begin(), b.end(), 1, [&](Value unit) {
    Value kvHead = arith::DivUIOp::create(b, unit, blocks);
    Value start = b.mul(arith::RemUIOp::create(b, unit, blocks), spec.getTokensPerUnit());
    Value stop = b.min(b.add(start, spec.getTokensPerUnit()), tokens);
    if (!spec.getSequences())
      return emitSpan(kvHead, start, stop, b.index(0), tokens);
    // A unit's tokens may be of several texts.
    Value rows = b.scalar(Scalar::sequence), first = arith::DivUIOp::create(b, start, rows);
    Value last = b.add(arith::DivUIOp::create(b, b.sub(stop, b.index(1)), rows), 1);
    b.loop(first, last, 1, [&](Value text) {
      Value from = arith::MulIOp::create(b, text, rows), to = b.add(from, rows);
      emitSpan(kvHead, arith::MaxUIOp::create(b, start, from), b.min(stop, to), from, to);
    });
  });
}

void buildFullAttention(KernelBuilder &b, FullAttentionAttr spec) { FullAttention(b, spec).emit(); }

// Distances of one bucket lie together, so each row is a few runs of one value.
void buildRelativeBias(KernelBuilder &b, RelativeBiasAttr spec) {
  int64_t heads = spec.getHeads(), most = spec.getMaxTokens(), stride = rowStride(2 * most + 32);
  ArrayRef<int64_t> thresholds = spec.getThresholds();
  int64_t buckets = thresholds.size() + 1;
  Value table = b.binding(0, b.getF32Type());
  Value out = b.bindingRows(1, stride, b.getF32Type());
  b.loop(b.begin(), b.end(), 1, [&](Value head) {
    // Element [bucket, head] of a packed f32 matrix.
    auto load = [&](int64_t bucket) {
      Value column = b.add(b.mul(head, kTileRows), bucket % kTileRows);
      Value value = b.loadScalar(table, {b.add(column, bucket / kTileRows * heads * kTileRows)});
      return b.mulf(value, b.f32(kLog2E));
    };
    auto fill = [&](int64_t from, int64_t to, Value value) {
      b.loop(b.index(from), b.index(to), 1, [&](Value i) { b.storeScalar(value, out, {head, i}); });
    };
    fill(0, stride, b.f32(0));
    for (int64_t bucket = 0; bucket < buckets; ++bucket) {
      int64_t begin = bucket ? thresholds[bucket - 1] : 0;
      int64_t end = std::min(most, bucket + 1 < buckets ? thresholds[bucket] : most);
      if (begin >= end)
        continue;
      // Keys before the query, i - j in [begin, end), and keys behind it.
      fill(most + begin, most + end, load(bucket));
      fill(most - end + 1, most - std::max<int64_t>(begin, 1) + 1, load(bucket + buckets));
    }
  });
}

} // namespace sinter::kern
