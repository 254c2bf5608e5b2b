// Nonlinearities: elementwise functions of one tensor and some numbers.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>

namespace sinter::onnx_import {

// Numbers of an op: its attributes, with what they are if left out.
struct Numbers {
  double alpha, beta;
};
using Activation = Value (*)(Code &c, Value x, Numbers n);

static Tensors apply(Node &node, Activation rule, Numbers numbers) {
  return {node.importer.map(node.in(0), node.in(0).elem,
                            [&](Code &c, ValueRange x) { return rule(c, x[0], numbers); })};
}

template <Activation rule> static Tensors plain(Node &node) { return apply(node, rule, {0, 0}); }
template <Activation rule, int alphaMillionths, int betaMillionths = 0> static Tensors withNumbers(Node &node) {
  return apply(node, rule,
               {node.real("alpha", alphaMillionths * 1e-6), node.real("beta", betaMillionths * 1e-6)});
}

static Value relu(Code &c, Value x, Numbers) { return c.max(x, c.like(x, 0)); }
static Value sigmoid(Code &c, Value x, Numbers) { return c.sigmoid(x); }
static Value leakyRelu(Code &c, Value x, Numbers n) {
  return c.select(c.lt(x, c.like(x, 0)), c.mul(c.like(x, n.alpha), x), x);
}
static Value thresholdedRelu(Code &c, Value x, Numbers n) {
  return c.select(c.lt(c.like(x, n.alpha), x), x, c.like(x, 0));
}
static Value elu(Code &c, Value x, Numbers n) {
  return c.select(c.lt(x, c.like(x, 0)), c.mul(c.like(x, n.alpha), c.sub(c.exp(x), c.like(x, 1))), x);
}
static Value celu(Code &c, Value x, Numbers n) {
  Value down = c.mul(c.like(x, n.alpha), c.sub(c.exp(c.div(x, c.like(x, n.alpha))), c.like(x, 1)));
  return c.add(c.max(x, c.like(x, 0)), c.min(c.like(x, 0), down));
}
static Value hardSigmoid(Code &c, Value x, Numbers n) {
  return c.clamp(c.add(c.mul(c.like(x, n.alpha), x), c.like(x, n.beta)), c.like(x, 0), c.like(x, 1));
}
static Value hardSwish(Code &c, Value x, Numbers) { return c.mul(x, hardSigmoid(c, x, {1.0 / 6, 0.5})); }
static Value swish(Code &c, Value x, Numbers n) { return c.mul(x, c.sigmoid(c.mul(c.like(x, n.alpha), x))); }
// log(1 + e^x) without overflow.
static Value softplus(Code &c, Value x, Numbers) {
  return c.add(c.max(x, c.like(x, 0)), c.log(c.add(c.like(x, 1), c.exp(c.neg(c.abs(x))))));
}
static Value mish(Code &c, Value x, Numbers n) { return c.mul(x, c.tanh(softplus(c, x, n))); }
static Value softsign(Code &c, Value x, Numbers) { return c.div(x, c.add(c.like(x, 1), c.abs(x))); }
static Value geluErf(Code &c, Value x, Numbers) {
  Value inner = c.erf(c.mul(x, c.like(x, std::sqrt(0.5))));
  return c.mul(c.mul(c.like(x, 0.5), x), c.add(c.like(x, 1), inner));
}
static Value geluTanh(Code &c, Value x, Numbers) {
  Value cube = c.mul(c.mul(x, x), x);
  Value inner = c.mul(c.like(x, 0.7978845608028654), c.add(x, c.mul(c.like(x, 0.044715), cube)));
  return c.mul(c.mul(c.like(x, 0.5), x), c.add(c.like(x, 1), c.tanh(inner)));
}
static Value quickGelu(Code &c, Value x, Numbers n) { return swish(c, x, n); }

static Tensors selu(Node &node) {
  const double alpha = node.real("alpha", 1.6732632423543772), gamma = node.real("gamma", 1.0507009873554805);
  return {node.importer.map(node.in(0), node.in(0).elem, [&](Code &c, ValueRange x) {
    return c.mul(c.like(x[0], gamma), elu(c, x[0], {alpha, 0}));
  })};
}

static Tensors shrink(Node &node) {
  const double bias = node.real("bias", 0), lambda = node.real("lambd", 0.5);
  const ElemRef elem = node.in(0).elem;
  return {node.importer.map(node.in(0), elem, [&](Code &c, ValueRange v) {
    Value x = v[0], low = c.add(x, c.like(x, bias)), high = c.sub(x, c.like(x, bias));
    Value above = c.select(c.lt(c.like(x, lambda), x), high, c.like(x, 0));
    return c.select(c.lt(x, c.like(x, -lambda)), low, above);
  })};
}

static Tensors gelu(Node &node) {
  const std::string kind = node.text("approximate", "none");
  if (kind != "none" && kind != "tanh")
    fail("approximate is '" + kind + "', expected none or tanh");
  return apply(node, kind == "tanh" ? geluTanh : geluErf, {0, 0});
}

// GELU of a sum with a bias: BiasGelu by erf, FastGelu by tanh.
template <Activation rule> static Tensors biasGelu(Node &node) {
  Tensors inputs = {node.in(0)};
  if (node.has(1))
    inputs.push_back(node.in(1));
  return {node.importer.map(inputs, node.in(0).elem, [&](Code &c, ValueRange x) {
    return rule(c, x.size() > 1 ? c.add(x[0], x[1]) : x[0], {0, 0});
  })};
}

ArrayRef<Op> activationOps() {
  static const Op ops[] = {
      {"", "Relu", 6, kNewest, plain<relu>},
      {"", "Sigmoid", 6, kNewest, plain<sigmoid>},
      {"", "LeakyRelu", 6, kNewest, withNumbers<leakyRelu, 10000>},
      {"", "ThresholdedRelu", 10, kNewest, withNumbers<thresholdedRelu, 1000000>},
      {"", "Elu", 6, kNewest, withNumbers<elu, 1000000>},
      {"", "Celu", 12, kNewest, withNumbers<celu, 1000000>},
      {"", "Selu", 6, kNewest, selu},
      {"", "HardSigmoid", 6, kNewest, withNumbers<hardSigmoid, 200000, 500000>},
      {"", "HardSwish", 14, kNewest, plain<hardSwish>},
      {"", "Swish", 24, kNewest, withNumbers<swish, 1000000>},
      {"", "Mish", 18, kNewest, plain<mish>},
      {"", "Softplus", 1, kNewest, plain<softplus>},
      {"", "Softsign", 1, kNewest, plain<softsign>},
      {"", "Shrink", 9, kNewest, shrink},
      {"", "Gelu", 20, kNewest, gelu},
      {"sinter", "Gelu", 1, 1, gelu},
      {"sinter", "Swish", 1, 1, withNumbers<swish, 1000000>},
      {"com.microsoft", "Gelu", 1, 1, plain<geluErf>},
      {"com.microsoft", "FastGelu", 1, 1, biasGelu<geluTanh>},
      {"com.microsoft", "BiasGelu", 1, 1, biasGelu<geluErf>},
      {"com.microsoft", "QuickGelu", 1, 1, withNumbers<quickGelu, 1702000>},
  };
  return ops;
}

} // namespace sinter::onnx_import
