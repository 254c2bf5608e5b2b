// The mathematics of the tx ops on rows in memory, with sums that matter (norms, softmax) in double precision.
#pragma once

#include "dialects/tx/Tx.h"
#include "reference/Evaluator.h"

namespace sinter::reference {

// [1, n] as f32.
using Vector = Eigen::RowVectorXf;

struct NormWeights {
  tx::NormKind kind;
  double epsilon;
  Vector weight; // [group], the attribute's offset already added
  Vector bias;   // [group] or empty
};

// Every run of weight.size() columns is normalized by itself.
void normalize(Rows &rows, const NormWeights &norm);

float activate(tx::Activation activation, float x);

// Rotates the heads of each row; row t is at `position + t`.
void rotate(Rows &rows, int64_t position, tx::RopeAttr rope, int64_t headDim);

struct AttentionShape {
  int64_t heads, kvHeads, headDim, window;
  float scale;
};

// query [tokens, heads * head_dim], keys and values [position + tokens, kv_heads * head_dim] -> as the query.
Rows attend(const Rows &query, const Rows &keys, const Rows &values, int64_t position, const AttentionShape &shape);

// What full attention adds to a shape.
struct FullAttention {
  llvm::ArrayRef<uint32_t> mask; // [keys], 0: not seen; or empty
  const Rows *bias = nullptr;    // [buckets, heads], or none
  llvm::ArrayRef<int64_t> thresholds;
};

// The same without a position: every query sees all keys that the mask leaves.
Rows attendAll(const Rows &query, const Rows &keys, const Rows &values, const AttentionShape &shape,
               const FullAttention &full);

// [tokens, n] -> [1, n]
Rows pool(tx::Pooling pooling, const Rows &rows);

} // namespace sinter::reference
