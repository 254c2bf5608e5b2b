// From a kernel's spec to its builder: one line per kind.

#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/KernelBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sinter::kern {

// The weight format that a spec names; none for kernels that touch no weights.
static std::optional<StringRef> formatOf(SpecInterface spec) {
  if (LinearAttr linear = dyn_cast<LinearAttr>(spec))
    return linear.getFormat();
  if (EmbedAttr embed = dyn_cast<EmbedAttr>(spec))
    return embed.getFormat();
  if (RowsAttr rows = dyn_cast<RowsAttr>(spec); rows && rows.getQuantize())
    return rows.getQuantize().getValue();
  return std::nullopt;
}

LogicalResult buildKernel(ModuleOp module, StringRef name, SpecInterface spec, const Target &target) {
  if (std::optional<StringRef> format = formatOf(spec)) {
    if (!findFormat(*format))
      return module.emitError() << "kernel '" << name << "': unknown format '" << *format << "', expected one of "
                                << formatNames();
    if (isa<RowsAttr>(spec) && !findFormat(*format)->isQuantized())
      return module.emitError() << "kernel '" << name << "': rows cannot be quantized for '" << *format
                                << "', expected a format with codes";
  }
  if (LinearAttr linear = dyn_cast<LinearAttr>(spec)) {
    if (target.isGpu() && linear.getFusedRows() && findFormat(linear.getFormat())->isQuantized())
      return module.emitError() << "kernel '" << name << "': fused_rows of a quantized product is for CPUs, on a GPU rows "
                                << "are quantized by a kernel of their own";
    if (linear.getNorm() && !linear.getFusedRows() && findFormat(linear.getFormat())->isQuantized())
      return module.emitError() << "kernel '" << name << "': norm needs fused_rows where the input is quantized";
  }
  KernelBuilder b(module, name, target);
  bool known = llvm::TypeSwitch<Attribute, bool>(spec)
                   .Case([&](AttentionAttr attention) { return buildAttention(b, attention), true; })
                   .Case([&](ArgmaxAttr argmax) { return buildArgmax(b, argmax), true; })
                   .Case([&](EmbedAttr embed) { return buildEmbed(b, embed), true; })
                   .Case([&](FullAttentionAttr full) { return buildFullAttention(b, full), true; })
                   .Case([&](PoolAttr pool) { return buildPool(b, pool), true; })
                   .Case([&](RelativeBiasAttr bias) { return buildRelativeBias(b, bias), true; })
                   .Case([&](UnitAttr unit) { return buildUnit(b, unit), true; })
                   .Case([&](RowsAttr rows) { return buildRows(b, rows), true; })
                   .Case([&](LinearAttr linear) { return buildLinear(b, linear), true; })
                   .Case([&](RopeTableAttr rope) { return buildRopeTable(b, rope), true; })
                   .Case([&](RotateAppendAttr rotate) { return buildRotateAppend(b, rotate), true; })
                   .Case([&](YardstickAttr yardstick) { return buildYardstick(b, yardstick), true; })
                   .Default([](Attribute) { return false; });
  b.finish();
  if (!known)
    return module.emitError() << "kernel '" << name << "': there is no builder for " << spec;
  return success();
}

} // namespace sinter::kern
