// How each kind of kernel touches its bindings, what barrier placement reasons with, and how much work it is, what
// profiles are made of. In the order of KernAttrs.td.

#include "dialects/CacheElement.h"
#include "dialects/Formats.h"
#include "dialects/kern/Kern.h"

using namespace mlir;

namespace sinter::kern {

using Bindings = SmallVector<BindingInfo>;

static void addNorm(Bindings &bindings, NormSpecAttr norm, const char *weight, const char *bias) {
  if (!norm)
    return;
  bindings.push_back({weight, Access::read, Part::whole});
  if (norm.getBias())
    bindings.push_back({bias, Access::read, Part::whole});
}

// Bytes of a vector of weights: plain floats, padded as rows are.
static int64_t vectorBytes(int64_t size) { return rowStride(size) * 4; }

static int64_t normBytes(NormSpecAttr norm, int64_t size) {
  return norm ? vectorBytes(size) * (norm.getBias() ? 2 : 1) : 0;
}

Domain EmbedAttr::getDomain() const { return Domain::tokens; }
Bindings EmbedAttr::getBindings() const {
  Bindings bindings = {{"ids", Access::read, Part::whole}, {"table", Access::read, Part::whole}};
  if (getPositions())
    bindings.push_back({"positions", Access::read, Part::whole});
  if (getTypes())
    bindings.append({{"type_ids", Access::read, Part::whole}, {"types", Access::read, Part::whole}});
  bindings.push_back({"out", Access::write, Part::own});
  return bindings;
}
Work EmbedAttr::getWork() const {
  Work work;
  auto add = [&](StringRef name) {
    if (const Format *format = findFormat(name))
      work.tokenWeightBytes += format->packedBytes(kTileRows, getWidth()) / kTileRows;
  };
  add(getFormat());
  for (TableAttr table : {getPositions(), getTypes()})
    if (table)
      add(table.getFormat());
  return work;
}

Domain RowsAttr::getDomain() const { return Domain::tokens; }
Bindings RowsAttr::getBindings() const {
  Bindings bindings = {{"in", Access::read, Part::own}};
  addNorm(bindings, getNorm(), "weight", "bias");
  if (getQuantize() && getKeep())
    bindings.push_back({"out", Access::write, Part::own});
  if (getQuantize())
    bindings.append({{"codes", Access::write, Part::own}, {"scales", Access::write, Part::own}, {"sums", Access::write, Part::own}});
  else
    bindings.push_back({"out", Access::write, Part::own});
  return bindings;
}
Work RowsAttr::getWork() const { return {.weightBytes = normBytes(getNorm(), getWidth())}; }

Domain LinearAttr::getDomain() const { return Domain::tiles; }
Bindings LinearAttr::getBindings() const {
  Bindings bindings;
  const Format *format = findFormat(getFormat());
  if (format && format->isQuantized() && !getFusedRows())
    bindings = {{"codes", Access::read, Part::whole}, {"scales", Access::read, Part::whole}, {"sums", Access::read, Part::whole}};
  else
    bindings = {{"in", Access::read, Part::whole}};
  addNorm(bindings, getNorm(), "norm_weight", "norm_bias");
  bindings.push_back({"weights", Access::read, Part::whole});
  if (getBias())
    bindings.push_back({"bias", Access::read, Part::whole});
  if (getResidual())
    bindings.push_back({"residual", Access::read, Part::own});
  bindings.push_back({"out", Access::write, Part::own});
  return bindings;
}
Work LinearAttr::getWork() const {
  const Format *format = findFormat(getFormat());
  const int64_t matrices = getGlu() ? 2 : 1;
  Work work;
  work.int8 = format && format->isQuantized();
  work.weightBytes = format ? matrices * format->packedBytes(getRows(), getColumns()) : 0;
  work.weightBytes += normBytes(getNorm(), getColumns()) + (getBias() ? matrices * vectorBytes(getRows()) : 0);
  work.tokenMultiplyAdds = matrices * getRows() * getColumns();
  return work;
}

Domain ArgmaxAttr::getDomain() const { return Domain::tokens; }
Bindings ArgmaxAttr::getBindings() const {
  return {{"in", Access::read, Part::own}, {"out", Access::write, Part::own}};
}
Work ArgmaxAttr::getWork() const { return {}; }

Domain RopeTableAttr::getDomain() const { return Domain::tokens; }
Bindings RopeTableAttr::getBindings() const { return {{"out", Access::write, Part::own}}; }
Work RopeTableAttr::getWork() const { return {}; }

Domain RotateAppendAttr::getDomain() const { return Domain::kvHeads; }
Bindings RotateAppendAttr::getBindings() const {
  Bindings bindings = {{"qkv", Access::readWrite, Part::own}};
  if (getRotaryDims())
    bindings.push_back({"table", Access::read, Part::whole});
  addNorm(bindings, getQueryNorm(), "query_norm", "query_norm_bias");
  addNorm(bindings, getKeyNorm(), "key_norm", "key_norm_bias");
  bindings.push_back({"cache", Access::readWrite, Part::own});
  return bindings;
}
Work RotateAppendAttr::getWork() const {
  return {.weightBytes = normBytes(getQueryNorm(), getHeadDim()) + normBytes(getKeyNorm(), getHeadDim())};
}

Domain AttentionAttr::getDomain() const { return Domain::kvHeads; }
Bindings AttentionAttr::getBindings() const {
  // A unit reads the whole cache of its head: only with one unit per head is that what the same thread wrote. Passes
  // that know the step to have one token may treat it as own.
  return {{"qkv", Access::read, Part::own}, {"cache", Access::read, Part::whole}, {"out", Access::write, Part::own}};
}
Work AttentionAttr::getWork() const {
  Work work;
  work.positionCacheBytes = 2 * getKvHeads() * cacheHeadBytes(getElement(), getHeadDim()) / kCacheTile;
  work.positionMultiplyAdds = 2 * getHeads() * getHeadDim();
  work.window = getWindow();
  return work;
}

Domain FullAttentionAttr::getDomain() const { return Domain::kvHeads; }
Bindings FullAttentionAttr::getBindings() const {
  Bindings bindings = {{"query", Access::read, Part::whole}, {"keys", Access::read, Part::whole}, {"values", Access::read, Part::whole}};
  if (getMask())
    bindings.push_back({"mask", Access::read, Part::whole});
  if (getRelative())
    bindings.push_back({"bias", Access::read, Part::whole});
  bindings.push_back({"out", Access::write, Part::own});
  return bindings;
}
Work FullAttentionAttr::getWork() const {
  // Every token looks at every token, so as many positions again as causal attention counts.
  return {.positionMultiplyAdds = 4 * getHeads() * getHeadDim()};
}

Domain RelativeBiasAttr::getDomain() const { return Domain::kvHeads; }
Bindings RelativeBiasAttr::getBindings() const {
  return {{"table", Access::read, Part::whole}, {"out", Access::write, Part::whole}};
}
Work RelativeBiasAttr::getWork() const { return {}; }

Domain PoolAttr::getDomain() const { return Domain::tiles; }
Bindings PoolAttr::getBindings() const { return {{"in", Access::read, Part::whole}, {"out", Access::write, Part::own}}; }
Work PoolAttr::getWork() const { return {}; }

Domain UnitAttr::getDomain() const { return Domain::tokens; }
Bindings UnitAttr::getBindings() const { return {{"in", Access::read, Part::own}, {"out", Access::write, Part::own}}; }
Work UnitAttr::getWork() const { return {}; }

Domain GenericAttr::getDomain() const { return Domain::tiles; }
Bindings GenericAttr::getBindings() const {
  // The one unit of all serial kernels is the same thread's.
  Part part = getSerial() ? Part::own : Part::whole;
  Bindings bindings(getInputs(), {"in", Access::read, part});
  bindings.append(getOutputs(), {"out", Access::write, part});
  return bindings;
}
Work GenericAttr::getWork() const { return {}; }

Domain YardstickAttr::getDomain() const { return Domain::tiles; }
Bindings YardstickAttr::getBindings() const { return {{"data", Access::read, Part::whole}}; }
Work YardstickAttr::getWork() const { return {}; } // of no step
int64_t YardstickAttr::getUnitBytes() const { return getKind() == YardstickKind::read ? 64 << 10 : 0; }
int64_t YardstickAttr::getSharedBytes() const { return getKind() == YardstickKind::read ? 0 : 16 << 10; }
int64_t YardstickAttr::getUnitMultiplyAdds() const { return getKind() == YardstickKind::read ? 0 : 16 << 20; }

} // namespace sinter::kern
