// Follows a decoder's graph at two sizes, and makes @forward of what both times was the same. What a graph is fed with is
// told by the names that exporters give its inputs; what comes out must be logits, and keys and values for the next step.
//
// Merged decoders hold two graphs, one with past keys and values and one without, behind an If: each is one of the sizes.

#include "frontend/onnx/trace/ExportedDecoder.h"
#include "frontend/onnx/Dim.h"
#include "frontend/InputFile.h"

#include "frontend/Frontend.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace sinter::onnx_import {

namespace {

// A module with one function to trace into.
struct Draft {
  explicit Draft(MLIRContext &context) : builder(&context), module(ModuleOp::create(builder.getUnknownLoc())) {}

  Block *addFunction(StringRef name, ArrayRef<Type> inputs) {
    builder.setInsertionPointToEnd(module->getBody());
    func::FuncOp func =
        func::FuncOp::create(builder, builder.getUnknownLoc(), name, builder.getFunctionType(inputs, {}));
    Block *body = func.addEntryBlock();
    builder.setInsertionPointToStart(body);
    return body;
  }

  void finishFunction(Value result) {
    func::ReturnOp::create(builder, builder.getUnknownLoc(), result);
    func::FuncOp func = cast<func::FuncOp>(builder.getBlock()->getParentOp());
    func.setType(builder.getFunctionType(func.getArgumentTypes(), {result.getType()}));
    // Ops that were replaced when their bias or activation came.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.front())))
      if (op.use_empty() && isMemoryEffectFree(&op) && !op.hasTrait<OpTrait::IsTerminator>())
        op.erase();
  }

  // What @forward computes, whatever the order in which it stands: its ops as its result needs them.
  std::string meaning() {
    std::string result;
    llvm::raw_string_ostream stream(result);
    Block &body = module->lookupSymbol<func::FuncOp>("forward").front();
    llvm::DenseMap<Value, int64_t> numbers;
    for (Value argument : body.getArguments())
      numbers[argument] = static_cast<int64_t>(numbers.size());
    SmallVector<Operation *> stack = {body.getTerminator()};
    while (!stack.empty()) {
      Operation *op = stack.back();
      const size_t before = stack.size();
      for (Value operand : llvm::reverse(op->getOperands()))
        if (!numbers.count(operand))
          stack.push_back(operand.getDefiningOp());
      if (stack.size() != before)
        continue;
      stack.pop_back();
      if (op->getNumResults() && numbers.count(op->getResult(0)))
        continue;
      stream << op->getName() << ' ' << op->getAttrDictionary();
      for (Value operand : op->getOperands())
        stream << " %" << numbers.lookup(operand);
      for (Value value : op->getResults()) {
        stream << ' ' << value.getType();
        numbers[value] = static_cast<int64_t>(numbers.size());
      }
      stream << '\n';
    }
    return result;
  }

  OpBuilder builder;
  OwningOpRef<ModuleOp> module;
  ParamTable params;
};

Traced knownValue(Known known) {
  Traced value;
  value.known = std::move(known);
  return value;
}

// Names of the graph's outputs that caches are handed over in, and of the logits.
std::string logitsOf(const ModelFile &file) {
  for (const ::onnx::ValueInfoProto &output : file.proto.graph().output())
    if (output.name() == "logits")
      return output.name();
  fail(file.path + ": has no output 'logits': it is no decoder of text");
}

int64_t integerDim(const ::onnx::ValueInfoProto &info, int axis) {
  const ::onnx::TensorShapeProto &shape = info.type().tensor_type().shape();
  return axis < shape.dim_size() && shape.dim(axis).has_dim_value() ? shape.dim(axis).dim_value() : -1;
}

// What a decoder is fed with at the probe's sizes.
struct DecoderInputs {
  const ModelFile &file;
  Probe probe;
  bool withPast = true;

  void define(Tracer &tracer) const {
    const int64_t tokens = probe.tokens, all = probe.past + probe.tokens;
    for (const ::onnx::ValueInfoProto &input : file.proto.graph().input()) {
      const std::string &name = input.name();
      if (name == "input_ids") {
        Traced ids;
        ids.form = Form::ids;
        ids.view = StridedView::rowMajor({1, tokens});
        tracer.define(name, ids);
      } else if (name == "attention_mask") {
        tracer.define(name, knownValue(Tracer::ones({1, all})));
      } else if (name == "position_ids") {
        Known positions{{1, tokens}, {}};
        for (int64_t t = 0; t < tokens; ++t)
          positions.values.push_back(double(probe.past + t));
        tracer.define(name, knownValue(positions));
      } else if (name == "use_cache_branch") {
        tracer.define(name, knownValue(Known{{1}, {withPast ? 1.0 : 0.0}}));
      } else if (std::optional<CacheName> cache = parseCacheName(name); cache && !cache->ofEncoder) {
        tracer.define(name, past(input, *cache));
      } else {
        fail(file.path + ": has an input " + quote(name) + " that decoders do not have");
      }
    }
  }

  // [1, heads, tokens, head_dim]
  Traced past(const ::onnx::ValueInfoProto &input, const CacheName &cache) const {
    Traced value;
    value.form = Form::past;
    value.cache = cache.layer;
    value.isValue = cache.isValue;
    value.kvHeads = integerDim(input, 1);
    value.headDim = integerDim(input, 3);
    if (value.kvHeads < 1 || value.headDim < 1 || value.kvHeads * value.headDim > 1 << 20)
      fail(file.path + ": input " + quote(input.name()) + " does not say how many heads of what size it has");
    value.view = StridedView::rowMajor({1, probe.past, value.kvHeads, value.headDim}).transposed({0, 2, 1, 3});
    return value;
  }
};

// The sum that ends each layer, as --verify and the cut before the head want it: the last before the next layer's cache.
void addTaps(func::FuncOp forward, int64_t layers) {
  tx::AddOp last;
  int64_t met = 0;
  OpBuilder builder(forward.getContext());
  auto tap = [&](int64_t layer) {
    if (last)
      last->setAttr("tap", builder.getStringAttr("layers." + std::to_string(layer)));
  };
  for (Operation &op : forward.front()) {
    if (isa<tx::CacheAppendOp>(op) && met++ > 0)
      tap(met - 2);
    if (tx::AddOp add = dyn_cast<tx::AddOp>(op))
      last = add;
  }
  tap(layers - 1);
}

// @forward(ids, position) -> logits at one probe.
void traceForward(Draft &draft, const DecoderInputs &inputs, ExportedModel &model) {
  OpBuilder &builder = draft.builder;
  Type ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  Block *body = draft.addFunction("forward", {ids, builder.getIndexType()});
  Tracer tracer(inputs.file, builder, draft.params, inputs.probe);
  tracer.tokenIds = body->getArgument(0);
  tracer.position = body->getArgument(1);
  inputs.define(tracer);
  std::vector<std::string> wanted = {logitsOf(inputs.file)};
  for (const ::onnx::ValueInfoProto &output : inputs.file.proto.graph().output())
    if (std::optional<CacheName> cache = parseCacheName(output.name()); cache && !cache->ofEncoder)
      wanted.push_back(output.name());
  const std::vector<Traced> outputs = tracer.run(wanted);
  for (size_t i = 1; i < wanted.size(); ++i) {
    const CacheName cache = *parseCacheName(wanted[i]);
    if (outputs[i].form != Form::sofar || outputs[i].cache != cache.layer || outputs[i].isValue != cache.isValue)
      fail(inputs.file.path + ": output " + quote(wanted[i]) + " is not its input with the step's rows behind it");
  }
  Value logits = tracer.wholeRows(outputs[0]);
  if (outputs[0].view.shape() != std::vector<int64_t>{1, inputs.probe.tokens, outputs[0].view.size(2)})
    fail(inputs.file.path + ": the logits are not those of all tokens");
  draft.finishFunction(logits);

  func::FuncOp forward = draft.module->lookupSymbol<func::FuncOp>("forward");
  tracer.orderProjections(forward);
  model.layers = static_cast<int64_t>(tracer.cacheShapes.size());
  model.vocab = cast<RankedTensorType>(logits.getType()).getDimSize(1);
  if (!model.layers)
    fail(inputs.file.path + ": has no layer with past keys and values");
  for (const auto &[heads, headDim] : tracer.cacheShapes)
    if (!heads)
      fail(inputs.file.path + ": not every layer has past keys and values");
  addTaps(forward, model.layers);
  builder.setInsertionPoint(&*draft.module->getBody()->begin());
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    const std::string name = "kv." + std::to_string(layer);
    tx::CacheOp::create(builder, tracer.at(name), name, tracer.cacheShapes[layer].first, tracer.cacheShapes[layer].second,
                        /*window=*/0, TypeAttr(), IntegerAttr());
  }
  for (Operation &op : forward.front())
    if (op.hasAttr("tap"))
      model.hidden = cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(1);
}

void checkSame(const ModelFile &file, Draft &a, Draft &b) {
  if (a.meaning() != b.meaning())
    fail(file.path + ": computes something else for other numbers of tokens");
}

} // namespace

ExportedModel traceDecoder(const ModelFile &file, MLIRContext &context) {
  ExportedModel model;
  Draft first(context), second(context);
  // None of these is a size of a model, and neither are their sums.
  traceForward(first, {file, {7, 0}, /*withPast=*/false}, model);
  second.params.names = first.params.names;
  second.params.taken = first.params.taken;
  traceForward(second, {file, {5, 11}, /*withPast=*/true}, model);
  checkSame(file, first, second);
  model.parameters = first.params.parameters;
  model.module = std::move(first.module);
  return model;
}

} // namespace sinter::onnx_import

//===-- The border -------------------------------------------------------------------------------------------------===//

namespace sinter {

using namespace onnx_import;

static llvm::Expected<ImportedModel> finish(ExportedModel exported, const std::string &path) {
  ImportedModel model;
  model.module = std::move(exported.module);
  model.info.vocab = exported.vocab;
  model.info.hidden = exported.hidden;
  model.info.layers = exported.layers;
  model.info.parameters = exported.parameters;
  model.module->walk([&](tx::ParamOp param) {
    model.isQuantized |= param.getStoredAttr() && param.getStoredAttr().getScales();
  });
  if (failed(verify(*model.module)))
    return llvm::createStringError(path + ": the program that was found does not verify; please report this");
  return model;
}

llvm::Expected<ImportedModel> importOnnxDecoder(const std::string &path, MLIRContext &context) {
  context.loadDialect<tx::TxDialect, func::FuncDialect>();
  try {
    ModelFile file;
    std::string error;
    if (!readModelFile(path, file, error))
      return llvm::createStringError(error);
    return finish(traceDecoder(file, context), path);
  } catch (const ImportError &error) {
    return llvm::createStringError(error.message);
  } catch (const std::exception &) { // of a container, where a node has less than it says
    return llvm::createStringError(path + ": a node is malformed");
  }
}

} // namespace sinter
