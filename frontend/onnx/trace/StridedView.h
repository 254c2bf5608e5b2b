// Where the elements of a tensor lie in another one: what reshapes, transposes, slices and expansions leave of it.
#pragma once

#include <cstdint>
#include <vector>

namespace sinter::onnx_import {

class StridedView {
public:
  // `size` elements, `stride` apart.
  struct Part {
    int64_t size, stride;
    bool operator==(const Part &other) const { return size == other.size && stride == other.stride; }
  };
  // An axis is a product of parts, the outer first. One of size 1 has none.
  using Axis = std::vector<Part>;

  std::vector<Axis> axes;
  int64_t offset = 0;

  static StridedView rowMajor(const std::vector<int64_t> &shape);
  std::vector<int64_t> shape() const;
  int64_t size(size_t axis) const;
  int64_t rank() const { return static_cast<int64_t>(axes.size()); }

  // Errors (fail) where the tensor would have to be copied to look so.
  StridedView reshaped(const std::vector<int64_t> &shape) const;
  StridedView transposed(const std::vector<int64_t> &permutation) const;
  StridedView sliced(size_t axis, int64_t begin, int64_t count) const;
  StridedView expanded(const std::vector<int64_t> &shape) const;

  // All parts in order, joined where one continues the other.
  Axis flat() const;
  // All elements from the offset on, in their order.
  bool isContiguous() const;
  bool operator==(const StridedView &other) const { return offset == other.offset && axes == other.axes; }
};

} // namespace sinter::onnx_import
