// The table of element types. Four-bit integers are unpacked to bytes when they are read; they occur only as weights.

#include "frontend/onnx/Tensor.h"

using namespace mlir;

namespace sinter::onnx_import {

static constexpr Elem kElems[] = {
    {1, "f32", Kind::real, 32, 32},        {2, "u8", Kind::unsignedInt, 8, 8},    {3, "i8", Kind::signedInt, 8, 8},
    {4, "u16", Kind::unsignedInt, 16, 16}, {5, "i16", Kind::signedInt, 16, 16},   {6, "i32", Kind::signedInt, 32, 32},
    {7, "i64", Kind::signedInt, 64, 64},   {9, "bool", Kind::boolean, 8, 8},      {10, "f16", Kind::real, 16, 16},
    {11, "f64", Kind::real, 64, 64},       {12, "u32", Kind::unsignedInt, 32, 32}, {13, "u64", Kind::unsignedInt, 64, 64},
    {16, "bf16", Kind::real, 16, 16},      {21, "u4", Kind::unsignedInt, 8, 4},   {22, "i4", Kind::signedInt, 8, 4},
};

ElemRef findElem(int onnx) {
  for (const Elem &elem : kElems)
    if (elem.onnx == onnx)
      return &elem;
  return nullptr;
}

ElemRef elemOf(int onnx) {
  if (ElemRef elem = findElem(onnx))
    return elem;
  const std::string name = ::onnx::TensorProto::DataType_IsValid(onnx)
                               ? ::onnx::TensorProto::DataType_Name(static_cast<::onnx::TensorProto::DataType>(onnx))
                               : std::to_string(onnx);
  fail("elements of type " + name + " are not supported");
}

namespace elem {
ElemRef f32() { return elemOf(1); }
ElemRef f64() { return elemOf(11); }
ElemRef f16() { return elemOf(10); }
ElemRef i64() { return elemOf(7); }
ElemRef i32() { return elemOf(6); }
ElemRef i8() { return elemOf(3); }
ElemRef u8() { return elemOf(2); }
ElemRef boolean() { return elemOf(9); }
} // namespace elem

Type storageType(ElemRef elem, MLIRContext *context) {
  if (!elem->isReal())
    return IntegerType::get(context, elem->bits);
  if (elem->bits == 16)
    return elem->onnx == ::onnx::TensorProto::FLOAT16 ? Type(Float16Type::get(context)) : Type(BFloat16Type::get(context));
  return elem->bits == 32 ? Type(Float32Type::get(context)) : Type(Float64Type::get(context));
}

Type computeType(ElemRef elem, MLIRContext *context) {
  if (elem->isBool())
    return IntegerType::get(context, 1);
  if (elem->isReal() && elem->bits == 16)
    return Float32Type::get(context);
  return storageType(elem, context);
}

} // namespace sinter::onnx_import
