// RNN, GRU and LSTM. The product with the inputs is one matrix product for all steps; what remains runs step by step on one
// thread, since each step needs the last one whole.

#include "frontend/onnx/ops/Ops.h"

#include <cmath>
#include <map>

namespace sinter::onnx_import {

namespace {

// An activation by its name, with its numbers.
struct Gate {
  std::string name;
  double alpha, beta;

  Value operator()(Code &c, Value x) const {
    auto n = [&](double value) { return c.like(x, value); };
    if (name == "sigmoid")
      return c.sigmoid(x);
    if (name == "tanh")
      return c.tanh(x);
    if (name == "relu")
      return c.max(x, n(0));
    if (name == "affine")
      return c.add(c.mul(n(alpha), x), n(beta));
    if (name == "leakyrelu")
      return c.select(c.lt(x, n(0)), c.mul(n(alpha), x), x);
    if (name == "thresholdedrelu")
      return c.select(c.lt(x, n(alpha)), n(0), x);
    if (name == "scaledtanh")
      return c.mul(n(alpha), c.tanh(c.mul(n(beta), x)));
    if (name == "hardsigmoid")
      return c.clamp(c.add(c.mul(n(alpha), x), n(beta)), n(0), n(1));
    if (name == "elu")
      return c.select(c.lt(x, n(0)), c.mul(n(alpha), c.sub(c.exp(x), n(1))), x);
    if (name == "softsign")
      return c.div(x, c.add(n(1), c.abs(x)));
    return c.log(c.add(n(1), c.exp(x))); // softplus
  }
};

enum class Cell { rnn, gru, lstm };

struct Layer {
  Cell cell;
  int64_t gates, directions, functions; // matrices per direction; activations per direction
};

} // namespace

// The activations of all directions, as attributes give them or as the cell has them.
static std::vector<Gate> readGates(Node &node, const Layer &layer) {
  static const std::map<std::string, std::pair<double, double>> known = {
      {"sigmoid", {0, 0}},      {"tanh", {0, 0}},     {"relu", {0, 0}},        {"affine", {1, 0}},
      {"leakyrelu", {0.01, 0}}, {"thresholdedrelu", {1, 0}}, {"scaledtanh", {1, 1}}, {"hardsigmoid", {0.2, 0.5}},
      {"elu", {1, 0}},          {"softsign", {0, 0}}, {"softplus", {0, 0}}};
  std::vector<std::string> names = node.texts("activations");
  if (names.empty())
    for (int64_t i = 0; i < layer.directions; ++i)
      for (int64_t k = 0; k < layer.functions; ++k)
        names.push_back(layer.cell == Cell::rnn || k > 0 ? "tanh" : "sigmoid");
  if (static_cast<int64_t>(names.size()) != layer.directions * layer.functions)
    fail("has " + std::to_string(names.size()) + " activations, expected " +
         std::to_string(layer.directions * layer.functions));
  std::vector<double> alphas = node.reals("activation_alpha"), betas = node.reals("activation_beta");
  std::vector<Gate> gates;
  size_t nextAlpha = 0, nextBeta = 0;
  for (std::string name : names) {
    for (char &letter : name)
      letter = static_cast<char>(tolower(static_cast<unsigned char>(letter)));
    auto found = known.find(name);
    if (found == known.end())
      fail("has the activation '" + name + "', which is not known");
    Gate gate = {name, found->second.first, found->second.second};
    if (gate.alpha != 0 && nextAlpha < alphas.size())
      gate.alpha = alphas[nextAlpha++];
    if (gate.beta != 0 && nextBeta < betas.size())
      gate.beta = betas[nextBeta++];
    gates.push_back(gate);
  }
  return gates;
}

static Tensors recurrent(Node &node, Cell cell) {
  Importer &im = node.importer;
  const std::string direction = node.text("direction", "forward");
  Layer layer = {cell, cell == Cell::rnn ? 1 : cell == Cell::gru ? 3 : 4, direction == "bidirectional" ? 2 : 1,
                 cell == Cell::rnn ? 1 : cell == Cell::gru ? 2 : 3};
  std::vector<Gate> gates = readGates(node, layer);
  const int64_t size = node.integer("hidden_size"), gateCount = layer.gates;
  const bool batchFirst = node.integer("layout", 0), linearBefore = node.integer("linear_before_reset", 0),
             coupled = node.integer("input_forget", 0);
  const double clip = node.real("clip", 0);
  if (size < 1 || node.in(0).rank() != 3 || node.in(1).rank() != 3 || node.in(2).rank() != 3)
    fail("takes [steps, batch, inputs] and weights of rank 3");
  Tensor x = batchFirst ? im.transpose(node.in(0), {1, 0, 2}) : node.in(0);
  const Dim steps = x.shape[0], batch = x.shape[1];
  const ElemRef elem = x.elem, sum = elem->bits == 16 ? elem::f32() : elem;
  im.same(node.in(1).shape[0], layer.directions, "directions of the weights");
  im.same(node.in(1).shape[1], gateCount * size, "rows of the weights");

  // [directions, steps * batch, gates * size]
  Tensor weights = im.transpose(node.in(1), {0, 2, 1});
  Tensor projected = matmul(im, im.reshape(x, {1, steps * batch, x.shape[2]}), weights, sum);
  projected = im.reshape(projected, {layer.directions, steps, batch, gateCount * size});

  Tensors inputs = {projected, node.in(2)};
  auto add = [&](size_t input, bool state) {
    if (!node.has(input))
      return -1;
    Tensor tensor = node.in(input);
    if (state && batchFirst)
      tensor = im.transpose(tensor, {1, 0, 2});
    inputs.push_back(tensor);
    return static_cast<int>(inputs.size()) - 1;
  };
  const int bias = add(3, false), lengths = add(4, false), hidden = add(5, true),
            cellState = cell == Cell::lstm ? add(6, true) : -1, peephole = cell == Cell::lstm ? add(7, false) : -1;
  const Shape all = {steps, layer.directions, batch, size}, last = {layer.directions, batch, size};
  // All steps, the last hidden state, the last cell state, and room for a step's gates.
  std::vector<TensorType> outputs = {
      {elem, all}, {elem, last}, {elem, last}, {sum, {layer.directions, batch, gateCount, size}}};
  mlir::Type type = computeType(elem, im.code.getContext());
  Tensors made = im.loops(inputs, outputs, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
    Value zero = c.index(0), one = c.index(1), width = c.index(size);
    auto gateRow = [&](int64_t gate, Value j) { return c.add(c.index(gate * size), j); };
    for (int64_t d = 0; d < layer.directions; ++d) {
      Value dir = c.index(d);
      const bool reverse = direction == "reverse" || d == 1;
      const Gate *functions = &gates[d * layer.functions];
      auto limit = [&](Value v) { return clip > 0 ? c.clamp(v, c.like(v, -clip), c.like(v, clip)) : v; };
      c.loopNest({out[0].sizes[2], width}, [&](ValueRange at) {
        SmallVector<Value> place = {dir, at[0], at[1]};
        c.store(hidden >= 0 ? c.load(in[hidden], place) : c.number(type, 0), out[1], place);
        c.store(cellState >= 0 ? c.load(in[cellState], place) : c.number(type, 0), out[2], place);
      });
      c.loop(zero, out[0].sizes[0], [&](Value step) {
        c.loop(zero, out[0].sizes[2], [&](Value b) {
          Value length = lengths >= 0 ? c.clamp(c.loadIndex(in[lengths], b), zero, out[0].sizes[0]) : out[0].sizes[0];
          Value time = reverse ? c.sub(c.sub(length, one), step) : step;
          Value isLive = c.lt(step, length);
          auto biasOf = [&](int64_t gate, Value j, bool recurrent) {
            return bias < 0 ? c.number(type, 0)
                            : c.load(in[bias], {dir, gateRow(gate + (recurrent ? gateCount : 0), j)});
          };
          // h of the last step times one row of the recurrence; `scale` is multiplied into h.
          auto recur = [&](int64_t gate, Value j, bool reset) {
            return c.loop(zero, width, c.number(type, 0), [&](Value k, ValueRange s) -> Code::Values {
              Value h = c.load(out[1], {dir, b, k});
              if (reset)
                h = c.mul(h, c.load(out[3], {dir, b, c.index(1), k}));
              return {addReordered(c, s[0], c.mul(h, c.load(in[1], {dir, gateRow(gate, j), k})))};
            })[0];
          };
          auto input = [&](int64_t gate, Value j) {
            return c.add(c.load(in[0], {dir, time, b, gateRow(gate, j)}), biasOf(gate, j, false));
          };
          c.ifThen(isLive, [&] {
            if (cell == Cell::gru) {
              for (int64_t gate : {0, 1}) // update, reset
                c.loop(zero, width, [&](Value j) {
                  Value v = c.add(c.add(input(gate, j), recur(gate, j, false)), biasOf(gate, j, true));
                  c.store(functions[0](c, limit(v)), out[3], {dir, b, c.index(gate), j});
                });
              c.loop(zero, width, [&](Value j) {
                Value v;
                if (linearBefore) {
                  Value inner = c.add(recur(2, j, false), biasOf(2, j, true));
                  v = c.add(input(2, j), c.mul(c.load(out[3], {dir, b, c.index(1), j}), inner));
                } else {
                  v = c.add(c.add(input(2, j), recur(2, j, true)), biasOf(2, j, true));
                }
                c.store(functions[1](c, limit(v)), out[3], {dir, b, c.index(2), j});
              });
            } else {
              for (int64_t gate = 0; gate < gateCount; ++gate)
                c.loop(zero, width, [&](Value j) {
                  Value v = c.add(c.add(input(gate, j), recur(gate, j, false)), biasOf(gate, j, true));
                  c.store(v, out[3], {dir, b, c.index(gate), j});
                });
            }
            c.loop(zero, width, [&](Value j) {
              auto gate = [&](int64_t number) { return c.load(out[3], {dir, b, c.index(number), j}); };
              SmallVector<Value> place = {dir, b, j};
              Value h;
              if (cell == Cell::rnn) {
                h = functions[0](c, limit(gate(0)));
              } else if (cell == Cell::gru) {
                Value update = gate(0);
                h = c.add(c.mul(c.sub(c.number(type, 1), update), gate(2)), c.mul(update, c.load(out[1], place)));
              } else { // input, output, forget, cell
                Value old = c.load(out[2], place);
                auto peep = [&](int64_t number, Value v, Value state) {
                  return peephole < 0 ? v : c.add(v, c.mul(c.load(in[peephole], {dir, gateRow(number, j)}), state));
                };
                Value i = functions[0](c, limit(peep(0, gate(0), old)));
                Value f = coupled ? c.sub(c.number(type, 1), i) : functions[0](c, limit(peep(2, gate(2), old)));
                Value g = functions[1](c, limit(gate(3)));
                Value state = c.add(c.mul(f, old), c.mul(i, g));
                Value o = functions[0](c, limit(peep(1, gate(1), state)));
                c.store(state, out[2], place);
                h = c.mul(o, functions[2](c, state));
              }
              c.store(h, out[0], {time, dir, b, j});
            });
            // Only now may the hidden state change: every row of the step has read it.
            c.loop(zero, width, [&](Value j) {
              c.store(c.load(out[0], {time, dir, b, j}), out[1], {dir, b, j});
            });
          });
          c.ifThen(c.le(length, step), [&] {
            c.loop(zero, width, [&](Value j) { c.store(c.number(type, 0), out[0], {step, dir, b, j}); });
          });
        });
      });
    }
  });
  made.resize(3);
  if (batchFirst) {
    made[0] = im.transpose(made[0], {2, 0, 1, 3});
    made[1] = im.transpose(made[1], {1, 0, 2});
    made[2] = im.transpose(made[2], {1, 0, 2});
  }
  return made;
}

template <Cell cell> static Tensors recurrentOp(Node &node) { return recurrent(node, cell); }

ArrayRef<Op> recurrentOps() {
  static const Op ops[] = {
      {"", "RNN", 7, kNewest, recurrentOp<Cell::rnn>},
      {"", "GRU", 7, kNewest, recurrentOp<Cell::gru>},
      {"", "LSTM", 7, kNewest, recurrentOp<Cell::lstm>},
  };
  return ops;
}

} // namespace sinter::onnx_import
