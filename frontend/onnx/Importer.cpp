// An ONNX graph comes in, a tx module goes out. Nodes are taken in the order of the file, which ONNX demands to be an order
// of computation; each is looked up in the table of ops and writes what it means. Values are tensors with sizes that may be
// polynomials of the run-time dimensions; those that only say sizes of others are never computed, they are known. What the
// table lacks is found before anything else is done, and listed at once.

#include "frontend/onnx/Importer.h"

#include "frontend/InputFile.h"
#include "frontend/onnx/Raise.h"
#include "frontend/onnx/RaiseRows.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Verifier.h"
#include "runtime/kernel_abi.h"

using namespace mlir;

namespace sinter::onnx_import {

static constexpr int kMostDepth = 32;

Importer::Importer(const ModelFile &file, const OnnxOptions &options, MLIRContext &context)
    : code(UnknownLoc::get(&context), &context), file(file), options(options), context(context) {
  for (const ::onnx::OperatorSetIdProto &opset : file.proto.opset_import())
    versions[opset.domain() == "ai.onnx" ? "" : opset.domain()] = opset.version();
  for (const ::onnx::FunctionProto &function : file.proto.functions())
    functions[function.domain() + ":" + function.name()] = &function;
}

static std::string domainOf(const ::onnx::NodeProto &node) {
  return node.domain() == "ai.onnx" ? "" : node.domain();
}

int64_t Importer::versionOf(const std::string &domain) const {
  auto found = versions.find(domain);
  return found == versions.end() ? 1 : found->second;
}

//===-- Which ops there are ----------------------------------------------------------------------------------------===//

namespace {
struct Missing {
  int64_t count = 0;
  std::string nodes; // the first few
};
} // namespace

// "'x', 'y'": how nodes are told from one another.
static std::string nameOf(const ::onnx::NodeProto &node) {
  return quote(!node.name().empty() ? node.name() : node.output_size() ? node.output(0) : "");
}

void Importer::checkOps() {
  std::map<std::string, Missing> missing;
  std::function<void(const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &, int)> visit =
      [&](const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &nodes, int depth) {
        if (depth > kMostDepth)
          fail("graphs are nested more than " + std::to_string(kMostDepth) + " deep");
        for (const ::onnx::NodeProto &node : nodes) {
          const std::string domain = domainOf(node);
          if (!findOp(domain, node.op_type(), versionOf(domain)) && !functions.count(domain + ":" + node.op_type())) {
            Missing &entry = missing[(domain.empty() ? "" : domain + ".") + node.op_type() + "-" +
                                     std::to_string(versionOf(domain))];
            entry.nodes += ++entry.count > 3 ? "" : (entry.count > 1 ? ", " : "") + nameOf(node);
          }
          for (const ::onnx::AttributeProto &attribute : node.attribute()) {
            if (attribute.has_g())
              visit(attribute.g().node(), depth + 1);
            for (const ::onnx::GraphProto &graph : attribute.graphs())
              visit(graph.node(), depth + 1);
          }
        }
      };
  visit(file.proto.graph().node(), 0);
  for (const auto &[name, function] : functions)
    visit(function->node(), 0);
  if (missing.empty())
    return;
  std::string text = "unsupported ops: ";
  for (auto entry = missing.begin(); entry != missing.end(); ++entry)
    text += (entry == missing.begin() ? "" : "; ") + quote(entry->first) + " x " + std::to_string(entry->second.count) +
            " (" + entry->second.nodes + (entry->second.count > 3 ? ", ..." : "") + ")";
  fail(text);
}

//===-- Inputs -----------------------------------------------------------------------------------------------------===//

Dim Importer::namedDim(const std::string &name) {
  if (auto fixed = options.dims.find(name); fixed != options.dims.end())
    return fixed->second;
  auto most = options.maxDims.find(name);
  const int64_t high = most != options.maxDims.end()                       ? most->second
                       : name.find("batch") != std::string::npos ? kDefaultMaxBatch
                                                                           : kDefaultMaxDim;
  if (std::find(symbolNames.begin(), symbolNames.end(), name) == symbolNames.end()) {
    if (symbolNames.size() == SINTER_MOST_DIMS)
      fail("there are more than " + std::to_string(SINTER_MOST_DIMS) + " run-time dimensions; fix some with --dim");
    symbolNames.push_back(name);
  }
  return dims.symbol(name, 0, high);
}

Dim Importer::inputDim(const std::string &input, int64_t axis, const ::onnx::TensorShapeProto::Dimension &dim) {
  if (dim.has_dim_value()) {
    if (dim.dim_value() < 0)
      fail("input " + quote(input) + " has a dimension of " + std::to_string(dim.dim_value()));
    return dim.dim_value();
  }
  std::string name = dim.has_dim_param() && !dim.dim_param().empty() ? dim.dim_param()
                                                                     : input + "." + std::to_string(axis);
  return namedDim(name);
}

// "past_sequence_length + 1": a sum of names and numbers, as exporters write it.
static std::vector<std::string> summands(const std::string &text) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('+', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (part.empty())
      return {};
    result.push_back(part);
    begin = end + 1;
  }
  return result;
}

void Importer::addInput(const ::onnx::ValueInfoProto &info, std::vector<Type> &types) {
  const std::string &name = info.name();
  Tensor tensor;
  tensor.name = name;
  where = "input " + quote(name);
  if (auto fixed = options.values.find(name); fixed != options.values.end()) {
    ::onnx::TensorProto proto;
    if (!proto.ParseFromString(fixed->second))
      fail("its fixed value is not a tensor");
    tensor = fromProto(proto);
    return define(name, tensor);
  }
  if (!info.type().has_tensor_type() || !info.type().tensor_type().has_shape())
    fail("is not a tensor whose rank is known");
  tensor.elem = elemOf(info.type().tensor_type().elem_type());
  Port port = {name, tensor.elem, {}};
  int64_t axis = 0;
  for (const ::onnx::TensorShapeProto::Dimension &dim : info.type().tensor_type().shape().dim()) {
    std::vector<std::string> sum = summands(dim.dim_param());
    Dim size;
    if (!dim.has_dim_value() && sum.size() > 1 && !options.dims.count(dim.dim_param()) &&
        !options.maxDims.count(dim.dim_param())) {
      // A dimension of its own that must be equal to the sum.
      Dim expected = 0;
      for (const std::string &part : sum)
        expected = expected + (isdigit(static_cast<unsigned char>(part[0])) ? Dim(std::atoll(part.c_str())) : namedDim(part));
      size = expected;
      if (!expected.constant()) {
        if (std::find(symbolNames.begin(), symbolNames.end(), dim.dim_param()) == symbolNames.end()) {
          symbolNames.push_back(dim.dim_param());
          if (symbolNames.size() > SINTER_MOST_DIMS)
            fail("there are more than " + std::to_string(SINTER_MOST_DIMS) + " run-time dimensions");
          Dim own = dims.symbol(dim.dim_param(), 0, dims.range(expected).high);
          checks.push_back({own, expected, "dimension " + std::to_string(axis) + " of input " + quote(name) +
                                               " and " + dim.dim_param()});
        }
        const auto place = std::find(symbolNames.begin(), symbolNames.end(), dim.dim_param()) - symbolNames.begin();
        port.dims.push_back(-1 - static_cast<int64_t>(place));
      } else {
        port.dims.push_back(*expected.constant());
      }
    } else {
      size = inputDim(name, axis, dim);
      if (std::optional<int64_t> known = size.constant()) {
        port.dims.push_back(*known);
      } else {
        const std::string symbol = dims.text(size);
        const auto place = std::find(symbolNames.begin(), symbolNames.end(), symbol) - symbolNames.begin();
        port.dims.push_back(-1 - static_cast<int64_t>(place));
      }
    }
    tensor.shape.push_back(size);
    ++axis;
  }
  Type type = typeOf(tensor.elem, tensor.shape);
  types.push_back(type);
  tensor.value = exec.front().addArgument(type, code.getLoc());
  inputPorts.push_back(port);
  define(name, tensor);
}

//===-- Nodes ------------------------------------------------------------------------------------------------------===//

Tensor Importer::lookup(const std::string &name) {
  for (size_t i = scopes.size(); i-- > 0;)
    if (auto found = scopes[i].find(name); found != scopes[i].end())
      return found->second;
  fail("input " + quote(name) + " is not computed by any node before");
}

void Importer::define(const std::string &name, Tensor tensor) {
  if (tensor.name.empty())
    tensor.name = name;
  if (!scopes.back().emplace(name, std::move(tensor)).second)
    fail("there are two values named " + quote(name));
}

Tensors Importer::callFunction(const ::onnx::FunctionProto &function, const ::onnx::NodeProto &node, Tensors inputs,
                               const Attributes &outer) {
  if (++functionDepth > kMostDepth)
    fail("functions call each other more than " + std::to_string(kMostDepth) + " deep");
  // Values of the caller are not seen inside.
  std::vector<Scope> saved(1);
  std::swap(saved, scopes);
  Attributes attributes;
  for (const ::onnx::AttributeProto &attribute : node.attribute()) {
    const ::onnx::AttributeProto *value = &attribute;
    if (!attribute.ref_attr_name().empty()) {
      auto found = outer.find(attribute.ref_attr_name());
      if (found == outer.end())
        continue;
      value = found->second;
    }
    attributes[attribute.name()] = value;
  }
  for (int i = 0; i < function.input_size(); ++i)
    define(function.input(i), static_cast<size_t>(i) < inputs.size() ? inputs[i] : Tensor());
  runNodes(function.node(), attributes);
  Tensors results;
  for (const std::string &output : function.output())
    results.push_back(lookup(output));
  std::swap(saved, scopes);
  --functionDepth;
  return results;
}

void Importer::runNode(const ::onnx::NodeProto &proto, const Attributes &outer) {
  const std::string domain = domainOf(proto);
  const std::string here = "node " + nameOf(proto) + " (" + proto.op_type() + ")";
  where = here;
  Tensors inputs;
  for (const std::string &name : proto.input())
    inputs.push_back(name.empty() ? Tensor() : lookup(name));
  code.setLoc(NameLoc::get(StringAttr::get(&context, proto.name().empty() ? proto.op_type() : proto.name())));
  Tensors results;
  auto function = functions.find(domain + ":" + proto.op_type());
  if (function != functions.end()) {
    results = callFunction(*function->second, proto, inputs, outer);
  } else {
    const Op *op = findOp(domain, proto.op_type(), versionOf(domain));
    Node node(*this, proto, versionOf(domain), inputs, outer);
    if (std::optional<Tensors> raised = raiseRows(node))
      results = *raised;
    else
      results = op->handler(node);
    followView(node, results);
    // Attributes of a function's caller are not looked up again: such a node is nobody's origin.
    const bool plain = domain.empty() && llvm::none_of(proto.attribute(), [](const ::onnx::AttributeProto &attribute) {
      return !attribute.ref_attr_name().empty();
    });
    origins.push_back({plain ? proto.op_type() : "", versionOf(domain), inputs, &proto});
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].origin = &origins.back();
      results[i].output = i;
    }
  }
  where = here;
  for (int i = 0; i < proto.output_size(); ++i) {
    if (proto.output(i).empty())
      continue;
    if (static_cast<size_t>(i) >= results.size() || !results[i].exists())
      fail("has no output " + std::to_string(i));
    results[i].name = proto.output(i);
    define(proto.output(i), results[i]);
  }
}

void Importer::runNodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &nodes, const Attributes &outer) {
  for (const ::onnx::NodeProto &node : nodes)
    runNode(node, outer);
}

Tensors Importer::runGraph(const ::onnx::GraphProto &graph, Tensors inputs) {
  if (scopes.size() > kMostDepth)
    fail("graphs are nested more than " + std::to_string(kMostDepth) + " deep");
  if (static_cast<size_t>(graph.input_size()) != inputs.size())
    fail("its graph takes " + std::to_string(graph.input_size()) + " inputs, it is given " +
         std::to_string(inputs.size()));
  scopes.emplace_back();
  for (const ::onnx::TensorProto &initializer : graph.initializer())
    define(initializer.name(), fromProto(initializer));
  for (int i = 0; i < graph.input_size(); ++i)
    define(graph.input(i).name(), inputs[i]);
  runNodes(graph.node(), {});
  Tensors results;
  for (const ::onnx::ValueInfoProto &output : graph.output())
    results.push_back(lookup(output.name()));
  scopes.pop_back();
  return results;
}

//===-- Outputs ----------------------------------------------------------------------------------------------------===//

void Importer::finishOutputs() {
  std::vector<Value> values;
  std::vector<Attribute> attributes;
  std::vector<Dim> sizes;
  Builder b(&context);
  for (const ::onnx::ValueInfoProto &info : file.proto.graph().output()) {
    where = "output " + quote(info.name());
    Tensor tensor = lookup(info.name());
    if (!tensor.elem)
      fail("is not a tensor");
    Value result = value(tensor);
    values.push_back(result);
    std::vector<int64_t> portDims;
    for (const Dim &dim : tensor.shape) {
      if (std::optional<int64_t> known = dim.constant()) {
        portDims.push_back(*known);
        continue;
      }
      auto found = std::find(sizes.begin(), sizes.end(), dim);
      portDims.push_back(-1 - static_cast<int64_t>(found - sizes.begin()));
      if (found == sizes.end())
        sizes.push_back(dim);
    }
    attributes.push_back(b.getDictionaryAttr({b.getNamedAttr("tx.name", b.getStringAttr(info.name())),
                                              b.getNamedAttr("tx.type", b.getStringAttr(tensor.elem->name)),
                                              b.getNamedAttr("tx.dims", b.getDenseI64ArrayAttr(portDims))}));
  }
  if (values.empty())
    fail("the graph has no outputs");

  // The last result: sizes of outputs, then pairs that must be equal.
  where = "sizes";
  std::vector<Attribute> messages;
  for (const Check &check : checks) {
    sizes.push_back(check.left);
    sizes.push_back(check.right);
    messages.push_back(b.getStringAttr(check.message));
  }
  std::vector<Type> types(exec.getArgumentTypes().begin(), exec.getArgumentTypes().end()), results;
  for (Value value : values)
    results.push_back(value.getType());
  func::ReturnOp::create(code, ValueRange(values));
  exec.setType(b.getFunctionType(types, results));
  for (auto [i, port] : llvm::enumerate(inputPorts)) {
    exec.setArgAttr(i, "tx.name", b.getStringAttr(port.name));
    exec.setArgAttr(i, "tx.type", b.getStringAttr(port.elem->name));
    exec.setArgAttr(i, "tx.dims", b.getDenseI64ArrayAttr(port.dims));
  }
  for (auto [i, attribute] : llvm::enumerate(attributes))
    exec.setResultAttrs(i, mlir::cast<DictionaryAttr>(attribute));
  // Every run-time dimension, used or not, in order.
  std::vector<Attribute> names, most;
  for (const std::string &name : symbolNames) {
    names.push_back(b.getStringAttr(name));
    most.push_back(b.getI64IntegerAttr(dims.range(dims.symbol(name, 0, 1)).high));
  }
  exec->setAttr("tx.dim_names", b.getArrayAttr(names));
  exec->setAttr("tx.dim_max", b.getArrayAttr(most));
  exec->setAttr("tx.checks", b.getArrayAttr(messages));
  if (sizes.empty())
    return;
  for (const Dim &size : sizes)
    for (const auto &[product, coefficient] : size.terms)
      for (uint32_t atom : product)
        if (dims.atoms[atom].kind == Atom::value)
          fail("a size depends on data, and is no output's alone");
  code.setInsertionPointToEnd(module->getBody());
  func::FuncOp function = func::FuncOp::create(code, "sizes", b.getFunctionType({}, {}));
  code.setInsertionPointToStart(function.addEntryBlock());
  emitted.clear();
  std::vector<Value> elements;
  for (const Dim &size : sizes)
    elements.push_back(emit(size));
  Tensor all = loops({}, {{elem::i64(), {static_cast<int64_t>(sizes.size())}}},
                     [&](Code &c, ArrayRef<Mem>, ArrayRef<Mem> out) {
                       for (auto [i, element] : llvm::enumerate(elements))
                         c.store(c.fromIndex(element, c.getI64Type()), out[0], c.index(static_cast<int64_t>(i)));
                     })[0];
  func::ReturnOp::create(code, all.value);
  function.setType(b.getFunctionType({}, {all.value.getType()}));
}

ImportedModel Importer::run() {
  const ::onnx::GraphProto &graph = file.proto.graph();
  try {
    if (versions.count("") && (versions[""] < 1 || versions[""] > kNewest + 4))
      fail("uses opset " + std::to_string(versions[""]) + " of ai.onnx, expected up to " + std::to_string(kNewest));
    checkOps();
    module = ModuleOp::create(code.getLoc());
    code.setInsertionPointToEnd(module->getBody());
    exec = func::FuncOp::create(code, "exec", code.getFunctionType({}, {}));
    code.setInsertionPointToStart(exec.addEntryBlock());
    scopes.emplace_back();
    for (const ::onnx::TensorProto &initializer : graph.initializer()) {
      where = "initializer " + quote(initializer.name());
      define(initializer.name(), fromProto(initializer));
    }
    std::vector<Type> types;
    for (const ::onnx::ValueInfoProto &input : graph.input())
      if (!scopes.back().count(input.name()))
        addInput(input, types);
    exec.setType(code.getFunctionType(types, {}));
    runNodes(graph.node(), {});
    finishOutputs();
  } catch (ImportError &error) {
    error.message = file.path + ": " + (where.empty() ? "" : where + ": ") + error.message;
    throw;
  }
  ImportedModel result;
  result.module = std::move(module);
  std::string name = file.path.substr(file.path.rfind('/') + 1);
  result.info.name = name.substr(0, name.rfind(".onnx"));
  result.info.family = "onnx";
  return result;
}

} // namespace sinter::onnx_import

//===-- The border -------------------------------------------------------------------------------------------------===//

namespace sinter {

// What the graph wrote on the way to what was recognized, and weights that are read by nothing, go.
static void removeUnread(ModuleOp module) {
  llvm::DenseSet<Attribute> read;
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.front()))) {
      if (isOpTriviallyDead(&op))
        op.erase();
      else
        op.getAttrDictionary().walk([&](FlatSymbolRefAttr name) { read.insert(name); });
    }
  for (tx::ParamOp param : llvm::make_early_inc_range(module.getOps<tx::ParamOp>()))
    if (!read.contains(FlatSymbolRefAttr::get(param.getSymNameAttr())))
      param.erase();
}

// How many of each op of tx there are, by the names that people know them by; the rest is "generic".
static std::map<std::string, int> countOps(ModuleOp module) {
  std::map<std::string, int> counts;
  module.walk([&](Operation *op) {
    if (tx::NormOp norm = dyn_cast<tx::NormOp>(op))
      ++counts[norm.getNorm().getKind() == tx::NormKind::rms ? "rms norm" : "layer norm"];
    else if (tx::ActivateOp activate = dyn_cast<tx::ActivateOp>(op))
      ++counts[tx::stringifyActivation(activate.getActivation()).str()];
    else if (isa<tx::LinearOp, tx::AttentionOp, tx::GluOp>(op))
      ++counts[op->getName().stripDialect().str()];
    else if (isa<tx::LoopsOp, linalg::GenericOp>(op))
      ++counts["generic"];
  });
  return counts;
}

llvm::Expected<ImportedModel> importOnnx(const std::string &path, const OnnxOptions &options, MLIRContext &context,
                                         std::string *needed) {
  using namespace onnx_import;
  context.loadDialect<tx::TxDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect, memref::MemRefDialect,
                      scf::SCFDialect, tensor::TensorDialect, linalg::LinalgDialect, vector::VectorDialect>();
  try {
    ModelFile file;
    std::string error;
    if (!readModelFile(path, file, error))
      return llvm::createStringError(error);
    raiseOps(*file.proto.mutable_graph());
    ImportedModel model = Importer(file, options, context).run();
    if (failed(verify(*model.module)))
      return llvm::createStringError(path + ": the imported program does not verify; please report this");
    removeUnread(*model.module);
    model.raised = countOps(*model.module);
    for (tx::ParamOp param : model.module->getOps<tx::ParamOp>())
      model.info.parameters += static_cast<uint64_t>(param.getTensorType().getNumElements());
    return model;
  } catch (const ImportError &error) {
    if (needed)
      *needed = error.needed;
    return llvm::createStringError(error.message);
  }
}

std::vector<OnnxOpRow> onnxOps() {
  std::vector<OnnxOpRow> rows;
  for (const onnx_import::Op &op : onnx_import::allOps())
    rows.push_back({op.domain, op.name, op.since, op.until});
  return rows;
}

} // namespace sinter
