// From a kernel's spec to its builder: one line per kind.

#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/KernelBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sinter::kern {

LogicalResult buildKernel(ModuleOp module, StringRef name, SpecInterface spec, const Target &target) {
  if (auto linear = dyn_cast<LinearAttr>(spec))
    if (!findFormat(linear.getFormat()))
      return module.emitError() << "kernel '" << name << "': unknown format '" << linear.getFormat() << "', expected one of "
                                << formatNames();
  KernelBuilder b(module, name, target);
  bool known = llvm::TypeSwitch<Attribute, bool>(spec)
                   .Case([&](AttentionAttr attention) { return buildAttention(b, attention), true; })
                   .Case([&](EmbedAttr embed) { return buildEmbed(b, embed), true; })
                   .Case([&](RowsAttr rows) { return buildRows(b, rows), true; })
                   .Case([&](LinearAttr linear) { return buildLinear(b, linear), true; })
                   .Case([&](RopeTableAttr rope) { return buildRopeTable(b, rope), true; })
                   .Case([&](RotateAppendAttr rotate) { return buildRotateAppend(b, rotate), true; })
                   .Default([](Attribute) { return false; });
  b.finish();
  if (!known)
    return module.emitError() << "kernel '" << name << "': there is no builder for " << spec;
  return success();
}

} // namespace sinter::kern
