// Where the elements of a tensor lie in rows that it is made of by Reshape, Transpose and scaling: attention is found by that,
// whatever ops an exporter wrote to split and join heads.
#pragma once

#include "frontend/onnx/Tensor.h"

namespace sinter::onnx_import {

// One step of counting: `size` elements that are `stride` elements of the base apart.
struct Factor {
  Dim size, stride;
};

struct View {
  std::shared_ptr<const Tensor> base;    // [..., width], row-major
  std::vector<std::vector<Factor>> axes; // of each axis, the outermost first; sizes of 1 are left out
  double scale = 1;                      // elements are the base's times this

  // The base itself.
  static View whole(const Tensor &base);
  // The same elements in the same order under another shape; nothing if an axis would be cut where strides are not known.
  std::optional<View> reshaped(const Shape &shape) const;
  View transposed(const std::vector<int64_t> &permutation) const;
  // Whether the elements follow one another as they do in the base.
  bool isContiguous() const;
};

// Rows of several heads side by side, [batch * tokens, heads * size], seen as [batch, heads, tokens, size] (or with batch and
// heads as one axis, or without those that are 1).
struct Heads {
  Dim batch, tokens;
  int64_t heads, size;
};
// What the view shows, or nothing; `turned`: [..., size, tokens].
std::optional<Heads> headsOf(const View &view, bool turned);

} // namespace sinter::onnx_import
