// Exporters write a layer norm as nine nodes, and each as it likes: the square as Pow or Mul, the reciprocal as Div or Sqrt and
// Reciprocal. Patterns are written from the last node backwards; a pattern matches if every node in between is read only
// inside of it, since what others read must be computed anyway. What matches becomes one op, placed where the last node
// stood, and the nodes before it, now unread, are dropped.

#include "frontend/onnx/Raise.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

namespace sinter::onnx_import {

namespace {

using ::onnx::NodeProto;

class Raiser {
public:
  explicit Raiser(::onnx::GraphProto &graph) : graph(graph) {
    for (int i = 0; i < graph.node_size(); ++i) {
      NodeProto *node = graph.mutable_node(i);
      for (const std::string &input : node->input())
        ++readers[input];
      countInner(*node);
      for (const std::string &output : node->output())
        if (!output.empty())
          makers[output] = node;
    }
    for (const ::onnx::ValueInfoProto &output : graph.output())
      readers[output.name()] += 2;
    for (const ::onnx::TensorProto &initializer : graph.initializer())
      constants[initializer.name()] = &initializer;
    for (const NodeProto &node : graph.node())
      if (node.op_type() == "Constant" && node.attribute_size() == 1 && node.attribute(0).has_t() && node.output_size() == 1)
        constants[node.output(0)] = &node.attribute(0).t();
  }

  std::map<std::string, int> run() {
    // Later nodes contain earlier ones: a norm's weight and bias come after the norm.
    for (int i = graph.node_size(); i-- > 0;) {
      NodeProto &node = *graph.mutable_node(i);
      if (dropped.count(&node) || node.output_size() != 1 || !(node.domain().empty() || node.domain() == "ai.onnx"))
        continue;
      inner.clear();
      if (matchNorm(node) || matchGelu(node) || matchSwish(node)) {
        for (const NodeProto *each : inner)
          dropped.insert(each);
        ++counts[node.op_type()];
      }
    }
    google::protobuf::RepeatedPtrField<NodeProto> kept;
    for (NodeProto &node : *graph.mutable_node())
      if (!dropped.count(&node))
        kept.Add()->Swap(&node);
    graph.mutable_node()->Swap(&kept);
    return counts;
  }

private:
  // Graphs inside of nodes read values from outside.
  void countInner(const NodeProto &node) {
    for (const ::onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        for (const NodeProto &each : attribute.g().node()) {
          for (const std::string &input : each.input())
            readers[input] += 2;
          countInner(each);
        }
  }

  // The node that makes a value, if it is of this kind and nothing else reads the value.
  const NodeProto *only(const std::string &value, const char *op, int inputs) {
    auto found = makers.find(value);
    if (found == makers.end() || dropped.count(found->second))
      return nullptr;
    const NodeProto *node = found->second;
    if (node->op_type() != op || node->input_size() < inputs || node->output_size() != 1 || readers[value] != 1)
      return nullptr;
    return node;
  }

  // The one number of a constant.
  std::optional<double> number(const std::string &value) const {
    auto found = constants.find(value);
    if (found == constants.end())
      return std::nullopt;
    const ::onnx::TensorProto &tensor = *found->second;
    for (int64_t dim : tensor.dims())
      if (dim != 1)
        return std::nullopt;
    if (tensor.data_type() == ::onnx::TensorProto::FLOAT && tensor.raw_data().size() == 4) {
      float single;
      std::memcpy(&single, tensor.raw_data().data(), 4);
      return single;
    }
    if (tensor.data_type() == ::onnx::TensorProto::FLOAT && tensor.float_data_size() == 1)
      return tensor.float_data(0);
    return std::nullopt;
  }
  static bool near(std::optional<double> value, double wanted) {
    return value && std::abs(*value - wanted) <= 1e-3 * std::abs(wanted);
  }

  // A commutative node's inputs in both orders.
  template <typename Try> bool either(const NodeProto &node, Try attempt) {
    const std::vector<const NodeProto *> saved = inner;
    if (attempt(node.input(0), node.input(1)))
      return true;
    inner = saved;
    if (attempt(node.input(1), node.input(0)))
      return true;
    inner = saved;
    return false;
  }

  const NodeProto *take(const NodeProto *node) {
    if (node)
      inner.push_back(node);
    return node;
  }

  // Over the last axis, keeping it: what an attribute says, or a constant.
  bool overLastAxis(const NodeProto &node) const {
    bool last = false, keeps = true;
    for (const ::onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.name() == "axes")
        last = attribute.ints_size() == 1 && attribute.ints(0) == -1;
      if (attribute.name() == "keepdims")
        keeps = attribute.i() == 1;
    }
    if (node.input_size() == 2) {
      auto found = constants.find(node.input(1));
      if (found == constants.end() || found->second->data_type() != ::onnx::TensorProto::INT64)
        return false;
      int64_t axis = 0;
      if (found->second->int64_data_size() == 1)
        axis = found->second->int64_data(0);
      else if (found->second->raw_data().size() == 8)
        std::memcpy(&axis, found->second->raw_data().data(), 8);
      last = axis == -1;
    }
    return last && keeps;
  }

  // mean(v^2) + epsilon, where v is `value`.
  bool isMeanSquare(const std::string &sum, const std::string &value, double &epsilon) {
    const NodeProto *add = take(only(sum, "Add", 2));
    return add && either(*add, [&](const std::string &a, const std::string &b) {
      std::optional<double> small = number(b);
      const NodeProto *mean = take(only(a, "ReduceMean", 1));
      if (!small || !mean || !overLastAxis(*mean))
        return false;
      epsilon = *small;
      squareReads = 1;
      if (const NodeProto *power = take(only(mean->input(0), "Pow", 2)))
        return power->input(0) == value && near(number(power->input(1)), 2);
      squareReads = 2;
      const NodeProto *square = take(only(mean->input(0), "Mul", 2));
      return square && square->input(0) == value && square->input(1) == value;
    });
  }

  // v / sqrt(mean(v^2) + epsilon), in one of the ways to say it.
  bool isScaled(const std::string &result, std::string &value, double &epsilon) {
    if (const NodeProto *divide = only(result, "Div", 2)) {
      take(divide);
      const NodeProto *root = take(only(divide->input(1), "Sqrt", 1));
      value = divide->input(0);
      return root && isMeanSquare(root->input(0), value, epsilon);
    }
    const NodeProto *product = take(only(result, "Mul", 2));
    return product && either(*product, [&](const std::string &v, const std::string &factor) {
      value = v;
      std::string rooted;
      if (const NodeProto *reciprocal = take(only(factor, "Reciprocal", 1)))
        rooted = reciprocal->input(0);
      else if (const NodeProto *inverse = take(only(factor, "Div", 2)); inverse && near(number(inverse->input(0)), 1))
        rooted = inverse->input(1);
      const NodeProto *root = take(only(rooted, "Sqrt", 1));
      return root && isMeanSquare(root->input(0), value, epsilon);
    });
  }

  // x - mean(x), whose two readers are the norm's own.
  bool isCentered(const std::string &value, std::string &x) {
    auto found = makers.find(value);
    if (found == makers.end() || found->second->op_type() != "Sub" || found->second->input_size() != 2)
      return false;
    const NodeProto *mean = only(found->second->input(1), "ReduceMean", 1);
    if (!mean || !overLastAxis(*mean) || mean->input(0) != found->second->input(0))
      return false;
    x = found->second->input(0);
    if (readers[value] == squareReads + 1) { // nothing else needs it
      inner.push_back(found->second);
      inner.push_back(mean);
    }
    return true;
  }

  bool isVector(const std::string &value) const {
    auto found = constants.find(value);
    return found != constants.end() && found->second->dims_size() == 1;
  }

  // norm(x) * weight [+ bias]
  bool matchNorm(NodeProto &node) {
    std::string product = node.output(0), bias, weight, value, x;
    double epsilon = 0;
    auto scaled = [&](const NodeProto &scale) {
      return either(scale, [&](const std::string &a, const std::string &b) {
        weight = b;
        return isVector(b) && isScaled(a, value, epsilon);
      });
    };
    bool matched = false;
    if (node.op_type() == "Add" && node.input_size() == 2)
      matched = either(node, [&](const std::string &a, const std::string &b) {
        const NodeProto *scale = take(only(a, "Mul", 2));
        bias = b;
        return isVector(b) && scale && scaled(*scale) && isCentered(value, x);
      });
    if (matched)
      return replace(node, "LayerNormalization", {x, weight, bias}, epsilon);
    if (node.op_type() != "Mul" || node.input_size() != 2 || !scaled(node))
      return false;
    const std::vector<const NodeProto *> saved = inner;
    // Without a bias only if no bias follows: then it is part of a longer match, which came first.
    if (isCentered(value, x))
      return replace(node, "LayerNormalization", {x, weight}, epsilon);
    inner = saved;
    return replace(node, "RMSNormalization", {value, weight}, epsilon);
  }

  bool replace(NodeProto &node, const char *op, const std::vector<std::string> &inputs,
               std::optional<double> epsilon = std::nullopt, const char *approximate = nullptr) {
    NodeProto raised;
    raised.set_name(node.name());
    raised.set_op_type(op);
    raised.set_domain(kRaisedDomain);
    for (const std::string &input : inputs)
      raised.add_input(input);
    raised.add_output(node.output(0));
    if (epsilon) {
      ::onnx::AttributeProto *attribute = raised.add_attribute();
      attribute->set_name("epsilon");
      attribute->set_type(::onnx::AttributeProto::FLOAT);
      attribute->set_f(static_cast<float>(*epsilon));
    }
    if (approximate) {
      ::onnx::AttributeProto *attribute = raised.add_attribute();
      attribute->set_name("approximate");
      attribute->set_type(::onnx::AttributeProto::STRING);
      attribute->set_s(approximate);
    }
    node.Swap(&raised);
    return true;
  }

  // The factors of a product of products, with their nodes taken.
  void factors(const std::string &value, std::vector<std::string> &out, int depth) {
    const NodeProto *product = depth < 3 ? only(value, "Mul", 2) : nullptr;
    if (!product) {
      out.push_back(value);
      return;
    }
    take(product);
    factors(product->input(0), out, depth + 1);
    factors(product->input(1), out, depth + 1);
  }

  // x * (1 + erf(x / sqrt 2)) * 0.5, or with tanh(0.79788 * (x + 0.044715 * x^3)), in any order.
  bool matchGelu(NodeProto &node) {
    if (node.op_type() != "Mul" || node.input_size() != 2)
      return false;
    std::vector<std::string> parts;
    factors(node.input(0), parts, 0);
    factors(node.input(1), parts, 0);
    if (parts.size() != 3)
      return false;
    std::string x, sum;
    bool half = false;
    for (const std::string &part : parts) {
      if (near(number(part), 0.5) && !half)
        half = true;
      else if (only(part, "Add", 2) && sum.empty())
        sum = part;
      else
        x = part;
    }
    if (!half || sum.empty() || x.empty())
      return false;
    const NodeProto *add = take(only(sum, "Add", 2));
    const char *kind = nullptr;
    bool matched = either(*add, [&](const std::string &a, const std::string &b) {
      if (!near(number(b), 1))
        return false;
      if (const NodeProto *erf = take(only(a, "Erf", 1))) {
        kind = "none";
        if (const NodeProto *divide = take(only(erf->input(0), "Div", 2)))
          return divide->input(0) == x && near(number(divide->input(1)), std::sqrt(2.0));
        const NodeProto *scale = take(only(erf->input(0), "Mul", 2));
        return scale && either(*scale, [&](const std::string &v, const std::string &factor) {
          return v == x && near(number(factor), std::sqrt(0.5));
        });
      }
      const NodeProto *tanh = take(only(a, "Tanh", 1));
      const NodeProto *outer = tanh ? take(only(tanh->input(0), "Mul", 2)) : nullptr;
      kind = "tanh";
      return outer && either(*outer, [&](const std::string &inside, const std::string &factor) {
        const NodeProto *plus = take(only(inside, "Add", 2));
        return plus && near(number(factor), std::sqrt(2 / M_PI)) &&
               either(*plus, [&](const std::string &v, const std::string &cubic) {
                 const NodeProto *scaled = take(only(cubic, "Mul", 2));
                 return v == x && scaled && either(*scaled, [&](const std::string &cube, const std::string &c) {
                   const NodeProto *power = take(only(cube, "Pow", 2));
                   return power && near(number(c), 0.044715) && power->input(0) == x && near(number(power->input(1)), 3);
                 });
               });
      });
    });
    return matched && replace(node, "Gelu", {x}, std::nullopt, kind);
  }

  // x * sigmoid(x)
  bool matchSwish(NodeProto &node) {
    if (node.op_type() != "Mul" || node.input_size() != 2)
      return false;
    std::string x;
    bool matched = either(node, [&](const std::string &a, const std::string &b) {
      const NodeProto *sigmoid = take(only(b, "Sigmoid", 1));
      x = a;
      return sigmoid && sigmoid->input(0) == a;
    });
    return matched && replace(node, "Swish", {x});
  }

  ::onnx::GraphProto &graph;
  std::map<std::string, NodeProto *> makers;
  std::map<std::string, int> readers; // outputs of the graph, and values that inner graphs read, count twice
  std::map<std::string, const ::onnx::TensorProto *> constants;
  std::vector<const NodeProto *> inner; // of the match at hand
  int squareReads = 0;                  // how often its square reads the value
  std::set<const NodeProto *> dropped;
  std::map<std::string, int> counts;
};

} // namespace

std::map<std::string, int> raiseOps(::onnx::GraphProto &graph) { return Raiser(graph).run(); }

} // namespace sinter::onnx_import
