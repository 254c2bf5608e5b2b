// Making tensors of what is known and of loops.

#include "frontend/InputFile.h"
#include "frontend/onnx/Importer.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace sinter::onnx_import {

// Bytes that one buffer may have at most.
static constexpr int64_t kMostBytes = int64_t(1) << 40;
// Elements whose values the importer looks at.
static constexpr int64_t kMostKnown = 1 << 22;

//===-- What is known ----------------------------------------------------------------------------------------------===//

static std::optional<int64_t> knownCount(const Shape &shape) {
  int64_t count = 1;
  for (const Dim &dim : shape) {
    std::optional<int64_t> size = dim.constant();
    if (!size || *size < 0)
      return std::nullopt;
    if (__builtin_mul_overflow(count, *size, &count))
      fail("a tensor has too many elements");
  }
  return count;
}

std::vector<uint8_t> Importer::bytes(const Tensor &tensor) {
  std::optional<int64_t> count = knownCount(tensor.shape);
  if (!tensor.content || !count || *count > kMostKnown)
    fail("the value of " + quote(tensor.name) + " is not known");
  const DataRange &range = tensor.content->range;
  if (range.file.empty())
    return tensor.content->bytes;
  InputFile data;
  std::string error;
  std::vector<uint8_t> result(range.size);
  if (!data.open(range.file, error) || !data.read(range.offset, range.size, reinterpret_cast<char *>(result.data()), error))
    fail(error);
  return result;
}

template <typename T> static double element(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return static_cast<double>(value);
}

static double halfToDouble(uint16_t bits, bool brain) {
  const llvm::fltSemantics &semantics = brain ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
  return llvm::APFloat(semantics, llvm::APInt(16, bits)).convertToDouble();
}

static int64_t integerAt(ElemRef elem, const uint8_t *at) {
  uint64_t value = 0;
  std::memcpy(&value, at, elem->bits / 8);
  if (elem->isUnsigned())
    return static_cast<int64_t>(value);
  const unsigned shift = 64 - elem->bits;
  return static_cast<int64_t>(value << shift) >> shift;
}

std::optional<std::vector<double>> Importer::knownReals(const Tensor &tensor) {
  if (!tensor.content) {
    std::optional<std::vector<int64_t>> integers = knownIntegers(tensor);
    if (!integers)
      return std::nullopt;
    return std::vector<double>(integers->begin(), integers->end());
  }
  if (knownCount(tensor.shape).value_or(kMostKnown + 1) > kMostKnown)
    return std::nullopt;
  std::vector<uint8_t> data = bytes(tensor);
  std::vector<double> result;
  const unsigned size = tensor.elem->bits / 8;
  for (size_t at = 0; at + size <= data.size(); at += size) {
    const uint8_t *from = data.data() + at;
    uint16_t half = 0;
    std::memcpy(&half, from, std::min(size, 2u));
    if (!tensor.elem->isReal())
      result.push_back(static_cast<double>(integerAt(tensor.elem, from)));
    else if (size == 2)
      result.push_back(halfToDouble(half, tensor.elem->onnx == ::onnx::TensorProto::BFLOAT16));
    else
      result.push_back(size == 4 ? element<float>(from) : element<double>(from));
  }
  return result;
}

std::optional<std::vector<int64_t>> Importer::knownIntegers(const Tensor &tensor) {
  if (!tensor.elem || tensor.elem->isReal())
    return std::nullopt;
  std::vector<int64_t> result;
  if (tensor.integers) {
    for (const Dim &dim : *tensor.integers) {
      if (!dim.constant())
        return std::nullopt;
      result.push_back(*dim.constant());
    }
    return result;
  }
  if (!tensor.content || knownCount(tensor.shape).value_or(kMostKnown + 1) > kMostKnown)
    return std::nullopt;
  std::vector<uint8_t> data = bytes(tensor);
  const unsigned size = tensor.elem->bits / 8;
  for (size_t at = 0; at + size <= data.size(); at += size)
    result.push_back(integerAt(tensor.elem, data.data() + at));
  return result;
}

std::optional<std::vector<Dim>> Importer::knownSizes(const Tensor &tensor) {
  if (tensor.integers)
    return *tensor.integers;
  if (knownCount(tensor.shape).value_or(1025) > 1024)
    return std::nullopt;
  std::optional<std::vector<int64_t>> integers = knownIntegers(tensor);
  if (!integers)
    return std::nullopt;
  return std::vector<Dim>(integers->begin(), integers->end());
}

// An input that a value is computed from; nullptr if there is none.
static BlockArgument inputBehind(Value value, int depth = 0) {
  if (!value || depth > 64)
    return {};
  if (BlockArgument argument = dyn_cast<BlockArgument>(value))
    return argument;
  for (Value operand : value.getDefiningOp()->getOperands())
    if (BlockArgument found = inputBehind(operand, depth + 1))
      return found;
  return {};
}

void Importer::notKnown(const Tensor &tensor, const char *what) {
  BlockArgument input = inputBehind(tensor.value);
  std::string name = input ? inputPorts[input.getArgNumber()].name : "";
  throw ImportError{std::string(what) + " (" + quote(tensor.name) + ") must be known when the model is compiled" +
                        (input ? ", but it depends on input " + quote(name) + "; give its value with --input-value" : ""),
                    name};
}

std::vector<int64_t> Importer::integersOf(const Tensor &tensor, const char *what) {
  std::optional<std::vector<int64_t>> result = knownIntegers(tensor);
  if (!result)
    notKnown(tensor, what);
  return *result;
}
std::vector<double> Importer::realsOf(const Tensor &tensor, const char *what) {
  std::optional<std::vector<double>> result = knownReals(tensor);
  if (!result)
    notKnown(tensor, what);
  return *result;
}
std::vector<Dim> Importer::sizesOf(const Tensor &tensor, const char *what) {
  std::optional<std::vector<Dim>> result = knownSizes(tensor);
  if (!result)
    notKnown(tensor, what);
  return *result;
}

//===-- Known tensors ----------------------------------------------------------------------------------------------===//

Tensor Importer::constant(ElemRef elem, std::vector<int64_t> shape, std::vector<uint8_t> bytes) {
  Tensor result;
  result.elem = elem;
  result.shape.assign(shape.begin(), shape.end());
  result.content = std::make_shared<Content>();
  result.content->bytes = std::move(bytes);
  return result;
}

Tensor Importer::scalar(ElemRef elem, double value) {
  std::vector<uint8_t> bytes(elem->bits / 8);
  if (!elem->isReal()) {
    int64_t integer = static_cast<int64_t>(value);
    std::memcpy(bytes.data(), &integer, bytes.size());
  } else if (elem->bits == 16) {
    llvm::APFloat half(value);
    bool lost;
    half.convert(elem->onnx == ::onnx::TensorProto::FLOAT16 ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat(),
                 llvm::APFloat::rmNearestTiesToEven, &lost);
    uint64_t bits = half.bitcastToAPInt().getZExtValue();
    std::memcpy(bytes.data(), &bits, 2);
  } else if (elem->bits == 32) {
    float single = static_cast<float>(value);
    std::memcpy(bytes.data(), &single, 4);
  } else {
    std::memcpy(bytes.data(), &value, 8);
  }
  return constant(elem, {}, std::move(bytes));
}

Tensor Importer::vectorOf(const std::vector<int64_t> &values) {
  std::vector<uint8_t> bytes(8 * values.size());
  if (!values.empty())
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return constant(elem::i64(), {static_cast<int64_t>(values.size())}, std::move(bytes));
}

Tensor Importer::fromSizes(std::vector<Dim> values, ElemRef elem, Shape shape) {
  Tensor result;
  result.elem = elem;
  result.shape = std::move(shape);
  result.integers = std::make_shared<std::vector<Dim>>(std::move(values));
  return result;
}

template <typename T, typename Field> static void append(std::vector<uint8_t> &bytes, const Field &field) {
  for (auto each : field) {
    T value = static_cast<T>(each);
    const uint8_t *begin = reinterpret_cast<const uint8_t *>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(T));
  }
}

// The fields for typed data, by element type.
static std::vector<uint8_t> typedData(const ::onnx::TensorProto &proto, ElemRef elem) {
  std::vector<uint8_t> bytes;
  if (elem->isReal() && elem->bits == 32)
    append<float>(bytes, proto.float_data());
  else if (elem->isReal() && elem->bits == 64)
    append<double>(bytes, proto.double_data());
  else if (elem->bits == 64 && elem->isUnsigned())
    append<uint64_t>(bytes, proto.uint64_data());
  else if (elem->bits == 64)
    append<int64_t>(bytes, proto.int64_data());
  else if (elem->bits == 32 && elem->isUnsigned())
    append<uint32_t>(bytes, proto.uint64_data());
  else if (elem->bits == 32)
    append<int32_t>(bytes, proto.int32_data());
  else if (elem->bits == 16)
    append<uint16_t>(bytes, proto.int32_data());
  else
    append<uint8_t>(bytes, proto.int32_data());
  return bytes;
}

Tensor Importer::fromProto(const ::onnx::TensorProto &proto) {
  Tensor result;
  result.name = proto.name();
  auto bad = [&](const std::string &what) { fail("tensor " + quote(proto.name()) + " " + what); };
  result.elem = elemOf(proto.data_type());
  for (int64_t dim : proto.dims()) {
    if (dim < 0)
      bad("has a dimension of " + std::to_string(dim));
    result.shape.push_back(dim);
  }
  const int64_t count = *knownCount(result.shape);
  if (count > kMostBytes)
    bad("has " + std::to_string(count) + " elements");
  const uint64_t needed = (uint64_t(count) * result.elem->packed + 7) / 8;
  result.content = std::make_shared<Content>();
  std::vector<uint8_t> &bytes = result.content->bytes;
  uint64_t found;
  if (proto.has_data_location() && proto.data_location() == ::onnx::TensorProto::EXTERNAL) {
    std::string error;
    DataRange &range = result.content->range;
    if (!findExternalData(file, proto, range, error))
      fail(error);
    found = range.size;
    if (found == needed && result.elem->packed != result.elem->bits)
      bytes = this->bytes(result);
  } else {
    if (proto.has_raw_data())
      bytes.assign(proto.raw_data().begin(), proto.raw_data().end());
    else
      bytes = typedData(proto, result.elem);
    found = bytes.size();
  }
  if (found != needed)
    bad("has " + std::to_string(found) + " bytes of data, " + std::to_string(needed) + " are needed for " +
        describe(result.shape) + " of " + result.elem->name);
  if (result.elem->packed != result.elem->bits) { // two to a byte, the lower half first
    std::vector<uint8_t> packed = std::move(bytes);
    bytes.assign(count, 0);
    result.content->range = {};
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t code = packed[i / 2] >> (i % 2 * 4) & 15;
      bytes[i] = result.elem->isUnsigned() || code < 8 ? code : code | 0xf0;
    }
  }
  if (result.elem->isBool())
    for (uint8_t &byte : bytes)
      byte = byte != 0;
  if (count == 0)
    result.content->range = {};
  return result;
}

//===-- Values -----------------------------------------------------------------------------------------------------===//

std::string Importer::describe(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + dims.text(shape[i]);
  return text + "]";
}

RankedTensorType Importer::typeOf(ElemRef elem, const Shape &shape) {
  SmallVector<int64_t> sizes;
  int64_t most = elem->bits / 8;
  for (const Dim &dim : shape) {
    std::optional<int64_t> known = dim.constant();
    const int64_t high = known ? *known : dims.range(dim).high;
    if (high < 0)
      fail("a tensor of shape " + describe(shape) + " has a negative size");
    if (high && (__builtin_mul_overflow(most, high, &most) || most > kMostBytes))
      fail("a tensor of shape " + describe(shape) + " may be larger than " + std::to_string(kMostBytes) +
           " bytes; lower --max-dim");
    sizes.push_back(known ? *known : ShapedType::kDynamic);
  }
  if (sizes.size() > 16)
    fail("a tensor of shape " + describe(shape) + " has more than 16 dimensions");
  return RankedTensorType::get(sizes, storageType(elem, &context));
}

Value Importer::emit(const Dim &dim) {
  Value &known = emitted[dim];
  if (known)
    return known;
  Value sum;
  for (const auto &[product, coefficient] : dim.terms) {
    Value term = product.empty() || coefficient != 1 ? code.index(coefficient) : Value();
    for (uint32_t number : product) {
      Value atom;
      const Atom &what = dims.atoms[number];
      Value &cached = emitted[Dim::atom(number)];
      if (cached) {
        atom = cached;
      } else {
        if (what.kind == Atom::symbol) {
          const auto place = std::find(symbolNames.begin(), symbolNames.end(), what.name) - symbolNames.begin();
          atom = tx::DimOp::create(code, place, what.name, std::max<int64_t>(what.high, 1));
        } else if (what.kind == Atom::value) {
          atom = Value::getFromOpaquePointer(what.opaque);
        } else {
          Value left = emit(what.left), right = emit(what.right);
          atom = what.kind == Atom::min   ? code.min(left, right)
                 : what.kind == Atom::max ? code.max(left, right)
                                          : Value();
          if (!atom) {
            Value divisor = code.max(right, code.index(1));
            atom = code.createOrFold<arith::FloorDivSIOp>(left, divisor);
          }
        }
        emitted[Dim::atom(number)] = atom;
      }
      term = term ? code.mul(term, atom) : atom;
    }
    sum = sum ? code.add(sum, term) : term;
  }
  return emitted[dim] = sum ? sum : code.index(0);
}

Value Importer::value(const Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  if (tensor.list || !tensor.elem)
    fail(quote(tensor.name) + " is a sequence, a tensor is expected");
  if (tensor.content) {
    if (knownCount(tensor.shape) == 0) // nothing to read
      return loops({}, {{tensor.elem, tensor.shape}}, [](Code &, ArrayRef<Mem>, ArrayRef<Mem>) {})[0].value;
    return tx::ValueOp::create(code, typeOf(tensor.elem, tensor.shape), param(tensor));
  }
  std::vector<Value> elements;
  for (const Dim &size : *tensor.integers)
    elements.push_back(emit(size));
  return loops({}, {{tensor.elem, tensor.shape}}, [&](Code &c, ArrayRef<Mem>, ArrayRef<Mem> out) {
           for (auto [i, element] : llvm::enumerate(elements))
             c.storeFlat(c.convert(c.fromIndex(element, c.getI64Type()), elem::i64(), tensor.elem), out[0],
                         c.index(static_cast<int64_t>(i)));
         })[0].value;
}

//===-- Loops ------------------------------------------------------------------------------------------------------===//

Tensors Importer::loops(ArrayRef<Tensor> inputs, ArrayRef<TensorType> outputs,
                        function_ref<void(Code &, ArrayRef<Mem>, ArrayRef<Mem>)> body) {
  SmallVector<Value> operands, sizes;
  SmallVector<Type> results, arguments;
  std::vector<Mem> memories;
  auto addMemory = [&](RankedTensorType type, ElemRef elem, const Shape &shape) {
    Mem memory = {Value(), elem, {}};
    for (const Dim &dim : shape)
      memory.sizes.push_back(emit(dim));
    memories.push_back(memory);
    arguments.push_back(MemRefType::get(type.getShape(), type.getElementType()));
  };
  for (const Tensor &input : inputs) {
    operands.push_back(value(input));
    addMemory(mlir::cast<RankedTensorType>(operands.back().getType()), input.elem, input.shape);
  }
  for (const TensorType &output : outputs) {
    RankedTensorType type = typeOf(output.elem, output.shape);
    results.push_back(type);
    addMemory(type, output.elem, output.shape);
    for (const Dim &dim : output.shape)
      if (!dim.constant())
        sizes.push_back(emit(dim));
  }
  tx::LoopsOp op = tx::LoopsOp::create(code, results, operands, sizes);
  Block &block = op.getBody().emplaceBlock();
  for (auto [memory, type] : llvm::zip_equal(memories, arguments))
    memory.memref = block.addArgument(type, code.getLoc());
  {
    OpBuilder::InsertionGuard guard(code);
    code.setInsertionPointToStart(&block);
    ArrayRef<Mem> all(memories);
    body(code, all.take_front(inputs.size()), all.drop_front(inputs.size()));
  }
  Tensors made;
  for (auto [output, result] : llvm::zip_equal(outputs, op.getResults())) {
    Tensor tensor;
    tensor.elem = output.elem;
    tensor.shape = output.shape;
    tensor.value = result;
    made.push_back(tensor);
  }
  return made;
}

Tensor Importer::compute(ArrayRef<Tensor> inputs, TensorType output,
                         function_ref<Value(Code &, ArrayRef<Mem>, ValueRange)> element) {
  return loops(inputs, output, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    c.parallel(out[0].sizes, [&](ValueRange at) { c.store(element(c, in, at), out[0], at); });
  })[0];
}

} // namespace sinter::onnx_import
