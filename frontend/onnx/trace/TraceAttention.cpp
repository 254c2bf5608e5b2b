// Attention, its caches and rotary embeddings. Heads are rows seen as [1, heads, tokens, head_dim]; what repeats keys for a
// group of heads shows as a part of stride 0.

#include "frontend/onnx/Dim.h"
#include "frontend/onnx/trace/Tracer.h"

#include <cmath>

using namespace mlir;

namespace sinter::onnx_import {

using ::onnx::NodeProto;

// The heads that a view of rows holds, or transposed, [.., head_dim, tokens].
Tracer::Heads Tracer::headsIn(const Traced &value, bool transposed) {
  const StridedView &view = value.view;
  const int64_t rank = view.rank();
  auto bad = [] { fail("takes heads whose elements lie in another order"); };
  if (rank < 3)
    bad();
  const StridedView::Axis &inner = view.axes[transposed ? rank - 2 : rank - 1], &outer = view.axes[transposed ? rank - 1 : rank - 2],
                   &heads = view.axes[rank - 3];
  for (int64_t i = 0; i < rank - 3; ++i)
    if (!view.axes[i].empty())
      bad();
  Heads result{};
  result.headDim = inner.size() == 1 && inner[0].stride == 1 ? inner[0].size : 0;
  result.tokens = view.size(transposed ? rank - 1 : rank - 2);
  result.heads = view.size(rank - 3);
  result.kvHeads = 1;
  for (const StridedView::Part &part : heads)
    if (part.stride && (part.stride != result.headDim || result.kvHeads != 1 || &part != &heads.front()))
      bad();
    else if (part.stride)
      result.kvHeads = part.size;
  const int64_t stride = value.rows ? width(value.rows) : result.kvHeads * result.headDim;
  if (!result.headDim || (!outer.empty() && (outer.size() != 1 || outer[0].stride != stride)) || view.offset < 0 ||
      view.offset + result.kvHeads * result.headDim > stride)
    bad();
  result.column = view.offset;
  return result;
}

// The step's keys or values, which follow those of `layer` in the cache.
Traced Tracer::cached(const Traced &value, int64_t layer, bool isValue) {
  const Heads heads = headsIn(value, false);
  if (value.factor != 1)
    fail("caches scaled keys");
  Value rows = columnsOf(value.rows, heads.column, heads.kvHeads * heads.headDim);
  if (heads.heads != heads.kvHeads)
    fail("caches heads more than once");
  if (int64_t(cacheShapes.size()) <= layer)
    cacheShapes.resize(layer + 1);
  std::pair<int64_t, int64_t> shape = {heads.kvHeads, heads.headDim};
  if (cacheShapes[layer].first && cacheShapes[layer] != shape)
    fail("has keys and values of different shape");
  cacheShapes[layer] = shape;
  (isValue ? newRows[layer].value : newRows[layer].key) = rows;
  Traced result;
  result.form = Form::sofar;
  result.cache = layer;
  result.isValue = isValue;
  const int64_t tokens = heads.tokens + probe.past;
  result.view = StridedView::rowMajor({1, tokens, heads.kvHeads, heads.headDim}).transposed({0, 2, 1, 3});
  return result;
}

Traced Tracer::concat(const NodeProto &node, std::vector<Traced> &in) {
  if (in.size() == 2) {
    Traced &a = in[0], &b = in[1];
    const int64_t axis = b.form == Form::known ? 0 : axisOf(integerOf(node, "axis", 0), b.view.rank());
    if (a.form == Form::past && b.form == Form::rows && axis == b.view.rank() - 2)
      return cached(b, a.cache, a.isValue);
    if (a.form == Form::rows && b.form == Form::rows && a.rows == b.rows && a.factor == -b.factor && axis == b.view.rank() - 1) {
      // rotate_half: [-second half, first half]
      Traced whole = b;
      const int64_t half = b.view.size(axis);
      whole.view.axes[axis] = {{2 * half, 1}};
      whole.form = Form::swapped;
      if (whole.view.sliced(axis, 0, half) == b.view && whole.view.sliced(axis, half, half) == a.view)
        return whole;
    }
  }
  fail("joins what does not occur in a transformer");
}

//===-- Rotary embeddings ----------------------------------------------------------------------------------------------===//

// x * cos + swapped(x) * sin, where the tables turn by the position times a frequency for each pair.
Traced Tracer::rotate(const NodeProto &node, const Traced &direct, const Traced &swapped) {
  const Heads heads = headsIn(direct, false);
  const int64_t half = heads.headDim / 2, tokens = heads.tokens;
  const std::vector<double> &cos = direct.known.values, &sin = swapped.known.values;
  if (direct.rows != swapped.rows || !(direct.view == swapped.view) || !position || heads.headDim % 2 ||
      direct.known.count() != tokens * heads.headDim || swapped.known.count() != direct.known.count() || tokens < 2 ||
      heads.heads != heads.kvHeads || direct.factor != swapped.factor)
    fail("turns what does not occur in a transformer");
  // Yarn and others scale both tables.
  const double scale = std::hypot(cos[0], sin[0]);
  std::vector<float> frequencies;
  for (int64_t i = 0; i < half; ++i) {
    auto angle = [&](int64_t t) { return std::atan2(sin[t * heads.headDim + i], cos[t * heads.headDim + i]); };
    double turn = std::remainder(angle(1) - angle(0), 2 * M_PI);
    frequencies.push_back(float(turn));
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t at : {t * heads.headDim + i, t * heads.headDim + i + half})
        if (std::abs(cos[at] - scale * std::cos(turn * double(probe.past + t))) > 1e-4 * scale ||
            std::abs(sin[at] - scale * std::sin(turn * double(probe.past + t))) > 1e-4 * scale)
          fail("multiplies with tables that are not of a rotary embedding");
  }
  tx::RopeAttr rope = tx::RopeAttr::get(builder.getContext(), tx::RopeStyle::half, builder.getDenseF32ArrayAttr(frequencies),
                                        builder.getF32FloatAttr(float(scale)));
  const int64_t columns = heads.heads * heads.headDim;
  Value input = columnsOf(direct.rows, heads.column, columns);
  Value rows = tx::RopeOp::create(builder, direct.rows.getLoc(), input, position, rope, heads.headDim);
  Traced result = headsOf(rows, tokens, heads.heads, heads.headDim);
  result.factor = direct.factor;
  return result;
}

// The product behind queries, keys or values.
static tx::LinearOp projection(Value value) {
  if (tx::RopeOp rope = value.getDefiningOp<tx::RopeOp>())
    value = rope.getInput();
  if (tx::NormOp norm = value.getDefiningOp<tx::NormOp>(); norm && norm.getGroup())
    value = norm.getInput();
  return value.getDefiningOp<tx::LinearOp>();
}

void Tracer::orderProjections(func::FuncOp func) {
  for (tx::AttentionOp attention : llvm::to_vector(func.getOps<tx::AttentionOp>())) {
    tx::CacheAppendOp append = attention.getKeys().getDefiningOp<tx::CacheAppendOp>();
    tx::LinearOp parts[] = {projection(attention.getQuery()), projection(append ? append.getKey() : attention.getKeys()),
                            projection(append ? append.getValue() : attention.getValues())};
    if (!parts[0] || !parts[1] || !parts[2] || parts[0].getInput() != parts[1].getInput() ||
        parts[0].getInput() != parts[2].getInput() || parts[0] == parts[1] || parts[1] == parts[2] || parts[0] == parts[2])
      continue;
    const bool biased = llvm::any_of(parts, [](tx::LinearOp part) { return part.getBiases().has_value(); });
    for (tx::LinearOp part : parts)
      if (biased && !part.getBiases()) {
        const std::string name = cast<FlatSymbolRefAttr>(part.getWeights()[0]).getValue().str() + "_bias";
        part.setBiasesAttr(builder.getArrayAttr({zeroVector(name, width(part))}));
      }
    tx::LinearOp first = parts[1]->isBeforeInBlock(parts[2]) ? parts[1] : parts[2];
    if (first->isBeforeInBlock(parts[0]))
      parts[0]->moveBefore(first);
    parts[1]->moveAfter(parts[0]);
    parts[2]->moveAfter(parts[1]);
  }
}

//===-- Attention ------------------------------------------------------------------------------------------------------===//

static bool isKeys(const Traced &value) {
  return value.form == Form::rows || value.form == Form::sofar;
}

Traced Tracer::matmul(const NodeProto &node, Traced &a, Traced &b) {
  if (a.form == Form::rows && b.form == Form::weight)
    return product(node, a, b.weight, b.view);
  if (a.form == Form::rows && isKeys(b))
    return scores(a, b);
  if (a.form == Form::probabilities && isKeys(b))
    return attend(node, a, b);
  fail("multiplies what does not occur in a transformer");
}

Traced Tracer::scores(const Traced &query, const Traced &keys) {
  const Heads q = headsIn(query, false), k = headsIn(keys, true);
  if (q.heads != q.kvHeads || q.headDim != k.headDim || (k.heads != q.heads))
    fail("multiplies " + std::to_string(q.heads) + " heads of " + std::to_string(q.headDim) + " with " +
         std::to_string(k.heads) + " of " + std::to_string(k.headDim));
  Traced result;
  result.form = Form::scores;
  result.rows = columnsOf(query.rows, q.column, q.heads * q.headDim);
  result.factor = query.factor * keys.factor;
  result.keys = std::make_shared<Traced>(keys);
  result.heads = q.heads;
  result.kvHeads = k.kvHeads;
  result.headDim = q.headDim;
  std::vector<int64_t> shape = query.view.shape();
  shape.back() = k.tokens;
  result.view = StridedView::rowMajor(shape);
  return result;
}

// A mask says nothing, or which keys come later.
Traced Tracer::maskScores(const Traced &scored, const Known &mask) {
  const std::vector<int64_t> shape = scored.view.shape();
  const int64_t rank = scored.view.rank(), queries = shape[rank - 2], keys = shape[rank - 1];
  Traced result = scored;
  const size_t maskRank = mask.shape.size();
  if (!scored.view.isContiguous() || maskRank > shape.size() || maskRank < 1 || mask.count() == 0)
    fail("masks scores in a way that does not occur in a transformer");
  const int64_t columns = mask.shape.back(), rows = maskRank > 1 ? mask.shape[maskRank - 2] : 1;
  bool all = true, causal = true;
  for (int64_t at = 0; at < mask.count(); ++at) {
    const int64_t j = at % columns, t = at / columns % rows;
    const bool seen = mask.values[at] == 0, hidden = mask.values[at] <= -1e4;
    if (!seen && !hidden)
      fail("adds numbers to scores that are no mask");
    all &= seen;
    causal &= seen == (j <= (queries - rows) + t + (keys - queries));
  }
  if (all)
    return result;
  if (!causal || columns != keys || rows != queries || scored.keys->form != Form::sofar)
    fail("has a mask that is not causal");
  result.isCausal = true;
  return result;
}

Traced Tracer::attend(const NodeProto &node, const Traced &probabilities, const Traced &values) {
  const Traced &keys = *probabilities.keys;
  const Heads k = headsIn(keys, true), v = headsIn(values, false);
  if (!probabilities.view.isContiguous() || probabilities.view.offset || v.heads != probabilities.heads ||
      v.kvHeads != probabilities.kvHeads || v.headDim != probabilities.headDim || v.tokens != k.tokens ||
      keys.form != values.form || keys.cache != values.cache || values.factor != 1)
    fail("joins keys and values that do not belong together");
  const std::vector<int64_t> shape = probabilities.view.shape();
  const int64_t queries = shape[shape.size() - 2], columns = k.kvHeads * k.headDim;
  Value keyRows, valueRows, causalFrom;
  if (keys.form == Form::sofar) {
    if (keys.isValue || !values.isValue)
      fail("takes keys for values");
    if (!probabilities.isCausal && queries > 1)
      fail("lets tokens see those that come after them");
    NewRows &rows = newRows[keys.cache];
    if (!rows.key || !rows.value)
      fail("attends to a cache without keys or values");
    if (!rows.keys) {
      const std::string name = "kv." + std::to_string(keys.cache);
      tx::CacheAppendOp append =
          tx::CacheAppendOp::create(builder, at(name), rows.key, rows.value, position, FlatSymbolRefAttr::get(builder.getContext(), name));
      rows.keys = append.getKeys();
      rows.values = append.getValues();
    }
    keyRows = rows.keys;
    valueRows = rows.values;
    causalFrom = position;
  } else {
    if (position || probabilities.isCausal)
      fail("attends to the step's own tokens alone");
    keyRows = columnsOf(keys.rows, k.column, columns);
    valueRows = columnsOf(values.rows, v.column, columns);
  }
  const int64_t heads = probabilities.heads, headDim = probabilities.headDim;
  Value mixed = tx::AttentionOp::create(builder, at(labelOf(node.name())), probabilities.rows, keyRows, valueRows, causalFrom,
                                        /*mask=*/Value(), /*sequence=*/Value(), tx::RelativeBiasAttr(), heads, probabilities.kvHeads, headDim,
                                        APFloat(float(probabilities.factor)), /*window=*/0);
  std::vector<int64_t> outer = shape;
  outer.back() = headDim;
  Traced result = headsOf(mixed, queries, heads, headDim);
  result.view = result.view.reshaped(outer);
  return result;
}

} // namespace sinter::onnx_import
