// The one builder of decoders: a Decoder comes in, a tx module goes out. It emits the plain form, one op per step of
// the public definition of the models, and leaves every fusion to the passes: what comes out here is the specification
// that they are compared with. Families differ only in the traits that Decoder carries.

#include "frontend/DecoderBuilder.h"

#include "dialects/tx/Tx.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;

namespace sinter {
namespace {

class DecoderBuilder {
public:
  DecoderBuilder(const Decoder &decoder, MLIRContext &context) : decoder(decoder), builder(&context) {
    rope =
        tx::RopeAttr::get(&context, tx::RopeStyle::half, builder.getDenseF32ArrayAttr(decoder.rope.inverseFrequencies),
                          builder.getF32FloatAttr(decoder.rope.factor));
  }

  OwningOpRef<ModuleOp> build(const std::vector<DecoderParam> &params, const std::vector<const TensorEntry *> &tensors,
                              const Checkpoint &checkpoint) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(at("model"));
    builder.setInsertionPointToStart(module->getBody());
    for (size_t i = 0; i < params.size(); ++i)
      addParam(params[i], *tensors[i], checkpoint);
    for (int64_t layer = 0; layer < decoder.layers; ++layer)
      tx::CacheOp::create(builder, at(cacheName(layer)), cacheName(layer), decoder.kvHeads, decoder.headDim,
                          decoder.windows[layer], TypeAttr(), IntegerAttr());
    addForward();
    return module;
  }

private:
  // Diagnostics of later passes name the part of the model an op came from.
  Location at(const Twine &name) { return NameLoc::get(builder.getStringAttr(name)); }

  RankedTensorType rows(int64_t width) {
    return RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
  }

  FlatSymbolRefAttr symbol(const Twine &name) { return FlatSymbolRefAttr::get(builder.getStringAttr(name)); }

  static std::string cacheName(int64_t layer) { return "kv." + std::to_string(layer); }

  void addParam(const DecoderParam &param, const TensorEntry &tensor, const Checkpoint &checkpoint) {
    Type element = tensor.dtype == "F32"   ? Type(builder.getF32Type())
                   : tensor.dtype == "F16" ? Type(builder.getF16Type())
                                           : Type(builder.getBF16Type());
    tx::ParamOp::create(builder, at(param.name), param.name, checkpoint.path(tensor), tensor.offset,
                        RankedTensorType::get(param.shape, element), StringAttr(), DenseI8ArrayAttr());
  }

  // group: columns normalized together, 0 for the whole row.
  Value norm(const Twine &name, Value input, int64_t group = 0) {
    tx::NormAttr attr = tx::NormAttr::get(builder.getContext(), tx::NormKind::rms, symbol(name),
                                          builder.getF32FloatAttr(decoder.normEpsilon), FlatSymbolRefAttr(), 0);
    return tx::NormOp::create(builder, at(name), input, attr, group);
  }

  Value linear(const std::string &name, Value input, int64_t outputs, bool hasBias) {
    ArrayAttr bias = hasBias ? builder.getArrayAttr({symbol(name + "_bias")}) : ArrayAttr();
    return tx::LinearOp::create(builder, at(name), rows(outputs), input, builder.getArrayAttr({symbol(name)}), bias,
                                tx::NormAttr(), tx::ActivationAttr(), tx::ActivationAttr(), Value());
  }

  // Queries or keys: projected, normalized per head where the family does, rotated. [tokens, outputs]
  Value rotated(const std::string &name, Value input, int64_t outputs) {
    Value heads = linear(name, input, outputs, decoder.qkvBias);
    if (decoder.headNorms)
      heads = norm(name + "_norm", heads, decoder.headDim);
    return tx::RopeOp::create(builder, at(name), heads, position, rope, decoder.headDim);
  }

  Value attention(const std::string &layer, int64_t number, Value input) {
    Value query = rotated(layer + "q", input, decoder.queryWidth());
    Value key = rotated(layer + "k", input, decoder.keyWidth());
    Value value = linear(layer + "v", input, decoder.keyWidth(), decoder.qkvBias);
    tx::CacheAppendOp sofar =
        tx::CacheAppendOp::create(builder, at(layer + "kv"), key, value, position, symbol(cacheName(number)));
    APFloat scale(static_cast<float>(1 / std::sqrt(static_cast<double>(decoder.headDim))));
    Value mixed =
        tx::AttentionOp::create(builder, at(layer + "attention"), query, sofar.getKeys(), sofar.getValues(), position,
                                /*mask=*/Value(), /*sequence=*/Value(), tx::RelativeBiasAttr(), decoder.heads,
                                decoder.kvHeads, decoder.headDim, scale, decoder.windows[number]);
    return linear(layer + "o", mixed, decoder.hidden, decoder.outputBias);
  }

  tx::Activation activation() {
    switch (decoder.activation) {
    case GateActivation::silu:
      return tx::Activation::silu;
    case GateActivation::gelu:
      return tx::Activation::gelu;
    case GateActivation::geluTanh:
      return tx::Activation::gelu_tanh;
    case GateActivation::relu:
      return tx::Activation::relu;
    }
    llvm_unreachable("all activations are above");
  }

  Value feedForward(const std::string &layer, Value input) {
    Value gate = linear(layer + "gate", input, decoder.ffn, decoder.mlpBias);
    Value up = linear(layer + "up", input, decoder.ffn, decoder.mlpBias);
    Value gated = tx::GluOp::create(builder, at(layer + "glu"), activation(), gate, up);
    return linear(layer + "down", gated, decoder.hidden, decoder.mlpBias);
  }

  // func.func @forward(%ids: tensor<?xi32>, %position: index) -> tensor<?xVxf32>
  void addForward() {
    Type ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
    FunctionType type = builder.getFunctionType({ids, builder.getIndexType()}, {rows(decoder.vocab)});
    func::FuncOp forward = func::FuncOp::create(builder, at("forward"), "forward", type);
    Block *body = forward.addEntryBlock();
    builder.setInsertionPointToStart(body);
    position = body->getArgument(1);

    Value x =
        tx::EmbedOp::create(builder, at("embed"), rows(decoder.hidden), body->getArgument(0), "embed", APFloat(1.0f));
    for (int64_t number = 0; number < decoder.layers; ++number) {
      const std::string name = "layers." + std::to_string(number), layer = name + ".";
      Value attended = attention(layer, number, norm(layer + "input_norm", x));
      x = tx::AddOp::create(builder, at(name), x, attended);
      Value fed = feedForward(layer, norm(layer + "post_norm", x));
      tx::AddOp sum = tx::AddOp::create(builder, at(name), x, fed);
      sum->setAttr("tap", builder.getStringAttr(name));
      x = sum;
    }
    const std::string head = decoder.tied ? "embed" : "lm_head";
    func::ReturnOp::create(builder, at("forward"), linear(head, norm("norm", x), decoder.vocab, false));
  }

  const Decoder &decoder;
  OpBuilder builder;
  tx::RopeAttr rope;
  Value position; // of the step's first token
};

} // namespace

OwningOpRef<ModuleOp> buildDecoder(const Decoder &decoder, const std::vector<DecoderParam> &params,
                                   const std::vector<const TensorEntry *> &tensors, const Checkpoint &checkpoint,
                                   MLIRContext &context) {
  return DecoderBuilder(decoder, context).build(params, tensors, checkpoint);
}

} // namespace sinter
