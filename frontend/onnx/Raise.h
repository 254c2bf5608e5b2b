// Finds what exporters took apart.
#pragma once

#include "frontend/onnx/onnx.pb.h"

#include <map>
#include <string>

namespace sinter::onnx_import {

// Replaces groups of nodes of the graph by single ops of the domain "sinter" that mean the same: LayerNormalization,
// RMSNormalization, Gelu, Swish. Returns how many of each.
std::map<std::string, int> raiseOps(::onnx::GraphProto &graph);

// The domain of raised ops; its table rows are those of the newest ai.onnx ops of the same names.
inline constexpr char kRaisedDomain[] = "sinter";

} // namespace sinter::onnx_import
