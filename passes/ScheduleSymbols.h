// The kernels and weights of a schedule: each is declared once, however many dispatches and entries use it.
#pragma once

#include "dialects/sched/Sched.h"
#include "dialects/tx/Tx.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace sinter {

class ScheduleSymbols {
public:
  explicit ScheduleSymbols(mlir::ModuleOp module);

  // The kernel of this spec, with a name made of it: @linear_576x128_q4_norm.
  mlir::FlatSymbolRefAttr kernel(kern::SpecInterface spec);

  // The packed rows of these matrices, one after another, or alternating by tiles of 32 rows. Tied matrices (the same
  // params in the same format) are one weight. The params must have a format.
  mlir::FlatSymbolRefAttr matrix(mlir::ArrayAttr params, bool interleave = false);

  // These vectors one after another in f32, or two of them in turns of 32 elements; `add` added to each element.
  mlir::FlatSymbolRefAttr vector(mlir::ArrayAttr params, int64_t add = 0, bool interleave = false);

  // The bytes of a param as they are.
  mlir::FlatSymbolRefAttr raw(mlir::FlatSymbolRefAttr param);

  sched::CacheOp cache(mlir::FlatSymbolRefAttr name) { return symbols.lookup<sched::CacheOp>(name.getValue()); }

  // The buffer of this role, which outlives entries; of `type` if it is new.
  sched::BufferOp buffer(sched::Role role, mlir::MemRefType type);

  tx::ParamOp param(mlir::Attribute name) {
    return symbols.lookup<tx::ParamOp>(llvm::cast<mlir::FlatSymbolRefAttr>(name).getValue());
  }

  // Puts all sched ops at the end of the module in the order of kinds: plan, kernels, caches, weights, buffers,
  // entries.
  void sort();

private:
  mlir::FlatSymbolRefAttr weight(mlir::StringRef format, mlir::ArrayAttr params, bool interleave, int64_t rows,
                                 int64_t columns, int64_t add);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  mlir::OpBuilder builder;
  llvm::DenseMap<mlir::Attribute, mlir::FlatSymbolRefAttr> declared; // by spec, role, or what makes a weight
};

} // namespace sinter
