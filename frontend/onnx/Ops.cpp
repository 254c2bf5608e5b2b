// The table of ops as one list, and looking it up.

#include "frontend/onnx/ops/Ops.h"

#include <unordered_map>

namespace sinter::onnx_import {

ArrayRef<Op> allOps() {
  static const std::vector<Op> ops = [] {
    std::vector<Op> all;
    for (ArrayRef<Op> part :
         {elementwiseOps(), activationOps(), shapeOps(), layoutOps(), indexOps(), selectionOps(), reductionOps(),
          normalizationOps(), productOps(), convolutionOps(), poolingOps(), imageOps(), recurrentOps(),
          quantizationOps(), attentionOps(), lossOps(), signalOps(), controlOps()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return ops;
}

const Op *findOp(const std::string &domain, const std::string &name, int64_t version) {
  static const std::unordered_multimap<std::string, const Op *> byName = [] {
    std::unordered_multimap<std::string, const Op *> map;
    for (const Op &op : allOps())
      map.emplace(std::string(op.domain) + ":" + op.name, &op);
    return map;
  }();
  auto [begin, end] = byName.equal_range(domain + ":" + name);
  for (auto it = begin; it != end; ++it)
    if (version >= it->second->since && version <= it->second->until)
      return it->second;
  return nullptr;
}

} // namespace sinter::onnx_import
