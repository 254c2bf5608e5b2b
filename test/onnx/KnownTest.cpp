// The evaluator of what a graph knows before it is asked: a causal mask and a rotary table as exporters build them.

#include "frontend/onnx/Dim.h"
#include "frontend/onnx/trace/Known.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace sinter::onnx_import;

static Known run(const char *op, const std::vector<Known> &inputs, const std::vector<std::pair<const char *, int64_t>> &integers = {},
                 const std::vector<int64_t> &perm = {}) {
  ::onnx::NodeProto node;
  node.set_op_type(op);
  for (const auto &[name, value] : integers) {
    ::onnx::AttributeProto *attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_i(value);
  }
  if (!perm.empty()) {
    ::onnx::AttributeProto *attribute = node.add_attribute();
    attribute->set_name("perm");
    for (int64_t axis : perm)
      attribute->add_ints(axis);
  }
  std::vector<const Known *> pointers;
  for (const Known &input : inputs)
    pointers.push_back(&input);
  std::optional<std::vector<Known>> results = evaluateKnown(node, pointers);
  if (!results)
    throw ImportError{"not evaluated", ""};
  return results->at(0);
}

TEST(Known, CausalMask) {
  // where(j <= past + t, 0, -inf) of 3 tokens behind 2
  const Known keys = run("Range", {knownInteger(0), knownInteger(5), knownInteger(1)});
  const Known queries = run("Unsqueeze", {run("Range", {knownInteger(2), knownInteger(5), knownInteger(1)}), knownIntegers({1})});
  const Known seen = run("LessOrEqual", {keys, queries});
  Known zero{{}, {0}, true}, never{{}, {-INFINITY}, true};
  const Known mask = run("Where", {seen, zero, never});
  EXPECT_EQ(mask.shape, (std::vector<int64_t>{3, 5}));
  for (int64_t i = 0; i < 15; ++i)
    EXPECT_EQ(mask.values[i], i % 5 <= 2 + i / 5 ? 0 : -INFINITY) << i;
}

TEST(Known, RotaryAngles) {
  // transpose(frequencies [1, 2, 1] x positions [1, 1, 3])
  Known frequencies{{1, 2, 1}, {1, 0.01}, true}, positions{{1, 1, 3}, {4, 5, 6}, true};
  const Known angles = run("Transpose", {run("MatMul", {frequencies, positions})}, {}, {0, 2, 1});
  EXPECT_EQ(angles.shape, (std::vector<int64_t>{1, 3, 2}));
  EXPECT_DOUBLE_EQ(run("Cos", {angles}).values[3], std::cos(0.05));
}

TEST(Known, ShapesAreComputed) {
  Known data{{2, 3, 4}, std::vector<double>(24)};
  const Known shape = run("Shape", {data});
  EXPECT_EQ(run("Gather", {shape, knownInteger(-1)}).values, (std::vector<double>{4}));
  EXPECT_EQ(run("Concat", {knownIntegers({2}), knownIntegers({-1})}, {{"axis", 0}}).values, (std::vector<double>{2, -1}));
  EXPECT_EQ(run("Reshape", {data, knownIntegers({0, -1})}).shape, (std::vector<int64_t>{2, 12}));
  EXPECT_EQ(run("Slice", {shape, knownIntegers({1}), knownIntegers({INT64_MAX})}).values, (std::vector<double>{3, 4}));
  EXPECT_EQ(run("Expand", {knownIntegers({7}), knownIntegers({2, 2})}).values, (std::vector<double>(4, 7)));
  EXPECT_EQ(run("Div", {knownInteger(-7), knownInteger(2)}).values[0], -3); // towards zero
}

TEST(Known, WhatDoesNotFitIsAnError) {
  EXPECT_THROW(run("Range", {knownInteger(0), knownInteger(1ll << 40), knownInteger(1)}), ImportError);
  EXPECT_THROW(run("Gather", {knownIntegers({1, 2}), knownInteger(2)}), ImportError);
  EXPECT_THROW(run("Add", {knownIntegers({1, 2}), knownIntegers({1, 2, 3})}), ImportError);
  EXPECT_THROW(run("Add", {knownInteger(1)}), ImportError);
  EXPECT_THROW(run("Expand", {knownInteger(1), knownIntegers({1 << 20, 1 << 20})}), ImportError);
  EXPECT_THROW(run("Softmax", {knownInteger(1)}), ImportError); // not one of them
}
