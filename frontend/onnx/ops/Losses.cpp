// Losses of classifications: they occur in graphs that evaluate models.

#include "frontend/onnx/ops/Ops.h"

namespace sinter::onnx_import {

// -weight[target] * logs[n, target, ...], then none, the sum, or the mean by weights; targets to be ignored count nothing.
static Tensor negativeLikelihood(Node &node, const Tensor &logs, const Tensor &target, const Tensor &weight) {
  Importer &im = node.importer;
  const std::string reduction = node.text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    fail("reduction is '" + reduction + "', expected none, sum or mean");
  if (logs.rank() < 2 || target.rank() != logs.rank() - 1 || target.elem->isReal())
    fail("takes [n, c, ...] and integers [n, ...]");
  Tensors inputs = {logs, target};
  if (weight.exists())
    inputs.push_back(weight);
  const bool ignores = node.has("ignore_index");
  const double ignored = static_cast<double>(node.integer("ignore_index", 0));
  mlir::Type type = computeType(logs.elem, im.code.getContext());
  Tensors terms = im.loops(
      inputs, {{logs.elem, target.shape}, {logs.elem, target.shape}}, [&](Code &c, ArrayRef<Mem> in, ArrayRef<Mem> out) {
        c.parallel(out[0].sizes, [&](ValueRange at) {
          Value label = c.load(in[1], at), place = c.wrap(c.toIndex(label), in[0].sizes[1]);
          SmallVector<Value> from(at);
          from.insert(from.begin() + 1, place);
          Value factor = in.size() > 2 ? c.load(in[2], place) : c.number(type, 1);
          if (ignores)
            factor = c.select(c.eq(label, c.like(label, ignored)), c.number(type, 0), factor);
          c.store(c.neg(c.mul(factor, c.load(in[0], from))), out[0], at);
          c.store(factor, out[1], at);
        });
      });
  if (reduction == "none")
    return terms[0];
  Tensor sum = im.call("ReduceSum", {terms[0]}, {{"keepdims", 0}});
  if (reduction == "sum")
    return sum;
  Tensor total = im.call("ReduceSum", {terms[1]}, {{"keepdims", 0}});
  return im.map({sum, total}, logs.elem, [](Code &c, ValueRange x) { return c.div(x[0], x[1]); });
}

static Tensors negativeLogLikelihood(Node &node) {
  return {negativeLikelihood(node, node.in(0), node.in(1), node.has(2) ? node.in(2) : Tensor())};
}

static Tensors softmaxCrossEntropy(Node &node) {
  if (node.in(0).rank() < 2)
    fail("takes [n, c, ...]");
  Tensor logs = softmax(node.importer, node.in(0), 1, /*log=*/true);
  return {negativeLikelihood(node, logs, node.in(1), node.has(2) ? node.in(2) : Tensor()), logs};
}

ArrayRef<Op> lossOps() {
  static const Op ops[] = {
      {"", "NegativeLogLikelihoodLoss", 12, kNewest, negativeLogLikelihood},
      {"", "SoftmaxCrossEntropyLoss", 12, kNewest, softmaxCrossEntropy},
  };
  return ops;
}

} // namespace sinter::onnx_import
