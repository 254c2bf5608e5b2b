// A product with constant weights, what is added to it, norms and activations become ops of tx on rows as soon as their node
// comes by; the passes that fuse a decoder's ops fuse these as well. A node is looked at together with the nodes that made its
// inputs: each tensor knows its origin. What they computed on the way, now unread, goes away as dead code.
//
// Rows are [elements / width, width] with a width that the kernels' 32 lanes divide: then they lie in memory as the
// tensor does, and both forms are one buffer.

#include "frontend/onnx/RaiseRows.h"
#include "frontend/onnx/Raise.h"

#include <cmath>

namespace sinter::onnx_import {

using llvm::SmallVector;
using mlir::Value;

bool is(const Tensor &tensor, const char *op) { return tensor.origin && tensor.origin->op == op; }

std::optional<double> scalarOf(Importer &im, const Tensor &tensor) {
  if (!tensor.content || !tensor.count().is(1) || tensor.elem->isBool())
    return std::nullopt;
  return im.knownReals(tensor)->front();
}

// A known vector of f32 with this many elements, whatever its leading sizes of 1.
static bool isVector(const Tensor &tensor, const Dim &width) {
  return tensor.content && tensor.elem == elem::f32() && tensor.rank() >= 1 && tensor.shape.back() == width &&
         tensor.count() == width;
}

//===-- Products ---------------------------------------------------------------------------------------------------===//

namespace {

// A constant matrix [columns, rows] = [inputs, outputs], and how its file has it.
struct Matrix {
  Tensor content;
  bool transposed = true; // the file has [inputs, outputs]
  std::vector<float> scales;
  std::vector<int32_t> zeros;
};

} // namespace

// Scales and zeros of codes, one or one for each of `outputs`.
static bool readCodes(Importer &im, Matrix &matrix, const Tensor &scale, const Tensor &zero, const Dim &outputs) {
  if (matrix.content.elem != elem::i8() && matrix.content.elem != elem::u8())
    return false;
  auto fits = [&](const Tensor &tensor) {
    return tensor.content && (tensor.count().is(1) || (tensor.rank() == 1 && tensor.shape[0] == outputs));
  };
  if (!fits(scale) || !scale.elem->isReal() || (zero.exists() && !fits(zero)))
    return false;
  const std::vector<double> scales = *im.knownReals(scale);
  matrix.scales.assign(scales.begin(), scales.end());
  if (zero.exists()) {
    const std::vector<int64_t> zeros = *im.knownIntegers(zero);
    matrix.zeros.assign(zeros.begin(), zeros.end());
  }
  return true;
}

static std::optional<Matrix> matrixOf(Importer &im, const Tensor &tensor, int depth = 0) {
  if (tensor.rank() != 2 || depth > 4)
    return std::nullopt;
  if (tensor.content && tensor.elem == elem::f32())
    return Matrix{tensor, true, {}, {}};
  if (!tensor.origin || tensor.origin->inputs.empty())
    return std::nullopt;
  const Tensor &input = tensor.origin->inputs[0];
  if (is(tensor, "Transpose") && input.rank() == 2 && tensor.shape[0] == input.shape[1] && tensor.shape[1] == input.shape[0]) {
    const std::vector<int64_t> order = tensor.origin->integers("perm");
    if (!order.empty() && order != std::vector<int64_t>{1, 0})
      return std::nullopt;
    std::optional<Matrix> matrix = matrixOf(im, input, depth + 1);
    if (matrix && matrix->scales.size() > 1)
      return std::nullopt; // for each input
    if (matrix)
      matrix->transposed = !matrix->transposed;
    return matrix;
  }
  if (is(tensor, "Cast") && input.content && input.elem->isReal() && input.elem->bits == 16 && tensor.elem == elem::f32())
    return Matrix{input, true, {}, {}};
  if (is(tensor, "DequantizeLinear") && input.content && tensor.elem == elem::f32() && tensor.origin->inputs.size() >= 2) {
    Matrix matrix{input, true, {}, {}};
    const int64_t axis = tensor.origin->integer("axis", 1);
    const Tensor &scale = tensor.origin->inputs[1];
    Tensor zero = tensor.origin->inputs.size() > 2 ? tensor.origin->inputs[2] : Tensor();
    if ((axis == 1 || axis == -1 || scale.count().is(1)) && !tensor.origin->integer("block_size", 0) &&
        readCodes(im, matrix, scale, zero, input.shape[1]))
      return matrix;
  }
  return std::nullopt;
}

// Products are of rows as wide as the matrix is high; kernels store whole groups of 32 outputs.
static std::optional<Tensor> product(Importer &im, const Tensor &x, const Matrix &matrix) {
  const Dim inputs = matrix.content.shape[matrix.transposed ? 0 : 1], outputs = matrix.content.shape[matrix.transposed ? 1 : 0];
  if (!im.isRows(x) || x.shape.back() != inputs || *outputs.constant() % kRowLanes || outputs.is(0))
    return std::nullopt;
  Shape shape = x.shape;
  shape.back() = outputs;
  mlir::Builder &b = im.code;
  mlir::FlatSymbolRefAttr weight = im.matrix(matrix.content, matrix.transposed, matrix.scales, matrix.zeros);
  Value rows = tx::LinearOp::create(im.code, im.rowsType(*outputs.constant()), im.rowsOf(x), b.getArrayAttr(weight),
                                    mlir::ArrayAttr(), tx::NormAttr(), tx::ActivationAttr(), tx::ActivationAttr(), Value());
  return im.fromRows(rows, shape);
}

// The same product, with a bias.
static std::optional<Tensor> addBias(Importer &im, const Tensor &x, const Tensor &bias) {
  tx::LinearOp linear = x.rows ? x.rows.getDefiningOp<tx::LinearOp>() : tx::LinearOp();
  if (!linear || linear.getBiases() || !isVector(bias, x.shape.back()))
    return std::nullopt;
  mlir::FlatSymbolRefAttr vector = im.param(im.reshape(bias, {x.shape.back()}));
  Value rows = tx::LinearOp::create(im.code, linear.getType(), linear.getInput(), linear.getWeightsAttr(),
                                    im.code.getArrayAttr(vector), tx::NormAttr(), tx::ActivationAttr(), tx::ActivationAttr(),
                                    Value());
  return im.fromRows(rows, x.shape);
}

static std::optional<Tensors> one(std::optional<Tensor> tensor) {
  return tensor ? std::optional<Tensors>({*tensor}) : std::nullopt;
}

static std::optional<Tensors> raiseMatMul(Node &node) {
  // Codes that were made of x with fixed scales stand for x: the kernels quantize by rows, and finer.
  Tensor x = node.in(0);
  if (node.importer.requantizes() && is(x, "DequantizeLinear") && is(x.origin->inputs[0], "QuantizeLinear"))
    x = x.origin->inputs[0].origin->inputs[0];
  std::optional<Matrix> matrix = matrixOf(node.importer, node.in(1));
  return matrix ? one(product(node.importer, x, *matrix)) : std::nullopt;
}

static std::optional<Tensors> raiseGemm(Node &node) {
  if (node.integer("transA", 0) || node.real("alpha", 1) != 1 || (node.has(2) && node.real("beta", 1) != 1))
    return std::nullopt;
  std::optional<Matrix> matrix = matrixOf(node.importer, node.in(1));
  if (!matrix || (node.integer("transB", 0) && matrix->scales.size() > 1))
    return std::nullopt;
  if (node.integer("transB", 0))
    matrix->transposed = !matrix->transposed;
  if (node.has(2) && !isVector(node.in(2), matrix->content.shape[matrix->transposed ? 1 : 0]))
    return std::nullopt;
  std::optional<Tensor> y = product(node.importer, node.in(0), *matrix);
  return y && node.has(2) ? one(addBias(node.importer, *y, node.in(2))) : one(y);
}

// x * w by codes: (quantize(x) - zero) * (codes - zeros) as integers, times both scales.
static std::optional<Tensor> raiseIntegers(Importer &im, const Tensor &sums, const Tensor &scales) {
  if (!im.requantizes() || !is(sums, "Cast") || !is(sums.origin->inputs[0], "MatMulInteger") || !is(scales, "Mul"))
    return std::nullopt;
  const Tensors &inputs = sums.origin->inputs[0].origin->inputs;
  if (inputs.size() < 3 || !is(inputs[0], "DynamicQuantizeLinear") || inputs[1].rank() != 2 || !inputs[1].content)
    return std::nullopt;
  const Origin *quantized = inputs[0].origin;
  auto isOutput = [&](const Tensor &tensor, size_t output) {
    return tensor.origin == quantized && tensor.output == output;
  };
  const Tensors &two = scales.origin->inputs;
  const Tensor &scale = isOutput(two[0], 1) ? two[1] : two[0];
  if (!isOutput(inputs[0], 0) || !isOutput(inputs[2], 2) || !(isOutput(two[0], 1) || isOutput(two[1], 1)))
    return std::nullopt;
  Matrix matrix{inputs[1], true, {}, {}};
  if (!readCodes(im, matrix, scale, inputs.size() > 3 ? inputs[3] : Tensor(), inputs[1].shape[1]))
    return std::nullopt;
  return product(im, quantized->inputs[0], matrix);
}

//===-- Rows -------------------------------------------------------------------------------------------------------===//

static std::optional<Tensor> raiseAdd(Importer &im, const Tensor &a, const Tensor &b) {
  if (std::optional<Tensor> biased = addBias(im, a, b))
    return biased;
  if (std::optional<Tensor> biased = addBias(im, b, a))
    return biased;
  if (!(a.rows || b.rows) || !im.isRows(a) || !im.isRows(b) || a.shape != b.shape)
    return std::nullopt;
  return im.fromRows(tx::AddOp::create(im.code, im.rowsOf(a), im.rowsOf(b)), a.shape);
}

static std::optional<Tensors> raiseAdd(Node &node) { return one(raiseAdd(node.importer, node.in(0), node.in(1))); }

static std::optional<Tensor> activate(Importer &im, const Tensor &x, tx::Activation activation) {
  if (!x.rows || !x.rows.getDefiningOp<tx::LinearOp>())
    return std::nullopt;
  return im.fromRows(tx::ActivateOp::create(im.code, activation, x.rows), x.shape);
}

template <tx::Activation activation> static std::optional<Tensors> raiseActivation(Node &node) {
  return one(activate(node.importer, node.in(0), activation));
}

static std::optional<Tensors> raiseGelu(Node &node) {
  const bool tanh = node.text("approximate", "none") == "tanh";
  return one(activate(node.importer, node.in(0), tanh ? tx::Activation::gelu_tanh : tx::Activation::gelu));
}

// com.microsoft: with a bias before.
template <tx::Activation activation> static std::optional<Tensors> raiseBiasGelu(Node &node) {
  std::optional<Tensor> x = node.has(1) ? addBias(node.importer, node.in(0), node.in(1)) : node.in(0);
  return x ? one(activate(node.importer, *x, activation)) : std::nullopt;
}

static std::optional<Tensors> raiseSwish(Node &node) {
  if (node.real("alpha", 1) != 1)
    return std::nullopt;
  return one(activate(node.importer, node.in(0), tx::Activation::silu));
}

// f(gate) * up
static std::optional<Tensor> raiseGlu(Importer &im, const Tensor &a, const Tensor &b) {
  tx::ActivateOp gate = a.rows ? a.rows.getDefiningOp<tx::ActivateOp>() : tx::ActivateOp();
  if (!gate || !b.rows || !b.rows.getDefiningOp<tx::LinearOp>() || a.shape != b.shape)
    return std::nullopt;
  return im.fromRows(tx::GluOp::create(im.code, gate.getActivation(), gate.getInput(), b.rows), a.shape);
}

static std::optional<Tensors> raiseMul(Node &node) {
  Importer &im = node.importer;
  const Tensor &a = node.in(0), &b = node.in(1);
  for (bool turned : {false, true}) {
    const Tensor &first = turned ? b : a, &second = turned ? a : b;
    if (std::optional<Tensor> made = raiseIntegers(im, first, second))
      return one(made);
    if (std::optional<Tensor> made = raiseGlu(im, first, second))
      return one(made);
  }
  return std::nullopt;
}

static std::optional<Tensor> norm(Importer &im, const Tensor &x, tx::NormKind kind, const Tensor &weight, const Tensor &bias,
                                  double epsilon) {
  if (!im.isRows(x) || !isVector(weight, x.shape.back()) || (bias.exists() && !isVector(bias, x.shape.back())))
    return std::nullopt;
  auto vector = [&](const Tensor &tensor) { return im.param(im.reshape(tensor, {x.shape.back()})); };
  tx::NormAttr attribute =
      tx::NormAttr::get(im.code.getContext(), kind, vector(weight), im.code.getF32FloatAttr(static_cast<float>(epsilon)),
                        bias.exists() ? vector(bias) : mlir::FlatSymbolRefAttr(), 0);
  return im.fromRows(tx::NormOp::create(im.code, im.rowsOf(x), attribute, 0), x.shape);
}

template <tx::NormKind kind> static std::optional<Tensors> raiseNorm(Node &node) {
  if (node.wants(1) || node.axis(node.integer("axis", -1), node.in(0).rank()) + 1 != node.in(0).rank())
    return std::nullopt;
  const Tensor bias = kind == tx::NormKind::layer && node.has(2) ? node.in(2) : Tensor();
  return one(norm(node.importer, node.in(0), kind, node.in(1), bias, node.real("epsilon", 1e-5)));
}

// com.microsoft: norm(input + skip [+ bias]), and the sum as result 3.
template <tx::NormKind kind> static std::optional<Tensors> raiseSkipNorm(Node &node) {
  Importer &im = node.importer;
  const size_t biasAt = kind == tx::NormKind::layer ? 4 : 3;
  if (node.wants(1) || node.wants(2) || node.in(0).shape != node.in(1).shape)
    return std::nullopt;
  Tensor x = node.in(0);
  if (node.has(biasAt)) {
    std::optional<Tensor> biased = addBias(im, x, node.in(biasAt));
    if (!biased)
      return std::nullopt;
    x = *biased;
  }
  std::optional<Tensor> sum = raiseAdd(im, x, node.in(1));
  if (!sum)
    return std::nullopt;
  const Tensor beta = kind == tx::NormKind::layer && node.has(3) ? node.in(3) : Tensor();
  std::optional<Tensor> y = norm(im, *sum, kind, node.in(2), beta, node.real("epsilon", 1e-12));
  return y ? std::optional<Tensors>({*y, Tensor(), Tensor(), *sum}) : std::nullopt;
}

//===-- Which nodes ------------------------------------------------------------------------------------------------===//

std::optional<Tensors> raiseSoftmaxProduct(Node &node); // RaiseAttention.cpp
std::optional<Tensors> raiseAttentionOp(Node &node);
std::optional<Tensors> raiseMultiHead(Node &node);

namespace {

struct Row {
  const char *domain, *op;
  std::optional<Tensors> (*raise)(Node &node);
};

constexpr const char *kMicrosoft = "com.microsoft";
constexpr Row kRows[] = {
    {"", "MatMul", raiseMatMul},
    {"", "MatMul", raiseSoftmaxProduct},
    {"", "Gemm", raiseGemm},
    {"", "Mul", raiseMul},
    {"", "Add", raiseAdd},
    {"", "Relu", raiseActivation<tx::Activation::relu>},
    {"", "Tanh", raiseActivation<tx::Activation::tanh>},
    {"", "Gelu", raiseGelu},
    {"", "Swish", raiseSwish},
    {"", "LayerNormalization", raiseNorm<tx::NormKind::layer>},
    {"", "RMSNormalization", raiseNorm<tx::NormKind::rms>},
    {"", "Attention", raiseAttentionOp},
    {kRaisedDomain, "Gelu", raiseGelu},
    {kRaisedDomain, "Swish", raiseSwish},
    {kRaisedDomain, "LayerNormalization", raiseNorm<tx::NormKind::layer>},
    {kRaisedDomain, "RMSNormalization", raiseNorm<tx::NormKind::rms>},
    {"", "SimplifiedLayerNormalization", raiseNorm<tx::NormKind::rms>},
    {kMicrosoft, "SimplifiedLayerNormalization", raiseNorm<tx::NormKind::rms>},
    {kMicrosoft, "SkipLayerNormalization", raiseSkipNorm<tx::NormKind::layer>},
    {kMicrosoft, "SkipSimplifiedLayerNormalization", raiseSkipNorm<tx::NormKind::rms>},
    {kMicrosoft, "Gelu", raiseGelu},
    {kMicrosoft, "BiasGelu", raiseBiasGelu<tx::Activation::gelu>},
    {kMicrosoft, "FastGelu", raiseBiasGelu<tx::Activation::gelu_tanh>},
    {kMicrosoft, "MultiHeadAttention", raiseMultiHead},
};

} // namespace

std::optional<Tensors> raiseRows(Node &node) {
  const std::string &domain = node.proto.domain();
  for (const Row &row : kRows)
    if (node.proto.op_type() == row.op && (domain == row.domain || (domain == "ai.onnx" && !*row.domain)))
      if (std::optional<Tensors> made = row.raise(node))
        return made;
  return std::nullopt;
}

void followView(Node &node, Tensors &results) {
  static const char *const moves[] = {"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten", "Mul", "Div"};
  const std::string &op = node.proto.op_type();
  if (std::none_of(std::begin(moves), std::end(moves), [&](const char *each) { return op == each; }) || results.size() != 1 ||
      !results[0].value || results[0].rows || results[0].view)
    return;
  Importer &im = node.importer;
  size_t from = 0;
  double scale = 1;
  if (op == "Mul" || op == "Div") {
    std::optional<double> right = scalarOf(im, node.in(1)), left = op == "Mul" ? scalarOf(im, node.in(0)) : std::nullopt;
    if (!right && !left)
      return;
    from = right ? 0 : 1;
    scale = op == "Div" ? 1 / *right : right ? *right : *left;
  }
  const Tensor &input = node.in(from);
  Tensor &result = results[0];
  if (!input.view && !im.isRows(input))
    return;
  View view = input.view ? *input.view : View::whole(input);
  std::optional<View> moved;
  if (op == "Transpose") {
    std::vector<int64_t> order = node.integers("perm");
    if (order.empty())
      for (int64_t i = input.rank(); i-- > 0;)
        order.push_back(i);
    moved = view.transposed(order);
  } else {
    moved = view.reshaped(result.shape);
  }
  if (!moved)
    return;
  moved->scale *= scale;
  result.view = std::make_shared<View>(*moved);
  if (!moved->isContiguous())
    return;
  const Tensor &base = *moved->base;
  Tensor same = im.reshape(base, result.shape);
  result.value = same.value;
  if (result.shape.back() == base.shape.back())
    result.rows = base.rows;
}

} // namespace sinter::onnx_import
