// Values of a graph that do not depend on what the model is asked: shapes, positions, masks, tables of rotary embeddings.
#pragma once

#include "frontend/onnx/onnx.pb.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace sinter::onnx_import {

// A row-major tensor, computed in double precision: integers up to 2^53 are exact, which sizes and positions are.
struct Known {
  std::vector<int64_t> shape;
  std::vector<double> values;
  bool isReal = false;
  const ::onnx::TensorProto *origin = nullptr; // whose elements these are, unchanged and in order

  int64_t count() const { return static_cast<int64_t>(values.size()); }
  std::vector<int64_t> integers() const; // infinities and the like are cut to 64 bits
};

Known knownInteger(int64_t value);
Known knownIntegers(const std::vector<int64_t> &values);

// The tensor's elements, if they are in the message itself (not external) or `bytes` has them.
Known knownTensor(const ::onnx::TensorProto &proto, const std::vector<uint8_t> *bytes = nullptr);

// An op on known inputs (null: left out). Nothing if it is not one of those that shapes, masks and tables are made with.
std::optional<std::vector<Known>> evaluateKnown(const ::onnx::NodeProto &node, const std::vector<const Known *> &inputs);

// What both kinds of evaluation need.
const ::onnx::AttributeProto *attributeOf(const ::onnx::NodeProto &node, const char *name);
int64_t integerOf(const ::onnx::NodeProto &node, const char *name, int64_t otherwise);
double realOf(const ::onnx::NodeProto &node, const char *name, double otherwise);
std::vector<int64_t> integersOf(const ::onnx::NodeProto &node, const char *name);
// In [0, rank).
int64_t axisOf(int64_t axis, int64_t rank);
// What a Reshape to `wanted` makes of a tensor: 0 keeps a size, -1 takes what is left.
std::vector<int64_t> reshapedShape(const std::vector<int64_t> &shape, std::vector<int64_t> wanted, bool allowZero);
// Slice with known bounds: begin, count and step of each axis it names.
struct SlicedAxis {
  int64_t axis, begin, count, step;
};
std::vector<SlicedAxis> slicedAxes(const ::onnx::NodeProto &node, const std::vector<const Known *> &inputs,
                                   const std::vector<int64_t> &shape);
// Axes of Squeeze and Unsqueeze, from the attribute or the second input.
std::vector<int64_t> axesInput(const ::onnx::NodeProto &node, const std::vector<const Known *> &inputs);
std::vector<int64_t> unsqueezedShape(const std::vector<int64_t> &shape, const std::vector<int64_t> &axes);
std::vector<int64_t> squeezedShape(const std::vector<int64_t> &shape, const std::vector<int64_t> &axes);

} // namespace sinter::onnx_import
