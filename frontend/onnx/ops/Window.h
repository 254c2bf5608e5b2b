// Windows that slide over the spatial axes of [n, c, ...]: what convolutions and pools have in common.
#pragma once

#include "frontend/onnx/ops/Ops.h"

namespace sinter::onnx_import {

struct Window {
  std::vector<int64_t> kernel, strides, dilations; // per spatial axis
  std::vector<Dim> before, after;                  // padding
  Shape output;                                    // spatial sizes
  size_t rank() const { return kernel.size(); }
};

// Reads strides, dilations, pads, auto_pad and ceil_mode of a node whose input is `x` and whose kernel has these sizes.
Window readWindow(Node &node, const Tensor &x, std::vector<int64_t> kernel);

// Where a window's elements lie in the input: element `k` of the one at output `at` (spatial indices), and whether that is
// inside of the input.
struct WindowPlace {
  SmallVector<Value> at;
  Value inside;
};
WindowPlace placeOf(Code &c, const Window &window, ArrayRef<Value> before, ValueRange sizes, ValueRange at,
                    ValueRange k);

} // namespace sinter::onnx_import
