// Sizes of windows and of what they leave, as ONNX defines them for every kind of padding.

#include "frontend/onnx/ops/Window.h"

namespace sinter::onnx_import {

static std::vector<int64_t> perAxis(Node &node, const char *name, size_t rank, int64_t otherwise) {
  std::vector<int64_t> values = node.integers(name);
  if (values.empty())
    values.assign(rank, otherwise);
  if (values.size() != rank)
    fail(std::string(name) + " has " + std::to_string(values.size()) + " numbers for " + std::to_string(rank) +
         " spatial axes");
  for (int64_t value : values)
    if (value < 1 || value > INT32_MAX)
      fail(std::string(name) + " has " + std::to_string(value) + ", expected positive numbers");
  return values;
}

Window readWindow(Node &node, const Tensor &x, std::vector<int64_t> kernel) {
  DimTable &dims = node.importer.dims;
  Window window;
  const size_t rank = kernel.size();
  if (x.shape.size() != rank + 2 || rank == 0)
    fail("takes [n, c, ...] with " + std::to_string(rank) + " spatial axes, found rank " + std::to_string(x.rank()));
  for (int64_t size : kernel)
    if (size < 1 || size > INT32_MAX)
      fail("kernel has a size of " + std::to_string(size));
  window.kernel = std::move(kernel);
  window.strides = perAxis(node, "strides", rank, 1);
  window.dilations = perAxis(node, "dilations", rank, 1);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const bool ceil = node.integer("ceil_mode", 0);
  std::vector<int64_t> pads = node.integers("pads");
  if (pads.empty())
    pads.assign(2 * rank, 0);
  if (pads.size() != 2 * rank)
    fail("has " + std::to_string(pads.size()) + " pads for " + std::to_string(rank) + " spatial axes");
  for (size_t i = 0; i < rank; ++i) {
    const Dim size = x.shape[i + 2], span = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const Dim stride = window.strides[i];
    Dim before = pads[i], after = pads[i + rank], output;
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      output = dims.ceilDiv(size, stride);
      const Dim all = dims.max((output - 1) * stride + span - size, 0), half = dims.floorDiv(all, 2);
      before = automatic == "SAME_UPPER" ? half : all - half;
      after = all - before;
    } else {
      if (automatic == "VALID")
        before = after = 0;
      else if (automatic != "NOTSET")
        fail("auto_pad is '" + automatic + "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
      const Dim room = size + before + after - span;
      output = (ceil ? dims.ceilDiv(room, stride) : dims.floorDiv(room, stride)) + 1;
      // No window begins in the padding behind.
      if (ceil && output.constant() && size.constant() &&
          (*output.constant() - 1) * window.strides[i] >= *size.constant() + pads[i])
        output = output - 1;
      if (dims.range(output).high < 1)
        fail("its windows are larger than axis " + std::to_string(i + 2) + " of " +
             node.importer.describe(x.shape));
      output = dims.max(output, 0);
    }
    window.before.push_back(before);
    window.after.push_back(after);
    window.output.push_back(output);
  }
  return window;
}

WindowPlace placeOf(Code &c, const Window &window, ArrayRef<Value> before, ValueRange sizes, ValueRange at,
                    ValueRange k) {
  WindowPlace place;
  place.inside = c.boolean(true);
  for (size_t i = 0; i < window.rank(); ++i) {
    Value start = c.sub(c.mul(at[i], c.index(window.strides[i])), before[i]);
    Value here = c.add(start, c.mul(k[i], c.index(window.dilations[i])));
    place.at.push_back(here);
    place.inside = c.both(place.inside, c.both(c.le(c.index(0), here), c.lt(here, sizes[i])));
  }
  return place;
}

} // namespace sinter::onnx_import
