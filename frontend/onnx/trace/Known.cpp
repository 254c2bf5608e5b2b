// A small evaluator of the ops that exporters leave around a transformer. Everything is row-major doubles; a tensor is never
// larger than a mask over a few positions, and the evaluator refuses what is.

#include "frontend/onnx/trace/Known.h"
#include "frontend/onnx/Dim.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>

namespace sinter::onnx_import {

using ::onnx::NodeProto;
using ::onnx::TensorProto;
using Shape = std::vector<int64_t>;
using Inputs = std::vector<const Known *>;

static constexpr int64_t kMostElements = 1 << 22;

static int64_t product(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0 || (size && count > kMostElements / size))
      fail("has a tensor of known content with more than " + std::to_string(kMostElements) + " elements");
    count *= size;
  }
  return count;
}

std::vector<int64_t> Known::integers() const {
  std::vector<int64_t> result;
  for (double value : values)
    result.push_back(value >= 0x1p63 ? INT64_MAX : value <= -0x1p63 || std::isnan(value) ? INT64_MIN : int64_t(value));
  return result;
}

Known knownInteger(int64_t value) { return {{}, {double(value)}}; }
Known knownIntegers(const std::vector<int64_t> &values) {
  return {{static_cast<int64_t>(values.size())}, std::vector<double>(values.begin(), values.end())};
}

const ::onnx::AttributeProto *attributeOf(const NodeProto &node, const char *name) {
  for (const ::onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}
int64_t integerOf(const NodeProto &node, const char *name, int64_t otherwise) {
  const ::onnx::AttributeProto *found = attributeOf(node, name);
  return found ? found->i() : otherwise;
}
double realOf(const NodeProto &node, const char *name, double otherwise) {
  const ::onnx::AttributeProto *found = attributeOf(node, name);
  return found ? found->f() : otherwise;
}
std::vector<int64_t> integersOf(const NodeProto &node, const char *name) {
  const ::onnx::AttributeProto *found = attributeOf(node, name);
  return found ? Shape(found->ints().begin(), found->ints().end()) : Shape();
}
int64_t axisOf(int64_t axis, int64_t rank) {
  const int64_t result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank)
    fail("axis " + std::to_string(axis) + " is not one of a tensor of rank " + std::to_string(rank));
  return result;
}

//===-- Tensors of the file ----------------------------------------------------------------------------------------===//

template <typename T> static void convert(const std::vector<uint8_t> &bytes, int64_t count, std::vector<double> &out) {
  if (bytes.size() != count * sizeof(T))
    fail("has a tensor of " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(count * sizeof(T)));
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out.push_back(double(value));
  }
}

static double halfToDouble(uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                           : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                          : std::ldexp(mantissa, -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

Known knownTensor(const TensorProto &proto, const std::vector<uint8_t> *external) {
  Known result;
  result.shape.assign(proto.dims().begin(), proto.dims().end());
  const int64_t count = product(result.shape);
  result.origin = &proto;
  std::vector<double> &values = result.values;
  std::vector<uint8_t> bytes = external ? *external : std::vector<uint8_t>(proto.raw_data().begin(), proto.raw_data().end());
  const int type = proto.data_type();
  result.isReal = type == TensorProto::FLOAT || type == TensorProto::DOUBLE || type == TensorProto::FLOAT16;
  if (external || proto.has_raw_data()) {
    switch (type) {
    case TensorProto::FLOAT:
      convert<float>(bytes, count, values);
      break;
    case TensorProto::DOUBLE:
      convert<double>(bytes, count, values);
      break;
    case TensorProto::INT64:
      convert<int64_t>(bytes, count, values);
      break;
    case TensorProto::INT32:
      convert<int32_t>(bytes, count, values);
      break;
    case TensorProto::INT8:
      convert<int8_t>(bytes, count, values);
      break;
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      convert<uint8_t>(bytes, count, values);
      break;
    case TensorProto::FLOAT16:
      convert<uint16_t>(bytes, count, values);
      for (double &value : values)
        value = halfToDouble(uint16_t(value));
      break;
    default:
      fail("has a tensor of element type " + std::to_string(type));
    }
    return result;
  }
  if (type == TensorProto::FLOAT)
    values.assign(proto.float_data().begin(), proto.float_data().end());
  else if (type == TensorProto::DOUBLE)
    values.assign(proto.double_data().begin(), proto.double_data().end());
  else if (type == TensorProto::INT64)
    values.assign(proto.int64_data().begin(), proto.int64_data().end());
  else
    values.assign(proto.int32_data().begin(), proto.int32_data().end());
  if (type == TensorProto::FLOAT16)
    for (double &value : values)
      value = halfToDouble(uint16_t(value));
  if (static_cast<int64_t>(values.size()) != count)
    fail("has a tensor of " + std::to_string(values.size()) + " elements, expected " + std::to_string(count));
  return result;
}

//===-- Shapes -------------------------------------------------------------------------------------------------------===//

std::vector<int64_t> reshapedShape(const Shape &shape, Shape wanted, bool allowZero) {
  int64_t known = 1, free = -1;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0 && !allowZero)
      wanted[i] = i < shape.size() ? shape[i] : 0;
    if (wanted[i] == -1)
      free = static_cast<int64_t>(i);
    else if (wanted[i] < 0 || (wanted[i] && known > INT32_MAX / wanted[i]))
      fail("reshapes to a size of " + std::to_string(wanted[i]));
    else
      known *= wanted[i];
  }
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  if (free >= 0)
    wanted[free] = known ? count / known : 0;
  return wanted;
}

std::vector<int64_t> axesInput(const NodeProto &node, const Inputs &inputs) {
  if (inputs.size() > 1 && inputs[1])
    return inputs[1]->integers();
  return integersOf(node, "axes");
}

std::vector<int64_t> unsqueezedShape(const Shape &shape, const Shape &axes) {
  const int64_t rank = static_cast<int64_t>(shape.size() + axes.size());
  Shape result(rank, -1);
  for (int64_t axis : axes)
    result[axisOf(axis, rank)] = 1;
  size_t next = 0;
  for (int64_t &size : result)
    if (size < 0) {
      if (next == shape.size())
        fail("names an axis twice");
      size = shape[next++];
    }
  return result;
}

std::vector<int64_t> squeezedShape(const Shape &shape, const Shape &axes) {
  std::vector<bool> drop(shape.size(), axes.empty());
  for (int64_t axis : axes)
    drop[axisOf(axis, static_cast<int64_t>(shape.size()))] = true;
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i)
    if (!drop[i] || shape[i] != 1)
      result.push_back(shape[i]);
  return result;
}

std::vector<SlicedAxis> slicedAxes(const NodeProto &node, const Inputs &inputs, const Shape &shape) {
  Shape starts, ends, axes, steps;
  auto list = [&](size_t input, const char *name) {
    return inputs.size() > input && inputs[input] ? inputs[input]->integers() : integersOf(node, name);
  };
  starts = list(1, "starts");
  ends = list(2, "ends");
  axes = list(3, "axes");
  steps = list(4, "steps");
  std::vector<SlicedAxis> result;
  if (ends.size() != starts.size() || (!axes.empty() && axes.size() != starts.size()) ||
      (!steps.empty() && steps.size() != starts.size()))
    fail("has lists of different lengths");
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axisOf(axes.empty() ? int64_t(i) : axes[i], static_cast<int64_t>(shape.size()));
    const int64_t size = shape[axis], step = steps.empty() ? 1 : steps[i];
    if (step == 0 || step < -INT32_MAX || step > INT32_MAX)
      fail("has a step of " + std::to_string(step));
    if (size == 0) {
      result.push_back({axis, 0, 0, step});
      continue;
    }
    auto place = [&](int64_t at, int64_t low, int64_t high) { return std::clamp(at < 0 ? at + size : at, low, high); };
    const int64_t begin = step > 0 ? place(starts[i], 0, size) : place(starts[i], 0, size - 1);
    const int64_t end = step > 0 ? place(ends[i], 0, size) : ends[i] < -size ? -1 : place(ends[i], -1, size - 1);
    const int64_t span = step > 0 ? end - begin : begin - end, pace = std::abs(step);
    result.push_back({axis, begin, span <= 0 ? 0 : (span + pace - 1) / pace, step});
  }
  return result;
}

//===-- Ops ----------------------------------------------------------------------------------------------------------===//

namespace {
// Walks over a row-major shape, and the place in tensors that are broadcast to it.
struct Walk {
  Walk(const Shape &shape) : shape(shape), index(shape.size()) {}
  int64_t place(const Shape &of) const {
    int64_t at = 0;
    const size_t front = shape.size() - of.size();
    for (size_t i = 0; i < of.size(); ++i)
      at = at * of[i] + (of[i] == 1 ? 0 : index[front + i]);
    return at;
  }
  void next() {
    for (size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i])
        return;
      index[i] = 0;
    }
  }
  const Shape &shape;
  std::vector<int64_t> index;
};
} // namespace

static Shape broadcast(const Inputs &inputs) {
  Shape result;
  for (const Known *input : inputs) {
    Shape shape = input->shape;
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), 1);
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t &size = result[result.size() - shape.size() + i];
      if (size != shape[i] && size != 1 && shape[i] != 1)
        fail("broadcasts " + std::to_string(shape[i]) + " to " + std::to_string(size));
      size = size == 1 ? shape[i] : size;
    }
  }
  return result;
}

static Known map(const Inputs &inputs, bool isReal, const std::function<double(const double *)> &body) {
  Known result{broadcast(inputs), {}, isReal};
  const int64_t count = product(result.shape);
  Walk walk(result.shape);
  for (int64_t i = 0; i < count; ++i, walk.next()) {
    double values[3] = {};
    for (size_t input = 0; input < inputs.size() && input < 3; ++input)
      values[input] = inputs[input]->values[walk.place(inputs[input]->shape)];
    result.values.push_back(body(values));
  }
  return result;
}

// Elements of `input` at what `place` makes of an index of the result.
static Known pick(const Known &input, const Shape &shape, const std::function<int64_t(const Shape &)> &place) {
  Known result{shape, {}, input.isReal};
  const int64_t count = product(shape);
  Walk walk(shape);
  for (int64_t i = 0; i < count; ++i, walk.next()) {
    const int64_t at = place(walk.index);
    if (at < 0 || at >= input.count())
      fail("reads element " + std::to_string(at) + " of " + std::to_string(input.count()));
    result.values.push_back(input.values[at]);
  }
  return result;
}

static int64_t placeOf(const Shape &index, const Shape &shape) {
  int64_t at = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    at = at * shape[i] + index[i];
  return at;
}

static Known reshape(const Known &input, Shape shape) {
  Known result = input;
  if (product(shape) != input.count())
    fail("reshapes " + std::to_string(input.count()) + " elements to " + std::to_string(product(shape)));
  result.shape = std::move(shape);
  return result;
}

static Known gather(const NodeProto &node, const Known &data, const Known &indices) {
  const int64_t axis = axisOf(integerOf(node, "axis", 0), static_cast<int64_t>(data.shape.size()));
  Shape shape(data.shape.begin(), data.shape.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), data.shape.begin() + axis + 1, data.shape.end());
  const std::vector<int64_t> places = indices.integers();
  return pick(data, shape, [&](const Shape &index) {
    Shape from(index.begin(), index.begin() + axis);
    const Shape inner(index.begin() + axis, index.begin() + axis + int64_t(indices.shape.size()));
    const int64_t place = places.at(placeOf(inner, indices.shape));
    from.push_back(place < 0 ? place + data.shape[axis] : place);
    if (from.back() < 0 || from.back() >= data.shape[axis])
      fail("gathers index " + std::to_string(place) + " of " + std::to_string(data.shape[axis]));
    from.insert(from.end(), index.begin() + axis + int64_t(indices.shape.size()), index.end());
    return placeOf(from, data.shape);
  });
}

static Known slice(const NodeProto &node, const Inputs &inputs) {
  const Known &data = *inputs[0];
  Shape shape = data.shape, begin(shape.size()), step(shape.size(), 1);
  for (const SlicedAxis &each : slicedAxes(node, inputs, data.shape)) {
    shape[each.axis] = each.count;
    begin[each.axis] = each.begin;
    step[each.axis] = each.step;
  }
  return pick(data, shape, [&](const Shape &index) {
    Shape from = index;
    for (size_t i = 0; i < from.size(); ++i)
      from[i] = begin[i] + index[i] * step[i];
    return placeOf(from, data.shape);
  });
}

static Known concat(const NodeProto &node, const Inputs &inputs) {
  const int64_t axis = axisOf(integerOf(node, "axis", 0), static_cast<int64_t>(inputs[0]->shape.size()));
  Known result{inputs[0]->shape, {}, inputs[0]->isReal};
  int64_t outer = 1, total = 0;
  for (int64_t i = 0; i < axis; ++i)
    outer *= result.shape[i];
  for (const Known *input : inputs) {
    if (input->shape.size() != result.shape.size())
      fail("concatenates tensors of different rank");
    total += input->shape[axis];
  }
  result.shape[axis] = total;
  for (int64_t i = 0; i < outer; ++i)
    for (const Known *input : inputs) {
      const int64_t run = input->count() / std::max<int64_t>(outer, 1);
      result.values.insert(result.values.end(), input->values.begin() + i * run, input->values.begin() + (i + 1) * run);
    }
  if (product(result.shape) != result.count())
    fail("concatenates tensors of different shape");
  return result;
}

static Known matmul(const Known &a, const Known &b) {
  if (a.shape.size() < 2 || b.shape.size() < 2 || a.shape.back() != b.shape[b.shape.size() - 2])
    fail("multiplies matrices that do not fit");
  const int64_t rows = a.shape[a.shape.size() - 2], inner = a.shape.back(), columns = b.shape.back();
  Known left{{a.shape.begin(), a.shape.end() - 2}, {}}, right{{b.shape.begin(), b.shape.end() - 2}, {}};
  Known result{broadcast({&left, &right}), {}, true};
  const Shape batch = result.shape;
  result.shape.push_back(rows);
  result.shape.push_back(columns);
  result.values.resize(product(result.shape));
  if (inner && result.count() > (int64_t(1) << 28) / inner)
    fail("multiplies matrices of known content that are too large");
  Walk walk(batch);
  for (int64_t n = 0, count = product(batch); n < count; ++n, walk.next()) {
    const double *x = a.values.data() + walk.place(left.shape) * rows * inner;
    const double *y = b.values.data() + walk.place(right.shape) * inner * columns;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t k = 0; k < inner; ++k)
          result.values[(n * rows + i) * columns + j] += x[i * inner + k] * y[k * columns + j];
  }
  return result;
}

static Known triangle(const NodeProto &node, const Inputs &inputs) {
  Known result = *inputs[0];
  result.origin = nullptr;
  if (result.shape.size() < 2)
    fail("takes a triangle of a tensor of rank " + std::to_string(result.shape.size()));
  const int64_t k = inputs.size() > 1 && inputs[1] ? inputs[1]->integers().at(0) : 0;
  const int64_t rows = result.shape[result.shape.size() - 2], columns = result.shape.back();
  const bool upper = integerOf(node, "upper", 1);
  for (int64_t at = 0; at < result.count(); ++at) {
    const int64_t i = at / columns % std::max<int64_t>(rows, 1), j = at % columns;
    if (upper ? j - i < k : j - i > k)
      result.values[at] = 0;
  }
  return result;
}

static Known range(const Inputs &inputs) {
  const double begin = inputs[0]->values.at(0), end = inputs[1]->values.at(0), step = inputs[2]->values.at(0);
  const double count = step == 0 ? 0 : std::ceil((end - begin) / step);
  if (!(count <= double(kMostElements)))
    fail("has a range of " + std::to_string(count) + " numbers");
  Known result{{std::max<int64_t>(0, int64_t(count))}, {}, inputs[0]->isReal};
  for (int64_t i = 0; i < result.shape[0]; ++i)
    result.values.push_back(begin + double(i) * step);
  return result;
}

namespace {
struct Elementwise {
  const char *name;
  size_t inputs;
  enum { same, integer, real } gives;
  double (*body)(const double *x);
};
// Booleans are 0 and 1.
constexpr Elementwise kElementwise[] = {
    {"Add", 2, Elementwise::same, [](const double *x) { return x[0] + x[1]; }},
    {"Sub", 2, Elementwise::same, [](const double *x) { return x[0] - x[1]; }},
    {"Mul", 2, Elementwise::same, [](const double *x) { return x[0] * x[1]; }},
    {"Pow", 2, Elementwise::same, [](const double *x) { return std::pow(x[0], x[1]); }},
    {"Min", 2, Elementwise::same, [](const double *x) { return std::min(x[0], x[1]); }},
    {"Max", 2, Elementwise::same, [](const double *x) { return std::max(x[0], x[1]); }},
    {"Neg", 1, Elementwise::same, [](const double *x) { return -x[0]; }},
    {"Abs", 1, Elementwise::same, [](const double *x) { return std::abs(x[0]); }},
    {"Identity", 1, Elementwise::same, [](const double *x) { return x[0]; }},
    {"Floor", 1, Elementwise::real, [](const double *x) { return std::floor(x[0]); }},
    {"Ceil", 1, Elementwise::real, [](const double *x) { return std::ceil(x[0]); }},
    {"Sqrt", 1, Elementwise::real, [](const double *x) { return std::sqrt(x[0]); }},
    {"Exp", 1, Elementwise::real, [](const double *x) { return std::exp(x[0]); }},
    {"Log", 1, Elementwise::real, [](const double *x) { return std::log(x[0]); }},
    {"Cos", 1, Elementwise::real, [](const double *x) { return std::cos(x[0]); }},
    {"Sin", 1, Elementwise::real, [](const double *x) { return std::sin(x[0]); }},
    {"Reciprocal", 1, Elementwise::real, [](const double *x) { return 1 / x[0]; }},
    {"Equal", 2, Elementwise::integer, [](const double *x) { return double(x[0] == x[1]); }},
    {"Less", 2, Elementwise::integer, [](const double *x) { return double(x[0] < x[1]); }},
    {"LessOrEqual", 2, Elementwise::integer, [](const double *x) { return double(x[0] <= x[1]); }},
    {"Greater", 2, Elementwise::integer, [](const double *x) { return double(x[0] > x[1]); }},
    {"GreaterOrEqual", 2, Elementwise::integer, [](const double *x) { return double(x[0] >= x[1]); }},
    {"And", 2, Elementwise::integer, [](const double *x) { return double(x[0] && x[1]); }},
    {"Or", 2, Elementwise::integer, [](const double *x) { return double(x[0] || x[1]); }},
    {"Xor", 2, Elementwise::integer, [](const double *x) { return double(!x[0] != !x[1]); }},
    {"Not", 1, Elementwise::integer, [](const double *x) { return double(!x[0]); }},
    {"IsNaN", 1, Elementwise::integer, [](const double *x) { return double(std::isnan(x[0])); }},
};

using Evaluate = Known (*)(const NodeProto &node, const Inputs &inputs);
} // namespace

static Known cast(const NodeProto &node, const Inputs &inputs) {
  Known result = *inputs[0];
  const int64_t to = integerOf(node, "to", 0);
  const bool isReal = to == TensorProto::FLOAT || to == TensorProto::DOUBLE || to == TensorProto::FLOAT16;
  if (result.isReal == isReal && to != TensorProto::BOOL)
    return result;
  for (double &value : result.values)
    value = to == TensorProto::BOOL ? double(value != 0) : isReal ? value : std::trunc(value);
  result.isReal = isReal;
  result.origin = nullptr;
  return result;
}

static const std::map<std::string, Evaluate> &structural() {
  static const std::map<std::string, Evaluate> table = {
      {"Cast", cast},
      {"Shape", [](const NodeProto &, const Inputs &in) { return knownIntegers(in[0]->shape); }},
      {"Size", [](const NodeProto &, const Inputs &in) { return knownInteger(in[0]->count()); }},
      {"Gather", [](const NodeProto &node, const Inputs &in) { return gather(node, *in[0], *in[1]); }},
      {"Slice", slice},
      {"Concat", concat},
      {"MatMul", [](const NodeProto &, const Inputs &in) { return matmul(*in[0], *in[1]); }},
      {"Trilu", triangle},
      {"Range", [](const NodeProto &, const Inputs &in) { return range(in); }},
      {"Where", [](const NodeProto &, const Inputs &in) {
         return map({in[0], in[1], in[2]}, in[1]->isReal, [](const double *x) { return x[0] ? x[1] : x[2]; });
       }},
      {"Div", [](const NodeProto &, const Inputs &in) {
         const bool isReal = in[0]->isReal;
         return map({in[0], in[1]}, isReal, [=](const double *x) {
           return isReal ? x[0] / x[1] : x[1] ? std::trunc(x[0] / x[1]) : 0;
         });
       }},
      {"Mod", [](const NodeProto &, const Inputs &in) {
         return map({in[0], in[1]}, in[0]->isReal, [](const double *x) { return x[1] ? x[0] - std::floor(x[0] / x[1]) * x[1] : 0; });
       }},
      {"Reshape", [](const NodeProto &node, const Inputs &in) {
         return reshape(*in[0], reshapedShape(in[0]->shape, in[1]->integers(), integerOf(node, "allowzero", 0)));
       }},
      {"Flatten", [](const NodeProto &node, const Inputs &in) {
         const int64_t rank = static_cast<int64_t>(in[0]->shape.size()), given = integerOf(node, "axis", 1);
         const int64_t axis = given == rank ? rank : axisOf(given, rank);
         int64_t front = 1;
         for (int64_t i = 0; i < axis; ++i)
           front *= in[0]->shape[i];
         return reshape(*in[0], {front, front ? in[0]->count() / front : 0});
       }},
      {"Unsqueeze", [](const NodeProto &node, const Inputs &in) {
         return reshape(*in[0], unsqueezedShape(in[0]->shape, axesInput(node, in)));
       }},
      {"Squeeze", [](const NodeProto &node, const Inputs &in) {
         return reshape(*in[0], squeezedShape(in[0]->shape, axesInput(node, in)));
       }},
      {"Transpose", [](const NodeProto &node, const Inputs &in) {
         const Known &data = *in[0];
         Shape permutation = integersOf(node, "perm"), shape;
         if (permutation.empty())
           for (size_t i = data.shape.size(); i-- > 0;)
             permutation.push_back(int64_t(i));
         for (int64_t from : permutation)
           shape.push_back(data.shape.at(from));
         return pick(data, shape, [&](const Shape &index) {
           Shape from(data.shape.size());
           for (size_t i = 0; i < permutation.size(); ++i)
             from[permutation[i]] = index[i];
           return placeOf(from, data.shape);
         });
       }},
      {"Expand", [](const NodeProto &, const Inputs &in) {
         Known shaped{in[1]->integers(), {}};
         product(shaped.shape);
         const Shape shape = broadcast({in[0], &shaped});
         const Known &data = *in[0];
         const size_t front = shape.size() - data.shape.size();
         return pick(data, shape, [&](const Shape &index) {
           Shape from;
           for (size_t i = 0; i < data.shape.size(); ++i)
             from.push_back(data.shape[i] == 1 ? 0 : index[front + i]);
           return placeOf(from, data.shape);
         });
       }},
      {"ConstantOfShape", [](const NodeProto &node, const Inputs &in) {
         const ::onnx::AttributeProto *value = attributeOf(node, "value");
         Known fill = value ? knownTensor(value->t()) : Known{{1}, {0}, true};
         Known result{in[0]->integers(), {}, fill.isReal};
         result.values.assign(product(result.shape), fill.values.at(0));
         return result;
       }},
  };
  return table;
}

static Known constant(const NodeProto &node) {
  if (const ::onnx::AttributeProto *value = attributeOf(node, "value"))
    return knownTensor(value->t());
  if (const ::onnx::AttributeProto *value = attributeOf(node, "value_int"))
    return knownInteger(value->i());
  if (const ::onnx::AttributeProto *value = attributeOf(node, "value_ints"))
    return knownIntegers({value->ints().begin(), value->ints().end()});
  if (const ::onnx::AttributeProto *value = attributeOf(node, "value_float"))
    return {{}, {value->f()}, true};
  if (const ::onnx::AttributeProto *value = attributeOf(node, "value_floats"))
    return {{value->floats_size()}, {value->floats().begin(), value->floats().end()}, true};
  fail("has a constant without a value");
}

std::optional<std::vector<Known>> evaluateKnown(const NodeProto &node, const Inputs &inputs) {
  if (node.op_type() == "Constant")
    return std::vector<Known>{constant(node)};
  auto need = [&](size_t count) {
    if (inputs.size() < count || !std::all_of(inputs.begin(), inputs.begin() + long(count), [](const Known *in) { return in; }))
      fail("has " + std::to_string(inputs.size()) + " inputs, needs " + std::to_string(count));
  };
  for (const Elementwise &row : kElementwise)
    if (node.op_type() == row.name) {
      need(row.inputs);
      const bool isReal = row.gives == Elementwise::real || (row.gives == Elementwise::same && inputs[0]->isReal);
      return std::vector<Known>{map(Inputs(inputs.begin(), inputs.begin() + long(row.inputs)), isReal, row.body)};
    }
  auto found = structural().find(node.op_type());
  if (found == structural().end())
    return std::nullopt;
  const std::map<std::string, size_t> counts = {{"Gather", 2}, {"MatMul", 2}, {"Range", 3}, {"Where", 3}, {"Div", 2}, {"Mod", 2},
                                                {"Reshape", 2}, {"Expand", 2}};
  auto count = counts.find(node.op_type());
  need(count == counts.end() ? 1 : count->second);
  if (node.op_type() == "Concat")
    need(inputs.size());
  return std::vector<Known>{found->second(node, inputs)};
}

} // namespace sinter::onnx_import
