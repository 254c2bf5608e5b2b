// The one builder of encoders: an Encoder comes in, a tx module goes out, in the plain form: one op per step of the
// public definition of the models. Every text is a step of its own without padding, so attention needs no mask.
// Families differ only in the traits that Encoder carries.

#include "frontend/EncoderBuilder.h"

#include "dialects/tx/Tx.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;

namespace sinter {
namespace {

tx::Activation activationOf(EncoderActivation activation) {
  switch (activation) {
  case EncoderActivation::gelu:
    return tx::Activation::gelu;
  case EncoderActivation::geluTanh:
    return tx::Activation::gelu_tanh;
  case EncoderActivation::relu:
    return tx::Activation::relu;
  case EncoderActivation::silu:
    return tx::Activation::silu;
  case EncoderActivation::tanh:
    return tx::Activation::tanh;
  case EncoderActivation::none:
    break;
  }
  llvm_unreachable("callers ask for activations only");
}

class EncoderBuilder {
public:
  EncoderBuilder(const Encoder &encoder, MLIRContext &context) : encoder(encoder), builder(&context) {}

  OwningOpRef<ModuleOp> build(const std::vector<EncoderTensor> &tensors) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(at("model"));
    builder.setInsertionPointToStart(module->getBody());
    for (const EncoderTensor &tensor : tensors)
      addParam(tensor);
    addForward();
    return module;
  }

private:
  // Diagnostics of later passes name the part of the model an op came from.
  Location at(const Twine &name) { return NameLoc::get(builder.getStringAttr(name)); }
  FlatSymbolRefAttr symbol(const Twine &name) { return FlatSymbolRefAttr::get(builder.getStringAttr(name)); }
  RankedTensorType rows(int64_t width, int64_t count = ShapedType::kDynamic) {
    return RankedTensorType::get({count, width}, builder.getF32Type());
  }

  void addParam(const EncoderTensor &tensor) {
    const std::string &dtype = tensor.tensor->dtype;
    Type element = dtype == "F32"   ? Type(builder.getF32Type())
                   : dtype == "F16" ? Type(builder.getF16Type())
                                    : Type(builder.getBF16Type());
    tx::ParamOp::create(builder, at(tensor.param.name), tensor.param.name, tensor.file, tensor.tensor->offset,
                        RankedTensorType::get(tensor.param.shape, element), StringAttr(), DenseI8ArrayAttr());
  }

  Value norm(const std::string &name, Value input) {
    tx::NormAttr attr = tx::NormAttr::get(builder.getContext(), tx::NormKind::layer, symbol(name),
                                          builder.getF32FloatAttr(encoder.normEpsilon), symbol(name + "_bias"), 0);
    return tx::NormOp::create(builder, at(name), input, attr, 0);
  }

  Value linear(const std::string &name, Value input, int64_t outputs, bool bias = true) {
    RankedTensorType type = rows(outputs, cast<RankedTensorType>(input.getType()).getDimSize(0));
    return tx::LinearOp::create(builder, at(name), type, input, builder.getArrayAttr({symbol(name)}),
                                bias ? builder.getArrayAttr({symbol(name + "_bias")}) : ArrayAttr(), tx::NormAttr(),
                                tx::ActivationAttr(), tx::ActivationAttr(), Value());
  }

  Value activate(const std::string &name, EncoderActivation activation, Value input) {
    if (activation == EncoderActivation::none)
      return input;
    return tx::ActivateOp::create(builder, at(name), activationOf(activation), input);
  }

  Value embeddings(Value ids, Value types) {
    Value sum = tx::EmbedOp::create(builder, at("embed"), rows(encoder.hidden), ids, "embed", APFloat(1.0f));
    if (types) {
      Value row = tx::EmbedOp::create(builder, at("types"), rows(encoder.hidden), types, "types", APFloat(1.0f));
      sum = tx::AddOp::create(builder, at("embed"), sum, row);
    }
    Value place = tx::PositionEmbedOp::create(builder, at("positions"), rows(encoder.hidden), ids, "positions",
                                              encoder.firstPosition);
    return norm("embed_norm", tx::AddOp::create(builder, at("embed"), sum, place));
  }

  Value attention(const std::string &layer, Value input) {
    Value query = linear(layer + "q", input, encoder.hidden), key = linear(layer + "k", input, encoder.hidden);
    Value value = linear(layer + "v", input, encoder.hidden);
    tx::RelativeBiasAttr relative;
    if (encoder.relativeBuckets)
      relative = tx::RelativeBiasAttr::get(builder.getContext(), symbol("relative"),
                                           builder.getDenseI64ArrayAttr(encoder.relativeThresholds));
    APFloat scale(static_cast<float>(1 / std::sqrt(static_cast<double>(encoder.headDim()))));
    Value mixed = tx::AttentionOp::create(builder, at(layer + "attention"), query, key, value, /*position=*/Value(),
                                          /*mask=*/Value(), /*sequence=*/Value(), relative, encoder.heads, encoder.heads, encoder.headDim(),
                                          scale, /*window=*/0);
    return linear(layer + "o", mixed, encoder.hidden);
  }

  Value feedForward(const std::string &layer, Value input) {
    Value up = activate(layer + "up", encoder.activation, linear(layer + "up", input, encoder.ffn));
    return linear(layer + "down", up, encoder.hidden);
  }

  // What the task makes of the hidden rows.
  Value head(Value hidden) {
    Value result = hidden;
    if (encoder.info.task != EncoderTask::tag) {
      std::optional<tx::Pooling> pooling = tx::symbolizePooling(encoder.info.pooling);
      if (encoder.info.task == EncoderTask::classify)
        pooling = tx::Pooling::first;
      result = tx::PoolOp::create(builder, at("pool"), rows(encoder.hidden, 1), *pooling, hidden);
    }
    for (const EncoderDense &dense : encoder.denses)
      result = activate(dense.name, dense.activation, linear(dense.name, result, dense.outputs, dense.bias));
    return encoder.info.unit ? Value(tx::UnitOp::create(builder, at("unit"), result)) : result;
  }

  // func.func @forward(%ids: tensor<?xi32>, %types: tensor<?xi32>) -> tensor<1xWxf32>, the types if there are some.
  void addForward() {
    Type ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
    SmallVector<Type> inputs(encoder.types ? 2 : 1, ids);
    RankedTensorType result =
        rows(encoder.info.outputWidth, encoder.info.task == EncoderTask::tag ? ShapedType::kDynamic : 1);
    func::FuncOp forward =
        func::FuncOp::create(builder, at("forward"), "forward", builder.getFunctionType(inputs, {result}));
    Block *body = forward.addEntryBlock();
    builder.setInsertionPointToStart(body);
    Value x = embeddings(body->getArgument(0), encoder.types ? body->getArgument(1) : Value());
    for (int64_t number = 0; number < encoder.layers; ++number) {
      const std::string name = "layers." + std::to_string(number), layer = name + ".";
      x = norm(layer + "attention_norm", tx::AddOp::create(builder, at(name), x, attention(layer, x)));
      x = norm(layer + "output_norm", tx::AddOp::create(builder, at(name), x, feedForward(layer, x)));
      x.getDefiningOp()->setAttr("tap", builder.getStringAttr(name));
    }
    func::ReturnOp::create(builder, at("forward"), head(x));
  }

  const Encoder &encoder;
  OpBuilder builder;
};

} // namespace

OwningOpRef<ModuleOp> buildEncoder(const Encoder &encoder, const std::vector<EncoderTensor> &tensors,
                                   MLIRContext &context) {
  return EncoderBuilder(encoder, context).build(tensors);
}

} // namespace sinter
