// Matrix products. A tile of the result stays in vector registers: for each k, a piece of a row of b, which lies
// contiguously, is multiplied by one element of each row of a. Iterations go over the rows of one strip of columns before
// they go on to the next strip, so that b comes from memory once. What is left at the edges are single rows and single
// elements. Bytes are widened as they are loaded, and sums of integers are exact; those of floats are in the order of k.

#include "frontend/onnx/ops/Ops.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>
#include <map>

namespace sinter::onnx_import {

using mlir::VectorType;

// Rows and columns of a tile: twelve registers of 8 floats, six of 16.
static constexpr int64_t kRows = 6, kColumns = 16;

namespace {

// One matrix product inside of loops: c[m, n] = sum over k of a[m, k] * (b[k, n] - zero).
class Product {
public:
  Product(Code &c, const Mem &a, const Mem &b, Value zero, const Mem &out, ElemRef sum, ValueRange atA, ValueRange atB,
          ValueRange atOut)
      : c(c), a(a), b(b), zero(zero), out(out), sum(sum), prefixA(atA), prefixB(atB), prefixOut(atOut),
        depth(a.sizes.back()) {}

  // Rows [row, row + count) of kColumns columns.
  void tile(Value row, int64_t count, Value column) {
    if (!vectors())
      return c.loop(column, c.add(column, c.index(kColumns)), [&](Value j) {
        for (int64_t i = 0; i < count; ++i)
          single(c.add(row, c.index(i)), j);
      });
    mlir::Type element = computeType(sum, c.getContext());
    VectorType type = VectorType::get({kColumns}, element);
    Value none = mlir::arith::ConstantOp::create(c, c.getZeroAttr(type));
    Code::Values sums(count, none);
    sums = c.loop(c.index(0), depth, sums, [&](Value k, ValueRange s) -> Code::Values {
      Value line = this->line(k, column, type);
      Code::Values next;
      for (int64_t i = 0; i < count; ++i) {
        Value x = mlir::vector::BroadcastOp::create(c, type, load(a, prefixA, c.add(row, c.index(i)), k));
        next.push_back(sum->isReal() ? Value(mlir::math::FmaOp::create(c, x, line, s[i]))
                                     : c.add(s[i], c.mul(x, line)));
      }
      return next;
    });
    for (int64_t i = 0; i < count; ++i)
      mlir::vector::StoreOp::create(c, sums[i], out.memref, at(prefixOut, c.add(row, c.index(i)), column));
  }

  void single(Value row, Value column) {
    mlir::Type type = computeType(sum, c.getContext());
    Value total = c.loop(c.index(0), depth, c.number(type, 0), [&](Value k, ValueRange s) -> Code::Values {
      Value y = load(b, prefixB, k, column);
      return {c.add(s[0], c.mul(load(a, prefixA, row, k), zero ? c.sub(y, zero) : y))};
    })[0];
    c.store(c.convert(total, sum, out.elem), out, at(prefixOut, row, column));
  }

private:
  // What vectors are loaded and stored as they are, or widened: f32, and integers that sum to i32.
  bool vectors() const {
    if (sum->isReal())
      return sum->bits == 32 && b.elem == sum && out.elem == sum;
    return sum->bits == 32 && out.elem == sum && !b.elem->isReal() && !b.elem->isBool();
  }

  Value line(Value k, Value column, VectorType type) {
    VectorType stored = VectorType::get({kColumns}, storageType(b.elem, c.getContext()));
    Value line = mlir::vector::LoadOp::create(c, stored, b.memref, at(prefixB, k, column));
    if (stored != type)
      line = b.elem->isUnsigned() ? Value(mlir::arith::ExtUIOp::create(c, type, line))
                                  : Value(mlir::arith::ExtSIOp::create(c, type, line));
    return zero ? c.sub(line, mlir::vector::BroadcastOp::create(c, type, zero)) : line;
  }

  static SmallVector<Value> at(ValueRange prefix, Value i, Value j) {
    SmallVector<Value> result(prefix);
    result.append({i, j});
    return result;
  }
  Value load(const Mem &memory, ValueRange prefix, Value i, Value j) {
    return c.convert(c.load(memory, at(prefix, i, j)), memory.elem, sum);
  }

  Code &c;
  const Mem &a, &b;
  Value zero; // in `sum`; null: 0
  const Mem &out;
  ElemRef sum;
  SmallVector<Value> prefixA, prefixB, prefixOut;
  Value depth;
};

} // namespace

// [batches..., m, k] x [batches..., k, n]; batches are broadcast. `zero` is a scalar that is taken from b.
static Tensor multiply(Importer &im, const Tensor &a, const Tensor &b, const Tensor &zero, ElemRef sum) {
  Shape batchA(a.shape.begin(), a.shape.end() - 2), batchB(b.shape.begin(), b.shape.end() - 2);
  Shape shape = im.broadcast({batchA, batchB});
  const size_t batches = shape.size();
  im.same(a.shape.back(), b.shape[b.shape.size() - 2], "columns and rows of a matrix product");
  const Dim rows = a.shape[a.shape.size() - 2], columns = b.shape.back();
  shape.push_back(rows);
  shape.push_back(columns);
  const ElemRef elem = a.elem->isReal() ? a.elem : sum;
  Value rowBlocks = im.emit(im.dims.ceilDiv(rows, kRows)), columnBlocks = im.emit(im.dims.ceilDiv(columns, kColumns));
  Tensors inputs = {a, b};
  if (zero.exists())
    inputs.push_back(zero);
  return im.loops(inputs, {{elem, shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    SmallVector<Value> space(out[0].sizes.begin(), out[0].sizes.begin() + batches);
    space.append({columnBlocks, rowBlocks});
    Value subtract = in.size() > 2 ? c.convert(c.load(in[2], {}), zero.elem, sum) : Value();
    c.parallel(space, [&](ValueRange at) {
      ValueRange batch = at.take_front(batches);
      auto prefix = [&](const Shape &shape) {
        SmallVector<Value> result;
        for (size_t i = 0; i < shape.size(); ++i)
          result.push_back(shape[i].is(1) ? c.index(0) : batch[batches - shape.size() + i]);
        return result;
      };
      Product product(c, in[0], in[1], subtract, out[0], sum, prefix(batchA), prefix(batchB), batch);
      Value row = c.mul(at.back(), c.index(kRows)), column = c.mul(at[batches], c.index(kColumns));
      Value lastRow = out[0].sizes[batches], lastColumn = out[0].sizes[batches + 1];
      Value wide = c.le(c.add(column, c.index(kColumns)), lastColumn);
      Value tall = c.le(c.add(row, c.index(kRows)), lastRow);
      c.ifThen(c.both(wide, tall), [&] { product.tile(row, kRows, column); });
      c.ifThen(c.both(wide, c.invert(tall)),
               [&] { c.loop(row, lastRow, [&](Value single) { product.tile(single, 1, column); }); });
      c.ifThen(c.invert(wide), [&] {
        c.loop(row, c.min(c.add(row, c.index(kRows)), lastRow), [&](Value i) {
          c.loop(column, lastColumn, [&](Value j) { product.single(i, j); });
        });
      });
    });
  })[0];
}

Tensor matmul(Importer &im, const Tensor &a, const Tensor &b, ElemRef sum) {
  return multiply(im, a, b, Tensor(), sum);
}

// Vectors are matrices of one row or column.
static Tensor matmulOfAny(Importer &im, Tensor a, Tensor b, ElemRef sum, const Tensor &zero = Tensor()) {
  if (a.rank() == 0 || b.rank() == 0)
    fail("takes vectors and matrices");
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row)
    a = im.reshape(a, {1, a.shape[0]});
  if (column)
    b = im.reshape(b, {b.shape[0], 1});
  Tensor result = multiply(im, a, b, zero, sum);
  Shape shape = result.shape;
  if (column)
    shape.pop_back();
  if (row)
    shape.erase(shape.end() - (column ? 1 : 2));
  return im.reshape(result, shape);
}

static Tensors matmulOp(Node &node) {
  const Tensor &a = node.in(0), &b = node.in(1);
  if (a.elem != b.elem)
    fail("multiplies tensors of different type");
  const ElemRef sum = a.elem->isReal() && a.elem->bits == 16 ? elem::f32() : a.elem;
  return {matmulOfAny(node.importer, a, b, sum)};
}

static Tensors gemm(Node &node) {
  Importer &im = node.importer;
  Tensor a = node.in(0), b = node.in(1);
  if (a.rank() != 2 || b.rank() != 2 || a.elem != b.elem)
    fail("takes two matrices of one type");
  if (node.integer("transA", 0))
    a = im.transpose(a, {1, 0});
  if (node.integer("transB", 0))
    b = im.transpose(b, {1, 0});
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  const ElemRef sum = a.elem->isReal() && a.elem->bits == 16 ? elem::f32() : a.elem;
  Tensor product = matmul(im, a, b, sum);
  Tensors inputs = {product};
  if (node.has(2) && beta != 0)
    inputs.push_back(node.in(2));
  if (inputs.size() == 1 && alpha == 1)
    return {product};
  return {im.map(inputs, a.elem, [&](Code &c, ValueRange x) {
    Value y = alpha == 1 ? x[0] : c.mul(c.like(x[0], alpha), x[0]);
    if (x.size() > 1)
      y = c.add(y, beta == 1 ? x[1] : c.mul(c.like(x[1], beta), x[1]));
    return y;
  })};
}

//===-- Integers ---------------------------------------------------------------------------------------------------===//

// x - zero point, in i32. Zero points are scalars, or one for each row (a) or column (b).
static Tensor withoutZero(Importer &im, const Tensor &x, Tensor zero, bool rows) {
  Tensors inputs = {x};
  if (zero.exists()) {
    if (zero.rank() == 1 && !zero.count().is(1) && rows)
      zero = im.reshape(zero, {zero.shape[0], 1});
    if (zero.count().is(1))
      zero = im.reshape(zero, {});
    inputs.push_back(zero);
  }
  return im.map(inputs, elem::i32(), [&](Code &c, ValueRange v) {
    Value y = c.convert(v[0], x.elem, elem::i32());
    return v.size() > 1 ? c.sub(y, c.convert(v[1], zero.elem, elem::i32())) : y;
  });
}

// The weights stay bytes in memory, if their zero point is one number.
static Tensor integerProduct(Importer &im, const Tensor &a, const Tensor &zeroA, const Tensor &b, const Tensor &zeroB) {
  Tensor left = withoutZero(im, a, zeroA, true);
  if (zeroB.exists() && !zeroB.count().is(1))
    return matmulOfAny(im, left, withoutZero(im, b, zeroB, false), elem::i32());
  return matmulOfAny(im, left, b, elem::i32(), zeroB.exists() ? im.reshape(zeroB, {}) : Tensor());
}

static Tensors matmulInteger(Node &node) {
  return {integerProduct(node.importer, node.in(0), node.has(2) ? node.in(2) : Tensor(), node.in(1),
                         node.has(3) ? node.in(3) : Tensor())};
}

static Tensors qlinearMatmul(Node &node) {
  Importer &im = node.importer;
  Tensor product = integerProduct(im, node.in(0), node.in(2), node.in(3), node.in(5));
  const Tensor zero = node.in(7);
  Tensor scaleA = node.in(1), scaleB = node.in(4), scaleY = node.in(6);
  if (scaleA.rank() == 1 && !scaleA.count().is(1))
    scaleA = im.reshape(scaleA, {scaleA.shape[0], 1});
  for (Tensor *scale : {&scaleA, &scaleB, &scaleY})
    if (scale->count().is(1))
      *scale = im.reshape(*scale, {});
  Tensor zeroScalar = zero.count().is(1) ? im.reshape(zero, {}) : zero;
  return {im.map({product, scaleA, scaleB, scaleY, zeroScalar}, zero.elem, [&](Code &c, ValueRange x) {
    auto f32 = [&](size_t i, ElemRef elem) { return c.convert(x[i], elem, elem::f32()); };
    Value scale = c.div(c.mul(f32(1, scaleA.elem), f32(2, scaleB.elem)), f32(3, scaleY.elem));
    Value y = c.add(c.round(c.mul(f32(0, elem::i32()), scale)), f32(4, zero.elem));
    const bool u = zero.elem->isUnsigned();
    y = c.clamp(y, c.like(y, u ? 0 : -128), c.like(y, u ? 255 : 127));
    return c.convert(y, elem::f32(), zero.elem);
  })};
}

//===-- Einsum -----------------------------------------------------------------------------------------------------===//

// One sum over all labels that the result lacks: loops over the result's labels, and inside of them over the others.
static Tensors einsum(Node &node) {
  Importer &im = node.importer;
  std::string equation = node.text("equation");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  const size_t arrow = equation.find("->");
  std::string left = equation.substr(0, arrow), right;
  std::vector<std::string> terms(1);
  for (char c : left) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  if (terms.size() != node.inputs.size())
    fail("equation '" + equation + "' has " + std::to_string(terms.size()) + " terms, there are " +
         std::to_string(node.inputs.size()) + " inputs");
  // Axes that an ellipsis stands for get labels of their own: digits, aligned to the right.
  size_t most = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const size_t dots = terms[i].find("...");
    if (dots == std::string::npos)
      continue;
    const size_t covered = node.in(i).shape.size() - std::min(node.in(i).shape.size(), terms[i].size() - 3);
    if (covered > 9)
      fail("its ellipsis covers too many axes");
    most = std::max(most, covered);
  }
  auto digits = [&](size_t count) { return std::string("123456789").substr(most - count, count); };
  std::map<char, int> uses;
  for (size_t i = 0; i < terms.size(); ++i) {
    const size_t dots = terms[i].find("..."), rank = node.in(i).shape.size();
    if (dots != std::string::npos)
      terms[i].replace(dots, 3, digits(rank - std::min(rank, terms[i].size() - 3)));
    if (terms[i].size() != rank)
      fail("term '" + terms[i] + "' is of another rank than its input");
    for (char label : terms[i])
      ++uses[label];
  }
  if (arrow == std::string::npos) {
    right = digits(most);
    for (auto [label, count] : uses)
      if (count == 1 && isalpha(static_cast<unsigned char>(label)))
        right += label;
  } else {
    right = equation.substr(arrow + 2);
    const size_t dots = right.find("...");
    if (dots != std::string::npos)
      right.replace(dots, 3, digits(most));
  }
  std::map<char, Dim> sizes;
  for (size_t i = 0; i < terms.size(); ++i)
    for (size_t axis = 0; axis < terms[i].size(); ++axis) {
      const Dim &size = node.in(i).shape[axis];
      auto [found, isNew] = sizes.emplace(terms[i][axis], size);
      if (!isNew && found->second.is(1))
        found->second = size;
      else if (!isNew && !size.is(1))
        im.same(found->second, size, "sizes of one label");
    }
  Shape shape;
  for (char label : right) {
    if (!sizes.count(label))
      fail("equation '" + equation + "' has a label in the result that no term has");
    shape.push_back(sizes[label]);
  }
  std::string summed;
  std::vector<Value> extents;
  for (const auto &[label, size] : sizes)
    if (right.find(label) == std::string::npos) {
      summed += label;
      extents.push_back(im.emit(size));
    }
  const ElemRef elem = node.in(0).elem;
  return {im.compute(node.inputs, {elem, shape}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    mlir::Type type = computeType(elem, c.getContext());
    return c.loopNest(extents, c.number(type, 0), [&](ValueRange inner, ValueRange s) -> Code::Values {
      Value product;
      for (size_t i = 0; i < in.size(); ++i) {
        SmallVector<Value> place;
        for (size_t axis = 0; axis < terms[i].size(); ++axis) {
          const char label = terms[i][axis];
          const size_t outer = right.find(label);
          place.push_back(node.inputs[i].shape[axis].is(1) ? c.index(0)
                          : outer != std::string::npos     ? at[outer]
                                                           : inner[summed.find(label)]);
        }
        Value x = c.load(in[i], place);
        product = product ? c.mul(product, x) : x;
      }
      return {addReordered(c, s[0], product)};
    })[0];
  })};
}

// By Gaussian elimination with the largest pivot, on a copy that the second output is.
static Tensors determinant(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  if (x.rank() < 2)
    fail("takes square matrices");
  im.same(x.shape[x.rank() - 1], x.shape[x.rank() - 2], "rows and columns");
  Shape batches(x.shape.begin(), x.shape.end() - 2);
  Tensors results = im.loops(x, {{x.elem, batches}, {x.elem, x.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    Value size = in[0].sizes.back(), zero = c.index(0);
    c.parallel(out[0].sizes, [&](ValueRange batch) {
      auto at = [&](Value i, Value j) {
        SmallVector<Value> place(batch);
        place.append({i, j});
        return place;
      };
      c.loopNest({size, size}, [&](ValueRange ij) {
        c.store(c.load(in[0], at(ij[0], ij[1])), out[1], at(ij[0], ij[1]));
      });
      auto load = [&](Value i, Value j) { return c.load(out[1], at(i, j)); };
      mlir::Type type = computeType(x.elem, c.getContext());
      Value product = c.loop(zero, size, c.number(type, 1), [&](Value k, ValueRange s) -> Code::Values {
        Code::Values pivot =
            c.loop(k, size, {c.number(type, -1), k}, [&](Value i, ValueRange best) -> Code::Values {
              Value value = c.abs(load(i, k)), more = c.lt(best[0], value);
              return {c.select(more, value, best[0]), c.select(more, i, best[1])};
            });
        c.loop(zero, size, [&](Value j) {
          Value upper = load(k, j), lower = load(pivot[1], j);
          c.store(lower, out[1], at(k, j));
          c.ifThen(c.ne(k, pivot[1]), [&] { c.store(upper, out[1], at(pivot[1], j)); });
        });
        Value top = load(k, k);
        c.loop(c.add(k, c.index(1)), size, [&](Value i) {
          Value factor = c.select(c.eq(top, c.like(top, 0)), c.like(top, 0), c.div(load(i, k), top));
          c.loop(k, size, [&](Value j) { c.store(c.sub(load(i, j), c.mul(factor, load(k, j))), out[1], at(i, j)); });
        });
        Value next = c.mul(s[0], top);
        return {c.select(c.eq(k, pivot[1]), next, c.neg(next))};
      })[0];
      c.store(product, out[0], batch);
    });
  });
  return {results[0]};
}

ArrayRef<Op> productOps() {
  static const Op ops[] = {
      {"", "MatMul", 1, kNewest, matmulOp},
      {"", "Gemm", 7, kNewest, gemm},
      {"", "MatMulInteger", 10, kNewest, matmulInteger},
      {"", "QLinearMatMul", 10, kNewest, qlinearMatmul},
      {"", "Einsum", 12, kNewest, einsum},
      {"", "Det", 11, kNewest, determinant},
  };
  return ops;
}

} // namespace sinter::onnx_import
