// Branches and loops whose way is known when the model is compiled, and sequences, which are lists of tensors here and never
// exist at run time. A branch that only data decides is computed on both sides if both give tensors of the same shapes.

#include "frontend/onnx/ops/Ops.h"

namespace sinter::onnx_import {

static const ::onnx::GraphProto &graphOf(Node &node, const char *name) {
  const auto *attribute = node.find(name);
  if (!attribute || !attribute->has_g())
    fail(std::string("has no graph '") + name + "'");
  return attribute->g();
}

static Tensors branch(Node &node) {
  Importer &im = node.importer;
  const Tensor condition = node.in(0);
  if (std::optional<std::vector<int64_t>> known = im.knownIntegers(condition); known && known->size() == 1)
    return im.runGraph(graphOf(node, (*known)[0] ? "then_branch" : "else_branch"), {});
  Tensors yes = im.runGraph(graphOf(node, "then_branch"), {}), no = im.runGraph(graphOf(node, "else_branch"), {});
  if (yes.size() != no.size())
    fail("its branches have different numbers of outputs");
  Tensors results;
  for (size_t i = 0; i < yes.size(); ++i) {
    if (!yes[i].elem || !no[i].elem || yes[i].elem != no[i].elem || yes[i].shape != no[i].shape)
      // What would decide it, is what must be known.
      im.integersOf(condition, "the condition, since its branches give tensors of different shape,");
    results.push_back(im.map({im.reshape(condition, {}), yes[i], no[i]}, yes[i].elem,
                             [](Code &c, ValueRange x) { return c.select(x[0], x[1], x[2]); }));
  }
  return results;
}

// Unrolled: the number of iterations and the condition must be known at each step.
static Tensors loop(Node &node) {
  Importer &im = node.importer;
  constexpr int64_t kMostIterations = 1024;
  const ::onnx::GraphProto &body = graphOf(node, "body");
  int64_t count = kMostIterations + 1;
  if (node.has(size_t(0)))
    count = im.integersOf(node.in(0), "the number of iterations").at(0);
  bool go = !node.has(1) || im.integersOf(node.in(1), "the condition").at(0);
  Tensors carried(node.inputs.begin() + std::min<size_t>(2, node.inputs.size()), node.inputs.end());
  const size_t scans = node.outputs() - std::min(node.outputs(), carried.size());
  std::vector<Tensors> scanned(scans);
  for (int64_t i = 0; i < count && go; ++i) {
    if (i == kMostIterations)
      fail("takes more than " + std::to_string(kMostIterations) + " iterations");
    Tensors inputs = {im.reshape(im.vectorOf({i}), {}), im.scalar(elem::boolean(), 1)};
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    Tensors results = im.runGraph(body, inputs);
    if (results.size() != 1 + carried.size() + scans)
      fail("its body has " + std::to_string(results.size()) + " outputs, expected " +
           std::to_string(1 + carried.size() + scans));
    go = im.integersOf(results[0], "the condition").at(0);
    carried.assign(results.begin() + 1, results.begin() + 1 + static_cast<int64_t>(carried.size()));
    for (size_t s = 0; s < scans; ++s) {
      Tensor &value = results[results.size() - scans + s];
      Shape shape = {1};
      shape.insert(shape.end(), value.shape.begin(), value.shape.end());
      scanned[s].push_back(im.reshape(value, shape));
    }
  }
  Tensors outputs = carried;
  for (const Tensors &parts : scanned) {
    if (parts.empty())
      fail("runs no iteration, so that an output has no shape");
    outputs.push_back(concat(im, parts, 0));
  }
  return outputs;
}

// A loop over slices of some inputs, unrolled.
static Tensors scan(Node &node) {
  Importer &im = node.importer;
  const ::onnx::GraphProto &body = graphOf(node, "body");
  const int64_t scanned = node.integer("num_scan_inputs");
  const int64_t first = node.version < 9 ? 1 : 0; // sequence_lens
  const int64_t states = static_cast<int64_t>(node.inputs.size()) - first - scanned;
  if (scanned < 1 || states < 0)
    fail("has " + std::to_string(scanned) + " scan inputs of " + std::to_string(node.inputs.size()));
  if (first && node.has(size_t(0)))
    fail("has lengths of sequences, which are not supported");
  auto list = [&](const char *name, size_t size) {
    std::vector<int64_t> values = node.integers(name);
    values.resize(std::max(values.size(), size), 0);
    return values;
  };
  const size_t outs = node.outputs() - std::min<size_t>(node.outputs(), states);
  std::vector<int64_t> axes = list("scan_input_axes", scanned), backwards = list("scan_input_directions", scanned),
                       outAxes = list("scan_output_axes", outs), outBackwards = list("scan_output_directions", outs);
  // In opset 8 everything has a batch in front; a batch of one is no batch.
  Tensors inputs(node.inputs.begin() + first, node.inputs.end());
  const bool batched = node.version < 9;
  if (batched)
    for (Tensor &input : inputs) {
      if (input.rank() == 0 || !input.shape[0].is(1))
        fail("of opset 8 is supported for batches of one");
      input = im.reshape(input, Shape(input.shape.begin() + 1, input.shape.end()));
    }
  Tensors carried(inputs.begin(), inputs.begin() + states);
  const Dim length = inputs[states].shape.at(node.axis(axes[0], inputs[states].rank()));
  if (!length.constant() || *length.constant() > 1024)
    fail("runs over an axis whose size is not known, or above 1024");
  std::vector<Tensors> results(outs);
  for (int64_t i = 0; i < *length.constant(); ++i) {
    Tensors step = carried;
    for (int64_t s = 0; s < scanned; ++s) {
      const Tensor &from = inputs[states + s];
      const int64_t axis = node.axis(axes[s], from.rank());
      Tensor part = slice(im, from, axis, backwards[s] ? *length.constant() - 1 - i : i, 1);
      Shape shape = part.shape;
      shape.erase(shape.begin() + axis);
      step.push_back(im.reshape(part, shape));
    }
    Tensors made = im.runGraph(body, step);
    if (made.size() != size_t(states) + outs)
      fail("its body has " + std::to_string(made.size()) + " outputs, expected " + std::to_string(states + outs));
    carried.assign(made.begin(), made.begin() + states);
    for (size_t s = 0; s < outs; ++s)
      results[s].push_back(made[states + s]);
  }
  Tensors outputs = carried;
  for (size_t s = 0; s < outs; ++s) {
    if (results[s].empty())
      fail("runs no iteration, so that an output has no shape");
    const int64_t axis = node.axis(outAxes[s], results[s][0].rank() + 1);
    for (Tensor &part : results[s]) {
      Shape shape = part.shape;
      shape.insert(shape.begin() + axis, 1);
      part = im.reshape(part, shape);
    }
    if (outBackwards[s])
      std::reverse(results[s].begin(), results[s].end());
    outputs.push_back(concat(im, results[s], axis));
  }
  if (batched)
    for (Tensor &output : outputs) {
      Shape shape = {1};
      shape.insert(shape.end(), output.shape.begin(), output.shape.end());
      output = im.reshape(output, shape);
    }
  return outputs;
}

//===-- Sequences and optionals ------------------------------------------------------------------------------------===//

static Tensor sequence(Tensors elements) {
  Tensor result;
  result.list = std::make_shared<Tensors>(std::move(elements));
  return result;
}
static const Tensors &elementsOf(const Tensor &tensor) {
  if (!tensor.list)
    fail("takes a sequence, found a tensor");
  return *tensor.list;
}
static size_t placeIn(Node &node, size_t input, size_t size, bool end) {
  int64_t place = node.importer.integersOf(node.in(input), "the position").at(0);
  if (place < 0)
    place += static_cast<int64_t>(size);
  if (place < 0 || place >= static_cast<int64_t>(size) + end)
    fail("position is not in a sequence of " + std::to_string(size));
  return static_cast<size_t>(place);
}

static Tensors sequenceConstruct(Node &node) { return {sequence(node.inputs)}; }
static Tensors sequenceEmpty(Node &) { return {sequence({})}; }
static Tensors sequenceAt(Node &node) {
  const Tensors &elements = elementsOf(node.in(0));
  return {elements[placeIn(node, 1, elements.size(), false)]};
}
static Tensors sequenceInsert(Node &node) {
  Tensors elements = elementsOf(node.in(0));
  const size_t place = node.has(2) ? placeIn(node, 2, elements.size(), true) : elements.size();
  elements.insert(elements.begin() + static_cast<int64_t>(place), node.in(1));
  return {sequence(elements)};
}
static Tensors sequenceErase(Node &node) {
  Tensors elements = elementsOf(node.in(0));
  if (elements.empty())
    fail("takes an element from an empty sequence");
  const size_t place = node.has(1) ? placeIn(node, 1, elements.size(), false) : elements.size() - 1;
  elements.erase(elements.begin() + static_cast<int64_t>(place));
  return {sequence(elements)};
}
static Tensors sequenceLength(Node &node) {
  Tensor count = node.importer.vectorOf({static_cast<int64_t>(elementsOf(node.in(0)).size())});
  return {node.importer.reshape(count, {})};
}

static Tensors concatFromSequence(Node &node) {
  Importer &im = node.importer;
  Tensors elements = elementsOf(node.in(0));
  if (elements.empty())
    fail("joins an empty sequence");
  const bool isNew = node.integer("new_axis", 0);
  const int64_t axis = node.axis(node.integer("axis"), elements[0].rank() + isNew);
  if (isNew)
    for (Tensor &element : elements) {
      Shape shape = element.shape;
      shape.insert(shape.begin() + std::min<int64_t>(axis, element.rank()), 1);
      element = im.reshape(element, shape);
    }
  return {concat(im, elements, axis)};
}

static Tensors splitToSequence(Node &node) {
  Importer &im = node.importer;
  const Tensor &x = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 0), x.rank());
  const bool keep = node.has(1) || node.integer("keepdims", 1);
  if (!x.shape[axis].constant())
    fail("splits an axis whose size is not known");
  const int64_t size = *x.shape[axis].constant();
  std::vector<int64_t> parts;
  if (node.has(1) && node.in(1).rank() == 1) {
    parts = im.integersOf(node.in(1), "split");
  } else {
    const int64_t each = node.has(1) ? im.integersOf(node.in(1), "split").at(0) : 1;
    if (each < 1 || size / each > 4096)
      fail("splits into parts of " + std::to_string(each));
    for (int64_t at = 0; at < size; at += each)
      parts.push_back(std::min(each, size - at));
  }
  Tensors elements;
  int64_t begin = 0;
  for (int64_t part : parts) {
    if (part < 0 || part > size - begin)
      fail("its parts are larger than the axis");
    Tensor element = slice(im, x, axis, begin, part);
    if (!keep) {
      Shape shape = element.shape;
      shape.erase(shape.begin() + axis);
      element = im.reshape(element, shape);
    }
    elements.push_back(element);
    begin += part;
  }
  return {sequence(elements)};
}

static Tensors sequenceMap(Node &node) {
  Importer &im = node.importer;
  const ::onnx::GraphProto &body = graphOf(node, "body");
  const size_t length = elementsOf(node.in(0)).size();
  std::vector<Tensors> made(node.outputs());
  for (size_t i = 0; i < length; ++i) {
    Tensors inputs;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Tensor &input = node.in(k);
      if (input.list && input.list->size() != length)
        fail("maps sequences of different length");
      inputs.push_back(input.list ? (*input.list)[i] : input);
    }
    Tensors results = im.runGraph(body, inputs);
    for (size_t k = 0; k < made.size() && k < results.size(); ++k)
      made[k].push_back(results[k]);
  }
  Tensors outputs;
  for (Tensors &elements : made)
    outputs.push_back(sequence(std::move(elements)));
  return outputs;
}

static Tensors optionalHasElement(Node &node) { return {node.importer.scalar(elem::boolean(), node.has(size_t(0)) ? 1 : 0)}; }
static Tensors optionalElement(Node &node) { return {node.in(0)}; }

ArrayRef<Op> controlOps() {
  static const Op ops[] = {
      {"", "If", 1, kNewest, branch},
      {"", "Loop", 1, kNewest, loop},
      {"", "Scan", 8, kNewest, scan},
      {"", "SequenceConstruct", 11, kNewest, sequenceConstruct},
      {"", "SequenceEmpty", 11, kNewest, sequenceEmpty},
      {"", "SequenceAt", 11, kNewest, sequenceAt},
      {"", "SequenceInsert", 11, kNewest, sequenceInsert},
      {"", "SequenceErase", 11, kNewest, sequenceErase},
      {"", "SequenceLength", 11, kNewest, sequenceLength},
      {"", "SequenceMap", 17, kNewest, sequenceMap},
      {"", "ConcatFromSequence", 11, kNewest, concatFromSequence},
      {"", "SplitToSequence", 11, kNewest, splitToSequence},
      {"", "OptionalHasElement", 15, kNewest, optionalHasElement},
      {"", "OptionalGetElement", 15, kNewest, optionalElement},
      {"", "Optional", 15, kNewest, optionalElement},
  };
  return ops;
}

} // namespace sinter::onnx_import
