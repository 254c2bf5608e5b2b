// Attention, written by an exporter as two batched products with a softmax between them, or by one op. The last product is
// where it is found: its left side leads back over the softmax, masks and scalings to the first product; views tell that
// queries, keys and values are heads of rows, whatever reshapes and transposes made them so.

#include "frontend/onnx/RaiseRows.h"

#include <algorithm>
#include <cmath>

namespace sinter::onnx_import {

using llvm::SmallVector;
using mlir::Value;

//===-- Masks ------------------------------------------------------------------------------------------------------===//

// Whether elements may differ along an axis, counted from the last (1). What is not known may.
static bool varies(const Tensor &tensor, size_t axis, int depth = 0) {
  static const char *const elementwise[] = {"Add", "Sub", "Mul", "Div", "Cast", "Where", "Equal", "Not", "And", "Or", "Less",
                                            "Greater", "LessOrEqual", "GreaterOrEqual", "Min", "Max", "Neg", "Identity"};
  if (tensor.shape.size() < axis || tensor.shape[tensor.shape.size() - axis].is(1))
    return false;
  if (depth > 8 || !tensor.origin)
    return true;
  const Tensors &inputs = tensor.origin->inputs;
  if (is(tensor, "Expand"))
    return varies(inputs[0], axis, depth + 1);
  if (std::none_of(std::begin(elementwise), std::end(elementwise), [&](const char *op) { return is(tensor, op); }))
    return true;
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const Tensor &input) { return input.exists() && varies(input, axis, depth + 1); });
}

// One number for each row of keys, which is added to the scores of all queries; nothing if queries or heads differ.
static std::optional<Value> maskRows(Importer &im, Tensor mask, const Heads &heads, bool inverted) {
  Shape padded(4 - std::min<size_t>(4, mask.shape.size()), 1);
  padded.insert(padded.end(), mask.shape.begin(), mask.shape.end());
  if (padded.size() != 4 || varies(mask, 2) || varies(mask, 3) || padded[3] != heads.tokens ||
      !(padded[0].is(1) || padded[0] == heads.batch))
    return std::nullopt;
  const ElemRef elem = mask.elem;
  const bool added = elem->isReal();
  Tensor rows = im.compute(im.reshape(mask, padded), {elem::f32(), {heads.batch, heads.tokens}},
                           [&](Code &c, llvm::ArrayRef<Mem> in, mlir::ValueRange at) -> Value {
    Value batch = padded[0].is(1) ? c.index(0) : at[0];
    Value value = c.load(in[0], {batch, c.index(0), c.index(0), at[1]});
    if (added)
      return c.convert(value, elem, elem::f32());
    Value kept = elem->isBool() ? value : c.ne(value, c.like(value, 0));
    return c.select(inverted ? c.invert(kept) : kept, c.f32(0), c.f32(-INFINITY));
  });
  return im.value(im.reshape(rows, {heads.batch * heads.tokens}));
}

//===-- The op -----------------------------------------------------------------------------------------------------===//

std::optional<Tensor> raiseAttention(Importer &im, const Tensor &query, const Tensor &key, const Tensor &value,
                                     const Heads &heads, int64_t kvHeads, double scale, Tensor mask, bool inverted) {
  const Dim rows = heads.batch * heads.tokens;
  auto fits = [&](const Tensor &tensor, int64_t count) {
    return im.isRows(tensor) && tensor.shape.back().is(count * heads.size) &&
           tensor.count() == rows * (count * heads.size);
  };
  if (kvHeads < 1 || heads.heads % kvHeads || !fits(query, heads.heads) || !fits(key, kvHeads) || !fits(value, kvHeads) ||
      !std::isfinite(scale))
    return std::nullopt;
  std::optional<Value> added;
  if (mask.exists() && !(added = maskRows(im, mask, heads, inverted)))
    return std::nullopt;
  const int64_t width = heads.heads * heads.size;
  Value mixed = tx::AttentionOp::create(im.code, im.rowsOf(query), im.rowsOf(key), im.rowsOf(value), /*position=*/Value(),
                                        added.value_or(Value()), heads.batch.is(1) ? Value() : im.emit(heads.tokens),
                                        tx::RelativeBiasAttr(), heads.heads, kvHeads, heads.size,
                                        llvm::APFloat(static_cast<float>(scale)), /*window=*/0);
  return im.fromRows(mixed, {heads.batch, heads.tokens, width});
}

//===-- Found in pieces --------------------------------------------------------------------------------------------===//

namespace {

// What a softmax was taken of: products of queries and keys times `scale`, and what was added to them.
struct Scores {
  Tensor query, keys; // of the product
  double scale = 1;
  Tensor mask;
  bool inverted = false; // of a bool: true is left out
};

} // namespace

// Over what only names the same matrices otherwise.
static const Tensor &through(const Tensor &tensor) {
  static const char *const names[] = {"Reshape", "Unsqueeze", "Squeeze", "Identity"};
  const Tensor *at = &tensor;
  for (;;) {
    const Tensor &here = *at;
    if (std::none_of(std::begin(names), std::end(names), [&](const char *op) { return is(here, op); }))
      return here;
    const Tensor &next = here.origin->inputs[0];
    const size_t before = next.shape.size(), after = here.shape.size();
    if (before < 2 || after < 2 || next.shape[before - 1] != here.shape[after - 1] ||
        next.shape[before - 2] != here.shape[after - 2])
      return here;
    at = &next;
  }
}

static std::optional<Scores> scoresOf(Importer &im, const Tensor &softmaxed) {
  Scores scores;
  const Tensor *at = &through(softmaxed);
  for (int steps = 0; steps < 16; ++steps, at = &through(*at)) {
    if (!at->origin)
      return std::nullopt;
    const Tensors &inputs = at->origin->inputs;
    if (is(*at, "MatMul")) {
      scores.query = inputs[0];
      scores.keys = inputs[1];
      return scores;
    }
    if (is(*at, "Cast") && inputs[0].elem == at->elem) {
      at = &inputs[0];
      continue;
    }
    if (is(*at, "Where") && !scores.mask.exists()) {
      // Scores, or a number that no softmax sees.
      for (size_t side : {1, 2})
        if (std::optional<double> lowest = scalarOf(im, inputs[side]); lowest && *lowest < -1e9) {
          scores.mask = inputs[0];
          scores.inverted = side == 1;
          at = &inputs[3 - side];
        }
      if (scores.mask.exists())
        continue;
      return std::nullopt;
    }
    if (!(is(*at, "Mul") || is(*at, "Div") || is(*at, "Add")) || inputs.size() != 2)
      return std::nullopt;
    std::optional<double> right = scalarOf(im, inputs[1]), left = scalarOf(im, inputs[0]);
    if (is(*at, "Add")) {
      if (scores.mask.exists() || scores.scale != 1)
        return std::nullopt;
      // The products are on the side that has as many dimensions as the sum.
      const bool turned = varies(inputs[1], 2) && !varies(inputs[0], 2);
      scores.mask = inputs[turned ? 0 : 1];
      at = &inputs[turned ? 1 : 0];
    } else if (right) {
      scores.scale *= is(*at, "Div") ? 1 / *right : *right;
      at = &inputs[0];
    } else if (left && is(*at, "Mul")) {
      scores.scale *= *left;
      at = &inputs[1];
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Tensors> raiseSoftmaxProduct(Node &node) {
  Importer &im = node.importer;
  const Tensor &weights = node.in(0), &values = node.in(1);
  if (!values.view || values.view->scale != 1 || values.rank() < 3)
    return std::nullopt;
  const Tensor &softmaxed = through(weights);
  if (!is(softmaxed, "Softmax"))
    return std::nullopt;
  const int64_t axis = softmaxed.origin->integer("axis", softmaxed.origin->version >= 13 ? -1 : 1);
  if (axis != -1 && axis + 1 != softmaxed.rank())
    return std::nullopt;
  std::optional<Scores> scores = scoresOf(im, softmaxed.origin->inputs[0]);
  if (!scores || !scores->query.view || !scores->keys.view)
    return std::nullopt;
  std::optional<Heads> query = headsOf(*scores->query.view, false), keys = headsOf(*scores->keys.view, true);
  std::optional<Heads> value = headsOf(*values.view, false);
  auto same = [&](const std::optional<Heads> &a) {
    return a && a->batch == query->batch && a->tokens == query->tokens && a->heads == query->heads && a->size == query->size;
  };
  if (!query || !same(keys) || !same(value))
    return std::nullopt;
  const double scale = scores->scale * scores->query.view->scale * scores->keys.view->scale;
  std::optional<Tensor> mixed = raiseAttention(im, *scores->query.view->base, *scores->keys.view->base, *values.view->base,
                                               *query, query->heads, scale, scores->mask, scores->inverted);
  if (!mixed)
    return std::nullopt;
  // As the product would have left it; what joins the heads again will find the rows.
  Shape split = {query->batch, query->tokens, query->heads, query->size}, shape = weights.shape;
  shape.back() = values.shape.back();
  Tensor result = im.reshape(im.transpose(im.reshape(*mixed, split), {0, 2, 1, 3}), shape);
  std::optional<View> view = View::whole(*mixed).reshaped(split)->transposed({0, 2, 1, 3}).reshaped(shape);
  if (view)
    result.view = std::make_shared<View>(*view);
  return Tensors{result};
}

//===-- Written as one op ------------------------------------------------------------------------------------------===//

static std::optional<Heads> headsIn(const Tensor &query, int64_t count) {
  if (query.rank() != 3 || !query.shape[2].constant() || count < 1 || *query.shape[2].constant() % count)
    return std::nullopt;
  return Heads{query.shape[0], query.shape[1], count, *query.shape[2].constant() / count};
}

// ai.onnx since opset 23, on [batch, tokens, heads * size], without order or past.
std::optional<Tensors> raiseAttentionOp(Node &node) {
  for (size_t i = 4; i < 7; ++i)
    if (node.has(i) || (i < 6 && node.wants(i - 3)))
      return std::nullopt;
  if (node.in(0).rank() != 3 || node.integer("is_causal", 0) || node.real("softcap", 0) != 0)
    return std::nullopt;
  std::optional<Heads> heads = headsIn(node.in(0), node.integer("q_num_heads"));
  if (!heads)
    return std::nullopt;
  std::optional<Tensor> mixed =
      raiseAttention(node.importer, node.in(0), node.in(1), node.in(2), *heads, node.integer("kv_num_heads"),
                     node.real("scale", 1 / std::sqrt(double(heads->size))), node.has(3) ? node.in(3) : Tensor());
  return mixed ? std::optional<Tensors>({*mixed}) : std::nullopt;
}

// com.microsoft, the same.
std::optional<Tensors> raiseMultiHead(Node &node) {
  for (size_t i = 3; i < 8; ++i)
    if ((i != 4 && node.has(i)) || (i < 6 && node.wants(i - 2)))
      return std::nullopt;
  std::optional<Heads> heads = headsIn(node.in(0), node.integer("num_heads"));
  if (!heads || node.integer("unidirectional", 0) || !node.has(1) || !node.has(2))
    return std::nullopt;
  Tensor mask = node.has(4) ? node.in(4) : Tensor();
  if (mask.exists() && mask.rank() != 2)
    return std::nullopt;
  if (mask.exists())
    mask = node.importer.reshape(mask, {mask.shape[0], 1, 1, mask.shape[1]});
  const double scale = node.real("scale", 0);
  std::optional<Tensor> mixed = raiseAttention(node.importer, node.in(0), node.in(1), node.in(2), *heads, heads->heads,
                                               scale != 0 ? scale : 1 / std::sqrt(double(heads->size)), mask);
  return mixed ? std::optional<Tensors>({*mixed}) : std::nullopt;
}

} // namespace sinter::onnx_import
