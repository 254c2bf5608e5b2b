// Strides, with one addition: an axis may consist of several parts, so that the heads of grouped-query attention, each
// repeated for its group by a part of stride 0, are one axis as in the graph.

#include "frontend/onnx/trace/StridedView.h"
#include "frontend/onnx/Dim.h"

#include <algorithm>

namespace sinter::onnx_import {

// Appends a part to an axis, joining it with the one before if it continues it.
static void append(StridedView::Axis &axis, StridedView::Part part) {
  if (part.size == 1)
    return;
  if (!axis.empty() && part.size != 0 && axis.back().stride == part.stride * part.size)
    axis.back() = {axis.back().size * part.size, part.stride};
  else
    axis.push_back(part);
}

StridedView StridedView::rowMajor(const std::vector<int64_t> &shape) {
  StridedView view;
  view.axes.resize(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
    if (shape[i] != 1)
      view.axes[i] = {{shape[i], stride}};
  return view;
}

int64_t StridedView::size(size_t axis) const {
  int64_t size = 1;
  for (const Part &part : axes.at(axis))
    size *= part.size;
  return size;
}

std::vector<int64_t> StridedView::shape() const {
  std::vector<int64_t> shape;
  for (size_t i = 0; i < axes.size(); ++i)
    shape.push_back(size(i));
  return shape;
}

StridedView::Axis StridedView::flat() const {
  Axis parts;
  for (const Axis &axis : axes)
    for (const Part &part : axis)
      append(parts, part);
  return parts;
}

bool StridedView::isContiguous() const {
  const Axis parts = flat();
  return parts.empty() || (parts.size() == 1 && parts[0].stride == 1);
}

StridedView StridedView::reshaped(const std::vector<int64_t> &shape) const {
  int64_t have = 1, want = 1;
  for (int64_t size : this->shape())
    have *= size;
  for (int64_t size : shape)
    want *= size;
  if (have != want)
    fail("reshapes " + std::to_string(have) + " elements to " + std::to_string(want));
  if (have == 0)
    return rowMajor(shape);
  StridedView result;
  result.offset = offset;
  Axis rest = flat(); // taken from the front
  size_t at = 0;
  for (int64_t size : shape) {
    Axis axis;
    for (int64_t left = size; left > 1;) {
      Part &part = rest.at(at);
      if (part.size <= left) {
        if (left % part.size)
          fail("splits an axis where it is not laid out for it");
        append(axis, part);
        left /= part.size;
        ++at;
      } else {
        if (part.size % left)
          fail("splits an axis where it is not laid out for it");
        append(axis, {left, part.stride * (part.size / left)});
        part.size /= left;
        left = 1;
      }
    }
    result.axes.push_back(axis);
  }
  return result;
}

StridedView StridedView::transposed(const std::vector<int64_t> &permutation) const {
  StridedView result;
  result.offset = offset;
  if (permutation.size() != axes.size())
    fail("transposes " + std::to_string(permutation.size()) + " axes of " + std::to_string(axes.size()));
  std::vector<bool> seen(axes.size());
  for (int64_t from : permutation) {
    if (from < 0 || from >= rank() || seen[from])
      fail("has a permutation that is none");
    seen[from] = true;
    result.axes.push_back(axes[from]);
  }
  return result;
}

StridedView StridedView::sliced(size_t axis, int64_t begin, int64_t count) const {
  StridedView result = *this;
  const int64_t whole = size(axis);
  if (begin == 0 && count == whole)
    return result;
  if (axes[axis].size() > 1 || begin < 0 || count < 0 || begin + count > whole)
    fail("slices an axis where it is not laid out for it");
  const int64_t stride = axes[axis].empty() ? 0 : axes[axis][0].stride;
  result.offset += begin * stride;
  result.axes[axis].clear();
  if (count != 1)
    result.axes[axis].push_back({count, stride});
  return result;
}

StridedView StridedView::expanded(const std::vector<int64_t> &shape) const {
  StridedView result;
  result.offset = offset;
  const size_t rank = std::max(shape.size(), axes.size());
  result.axes.resize(rank - axes.size());
  result.axes.insert(result.axes.end(), axes.begin(), axes.end());
  for (size_t i = rank - shape.size(); i < rank; ++i) {
    const int64_t from = result.size(i), to = shape[i - (rank - shape.size())];
    if (from == 1 && to != 1)
      result.axes[i] = {{to, 0}};
    else if (to != 1 && to != from)
      fail("expands an axis of " + std::to_string(from) + " to " + std::to_string(to));
  }
  return result;
}

} // namespace sinter::onnx_import
