// Strided views in mixed radix. An axis is a list of factors, so that axes can be merged whose elements are not evenly spaced
// (batch and heads); what a reshape does is to deal out the factors of all axes anew, splitting one where a new axis ends
// inside of it. Sizes are polynomials: a split is possible where one divides the other whatever the dimensions are.

#include "frontend/onnx/View.h"

namespace sinter::onnx_import {

View View::whole(const Tensor &base) {
  View view;
  view.base = std::make_shared<Tensor>(base);
  view.axes.resize(base.shape.size());
  Dim stride = 1;
  for (size_t i = base.shape.size(); i-- > 0;) {
    if (!base.shape[i].is(1))
      view.axes[i] = {{base.shape[i], stride}};
    stride = stride * base.shape[i];
  }
  return view;
}

static std::vector<Factor> allOf(const View &view) {
  std::vector<Factor> all;
  for (const std::vector<Factor> &axis : view.axes)
    all.insert(all.end(), axis.begin(), axis.end());
  return all;
}

std::optional<View> View::reshaped(const Shape &shape) const {
  std::vector<Factor> rest = allOf(*this);
  View result = *this;
  result.axes.assign(shape.size(), {});
  size_t next = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    Dim taken = 1;
    while (taken != shape[i]) {
      if (next == rest.size())
        return std::nullopt;
      Factor &factor = rest[next];
      if (Dim::divideExactly(shape[i], taken * factor.size)) {
        taken = taken * factor.size;
        result.axes[i].push_back(factor);
        ++next;
        continue;
      }
      // The axis ends inside of the factor.
      std::optional<Dim> outer = Dim::divideExactly(shape[i], taken);
      std::optional<Dim> inner = outer ? Dim::divideExactly(factor.size, *outer) : std::nullopt;
      if (!inner)
        return std::nullopt;
      result.axes[i].push_back({*outer, factor.stride * *inner});
      factor.size = *inner;
      taken = shape[i];
    }
  }
  return next == rest.size() ? std::optional<View>(result) : std::nullopt;
}

View View::transposed(const std::vector<int64_t> &permutation) const {
  View result = *this;
  for (size_t i = 0; i < permutation.size(); ++i)
    result.axes[i] = axes[permutation[i]];
  return result;
}

bool View::isContiguous() const {
  Dim stride = 1;
  std::vector<Factor> all = allOf(*this);
  for (size_t i = all.size(); i-- > 0;) {
    if (all[i].stride != stride)
      return false;
    stride = stride * all[i].size;
  }
  return scale == 1 && stride == base->count();
}

std::optional<Heads> headsOf(const View &view, bool turned) {
  const size_t rank = view.axes.size();
  if (rank < 2)
    return std::nullopt;
  const std::vector<Factor> &tokens = view.axes[rank - (turned ? 1 : 2)], &columns = view.axes[rank - (turned ? 2 : 1)];
  std::vector<Factor> lead;
  for (size_t i = 0; i + 2 < rank; ++i)
    lead.insert(lead.end(), view.axes[i].begin(), view.axes[i].end());
  const Dim width = view.base->shape.back();
  if (columns.size() != 1 || !columns[0].stride.is(1) || !columns[0].size.constant() || tokens.size() > 1 || lead.size() > 2)
    return std::nullopt;
  Heads result = {1, 1, 1, *columns[0].size.constant()};
  if (!tokens.empty()) {
    if (tokens[0].stride != width)
      return std::nullopt;
    result.tokens = tokens[0].size;
  }
  if (!lead.empty() && lead.back().stride.is(result.size) && lead.back().size.constant()) {
    result.heads = *lead.back().size.constant();
    lead.pop_back();
  }
  if (lead.size() > 1 || (lead.size() == 1 && lead[0].stride != result.tokens * width))
    return std::nullopt;
  if (!lead.empty())
    result.batch = lead[0].size;
  if (!width.is(result.heads * result.size) || result.batch * result.tokens * width != view.base->count())
    return std::nullopt;
  return result;
}

} // namespace sinter::onnx_import
