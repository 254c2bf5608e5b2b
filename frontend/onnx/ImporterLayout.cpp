// Elementwise code and changes of layout, as linalg ops that fuse with one another; reshapes, which cost nothing; and ops that are
// made of others.

#include "frontend/onnx/Importer.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace sinter::onnx_import {

//===-- Elementwise ------------------------------------------------------------------------------------------------===//

Dim Importer::same(const Dim &a, const Dim &b, const std::string &what) {
  if (a == b)
    return a;
  if (a.constant() && b.constant())
    fail(what + " are " + dims.text(a) + " and " + dims.text(b) + ", expected the same");
  checks.push_back({a, b, what});
  return a.constant() ? a : b;
}

Shape Importer::broadcast(ArrayRef<Shape> shapes) {
  size_t rank = 0;
  for (const Shape &shape : shapes)
    rank = std::max(rank, shape.size());
  Shape result(rank, 1);
  for (const Shape &shape : shapes)
    for (size_t i = 0; i < shape.size(); ++i) {
      Dim &dim = result[rank - shape.size() + i];
      if (dim.is(1))
        dim = shape[i];
      else if (!shape[i].is(1))
        dim = same(dim, shape[i], "sizes of axis " + std::to_string(rank - shape.size() + i) + " in " + where);
    }
  return result;
}

// The one element of a constant, to be written into code.
static std::optional<TypedAttr> splatOf(Importer &importer, const Tensor &tensor) {
  if (!tensor.content || !tensor.count().is(1))
    return std::nullopt;
  Type type = computeType(tensor.elem, importer.code.getContext());
  if (tensor.elem->isReal())
    return mlir::cast<TypedAttr>(Attribute(importer.code.getFloatAttr(type, importer.knownReals(tensor)->front())));
  return mlir::cast<TypedAttr>(Attribute(importer.code.getIntegerAttr(type, importer.knownIntegers(tensor)->front())));
}

Tensor Importer::map(ArrayRef<Tensor> inputs, ElemRef elem, function_ref<Value(Code &, ValueRange)> body) {
  std::vector<Shape> shapes;
  for (const Tensor &input : inputs)
    shapes.push_back(input.shape);
  Shape shape = broadcast(shapes);
  const unsigned rank = shape.size();
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  std::vector<std::optional<TypedAttr>> splats;
  std::vector<ElemRef> elems;
  for (const Tensor &input : inputs) {
    splats.push_back(splatOf(*this, input));
    if (splats.back())
      continue;
    operands.push_back(value(input));
    elems.push_back(input.elem);
    SmallVector<AffineExpr> at;
    for (size_t i = 0; i < input.shape.size(); ++i) {
      const unsigned axis = rank - input.shape.size() + i;
      at.push_back(input.shape[i].is(1) && !shape[axis].is(1) ? code.getAffineConstantExpr(0)
                                                              : code.getAffineDimExpr(axis));
    }
    maps.push_back(AffineMap::get(rank, 0, at, &context));
  }
  maps.push_back(code.getMultiDimIdentityMap(rank));
  RankedTensorType type = typeOf(elem, shape);
  SmallVector<Value> sizes;
  for (const Dim &dim : shape)
    if (!dim.constant())
      sizes.push_back(emit(dim));
  Value empty = tensor::EmptyOp::create(code, type, sizes);
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  linalg::GenericOp generic = linalg::GenericOp::create(code, TypeRange(type), operands, empty, maps, iterators);
  Block &block = generic.getRegion().emplaceBlock();
  OpBuilder::InsertionGuard guard(code);
  SmallVector<Value> arguments;
  for (Value operand : operands)
    block.addArgument(mlir::cast<RankedTensorType>(operand.getType()).getElementType(), code.getLoc());
  block.addArgument(type.getElementType(), code.getLoc());
  code.setInsertionPointToStart(&block);
  unsigned next = 0;
  for (const std::optional<TypedAttr> &splat : splats) {
    if (splat)
      arguments.push_back(arith::ConstantOp::create(code, *splat));
    else
      arguments.push_back(code.fromStorage(block.getArgument(next), elems[next])), ++next;
  }
  linalg::YieldOp::create(code, code.toStorage(body(code, arguments), elem));
  Tensor result;
  result.elem = elem;
  result.shape = shape;
  result.value = generic.getResult(0);
  return result;
}

Tensor Importer::cast(const Tensor &input, ElemRef elem) {
  if (input.elem == elem)
    return input;
  if (!elem->isReal() && !elem->isBool())
    if (std::optional<std::vector<Dim>> sizes = knownSizes(input); sizes && elem->bits >= 32)
      return fromSizes(*sizes, elem, input.shape);
  return map(input, elem, [&](Code &c, ValueRange x) { return c.convert(x[0], input.elem, elem); });
}

//===-- Layout -----------------------------------------------------------------------------------------------------===//

Tensor Importer::reshape(const Tensor &input, Shape shape) {
  Tensor result = input;
  if (shape == input.shape)
    return result;
  result.shape = shape;
  result.rows = nullptr;
  result.view = nullptr;
  Dim before = input.count(), after = result.count();
  if (before != after) {
    if (before.constant() && after.constant())
      fail("a tensor of shape " + describe(input.shape) + " cannot have the shape " + describe(shape));
    same(before, after, "numbers of elements before and after " + where);
  }
  if (input.content) {
    result.content = std::make_shared<Content>(*input.content);
    result.content->symbol.clear();
  }
  if (!input.value)
    return result;
  RankedTensorType type = typeOf(input.elem, shape);
  SmallVector<Value> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(emit(dim));
  Value wanted = sizes.empty()
                     ? Value(tensor::EmptyOp::create(code, ArrayRef<int64_t>{0}, code.getIndexType()))
                     : Value(tensor::FromElementsOp::create(code, sizes));
  result.value = tensor::ReshapeOp::create(code, type, input.value, wanted);
  return result;
}

Tensor Importer::transpose(const Tensor &input, ArrayRef<int64_t> permutation) {
  const unsigned rank = input.shape.size();
  Shape shape;
  SmallVector<AffineExpr> from(rank);
  for (auto [to, axis] : llvm::enumerate(permutation)) {
    shape.push_back(input.shape[axis]);
    from[axis] = code.getAffineDimExpr(to);
  }
  Value operand = value(input);
  RankedTensorType type = typeOf(input.elem, shape);
  SmallVector<Value> sizes;
  for (const Dim &dim : shape)
    if (!dim.constant())
      sizes.push_back(emit(dim));
  Value empty = tensor::EmptyOp::create(code, type, sizes);
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  linalg::GenericOp generic =
      linalg::GenericOp::create(code, TypeRange(type), operand, empty,
                                ArrayRef<AffineMap>{AffineMap::get(rank, 0, from, &context),
                                                    code.getMultiDimIdentityMap(rank)},
                                iterators);
  OpBuilder::InsertionGuard guard(code);
  Block &block = generic.getRegion().emplaceBlock();
  block.addArguments({type.getElementType(), type.getElementType()}, {code.getLoc(), code.getLoc()});
  code.setInsertionPointToStart(&block);
  linalg::YieldOp::create(code, block.getArgument(0));
  Tensor result;
  result.elem = input.elem;
  result.shape = shape;
  result.value = generic.getResult(0);
  return result;
}

Tensor Importer::broadcastTo(const Tensor &input, const Shape &shape) {
  Tensor target;
  target.shape = shape;
  Shape common = broadcast({input.shape, shape});
  if (common == input.shape)
    return input;
  // A generic op whose result has the shape: an operand of that shape is not needed, its domain is the result's.
  Shape padded(shape.size() - std::min(shape.size(), input.shape.size()), 1);
  padded.insert(padded.end(), input.shape.begin(), input.shape.end());
  Tensor aligned = reshape(input, padded);
  return compute(aligned, {input.elem, common}, [&](Code &c, ArrayRef<Mem> in, ValueRange at) {
    SmallVector<Value> from;
    for (size_t i = 0; i < padded.size(); ++i)
      from.push_back(padded[i].is(1) ? c.index(0) : at[i]);
    return c.load(in[0], from);
  });
}

Tensor Importer::call(const char *op, ArrayRef<Tensor> inputs,
                      ArrayRef<std::pair<const char *, int64_t>> integers) {
  ::onnx::NodeProto proto;
  proto.set_op_type(op);
  proto.add_output("result");
  for (auto [name, number] : integers) {
    ::onnx::AttributeProto *attribute = proto.add_attribute();
    attribute->set_name(name);
    attribute->set_type(::onnx::AttributeProto::INT);
    attribute->set_i(number);
  }
  const Op *row = findOp("", op, kNewest);
  static const Attributes none;
  Node node(*this, proto, kNewest, Tensors(inputs.begin(), inputs.end()), none);
  return row->handler(node)[0];
}

} // namespace sinter::onnx_import
