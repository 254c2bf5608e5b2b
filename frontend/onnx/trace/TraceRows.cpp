// Ops on rows of activations: products, sums, norms, activations, embeddings.

#include "frontend/onnx/trace/Tracer.h"
#include "frontend/InputFile.h"
#include "frontend/onnx/Dim.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace sinter::onnx_import {

using ::onnx::NodeProto;
using ::onnx::TensorProto;

static bool near(double value, double wanted) { return std::abs(value - wanted) <= 1e-4 * std::abs(wanted); }

static bool sameRows(const Traced &a, const Traced &b) { return a.rows == b.rows && a.view == b.view; }

// The one number of a known value.
static std::optional<double> number(const Traced &value) {
  if (value.form != Form::known || value.known.count() != 1)
    return std::nullopt;
  return value.known.values[0];
}

// A value made of the rows of another, on its way to something.
static Traced derived(const Traced &source, Form form) {
  Traced result = source;
  result.form = form;
  return result;
}

//===-- Params -------------------------------------------------------------------------------------------------------===//

FlatSymbolRefAttr Tracer::addParam(const std::string &name, const std::string &key, llvm::StringRef path, int64_t offset,
                                   RankedTensorType type, DenseI8ArrayAttr data, tx::StoredAttr stored) {
  std::string &symbol = params.names[key];
  if (symbol.empty()) {
    symbol = name;
    for (int number = 1; !params.taken.insert(symbol).second; ++number)
      symbol = name + "_" + std::to_string(number);
  }
  if (params.made.insert(symbol).second) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(&*module.getBody()->begin());
    tx::ParamOp param = tx::ParamOp::create(builder, at(symbol), symbol, path, offset, type, StringAttr(), data);
    if (stored)
      param.setStoredAttr(stored);
    params.parameters += static_cast<uint64_t>(type.getNumElements());
  }
  return FlatSymbolRefAttr::get(builder.getContext(), symbol);
}

// Where a tensor's bytes are; only small ones are in the message itself.
static DataRange rangeOf(const ModelFile &file, const TensorProto &tensor) {
  DataRange range;
  std::string error;
  if (!tensor.has_data_location() || tensor.data_location() != TensorProto::EXTERNAL)
    fail("reads tensor " + quote(tensor.name()) + ", whose elements are not raw data");
  if (!findExternalData(file, tensor, range, error))
    fail(error);
  return range;
}

static Type elementOf(OpBuilder &builder, const TensorProto &tensor) {
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return builder.getF32Type();
  case TensorProto::FLOAT16:
    return builder.getF16Type();
  case TensorProto::BFLOAT16:
    return builder.getBF16Type();
  case TensorProto::INT8:
  case TensorProto::UINT8:
    return builder.getI8Type();
  }
  fail("reads tensor " + quote(tensor.name()) + " of element type " + std::to_string(tensor.data_type()) +
       ", expected floats or 8-bit integers");
}

// The first axis of `view` becomes rows, the second columns.
FlatSymbolRefAttr Tracer::matrixParam(const std::string &name, const Weight &weight, const StridedView &view) {
  const TensorProto &tensor = *weight.tensor;
  const std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end()), shape = view.shape();
  const StridedView whole = StridedView::rowMajor(dims);
  // Each axis of the view is one of the tensor's.
  std::vector<int64_t> order;
  std::vector<bool> used(dims.size());
  for (const StridedView::Axis &axis : view.axes)
    for (size_t i = 0; i < dims.size(); ++i)
      if (!used[i] && whole.axes[i] == axis) {
        used[i] = true;
        order.push_back(int64_t(i));
        break;
      }
  if (view.offset || order.size() != dims.size() || shape.size() != dims.size() || shape.size() != 2)
    fail("reads a part of tensor " + quote(tensor.name()));
  const Type element = elementOf(builder, tensor);
  const DataRange range = rangeOf(file, tensor);
  const bool transposed = order[0] == 1;
  if (weight.scales.empty() != isa<FloatType>(element))
    fail("multiplies with tensor " + quote(tensor.name()) + ", which is " +
         (weight.scales.empty() ? "integers without" : "floats with") + " scales");
  const std::vector<float> scales(weight.scales.begin(), weight.scales.end());
  const std::vector<int32_t> zeros(weight.zeros.begin(), weight.zeros.end());
  if (scales.size() > 1 && (weight.axis != order[0] || int64_t(scales.size()) != shape[0]))
    fail("has " + std::to_string(scales.size()) + " scales along axis " + std::to_string(weight.axis) + " of tensor " +
         quote(tensor.name()) + ", expected one for each output");
  if (!zeros.empty() && zeros.size() != scales.size())
    fail("has " + std::to_string(zeros.size()) + " zero points for " + std::to_string(scales.size()) + " scales");
  tx::StoredAttr stored;
  if (transposed || !scales.empty())
    stored = tx::StoredAttr::get(builder.getContext(), transposed, tensor.data_type() == TensorProto::UINT8,
                                 scales.empty() ? DenseF32ArrayAttr() : builder.getDenseF32ArrayAttr(scales),
                                 zeros.empty() ? DenseI32ArrayAttr() : builder.getDenseI32ArrayAttr(zeros));
  const std::string key = tensor.name() + "/" + std::to_string(order[0]);
  return addParam(name, key, range.file, int64_t(range.offset), RankedTensorType::get(shape, element), {}, stored);
}

FlatSymbolRefAttr Tracer::vectorParam(const std::string &name, const Known &content) {
  const int64_t count = content.count();
  if (content.origin && content.origin->has_data_location() && content.origin->data_location() == TensorProto::EXTERNAL) {
    const Type element = elementOf(builder, *content.origin);
    const DataRange range = rangeOf(file, *content.origin);
    if (isa<FloatType>(element))
      return addParam(name, content.origin->name(), range.file, int64_t(range.offset), RankedTensorType::get({count}, element),
                      {}, {});
  }
  std::vector<int8_t> data(count * sizeof(float));
  for (int64_t i = 0; i < count; ++i) {
    const float value = float(content.values[i]);
    std::memcpy(data.data() + i * sizeof(float), &value, sizeof(float));
  }
  const std::string key(reinterpret_cast<const char *>(data.data()), data.size());
  return addParam(name, key, file.path, 0, RankedTensorType::get({count}, builder.getF32Type()),
                  builder.getDenseI8ArrayAttr(data), {});
}

//===-- Rows ---------------------------------------------------------------------------------------------------------===//

Value Tracer::columnsOf(Value rows, int64_t begin, int64_t columns) {
  if (begin == 0 && columns == width(rows))
    return rows;
  RankedTensorType type = RankedTensorType::get({cast<RankedTensorType>(rows.getType()).getDimSize(0), columns}, builder.getF32Type());
  return tx::SliceOp::create(builder, rows.getLoc(), type, rows, begin);
}

Value Tracer::wholeRows(const Traced &value) {
  if (value.form != Form::rows)
    fail("takes something that is not rows of activations");
  if (value.factor != 1)
    fail("takes rows that are scaled by " + std::to_string(value.factor));
  const StridedView &view = value.view;
  const int64_t stride = width(value.rows), columns = view.rank() ? view.size(view.rank() - 1) : 1;
  StridedView::Axis parts = view.flat();
  const bool isWhole = view.offset == 0 && view.isContiguous() && columns == stride;
  // Some columns of each row: [tokens, columns], `stride` apart.
  const bool isPart = view.offset >= 0 && view.offset + columns <= stride && !parts.empty() && parts.back().stride == 1 &&
                      parts.back().size == columns && (parts.size() == 1 || (parts.size() == 2 && parts[0].stride == stride));
  if (!isWhole && !isPart)
    fail("takes rows whose elements lie in another order");
  return isWhole ? value.rows : columnsOf(value.rows, view.offset, columns);
}

int64_t Tracer::tokensOf(const Traced &value) {
  int64_t count = 1;
  for (int64_t size : value.view.shape())
    count *= size;
  return value.view.rank() ? count / std::max<int64_t>(1, value.view.size(value.view.rank() - 1)) : 1;
}

Value Tracer::linear(const std::string &name, Value input, const Weight &weight, const StridedView &view) {
  FlatSymbolRefAttr param = matrixParam(name, weight, view);
  if (view.size(1) != width(input))
    fail("multiplies " + std::to_string(width(input)) + " columns with " + std::to_string(view.size(1)));
  return tx::LinearOp::create(builder, at(name), rowsType(view.size(0)), input, builder.getArrayAttr({param}), ArrayAttr(),
                              tx::NormAttr(), tx::ActivationAttr(), tx::ActivationAttr(), Value());
}

// rows x weight; `view` is [inputs, outputs].
Traced Tracer::product(const NodeProto &node, const Traced &a, Weight weight, const StridedView &view) {
  if (view.rank() != 2)
    fail("multiplies with a weight of rank " + std::to_string(view.rank()));
  Traced source = a;
  source.form = Form::rows;
  const double factor = std::exchange(source.factor, 1);
  Value rows = linear(labelOf(node.name()), wholeRows(source), weight, view.transposed({1, 0}));
  std::vector<int64_t> shape = a.view.shape();
  shape.back() = width(rows);
  Traced result = rowsOf(rows, tokensOf(a), shape);
  result.factor = factor;
  return result;
}

// The same op with a bias, in place of one without: the old one is read by nothing then.
Traced Tracer::addBias(const NodeProto &node, const Traced &rows, const Traced &bias) {
  const int64_t outputs = width(rows.rows), count = bias.known.count();
  Operation *op = rows.rows.getDefiningOp();
  if (rows.factor != 1 || !op || count != outputs)
    fail("adds a vector to what is neither a product nor a norm");
  Traced result = rows;
  if (tx::NormOp norm = dyn_cast<tx::NormOp>(op); norm && !norm.getNorm().getBias()) {
    tx::NormAttr old = norm.getNorm();
    FlatSymbolRefAttr param = vectorParam(old.getWeight().getValue().str() + "_bias", bias.known);
    tx::NormAttr attr = tx::NormAttr::get(builder.getContext(), old.getKind(), old.getWeight(), old.getEpsilon(), param, 0);
    result.rows = tx::NormOp::create(builder, op->getLoc(), norm.getInput(), attr, 0);
    return result;
  }
  tx::LinearOp linear = dyn_cast<tx::LinearOp>(op);
  if (!linear || linear.getBiases() || linear.getAct() || linear.getGlu())
    fail("adds a vector to what is neither a product nor a norm");
  StringRef name = cast<FlatSymbolRefAttr>(linear.getWeights()[0]).getValue();
  FlatSymbolRefAttr param = vectorParam(name.str() + "_bias", bias.known);
  result.rows = tx::LinearOp::create(builder, op->getLoc(), rowsType(outputs), linear.getInput(), linear.getWeights(),
                                     builder.getArrayAttr({param}), tx::NormAttr(), tx::ActivationAttr(),
                                     tx::ActivationAttr(), Value());
  return result;
}

Traced Tracer::normOf(const std::string &name, const Traced &source, const Known &weight, const Known *bias, bool isCentered,
                      double epsilon) {
  Traced input = source;
  input.form = Form::rows;
  Value rows = wholeRows(input);
  if (weight.count() != width(rows))
    fail("scales " + std::to_string(width(rows)) + " columns by " + std::to_string(weight.count()) + " numbers");
  FlatSymbolRefAttr weightParam = vectorParam(name, weight), biasParam;
  if (bias)
    biasParam = vectorParam(name + "_bias", *bias);
  tx::NormAttr attr = tx::NormAttr::get(builder.getContext(), isCentered ? tx::NormKind::layer : tx::NormKind::rms, weightParam,
                                        builder.getF32FloatAttr(float(epsilon)), biasParam, 0);
  Value result = tx::NormOp::create(builder, at(name), rows, attr, 0);
  return rowsOf(result, tokensOf(source), source.view.shape());
}

Traced Tracer::activate(const Traced &source, tx::Activation activation) {
  Traced result = source;
  result.form = Form::rows;
  result.factor = 1;
  result.rows = tx::ActivateOp::create(builder, source.rows.getLoc(), activation, source.rows);
  return result;
}

//===-- Arithmetic -----------------------------------------------------------------------------------------------------===//

Traced Tracer::add(const NodeProto &node, Traced &a, Traced &b) {
  if (a.form == Form::known)
    std::swap(a, b);
  if (a.form == Form::variance && number(b)) {
    Traced result = a;
    result.epsilon = *number(b);
    return result;
  }
  if (a.form == Form::erf && number(b) && near(*number(b), 1))
    return derived(a, Form::erfPlusOne);
  if (a.form == Form::scores && b.form == Form::known)
    return maskScores(a, b.known);
  if (a.form == Form::turned && b.form == Form::turned && a.isSwapped != b.isSwapped)
    return a.isSwapped ? rotate(node, b, a) : rotate(node, a, b);
  if (a.form == Form::rows && b.form == Form::known)
    return addBias(node, a, b);
  if (a.form == Form::rows && b.form == Form::rows && a.view == b.view && a.factor == 1 && b.factor == 1) {
    Traced result = a;
    result.rows = tx::AddOp::create(builder, at(labelOf(node.name())), a.rows, b.rows);
    return result;
  }
  fail("adds what does not occur in a transformer");
}

Traced Tracer::subtract(Traced &a, Traced &b) {
  if (a.form != Form::rows || b.form != Form::mean || a.rows != b.rows || a.factor != 1)
    fail("subtracts what does not occur in a transformer");
  Traced result = derived(a, Form::centered);
  result.isCentered = true;
  return result;
}

Traced Tracer::multiply(const NodeProto &node, Traced &a, Traced &b) {
  if (a.form == Form::known || a.form == Form::scaleProduct)
    std::swap(a, b);
  if (b.form == Form::known && a.form == Form::scale) {
    Traced result = derived(a, Form::scaleProduct);
    result.known = b.known;
    return result;
  }
  if (a.form == Form::product && b.form == Form::scaleProduct && sameRows(a, b)) {
    Weight weight = a.weight;
    weight.scales = b.known.values;
    if (weight.zeros.size() == 1 && weight.scales.size() > 1)
      weight.zeros.assign(weight.scales.size(), weight.zeros[0]);
    weight.axis = 1;
    return product(node, derived(a, Form::rows), weight, a.weightView);
  }
  if (std::optional<double> by = number(b); by && (a.form == Form::rows || a.form == Form::scores || a.form == Form::sofar ||
                                                   a.form == Form::swapped)) {
    a.factor *= *by;
    return a;
  }
  if (b.form == Form::known && a.form == Form::normalized) {
    std::string name = labelOf(node.name());
    return normOf(name, a, b.known, nullptr, a.isCentered, a.epsilon);
  }
  if (b.form == Form::known && (a.form == Form::rows || a.form == Form::swapped)) {
    Traced result = derived(a, Form::turned);
    result.isSwapped = a.form == Form::swapped;
    result.known = b.known;
    return result;
  }
  if (a.form != Form::rows)
    std::swap(a, b);
  if (a.form == Form::rows && b.form == Form::sigmoid && sameRows(a, b) && a.factor == 1)
    return activate(a, tx::Activation::silu);
  if (a.form == Form::rows && b.form == Form::erfPlusOne && sameRows(a, b) && near(b.factor, std::sqrt(0.5))) {
    Traced result = activate(a, tx::Activation::gelu);
    result.factor = std::abs(2 * a.factor - 1) < 1e-6 ? 1 : 2 * a.factor;
    return result;
  }
  if (a.form == Form::rows && b.form == Form::inverse && a.rows == b.rows) {
    Traced result = derived(a, Form::normalized);
    result.epsilon = b.epsilon;
    return result;
  }
  if (a.form == Form::rows && b.form == Form::rows && a.view == b.view && a.factor == 1 && b.factor == 1) {
    if (isa_and_nonnull<tx::ActivateOp>(b.rows.getDefiningOp()))
      std::swap(a, b);
    if (tx::ActivateOp gate = a.rows.getDefiningOp<tx::ActivateOp>()) {
      Traced result = a;
      result.rows = tx::GluOp::create(builder, at(labelOf(node.name())), gate.getActivation(), gate.getInput(), b.rows);
      return result;
    }
  }
  fail("multiplies what does not occur in a transformer");
}

Traced Tracer::divide(Traced &a, Traced &b) {
  if (std::optional<double> by = number(b); by && *by != 0 && (a.form == Form::rows || a.form == Form::scores)) {
    a.factor /= *by;
    return a;
  }
  if (number(a) == 1.0 && b.form == Form::root)
    return derived(b, Form::inverse);
  if (b.form == Form::root && a.rows == b.rows && (a.form == Form::centered) == b.isCentered && a.factor == 1) {
    Traced result = derived(a, Form::normalized);
    result.epsilon = b.epsilon;
    result.isCentered = b.isCentered;
    return result;
  }
  fail("divides what does not occur in a transformer");
}

Traced Tracer::power(Traced &a, Traced &b) {
  if ((a.form != Form::rows && a.form != Form::centered) || number(b) != 2.0 || a.factor != 1)
    fail("raises to a power that does not occur in a transformer");
  return derived(a, Form::square);
}

Traced Tracer::mean(const NodeProto &node, std::vector<Traced> &in) {
  std::vector<int64_t> axes = in.size() > 1 && in[1].form == Form::known ? in[1].known.integers() : integersOf(node, "axes");
  Traced &a = in[0];
  if ((a.form != Form::rows && a.form != Form::square) || axes.size() != 1 || !integerOf(node, "keepdims", 1) ||
      axisOf(axes[0], a.view.rank()) != a.view.rank() - 1 || a.factor != 1)
    fail("takes a mean that does not occur in a transformer");
  return derived(a, a.form == Form::square ? Form::variance : Form::mean);
}

//===-- Embeddings -----------------------------------------------------------------------------------------------------===//

Traced Tracer::gather(const NodeProto &node, std::vector<Traced> &in) {
  Traced &data = in[0], &indices = in[1];
  if (data.form == Form::weight && indices.form == Form::known && integerOf(node, "axis", 0) == 0) {
    // Consecutive rows are a slice.
    const std::vector<int64_t> places = indices.known.integers();
    for (size_t i = 0; i < places.size(); ++i)
      if (places[i] != places[0] + int64_t(i))
        fail("gathers rows that do not follow one another");
    if (places.empty())
      fail("gathers no rows");
    Traced result = data;
    result.view = data.view.sliced(0, places[0], int64_t(places.size()));
    std::vector<int64_t> shape = indices.known.shape, inner = data.view.shape();
    shape.insert(shape.end(), inner.begin() + 1, inner.end());
    result.view = result.view.reshaped(shape);
    return result;
  }
  if (data.form != Form::weight || indices.form != Form::ids || integerOf(node, "axis", 0) != 0 || data.view.rank() != 2)
    fail("gathers what does not occur in a transformer");
  std::vector<int64_t> shape = indices.view.shape();
  shape.push_back(data.view.size(1));
  Traced result = data;
  result.form = Form::codes;
  result.weightView = data.view;
  result.view = StridedView::rowMajor(shape);
  const bool isFloat = isa<FloatType>(elementOf(builder, *data.weight.tensor));
  if (!isFloat && data.weight.scales.empty())
    return result;
  FlatSymbolRefAttr table = matrixParam("embed", result.weight, result.weightView);
  Value rows = tx::EmbedOp::create(builder, at("embed"), rowsType(shape.back()), tokenIds, table.getValue(), APFloat(1.0f));
  return rowsOf(rows, tokensOf(result), shape);
}

//===-- The table ------------------------------------------------------------------------------------------------------===//

static Traced &need(std::vector<Traced> &in, size_t i) {
  if (i >= in.size())
    fail("has " + std::to_string(in.size()) + " inputs, needs " + std::to_string(i + 1));
  return in[i];
}

static Traced withForm(Traced &value, Form from, Form to) {
  if (value.form != from)
    fail("is applied to what does not occur in a transformer");
  return derived(value, to);
}

void Tracer::traceOp(const NodeProto &node, std::vector<Traced> &in, std::vector<Traced> &out) {
  const std::string &op = node.op_type();
  auto needRows = [&](size_t i) -> Traced & {
    if (need(in, i).form != Form::rows)
      fail("is applied to what does not occur in a transformer");
    return in[i];
  };
  auto weightOf = [&](size_t i) -> Traced & {
    if (need(in, i).form != Form::weight)
      fail("has an input " + std::to_string(i) + " that is no weight");
    return in[i];
  };
  auto zeros = [&](size_t i) { return i < in.size() && in[i].form == Form::known ? in[i].known.values : std::vector<double>{0.0}; };
  if (op == "Add") {
    out.push_back(add(node, need(in, 0), need(in, 1)));
  } else if (op == "Sub") {
    out.push_back(subtract(need(in, 0), need(in, 1)));
  } else if (op == "Mul") {
    out.push_back(multiply(node, need(in, 0), need(in, 1)));
  } else if (op == "Div") {
    out.push_back(divide(need(in, 0), need(in, 1)));
  } else if (op == "Pow") {
    out.push_back(power(need(in, 0), need(in, 1)));
  } else if (op == "ReduceMean") {
    out.push_back(mean(node, in));
  } else if (op == "Neg") {
    needRows(0).factor *= -1;
    out.push_back(in[0]);
  } else if (op == "Sqrt") {
    out.push_back(withForm(need(in, 0), Form::variance, Form::root));
  } else if (op == "Reciprocal") {
    out.push_back(withForm(need(in, 0), Form::root, Form::inverse));
  } else if (op == "Erf") {
    out.push_back(derived(needRows(0), Form::erf));
  } else if (op == "Sigmoid") {
    out.push_back(derived(needRows(0), Form::sigmoid));
    if (in[0].factor != 1)
      fail("is applied to scaled rows");
  } else if (op == "Gelu") {
    const ::onnx::AttributeProto *kind = attributeOf(node, "approximate");
    out.push_back(activate(needRows(0), kind && kind->s() == "tanh" ? tx::Activation::gelu_tanh : tx::Activation::gelu));
    out.back().factor = 1;
    if (in[0].factor != 1)
      fail("is applied to scaled rows");
  } else if (op == "LayerNormalization" || op == "SimplifiedLayerNormalization" || op == "RMSNormalization") {
    if (need(in, 1).form != Form::known)
      fail("has a scale that is not known");
    const bool hasBias = in.size() > 2 && in[2].form == Form::known && in[2].known.count();
    if (integerOf(node, "axis", -1) != -1 && integerOf(node, "axis", -1) != needRows(0).view.rank() - 1)
      fail("normalizes more than the last axis");
    out.push_back(normOf(labelOf(node.name()), needRows(0), in[1].known, hasBias ? &in[2].known : nullptr,
                         op == "LayerNormalization", realOf(node, "epsilon", 1e-5)));
  } else if (op == "Gather") {
    need(in, 1);
    out.push_back(gather(node, in));
  } else if (op == "DynamicQuantizeLinear") {
    for (Form form : {Form::quantized, Form::scale, Form::zero})
      out.push_back(derived(needRows(0), form));
  } else if (op == "DequantizeLinear") {
    if (need(in, 1).form != Form::known || (in[0].form != Form::weight && in[0].form != Form::codes))
      fail("is applied to what is no weight");
    Weight &weight = in[0].weight;
    weight.scales = in[1].known.values;
    weight.zeros = zeros(2);
    if (weight.zeros.size() == 1)
      weight.zeros.assign(weight.scales.size(), weight.zeros[0]);
    weight.axis = axisOf(integerOf(node, "axis", 1), in[0].view.rank());
    if (in[0].form == Form::weight) {
      out.push_back(in[0]);
      return;
    }
    if (weight.scales.size() != 1)
      fail("has a scale for each of several columns of a table");
    weight.axis = 0;
    FlatSymbolRefAttr table = matrixParam("embed", weight, in[0].weightView);
    Value rows = tx::EmbedOp::create(builder, at("embed"), rowsType(in[0].weightView.size(1)), tokenIds, table.getValue(),
                                     APFloat(1.0f));
    out.push_back(rowsOf(rows, tokensOf(in[0]), in[0].view.shape()));
  } else if (op == "MatMulInteger") {
    if (need(in, 0).form != Form::quantized)
      fail("multiplies what does not occur in a transformer");
    Traced result = derived(in[0], Form::product);
    result.weight = weightOf(1).weight;
    result.weight.zeros = zeros(3);
    result.weightView = in[1].view;
    out.push_back(result);
  } else if (op == "Gemm") {
    if (realOf(node, "alpha", 1) != 1 || realOf(node, "beta", 1) != 1 || integerOf(node, "transA", 0))
      fail("is scaled or transposed");
    const StridedView view = integerOf(node, "transB", 0) ? weightOf(1).view.transposed({1, 0}) : weightOf(1).view;
    out.push_back(product(node, needRows(0), in[1].weight, view));
    if (in.size() > 2 && in[2].form == Form::known && in[2].known.count())
      out.back() = addBias(node, out.back(), in[2]);
  } else if (op == "MatMul") {
    out.push_back(matmul(node, need(in, 0), need(in, 1)));
  } else if (op == "Concat") {
    out.push_back(concat(node, in));
  } else if (op == "Softmax") {
    const Traced &scored = need(in, 0);
    if (scored.form != Form::scores || axisOf(integerOf(node, "axis", -1), scored.view.rank()) != scored.view.rank() - 1)
      fail("is not that of attention");
    out.push_back(derived(in[0], Form::probabilities));
  } else if (op == "IsNaN") {
    out.push_back(withForm(need(in, 0), Form::probabilities, Form::isNaN));
  } else if (op == "Where") {
    // No row of scores is masked altogether, so that no probability is not a number.
    if (need(in, 0).form != Form::isNaN || need(in, 2).form != Form::probabilities)
      fail("chooses what does not occur in a transformer");
    out.push_back(in[2]);
  } else {
    fail("is an op that is not followed");
  }
}

} // namespace sinter::onnx_import
