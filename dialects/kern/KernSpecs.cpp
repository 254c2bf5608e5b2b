// How each kind of kernel touches its bindings: what barrier placement reasons with. One function per kind, in the order of
// KernAttrs.td.

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

Domain EmbedAttr::getDomain() const { return Domain::tokens; }
Bindings EmbedAttr::getBindings() const {
  return {{"ids", Access::read, Part::whole}, {"table", Access::read, Part::whole}, {"out", Access::write, Part::own}};
}

Domain RowsAttr::getDomain() const { return Domain::tokens; }
Bindings RowsAttr::getBindings() const {
  Bindings bindings = {{"in", Access::read, Part::own}};
  addNorm(bindings, getNorm(), "weight", "bias");
  if (getQuantize())
    bindings.append({{"codes", Access::write, Part::own}, {"scales", Access::write, Part::own}, {"sums", Access::write, Part::own}});
  else
    bindings.push_back({"out", Access::write, Part::own});
  return bindings;
}

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

Domain RopeTableAttr::getDomain() const { return Domain::tokens; }
Bindings RopeTableAttr::getBindings() const { return {{"out", Access::write, Part::own}}; }

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

Domain AttentionAttr::getDomain() const { return Domain::kvHeads; }
Bindings AttentionAttr::getBindings() const {
  // A unit reads the whole cache of its head: only with one unit per head is that what the same thread wrote. Passes
  // that know the step to have one token may treat it as own.
  return {{"qkv", Access::read, Part::own}, {"cache", Access::read, Part::whole}, {"out", Access::write, Part::own}};
}

} // namespace sinter::kern
