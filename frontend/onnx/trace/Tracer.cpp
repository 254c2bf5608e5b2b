// Exporters take a transformer apart in a hundred ways: masks are built from Range and Where, tables of rotary embeddings from
// positions, shapes from Shape and Concat, and no two versions do it alike. Patterns over nodes would have to know all of
// them. This follows the graph with numbers instead: at a chosen number of tokens, everything that does not depend on what the
// model is asked is computed (Known), and only what is left is looked at: rows of activations, and where their elements lie
// after reshapes and transposes (StridedView). A mask is causal if its numbers are; a table is rotary if its numbers turn.
//
// What comes out holds for one number of tokens. The caller follows the graph twice, at different sizes, and believes what it
// finds if both times the same program comes out.
//
// This file walks the graph; TraceRows.cpp and TraceAttention.cpp know ops.

#include "frontend/onnx/trace/Tracer.h"
#include "frontend/InputFile.h"
#include "frontend/onnx/Dim.h"

#include <algorithm>
#include <charconv>
#include <cmath>

using namespace mlir;

namespace sinter::onnx_import {

using ::onnx::NodeProto;
using ::onnx::TensorProto;

// Larger tensors are weights, which stay in their file.
static constexpr int64_t kMostKnown = 1 << 14;
static constexpr int kMostDepth = 16;

std::string labelOf(const std::string &name) {
  std::string label = name;
  for (const char *front : {"/", "model/", "decoder/", "encoder/"})
    if (label.rfind(front, 0) == 0)
      label.erase(0, std::string(front).size());
  const size_t last = label.rfind('/');
  if (last != std::string::npos)
    label.erase(last);
  std::replace(label.begin(), label.end(), '/', '.');
  return !label.empty() ? label : name.empty() ? "value" : name;
}

// "past_key_values.3.decoder.key", "present.3.value", "past_key_values.0.encoder.value" ...
std::optional<CacheName> parseCacheName(const std::string &name) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  if (parts.size() < 3 || parts.size() > 4 || (parts[0] != "past_key_values" && parts[0] != "present"))
    return std::nullopt;
  CacheName result{};
  const std::string &number = parts[1], &kind = parts.back();
  std::from_chars_result parsed = std::from_chars(number.data(), number.data() + number.size(), result.layer);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() || result.layer < 0 || result.layer > 999 ||
      (kind != "key" && kind != "value") || (parts.size() == 4 && parts[2] != "decoder" && parts[2] != "encoder"))
    return std::nullopt;
  result.isValue = kind == "value";
  result.ofEncoder = parts.size() == 4 && parts[2] == "encoder";
  return result;
}

Tracer::Tracer(const ModelFile &file, OpBuilder &builder, ParamTable &params, Probe probe)
    : file(file), builder(builder), module(builder.getBlock()->getParent()->getParentOfType<ModuleOp>()), params(params),
      probe(probe) {}

Location Tracer::at(const std::string &name) { return NameLoc::get(builder.getStringAttr(name)); }

RankedTensorType Tracer::rowsType(int64_t width) {
  return RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
}

Known Tracer::ones(std::vector<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return {std::move(shape), std::vector<double>(count, 1.0)};
}

Traced Tracer::rowsOf(Value rows, int64_t tokens, std::vector<int64_t> shape) {
  Traced result;
  result.form = Form::rows;
  result.rows = rows;
  result.view = StridedView::rowMajor({tokens, width(rows)}).reshaped(shape);
  return result;
}

// [1, heads, tokens, head_dim]
Traced Tracer::headsOf(Value rows, int64_t tokens, int64_t heads, int64_t headDim) {
  Traced result = rowsOf(rows, tokens, {1, tokens, heads, headDim});
  result.view = result.view.transposed({0, 2, 1, 3});
  return result;
}

//===-- Walking ------------------------------------------------------------------------------------------------------===//

std::vector<Traced> Tracer::run(const std::vector<std::string> &outputs) {
  try {
    runNodes(file.proto.graph(), outputs);
    std::vector<Traced> results;
    for (const std::string &name : outputs) {
      where = "output " + quote(name);
      results.push_back(lookup(name));
    }
    scopes.pop_back();
    initializers.pop_back();
    return results;
  } catch (ImportError &error) {
    error.message = file.path + ": " + (where.empty() ? "" : where + ": ") + error.message;
    throw;
  }
}

// Names that a node reads, inside of its graphs too.
static void addReads(const NodeProto &node, std::set<std::string> &names, int depth = 0) {
  if (depth > kMostDepth)
    fail("graphs are nested more than " + std::to_string(kMostDepth) + " deep");
  for (const std::string &input : node.input())
    names.insert(input);
  for (const ::onnx::AttributeProto &attribute : node.attribute())
    if (attribute.has_g()) {
      for (const NodeProto &inner : attribute.g().node())
        addReads(inner, names, depth + 1);
      for (const ::onnx::ValueInfoProto &output : attribute.g().output())
        names.insert(output.name());
    }
}

// Runs what the wanted values are made of, and leaves them in a new scope.
void Tracer::runNodes(const ::onnx::GraphProto &graph, const std::vector<std::string> &wanted) {
  if (++depth > kMostDepth)
    fail("graphs are nested more than " + std::to_string(kMostDepth) + " deep");
  scopes.emplace_back();
  initializers.emplace_back();
  for (const TensorProto &tensor : graph.initializer())
    initializers.back()[tensor.name()] = &tensor;
  // Nodes stand behind those whose results they read.
  std::set<std::string> names(wanted.begin(), wanted.end());
  std::vector<const NodeProto *> needed;
  for (int i = graph.node_size(); i-- > 0;) {
    const NodeProto &node = graph.node(i);
    bool isNeeded = false;
    for (const std::string &output : node.output())
      isNeeded |= !output.empty() && names.count(output) && !fixed.count(output);
    if (!isNeeded)
      continue;
    needed.push_back(&node);
    addReads(node, names);
  }
  for (size_t i = needed.size(); i-- > 0;)
    runNode(*needed[i], names);
  --depth;
}

const Traced &Tracer::lookup(const std::string &name) {
  auto known = fixed.find(name);
  if (known != fixed.end())
    return known->second;
  for (size_t i = scopes.size(); i-- > 0;) {
    auto found = scopes[i].find(name);
    if (found != scopes[i].end())
      return found->second;
    auto tensor = initializers[i].find(name);
    if (tensor != initializers[i].end())
      return scopes[i][name] = initializer(*tensor->second);
  }
  fail("reads " + quote(name) + ", which has no value here");
}

Traced Tracer::initializer(const TensorProto &tensor) {
  int64_t count = 1;
  for (int64_t dim : tensor.dims()) {
    if (dim < 0 || (dim && count > (int64_t(1) << 40) / dim))
      fail("tensor " + quote(tensor.name()) + " has a dimension of " + std::to_string(dim));
    count *= dim;
  }
  Traced result;
  // So are matrices, which rows will be multiplied with.
  const bool isMatrix = tensor.dims_size() == 2 && tensor.dims(0) > 1 && tensor.dims(1) > 1 && tensor.has_data_location() &&
                        tensor.data_location() == TensorProto::EXTERNAL &&
                        (tensor.data_type() == TensorProto::FLOAT || tensor.data_type() == TensorProto::FLOAT16 ||
                         tensor.data_type() == TensorProto::INT8 || tensor.data_type() == TensorProto::UINT8);
  if (count > kMostKnown || isMatrix) {
    result.form = Form::weight;
    result.weight.tensor = &tensor;
    result.view = StridedView::rowMajor({tensor.dims().begin(), tensor.dims().end()});
    return result;
  }
  if (!tensor.has_data_location() || tensor.data_location() != TensorProto::EXTERNAL) {
    result.known = knownTensor(tensor);
    return result;
  }
  DataRange range;
  std::string error;
  InputFile input;
  if (!findExternalData(file, tensor, range, error))
    fail(error);
  if (range.size > uint64_t(kMostKnown) * 8)
    fail("tensor " + quote(tensor.name()) + " has " + std::to_string(range.size) + " bytes for " + std::to_string(count) +
         " elements");
  std::vector<uint8_t> bytes(range.size);
  if (!input.open(range.file, error) || !input.read(range.offset, bytes.size(), reinterpret_cast<char *>(bytes.data()), error))
    fail(error);
  result.known = knownTensor(tensor, &bytes);
  return result;
}

void Tracer::put(const std::string &name, Traced value) {
  if (name.empty())
    return;
  // Keys and values that a graph without past hands over are what the cache will hold.
  if (value.form == Form::rows && tokenIds && !name.empty())
    if (std::optional<CacheName> cache = parseCacheName(name); cache && !cache->ofEncoder)
      value = cached(value, cache->layer, cache->isValue);
  scopes.back()[name] = std::move(value);
}

void Tracer::runNode(const NodeProto &node, const std::set<std::string> &wanted) {
  const std::string here = where;
  where = "node " + quote(node.name().empty() ? node.output_size() ? node.output(0) : "" : node.name()) + " (" +
          node.op_type() + ")";
  const bool standard = node.domain().empty() || node.domain() == "ai.onnx" || node.domain() == "com.microsoft";
  if (!standard)
    fail("is of the domain " + quote(node.domain()) + ", which is not followed");
  if (node.op_type() == "If") {
    const Traced &condition = lookup(node.input(0));
    const ::onnx::AttributeProto *branch = nullptr;
    if (condition.form == Form::known && condition.known.count() == 1)
      branch = attributeOf(node, condition.known.values[0] ? "then_branch" : "else_branch");
    if (!branch || !branch->has_g() || branch->g().output_size() != node.output_size())
      fail("has a branch that the caches do not decide");
    std::vector<std::string> inner;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (int i = 0; i < node.output_size(); ++i)
      if (wanted.count(node.output(i)) && !fixed.count(node.output(i))) {
        inner.push_back(branch->g().output(i).name());
        pairs.push_back({node.output(i), inner.back()});
      }
    runNodes(branch->g(), inner);
    Scope results;
    for (const auto &[outer, name] : pairs)
      results[outer] = lookup(name);
    scopes.pop_back();
    initializers.pop_back();
    for (auto &[name, value] : results)
      put(name, value);
    where = here;
    return;
  }
  std::vector<Traced> in;
  for (const std::string &input : node.input())
    in.push_back(input.empty() ? Traced() : lookup(input));
  bool allKnown = true;
  std::vector<const Known *> known;
  for (int i = 0; i < node.input_size(); ++i) {
    allKnown &= in[i].form == Form::known;
    known.push_back(node.input(i).empty() ? nullptr : &in[i].known);
  }
  std::vector<Traced> out;
  std::optional<std::vector<Known>> results;
  if (allKnown)
    results = evaluateKnown(node, known);
  if (results) {
    for (Known &result : *results) {
      out.emplace_back();
      out.back().known = std::move(result);
    }
  } else if (!traceShape(node, in, out)) {
    traceOp(node, in, out);
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (static_cast<size_t>(i) < out.size())
      put(node.output(i), out[i]);
    else if (!node.output(i).empty() && wanted.count(node.output(i)))
      fail("has an output " + quote(node.output(i)) + " that is not followed");
  where = here;
}

//===-- Shapes -------------------------------------------------------------------------------------------------------===//

// Ops that say where elements lie, whatever they are.
bool Tracer::traceShape(const NodeProto &node, std::vector<Traced> &in, std::vector<Traced> &out) {
  const std::string &op = node.op_type();
  if (in.empty())
    return false;
  Traced result = in[0];
  std::vector<const Known *> known;
  for (int i = 0; i < node.input_size(); ++i)
    known.push_back(node.input(i).empty() || in[i].form != Form::known ? nullptr : &in[i].known);
  const std::vector<int64_t> shape = in[0].form == Form::known ? in[0].known.shape : in[0].view.shape();
  auto list = [&](size_t input) {
    if (input >= known.size() || !known[input])
      fail("has a shape that depends on data");
    return known[input]->integers();
  };
  if (op == "Shape") {
    const int64_t rank = static_cast<int64_t>(shape.size()), start = integerOf(node, "start", 0),
                  end = integerOf(node, "end", rank);
    const int64_t from = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank),
                  to = std::clamp<int64_t>(end < 0 ? end + rank : end, from, rank);
    result = {};
    result.known = knownIntegers({shape.begin() + from, shape.begin() + to});
  } else if (op == "Reshape") {
    result.view = result.view.reshaped(reshapedShape(shape, list(1), integerOf(node, "allowzero", 0)));
  } else if (op == "Unsqueeze") {
    result.view = result.view.reshaped(unsqueezedShape(shape, axesInput(node, known)));
  } else if (op == "Squeeze") {
    result.view = result.view.reshaped(squeezedShape(shape, axesInput(node, known)));
  } else if (op == "Flatten") {
    const int64_t rank = static_cast<int64_t>(shape.size()), given = integerOf(node, "axis", 1);
    std::vector<int64_t> flat = {1, 1};
    for (int64_t i = 0; i < rank; ++i)
      flat[i >= (given == rank ? rank : axisOf(given, rank))] *= shape[i];
    result.view = result.view.reshaped(flat);
  } else if (op == "Transpose") {
    std::vector<int64_t> permutation = integersOf(node, "perm");
    if (permutation.empty())
      for (size_t i = shape.size(); i-- > 0;)
        permutation.push_back(int64_t(i));
    result.view = result.view.transposed(permutation);
  } else if (op == "Expand") {
    result.view = result.view.expanded(list(1));
  } else if (op == "Slice") {
    for (size_t i = 1; i < in.size(); ++i)
      if (!node.input(int(i)).empty())
        list(i);
    for (const SlicedAxis &each : slicedAxes(node, known, shape)) {
      if (each.step != 1)
        fail("takes every " + std::to_string(each.step) + "th element");
      result.view = result.view.sliced(each.axis, each.begin, each.count);
    }
  } else if (op == "Split") {
    const int64_t axis = axisOf(integerOf(node, "axis", 0), static_cast<int64_t>(shape.size()));
    std::vector<int64_t> sizes = known.size() > 1 && known[1] ? known[1]->integers() : integersOf(node, "split");
    if (sizes.empty())
      sizes.assign(node.output_size(), shape[axis] / std::max(1, node.output_size()));
    int64_t begin = 0;
    for (int64_t size : sizes) {
      out.push_back(in[0]);
      out.back().view = in[0].view.sliced(axis, begin, size);
      begin += size;
    }
    return true;
  } else if (op == "Cast" || op == "CastLike" || op == "Identity" || op == "Dropout") {
    const int64_t to = integerOf(node, "to", TensorProto::FLOAT);
    if (op == "Cast" && in[0].form != Form::ids && to != TensorProto::FLOAT && to != TensorProto::FLOAT16)
      fail("makes something other than floats of activations");
  } else {
    return false;
  }
  out.push_back(std::move(result));
  return true;
}

} // namespace sinter::onnx_import
