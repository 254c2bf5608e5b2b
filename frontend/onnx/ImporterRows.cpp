// Weights as params of the module, and tensors as rows of tx.

#include "frontend/onnx/Importer.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace sinter::onnx_import {

std::string Importer::paramName(const Tensor &tensor) {
  std::string name = tensor.name.empty() ? "constant" : tensor.name;
  while (!paramNames.insert(name).second)
    name += "_";
  return name;
}

static DenseI8ArrayAttr dataOf(Builder &builder, const Content &content) {
  if (!content.range.file.empty())
    return {};
  return builder.getDenseI8ArrayAttr(
      ArrayRef<int8_t>(reinterpret_cast<const int8_t *>(content.bytes.data()), content.bytes.size()));
}

FlatSymbolRefAttr Importer::param(const Tensor &tensor) {
  Content &content = *tensor.content;
  if (content.symbol.empty()) {
    const std::string name = content.symbol = paramName(tensor);
    OpBuilder::InsertionGuard guard(code);
    code.setInsertionPoint(exec);
    tx::ParamOp::create(code, name, content.range.file, static_cast<int64_t>(content.range.offset),
                        typeOf(tensor.elem, tensor.shape), StringAttr(), dataOf(code, content));
  }
  return FlatSymbolRefAttr::get(&context, content.symbol);
}

FlatSymbolRefAttr Importer::matrix(const Tensor &tensor, bool transposed, ArrayRef<float> scales, ArrayRef<int32_t> zeros) {
  std::string &name = matrices[{tensor.content, transposed, scales.vec()}];
  if (name.empty()) {
    name = paramName(tensor);
    OpBuilder::InsertionGuard guard(code);
    code.setInsertionPoint(exec);
    Shape shape = tensor.shape;
    if (transposed)
      std::swap(shape[0], shape[1]);
    tx::StoredAttr stored;
    if (transposed || !scales.empty())
      stored = tx::StoredAttr::get(&context, transposed, !scales.empty() && tensor.elem->isUnsigned(),
                                   scales.empty() ? DenseF32ArrayAttr() : code.getDenseF32ArrayAttr(scales),
                                   zeros.empty() ? DenseI32ArrayAttr() : code.getDenseI32ArrayAttr(zeros));
    tx::ParamOp op = tx::ParamOp::create(code, name, tensor.content->range.file,
                                         static_cast<int64_t>(tensor.content->range.offset), typeOf(tensor.elem, shape),
                                         StringAttr(), dataOf(code, *tensor.content));
    if (stored)
      op.setStoredAttr(stored);
  }
  return FlatSymbolRefAttr::get(&context, name);
}

//===-- Rows -------------------------------------------------------------------------------------------------------===//

bool Importer::isRows(const Tensor &tensor) {
  if (tensor.elem != elem::f32() || tensor.rank() < 2 || tensor.content || tensor.list)
    return false;
  std::optional<int64_t> width = tensor.shape.back().constant();
  if (!width || *width <= 0 || *width % kRowLanes)
    return false;
  std::optional<Dim> rows = Dim::divideExactly(tensor.count(), *width);
  return rows && !rows->is(0) && dims.range(*rows).high < INT32_MAX;
}

RankedTensorType Importer::rowsType(int64_t width) {
  return RankedTensorType::get({ShapedType::kDynamic, width}, code.getF32Type());
}

Value Importer::rowsOf(const Tensor &tensor) {
  if (tensor.rows)
    return tensor.rows;
  const int64_t width = *tensor.shape.back().constant();
  Value sizes[] = {emit(*Dim::divideExactly(tensor.count(), width)), code.index(width)};
  Value wanted = tensor::FromElementsOp::create(code, ValueRange(sizes));
  return tensor::ReshapeOp::create(code, rowsType(width), value(tensor), wanted);
}

Tensor Importer::fromRows(Value rows, const Shape &shape) {
  Tensor result;
  result.elem = elem::f32();
  SmallVector<Value> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(emit(dim));
  Value wanted = tensor::FromElementsOp::create(code, sizes);
  result.value = tensor::ReshapeOp::create(code, typeOf(elem::f32(), shape), rows, wanted);
  result.shape = shape;
  result.rows = rows;
  return result;
}

} // namespace sinter::onnx_import
