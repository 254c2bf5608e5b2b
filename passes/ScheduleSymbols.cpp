// Declares kernels and weights on first use and gives them names that say what they are. Symbols of tx.params stay in
// the module (the packer reads them), so weights are named @packed.layers.0.q_k_v after the params that they are made
// of.

#include "passes/ScheduleSymbols.h"
#include "dialects/CacheElement.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cctype>

using namespace mlir;

namespace sinter {

ScheduleSymbols::ScheduleSymbols(ModuleOp module) : module(module), symbols(module), builder(module.getContext()) {}

// "layers.0.q", "layers.0.k" -> "packed.layers.0.q_k".
static std::string weightName(ArrayAttr params) {
  std::string name = "packed.";
  for (auto [index, param] : llvm::enumerate(params.getAsRange<FlatSymbolRefAttr>()))
    name += index == 0 ? param.getValue().str() : "_" + param.getValue().substr(param.getValue().rfind('.') + 1).str();
  return name;
}

static std::string kernelName(kern::SpecInterface spec) {
  auto flag = [](bool set, const char *text) { return set ? std::string(text) : std::string(); };
  auto heads = [](auto attr) {
    return "_" + std::to_string(attr.getHeads()) + "_" + std::to_string(attr.getKvHeads()) + "x" +
           std::to_string(attr.getHeadDim()) + "_" + cacheElementName(attr.getElement()).str() + "_c" +
           std::to_string(attr.getCapacity()) + "_t" + std::to_string(attr.getTokensPerUnit());
  };
  std::string name =
      TypeSwitch<Attribute, std::string>(spec)
          .Case([&](kern::EmbedAttr embed) {
            return "embed_" + std::to_string(embed.getVocab()) + "x" + std::to_string(embed.getWidth()) + "_" +
                   embed.getFormat().str() + flag(!!embed.getPositions(), "_positions") +
                   flag(!!embed.getTypes(), "_types") +
                   (embed.getEnd() ? "_from" + std::to_string(embed.getBegin()) : "");
          })
          .Case([&](kern::RowsAttr rows) {
            return "rows_" + std::to_string(rows.getWidth()) + flag(!!rows.getNorm(), "_norm") +
                   (rows.getQuantize() ? "_" + rows.getQuantize().str() : "") + flag(rows.getKeep(), "_keep") +
                   flag(rows.getRowFromScalar(), "_row");
          })
          .Case([&](kern::LinearAttr linear) {
            return "linear_" + std::to_string(linear.getRows()) + "x" + std::to_string(linear.getColumns()) + "_" +
                   linear.getFormat().str() + flag(!!linear.getNorm(), "_norm") +
                   (linear.getGlu() ? "_" + tx::stringifyActivation(linear.getGlu().getValue()).str() : "") +
                   (linear.getAct() ? "_" + tx::stringifyActivation(linear.getAct().getValue()).str() : "") +
                   flag(linear.getBias(), "_bias") + flag(linear.getResidual(), "_residual") +
                   flag(linear.getSingle() && !linear.getRowFromScalar(), "_single") +
                   flag(linear.getRowFromScalar(), "_row") +
                   (linear.getTokensPerUnit() ? "_t" + std::to_string(linear.getTokensPerUnit()) : "") +
                   (linear.getOutRows() ? "_of" + std::to_string(linear.getOutRows()) : "");
          })
          .Case([&](kern::ArgmaxAttr argmax) { return "argmax_" + std::to_string(argmax.getWidth()); })
          .Case([&](kern::RopeTableAttr table) {
            return "rope_table_" + std::to_string(table.getRope().getRotaryDims());
          })
          .Case([&](kern::RotateAppendAttr rotate) {
            return "rotate_append" + heads(rotate) + flag(rotate.getQueryNorm() || rotate.getKeyNorm(), "_norm") +
                   flag(rotate.getRotaryDims() == 0, "_unrotated");
          })
          .Case([&](kern::AttentionAttr attention) {
            return "attention" + heads(attention) +
                   (attention.getWindow() ? "_w" + std::to_string(attention.getWindow()) : std::string());
          })
          .Case([&](kern::FullAttentionAttr full) {
            return "full_attention_" + std::to_string(full.getHeads()) + "_" + std::to_string(full.getKvHeads()) + "x" +
                   std::to_string(full.getHeadDim()) + flag(full.getMask(), full.getAdded() ? "_added" : "_mask") + flag(full.getSequences(), "_sequences") +
                   flag(full.getRelative(), "_relative");
          })
          .Case([&](kern::RelativeBiasAttr bias) { return "relative_bias_" + std::to_string(bias.getHeads()); })
          .Case([&](kern::PoolAttr pool) {
            return "pool_" + tx::stringifyPooling(pool.getPooling()).str() + "_" + std::to_string(pool.getWidth());
          })
          .Case([&](kern::UnitAttr unit) { return "unit_" + std::to_string(unit.getWidth()); })
          .Default([](Attribute) { return "kernel"; });
  // A symbol without quotes: "q4-64" has a character that names may not have.
  for (char &c : name)
    if (!isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return name;
}

FlatSymbolRefAttr ScheduleSymbols::kernel(kern::SpecInterface spec) {
  FlatSymbolRefAttr &name = declared[spec];
  if (!name) {
    // insert() makes the name unique where two specs would share one.
    sched::KernelOp op = sched::KernelOp::create(builder, module.getLoc(), kernelName(spec), spec);
    name = FlatSymbolRefAttr::get(symbols.insert(op));
  }
  return name;
}

FlatSymbolRefAttr ScheduleSymbols::weight(StringRef format, ArrayAttr params, bool interleave, int64_t rows,
                                          int64_t columns, int64_t add) {
  FlatSymbolRefAttr &name = declared[builder.getArrayAttr(
      {builder.getStringAttr(format), params, builder.getBoolAttr(interleave), builder.getI64IntegerAttr(add)})];
  if (!name) {
    sched::WeightOp op = sched::WeightOp::create(builder, module.getLoc(), weightName(params), format, params,
                                                 interleave, rows, columns, add,
                                                 /*offset=*/IntegerAttr(), /*bytes=*/IntegerAttr());
    name = FlatSymbolRefAttr::get(symbols.insert(op));
  }
  return name;
}

FlatSymbolRefAttr ScheduleSymbols::matrix(ArrayAttr params, bool interleave) {
  int64_t rows = 0;
  for (Attribute name : params)
    rows += param(name).getTensorType().getDimSize(0);
  tx::ParamOp first = param(params[0]);
  return weight(*first.getFormat(), params, interleave, rows, first.getTensorType().getDimSize(1), /*add=*/0);
}

FlatSymbolRefAttr ScheduleSymbols::vector(ArrayAttr params, int64_t add, bool interleave) {
  int64_t elements = 0;
  for (Attribute name : params)
    elements += param(name).getTensorType().getDimSize(0);
  return weight("vector", params, interleave, elements, /*columns=*/1, add);
}

FlatSymbolRefAttr ScheduleSymbols::raw(FlatSymbolRefAttr name) {
  RankedTensorType type = param(name).getTensorType();
  return weight("raw", builder.getArrayAttr(name), /*interleave=*/false, /*rows=*/1,
                type.getNumElements() * (type.getElementTypeBitWidth() / 8), /*add=*/0);
}

sched::BufferOp ScheduleSymbols::buffer(sched::Role role, MemRefType type) {
  FlatSymbolRefAttr &name = declared[sched::RoleAttr::get(builder.getContext(), role)];
  if (!name)
    name = FlatSymbolRefAttr::get(symbols.insert(sched::BufferOp::create(
        builder, module.getLoc(), sched::stringifyRole(role), role, type, /*offset=*/IntegerAttr())));
  return symbols.lookup<sched::BufferOp>(name.getValue());
}

void ScheduleSymbols::sort() {
  auto moveToEnd = [&](auto kind) {
    using Op = decltype(kind);
    for (Op op : llvm::to_vector(module.getOps<Op>()))
      op->moveBefore(module.getBody(), module.getBody()->end());
  };
  moveToEnd(sched::PlanOp());
  moveToEnd(sched::KernelOp());
  moveToEnd(sched::CacheOp());
  moveToEnd(sched::WeightOp());
  moveToEnd(sched::BufferOp());
  moveToEnd(sched::DimOp());
  moveToEnd(sched::PortOp());
  moveToEnd(sched::CheckOp());
  moveToEnd(sched::FuncOp());
}

} // namespace sinter
