// Attention as ONNX writes it since opset 23, and as com.microsoft's ops wrote it before. All of them come down to one
// function: products of queries and keys, what is added to them or forbids them, softmax, products with the values.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

namespace {

// Heads of queries, keys and values, [batch, heads, tokens, size], and how they attend.
struct Attend {
  Tensor query, key, value;
  Tensor mask;            // added, or bool: kept where true; broadcasts to [batch, heads, tokens, keys]
  Tensor padding;         // [batch, keys]: kept where not 0
  Tensor lengths;         // [batch]: keys from there on are padding
  bool causal = false;
  Dim offset;             // keys before the first query, for causal
  bool offsetFromLengths = false;
  int64_t window = -1;    // with causal: keys that a query sees, itself included
  double scale = 0;       // 0: 1 / sqrt(size)
  double softcap = 0;     // 0: none
  int64_t scores = -1;    // which stage to give back as well: 0 products, 1 capped, 2 masked, 3 softmax
  double forbidden = -INFINITY;
};

} // namespace

static int64_t knownSize(const Dim &dim, const char *what) {
  if (!dim.constant())
    fail(std::string(what) + " must be known");
  return *dim.constant();
}

// The result is [batch, heads, tokens, size]; the second is the scores that were asked for.
static Tensors attend(Importer &im, Attend a) {
  const int64_t heads = knownSize(a.query.shape[1], "the number of heads"),
                kvHeads = knownSize(a.key.shape[1], "the number of key heads");
  const Dim batch = a.query.shape[0], tokens = a.query.shape[2], keys = a.key.shape[2];
  if (kvHeads < 1 || heads % kvHeads)
    fail(std::to_string(kvHeads) + " key heads do not divide " + std::to_string(heads) + " heads");
  const double scale = a.scale != 0 ? a.scale : 1 / std::sqrt(double(knownSize(a.query.shape[3], "the size of a head")));
  const ElemRef elem = a.query.elem, sum = elem->bits == 16 ? elem::f32() : elem;
  // Heads that share keys are rows of one matrix.
  const int64_t group = heads / kvHeads;
  Tensor rows = im.reshape(a.query, {batch, kvHeads, tokens * group, a.query.shape[3]});
  Tensor scores = matmul(im, rows, im.transpose(a.key, {0, 1, 3, 2}), sum);
  scores = im.reshape(scores, {batch, heads, tokens, keys});

  Tensors inputs = {scores};
  auto add = [&](const Tensor &tensor) {
    if (!tensor.exists())
      return -1;
    inputs.push_back(tensor);
    return static_cast<int>(inputs.size()) - 1;
  };
  if (a.mask.exists()) {
    Shape shape(4 - std::min<size_t>(4, a.mask.shape.size()), 1);
    shape.insert(shape.end(), a.mask.shape.begin(), a.mask.shape.end());
    a.mask = im.reshape(a.mask, shape);
  }
  const int mask = add(a.mask), padding = add(a.padding), lengths = add(a.lengths);
  Value offset = im.emit(a.offset);
  mlir::Type type = computeType(elem, im.code.getContext());
  std::vector<TensorType> outputs = {{elem, scores.shape}};
  if (a.scores >= 0 && a.scores < 3)
    outputs.push_back({elem, scores.shape});
  Tensors biased = im.loops(inputs, outputs, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel(out[0].sizes, [&](ValueRange at) {
      Value x = c.mul(c.load(in[0], at), c.number(type, scale)), stages[3] = {x, x, x};
      if (a.softcap > 0)
        x = c.mul(c.tanh(c.div(x, c.number(type, a.softcap))), c.number(type, a.softcap));
      stages[1] = x;
      Value allowed = c.boolean(true);
      if (mask >= 0) {
        SmallVector<Value> from;
        for (size_t i = 0; i < 4; ++i)
          from.push_back(a.mask.shape[i].is(1) ? c.index(0) : at[i]);
        // A mask may be shorter than the keys: the rest is forbidden.
        Value covered = a.mask.shape[3].is(1) || a.mask.shape[3] == keys ? c.boolean(true)
                                                                          : c.lt(at[3], in[mask].sizes[3]);
        if (!a.mask.shape[3].is(1))
          from[3] = c.wrap(from[3], in[mask].sizes[3]);
        Value value = c.load(in[mask], from);
        if (a.mask.elem->isBool())
          allowed = c.both(allowed, value);
        else
          x = c.add(x, c.convert(value, a.mask.elem, elem));
        allowed = c.both(allowed, covered);
      }
      if (padding >= 0) {
        Value kept = c.load(in[padding], {at[0], at[3]});
        allowed = c.both(allowed, a.padding.elem->isBool() ? kept : c.ne(kept, c.like(kept, 0)));
      }
      Value length = lengths >= 0 ? c.loadIndex(in[lengths], at[0]) : Value();
      if (length)
        allowed = c.both(allowed, c.lt(at[3], length));
      if (a.causal) {
        Value last = c.add(at[2], a.offsetFromLengths ? c.sub(length, in[0].sizes[2]) : offset);
        allowed = c.both(allowed, c.le(at[3], last));
        if (a.window > 0)
          allowed = c.both(allowed, c.lt(c.sub(last, c.index(a.window)), at[3]));
      }
      x = c.select(allowed, x, c.number(type, a.forbidden));
      stages[2] = x;
      c.store(x, out[0], at);
      if (out.size() > 1)
        c.store(stages[a.scores], out[1], at);
    });
  });
  Tensor weights = softmax(im, biased[0], 3, false);
  Tensor mixed = matmul(im, im.reshape(weights, {batch, kvHeads, tokens * group, keys}), a.value, sum);
  Tensor result = im.reshape(mixed, {batch, heads, tokens, a.value.shape[3]});
  return {result, a.scores == 3 ? weights : biased.back()};
}

// [batch, tokens, heads * size] -> [batch, heads, tokens, size], and back.
static Tensor splitHeads(Importer &im, const Tensor &x, int64_t heads) {
  if (x.rank() != 3 || heads < 1)
    fail("takes [batch, tokens, columns] and a positive number of heads");
  const Dim size = im.dims.floorDiv(x.shape[2], heads);
  return im.transpose(im.reshape(x, {x.shape[0], x.shape[1], heads, size}), {0, 2, 1, 3});
}
static Tensor joinHeads(Importer &im, const Tensor &x) {
  Tensor y = im.transpose(x, {0, 2, 1, 3});
  return im.reshape(y, {y.shape[0], y.shape[1], y.shape[2] * y.shape[3]});
}

// Keys or values of the past, then those of now.
static Tensor withPast(Importer &im, const Tensor &past, const Tensor &now) {
  return past.exists() ? concat(im, {past, now}, 2) : now;
}

static Tensors attention(Node &node) {
  Importer &im = node.importer;
  Attend a;
  a.query = node.in(0);
  a.key = node.in(1);
  a.value = node.in(2);
  const bool folded = a.query.rank() == 3;
  if (folded) {
    a.query = splitHeads(im, a.query, node.integer("q_num_heads"));
    a.key = splitHeads(im, a.key, node.integer("kv_num_heads"));
    a.value = splitHeads(im, a.value, node.integer("kv_num_heads"));
  } else if (a.query.rank() != 4 || a.key.rank() != 4 || a.value.rank() != 4) {
    fail("takes queries, keys and values of rank 3 or 4");
  }
  Tensor past = node.has(4) ? node.in(4) : Tensor(), pastValue = node.has(5) ? node.in(5) : Tensor();
  a.key = withPast(im, past, a.key);
  a.value = withPast(im, pastValue, a.value);
  a.mask = node.has(3) ? node.in(3) : Tensor();
  a.lengths = node.has(6) ? node.in(6) : Tensor();
  a.causal = node.integer("is_causal", 0);
  a.offset = past.exists() ? past.shape[2] : Dim(0);
  a.offsetFromLengths = a.lengths.exists() && !past.exists();
  a.scale = node.real("scale", 0);
  a.softcap = node.real("softcap", 0);
  a.scores = node.wants(3) ? node.integer("qk_matmul_output_mode", 0) : -1;
  Tensors made = attend(im, a);
  return {folded ? joinHeads(im, made[0]) : made[0], a.key, a.value, made[1]};
}

//===-- Rotation ---------------------------------------------------------------------------------------------------===//

// Turns pairs of columns of [batch, heads, tokens, size] by angles whose cosines and sines are rows of tables. Rows are
// named by positions [batch, tokens], or by [1]: the first of consecutive ones; or are [batch, tokens] themselves.
static Tensor rotate(Importer &im, const Tensor &x, const Tensor &cosines, const Tensor &sines, const Tensor &positions,
                     bool interleaved, int64_t dims) {
  const int64_t size = knownSize(x.shape[3], "the size of a head");
  if (dims == 0)
    dims = size;
  if (dims % 2 || dims > size || dims < 0)
    fail("rotates " + std::to_string(dims) + " of " + std::to_string(size) + " columns");
  const int64_t half = dims / 2;
  Tensors inputs = {x, cosines, sines};
  if (positions.exists())
    inputs.push_back(positions);
  return im.compute(inputs, {x.elem, x.shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    mlir::Type type = computeType(x.elem, c.getContext());
    return c.ifElse(
        type, c.lt(at[3], c.index(dims)),
        [&]() -> Value {
          Value pair, isFirst, first, second;
          if (interleaved) {
            pair = c.div(at[3], c.index(2));
            first = c.mul(pair, c.index(2));
            second = c.add(first, c.index(1));
          } else {
            pair = mlir::arith::RemUIOp::create(c, at[3], c.index(half));
            first = pair;
            second = c.add(pair, c.index(half));
          }
          isFirst = c.eq(at[3], first);
          SmallVector<Value> row;
          if (!positions.exists()) {
            row = {cosines.shape[0].is(1) ? c.index(0) : at[0], at[2], pair};
          } else if (positions.rank() == 2) {
            Value batch = positions.shape[0].is(1) ? c.index(0) : at[0];
            row = {c.wrap(c.loadIndex(in[3], {batch, at[2]}), in[1].sizes[0]), pair};
          } else {
            row = {c.wrap(c.add(c.loadIndex(in[3], c.index(0)), at[2]), in[1].sizes[0]), pair};
          }
          Value cosine = c.load(in[1], row), sine = c.load(in[2], row);
          Value a = c.load(in[0], {at[0], at[1], at[2], first}), b = c.load(in[0], {at[0], at[1], at[2], second});
          Value real = c.sub(c.mul(cosine, a), c.mul(sine, b)), imaginary = c.add(c.mul(sine, a), c.mul(cosine, b));
          return c.select(isFirst, real, imaginary);
        },
        [&] { return c.load(in[0], at); });
  });
}

static Tensors rotaryEmbedding(Node &node) {
  Importer &im = node.importer;
  const bool folded = node.in(0).rank() == 3;
  Tensor x = folded ? splitHeads(im, node.in(0), node.integer("num_heads")) : node.in(0);
  if (x.rank() != 4)
    fail("takes a tensor of rank 3 or 4");
  Tensor positions = node.has(3) ? node.in(3) : Tensor();
  const int64_t tableRank = positions.exists() ? 2 : 3;
  if (node.in(1).rank() != tableRank || node.in(2).rank() != tableRank)
    fail("cosines and sines are not of rank " + std::to_string(tableRank));
  Tensor y = rotate(im, x, node.in(1), node.in(2), positions, node.integer("interleaved", 0),
                    node.integer("rotary_embedding_dim", 0));
  return {folded ? joinHeads(im, y) : y};
}

//===-- com.microsoft ----------------------------------------------------------------------------------------------===//

static Tensors rotaryEmbeddingMs(Node &node) {
  Importer &im = node.importer;
  const Tensor &positions = node.in(1), &cosines = node.in(2);
  const bool folded = node.in(0).rank() == 3;
  int64_t dims = node.integer("rotary_embedding_dim", 0), heads = node.integer("num_heads", 0);
  if (folded && heads == 0) {
    const int64_t size = dims ? dims : 2 * knownSize(cosines.shape.at(1), "the width of cosines");
    heads = knownSize(node.in(0).shape[2], "the width") / std::max<int64_t>(size, 1);
  }
  Tensor x = folded ? splitHeads(im, node.in(0), heads) : node.in(0);
  if (x.rank() != 4 || cosines.rank() != 2 || node.in(3).rank() != 2)
    fail("takes a tensor of rank 3 or 4, and matrices of cosines and sines");
  Tensor y = rotate(im, x, cosines, node.in(3), positions, node.integer("interleaved", 0), dims);
  return {folded ? joinHeads(im, y) : y};
}

// Columns [begin, begin + width) of a bias, added to the last axis.
static Tensor addBias(Importer &im, const Tensor &x, const Tensor &bias, const Dim &begin) {
  Tensor part = slice(im, bias, 0, begin, x.shape.back());
  return im.map({x, part}, x.elem, [](Code &c, ValueRange v) { return c.add(v[0], v[1]); });
}

static void readMask(Node &node, const Tensor &mask, Attend &a) {
  if (!mask.exists())
    return;
  if (mask.rank() == 2)
    a.padding = mask;
  else if (mask.rank() == 1 && mask.shape[0] == a.query.shape[0])
    a.lengths = mask;
  else
    fail("has a mask of shape " + node.importer.describe(mask.shape) + ", which is not supported");
}

static Tensors multiHeadAttention(Node &node) {
  Importer &im = node.importer;
  const int64_t heads = node.integer("num_heads");
  Tensor query = node.in(0);
  if (query.rank() != 3 || !node.has(1) || !node.has(2))
    fail("takes queries, keys and values apart");
  Tensor key = node.in(1), value = node.in(2);
  if (node.has(3)) {
    const Tensor &bias = node.in(3);
    query = addBias(im, query, bias, 0);
    if (key.rank() == 3) {
      key = addBias(im, key, bias, query.shape[2]);
      value = addBias(im, value, bias, query.shape[2] + key.shape[2]);
    }
  }
  Attend a;
  a.query = splitHeads(im, query, heads);
  a.key = withPast(im, node.has(6) ? node.in(6) : Tensor(), key.rank() == 3 ? splitHeads(im, key, heads) : key);
  a.value = withPast(im, node.has(7) ? node.in(7) : Tensor(), value.rank() == 3 ? splitHeads(im, value, heads) : value);
  a.forbidden = node.real("mask_filter_value", -10000);
  readMask(node, node.has(4) ? node.in(4) : Tensor(), a);
  a.mask = node.has(5) ? node.in(5) : Tensor();
  a.causal = node.integer("unidirectional", 0);
  if (a.causal)
    a.forbidden = -INFINITY;
  a.offset = node.has(6) ? node.in(6).shape[2] : Dim(0);
  a.scale = node.real("scale", 0);
  return {joinHeads(im, attend(im, a)[0]), a.key, a.value};
}

// One product for queries, keys and values; the past holds keys and values in one tensor.
static Tensors attentionMs(Node &node) {
  Importer &im = node.importer;
  const int64_t heads = node.integer("num_heads");
  if (!node.integers("qkv_hidden_sizes").empty() || node.integer("do_rotary", 0))
    fail("qkv_hidden_sizes and do_rotary are not supported");
  const Tensor &x = node.in(0);
  Tensor weights = node.in(1);
  Tensor all = matmul(im, x, im.reshape(weights, {1, weights.shape[0], weights.shape[1]}), x.elem);
  if (node.has(2))
    all = im.map({all, node.in(2)}, x.elem, [](Code &c, ValueRange v) { return c.add(v[0], v[1]); });
  const Dim width = im.dims.floorDiv(all.shape[2], 3);
  Attend a;
  a.query = splitHeads(im, slice(im, all, 2, 0, width), heads);
  a.key = splitHeads(im, slice(im, all, 2, width, width), heads);
  a.value = splitHeads(im, slice(im, all, 2, width * 2, width), heads);
  if (node.has(4)) {
    const Tensor &past = node.in(4); // [2, batch, heads, tokens, size]
    if (past.rank() != 5)
      fail("has a past of rank " + std::to_string(past.rank()) + ", expected 5");
    Shape inner(past.shape.begin() + 1, past.shape.end());
    a.offset = past.shape[3];
    a.key = concat(im, {im.reshape(slice(im, past, 0, 0, 1), inner), a.key}, 2);
    a.value = concat(im, {im.reshape(slice(im, past, 0, 1, 1), inner), a.value}, 2);
  }
  a.forbidden = node.real("mask_filter_value", -10000);
  readMask(node, node.has(3) ? node.in(3) : Tensor(), a);
  a.mask = node.has(5) ? node.in(5) : Tensor();
  a.causal = node.integer("unidirectional", 0);
  if (a.causal)
    a.forbidden = -INFINITY;
  a.scale = node.real("scale", 0);
  Tensors results = {joinHeads(im, attend(im, a)[0])};
  if (node.wants(1)) {
    Shape shape = {1};
    shape.insert(shape.end(), a.key.shape.begin(), a.key.shape.end());
    results.push_back(concat(im, {im.reshape(a.key, shape), im.reshape(a.value, shape)}, 0));
  }
  return results;
}

static Tensors groupQueryAttention(Node &node) {
  Importer &im = node.importer;
  const int64_t heads = node.integer("num_heads"), kvHeads = node.integer("kv_num_heads");
  Tensor query = node.in(0), key, value;
  if (node.has(1)) {
    key = node.in(1);
    value = node.in(2);
  } else { // packed
    if (query.rank() != 3)
      fail("takes [batch, tokens, columns]");
    const Dim size = im.dims.floorDiv(query.shape[2], heads + 2 * kvHeads), width = size * heads, kv = size * kvHeads;
    key = slice(im, query, 2, width, kv);
    value = slice(im, query, 2, width + kv, kv);
    query = slice(im, query, 2, 0, width);
  }
  Attend a;
  a.query = splitHeads(im, query, heads);
  a.key = splitHeads(im, key, kvHeads);
  a.value = splitHeads(im, value, kvHeads);
  Tensor past = node.has(3) ? node.in(3) : Tensor(), pastValue = node.has(4) ? node.in(4) : Tensor();
  const Dim before = past.exists() ? past.shape.at(2) : Dim(0);
  if (node.integer("do_rotary", 0)) {
    // Tokens follow the past.
    Tensor first = im.fromSizes({before}, elem::i64(), {1});
    Tensor positions = node.has(9) ? node.in(9) : first;
    const bool interleaved = node.integer("rotary_interleaved", 0);
    const int64_t dims = 2 * knownSize(node.in(7).shape.at(1), "the width of cosines");
    a.query = rotate(im, a.query, node.in(7), node.in(8), positions, interleaved, dims);
    a.key = rotate(im, a.key, node.in(7), node.in(8), positions, interleaved, dims);
  }
  a.key = withPast(im, past, a.key);
  a.value = withPast(im, pastValue, a.value);
  // seqlens_k holds the last valid key of each sequence.
  if (node.has(5))
    a.lengths = im.map(im.reshape(node.in(5), {node.in(5).count()}), elem::i64(), [&](Code &c, ValueRange v) {
      return c.add(c.convert(v[0], node.in(5).elem, elem::i64()), c.i64(1));
    });
  a.mask = node.has(10) ? node.in(10) : Tensor();
  a.causal = true;
  a.offset = before;
  a.window = node.integer("local_window_size", -1);
  a.scale = node.real("scale", 0);
  a.softcap = node.real("softcap", 0);
  return {joinHeads(im, attend(im, a)[0]), a.key, a.value};
}

// Word, position and segment embeddings, added and normalized.
static Tensors embedLayerNormalization(Node &node) {
  Importer &im = node.importer;
  const Tensor &ids = node.in(0);
  if (ids.rank() != 2)
    fail("takes ids [batch, tokens]");
  Tensors terms = {gather(im, node.in(2), ids, 0)};
  if (node.has(8))
    terms.push_back(gather(im, node.in(3), node.in(8), 0));
  else
    terms.push_back(slice(im, node.in(3), 0, 0, ids.shape[1]));
  if (node.has(1) && node.has(4))
    terms.push_back(gather(im, node.in(4), node.in(1), 0));
  Tensor sum = im.map(terms, terms[0].elem, [](Code &c, ValueRange x) {
    Value total = c.add(x[0], x[1]);
    return x.size() > 2 ? c.add(total, x[2]) : total;
  });
  Tensors results = normalize(im, sum, 2, node.real("epsilon", 1e-12), false, node.in(5), node.in(6));
  if (node.wants(1)) {
    Tensor counts = node.has(7) ? im.call("ReduceSum", {im.cast(node.in(7), elem::i32()), im.vectorOf({1})}, {{"keepdims", 0}})
                                : im.call("Expand", {im.scalar(elem::i32(), 0), im.fromSizes({ids.shape[0]}, elem::i64(), {1})});
    results.push_back(counts);
  }
  if (node.wants(2)) {
    results.resize(2);
    results.push_back(sum);
  }
  return results;
}

// a x dequantized(b)^T: codes of 2, 4 or 8 bits in blocks along k, [n, blocks, bytes], each with a scale and a zero point.
static Tensors matmulNBits(Node &node) {
  Importer &im = node.importer;
  const int64_t k = node.integer("K"), n = node.integer("N"), bits = node.integer("bits", 4),
                block = node.integer("block_size");
  if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX || (bits != 2 && bits != 4 && bits != 8) || block < 16 ||
      block > 65536)
    fail("has K, N, bits or block_size that make no sense");
  if (node.has(4))
    fail("has g_idx, which is not supported");
  const Tensor &a = node.in(0);
  const int64_t blocks = (k + block - 1) / block, perByte = 8 / bits, bytes = (block * bits + 7) / 8;
  Tensor codes = im.reshape(node.in(1), {n, blocks, bytes}), scales = im.reshape(node.in(2), {n, blocks});
  Tensors inputs = {codes, scales};
  const bool hasZeros = node.has(3), packedZeros = hasZeros && !node.in(3).elem->isReal();
  const int64_t zeroBytes = (blocks * bits + 7) / 8;
  if (hasZeros)
    inputs.push_back(im.reshape(node.in(3), packedZeros ? Shape{n, zeroBytes} : Shape{n, blocks}));
  Tensor matrix = im.compute(inputs, {a.elem, {k, n}}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    Value group = c.div(at[0], c.index(block)), inside = mlir::arith::RemUIOp::create(c, at[0], c.index(block));
    auto code = [&](Value byte, Value place) {
      Value wide = c.convert(byte, elem::u8(), elem::i32());
      Value shift = c.fromIndex(c.mul(mlir::arith::RemUIOp::create(c, place, c.index(perByte)), c.index(bits)), c.getI32Type());
      Value low = c.both(mlir::arith::ShRUIOp::create(c, wide, shift), c.like(wide, double((1 << bits) - 1)));
      return c.convert(low, elem::i32(), elem::f32());
    };
    Value value = code(c.load(in[0], {at[1], group, c.div(inside, c.index(perByte))}), inside);
    Value zero = c.f32(double(1 << (bits - 1)));
    if (packedZeros)
      zero = code(c.load(in[2], {at[1], c.div(group, c.index(perByte))}), group);
    else if (hasZeros)
      zero = c.convert(c.load(in[2], {at[1], group}), inputs[2].elem, elem::f32());
    Value scale = c.convert(c.load(in[1], {at[1], group}), scales.elem, elem::f32());
    return c.convert(c.mul(c.sub(value, zero), scale), elem::f32(), a.elem);
  });
  Tensor product = im.call("MatMul", {a, matrix});
  if (node.has(5))
    product = im.map({product, node.in(5)}, a.elem, [](Code &c, ValueRange v) { return c.add(v[0], v[1]); });
  return {product};
}

ArrayRef<Op> attentionOps() {
  static const Op ops[] = {
      {"", "Attention", 23, kNewest, attention},
      {"", "RotaryEmbedding", 23, kNewest, rotaryEmbedding},
      {"com.microsoft", "RotaryEmbedding", 1, 1, rotaryEmbeddingMs},
      {"com.microsoft", "MultiHeadAttention", 1, 1, multiHeadAttention},
      {"com.microsoft", "Attention", 1, 1, attentionMs},
      {"com.microsoft", "GroupQueryAttention", 1, 1, groupQueryAttention},
      {"com.microsoft", "EmbedLayerNormalization", 1, 1, embedLayerNormalization},
      {"com.microsoft", "MatMulNBits", 1, 1, matmulNBits},
  };
  return ops;
}

} // namespace sinter::onnx_import
