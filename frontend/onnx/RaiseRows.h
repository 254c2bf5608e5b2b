// Nodes as ops of tx on rows, where a transformer's kernels compute them better than loops would.
#pragma once

#include "frontend/onnx/Importer.h"

namespace sinter::onnx_import {

// Whether the tensor comes from a node of this op of ai.onnx.
bool is(const Tensor &tensor, const char *op);
// The one number that is known to be in a tensor.
std::optional<double> scalarOf(Importer &importer, const Tensor &tensor);

// A node that is recognized, alone or as the last of several: its results. Nothing: its handler is to be asked.
std::optional<Tensors> raiseRows(Node &node);
// Attention of [batch, tokens, heads * size] to itself; its mask, if it exists, is added to the scores, or says what they are
// kept of (bool, integers), and broadcasts to [batch, heads, tokens, tokens]. Nothing if the mask differs from token to token.
std::optional<Tensor> raiseAttention(Importer &importer, const Tensor &query, const Tensor &key, const Tensor &value,
                                     const Heads &heads, int64_t kvHeads, double scale, Tensor mask, bool inverted = false);
// After a node was imported: where its result lies in rows, if it only moved or scaled elements. What is in the rows' own order
// is the rows, under another shape.
void followView(Node &node, Tensors &results);

} // namespace sinter::onnx_import
