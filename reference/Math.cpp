// Norms, activations, rotation and attention, written as their definitions in TxOps.td read. Products are Eigen's in
// f32; what decides over many numbers at once (mean squares, the softmax's sum) is summed in double, so that the
// specification is closer to the exact result than anything compared with it.

#include "reference/Math.h"

#include <cmath>
#include <limits>

namespace sinter::reference {

void normalize(Rows &rows, const NormWeights &norm) {
  const int64_t group = norm.weight.size();
  for (int64_t t = 0; t < rows.rows(); ++t)
    for (int64_t begin = 0; begin < rows.cols(); begin += group) {
      Eigen::ArrayXd x = rows.row(t).segment(begin, group).cast<double>().transpose().array();
      if (norm.kind == tx::NormKind::layer)
        x -= x.mean();
      x /= std::sqrt(x.square().mean() + norm.epsilon);
      x *= norm.weight.cast<double>().transpose().array();
      if (norm.bias.size())
        x += norm.bias.cast<double>().transpose().array();
      rows.row(t).segment(begin, group) = x.matrix().cast<float>().transpose();
    }
}

float activate(tx::Activation activation, float x) {
  double v = x;
  switch (activation) {
  case tx::Activation::silu:
    return float(v / (1 + std::exp(-v)));
  case tx::Activation::gelu:
    return float(v * (1 + std::erf(v * M_SQRT1_2)) / 2);
  case tx::Activation::gelu_tanh:
    return float(v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))) / 2);
  case tx::Activation::relu:
    return x > 0 ? x : 0;
  case tx::Activation::tanh:
    return float(std::tanh(v));
  }
  return std::numeric_limits<float>::quiet_NaN();
}

void rotate(Rows &rows, int64_t position, tx::RopeAttr rope, int64_t headDim) {
  const llvm::ArrayRef<float> frequencies = rope.getInverseFrequencies();
  const int64_t pairs = frequencies.size();
  const double factor = rope.getFactor().getValueAsDouble();
  // A pair's two columns: i and i + pairs, or 2i and 2i + 1.
  const bool half = rope.getStyle() == tx::RopeStyle::half;
  const int64_t step = half ? 1 : 2, apart = half ? pairs : 1;
  for (int64_t t = 0; t < rows.rows(); ++t)
    for (int64_t i = 0; i < pairs; ++i) {
      // The angle is an f32 product by definition (Hugging Face computes it so); far out, rounding it matters.
      const float angle = float(position + t) * frequencies[i];
      const double cosine = std::cos(double(angle)) * factor, sine = std::sin(double(angle)) * factor;
      for (int64_t head = 0; head < rows.cols(); head += headDim) {
        float &first = rows(t, head + i * step), &second = rows(t, head + i * step + apart);
        const double a = first, b = second;
        first = float(a * cosine - b * sine);
        second = float(b * cosine + a * sine);
      }
    }
}

Rows attend(const Rows &query, const Rows &keys, const Rows &values, int64_t position, const AttentionShape &shape) {
  const int64_t tokens = query.rows(), group = shape.heads / shape.kvHeads, dim = shape.headDim;
  Rows result(tokens, query.cols());
  for (int64_t head = 0; head < shape.heads; ++head) {
    const int64_t kvColumn = head / group * dim;
    Rows scores = query.middleCols(head * dim, dim) * keys.middleCols(kvColumn, dim).transpose(); // [tokens, keys]
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t end = position + t + 1;
      const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
      Eigen::ArrayXd seen = scores.row(t).segment(begin, end - begin).cast<double>().transpose().array() * shape.scale;
      seen = (seen - seen.maxCoeff()).exp();
      seen /= seen.sum();
      scores.row(t).setZero();
      scores.row(t).segment(begin, end - begin) = seen.matrix().cast<float>().transpose();
    }
    result.middleCols(head * dim, dim).noalias() = scores * values.middleCols(kvColumn, dim);
  }
  return result;
}

static int64_t bucketOf(int64_t distance, llvm::ArrayRef<int64_t> thresholds) {
  int64_t bucket = 0;
  for (int64_t threshold : thresholds)
    bucket += threshold <= std::abs(distance);
  return distance > 0 ? bucket + int64_t(thresholds.size()) + 1 : bucket;
}

Rows attendAll(const Rows &query, const Rows &keys, const Rows &values, const AttentionShape &shape,
               const FullAttention &full) {
  const int64_t tokens = query.rows(), group = shape.heads / shape.kvHeads, dim = shape.headDim;
  Rows result(tokens, query.cols());
  for (int64_t head = 0; head < shape.heads; ++head) {
    const int64_t kvColumn = head / group * dim;
    Rows scores = query.middleCols(head * dim, dim) * keys.middleCols(kvColumn, dim).transpose(); // [tokens, keys]
    for (int64_t t = 0; t < tokens; ++t) {
      Eigen::ArrayXd row = scores.row(t).cast<double>().transpose().array() * shape.scale;
      for (int64_t j = 0; full.bias && j < row.size(); ++j)
        row[j] += (*full.bias)(bucketOf(j - t, full.thresholds), head);
      for (int64_t j = 0; !full.mask.empty() && j < row.size(); ++j)
        if (!full.mask[j])
          row[j] = -std::numeric_limits<double>::infinity();
      if (const double largest = row.maxCoeff(); std::isfinite(largest)) {
        row = (row - largest).exp();
        row /= row.sum();
      } else {
        row.setZero();
      }
      scores.row(t) = row.matrix().cast<float>().transpose();
    }
    result.middleCols(head * dim, dim).noalias() = scores * values.middleCols(kvColumn, dim);
  }
  return result;
}

Rows pool(tx::Pooling pooling, const Rows &rows) {
  switch (pooling) {
  case tx::Pooling::mean:
    return rows.cast<double>().colwise().mean().cast<float>();
  case tx::Pooling::first:
    return rows.topRows(1);
  case tx::Pooling::last:
    return rows.bottomRows(1);
  case tx::Pooling::max:
    return rows.colwise().maxCoeff();
  }
  return Rows();
}

} // namespace sinter::reference
