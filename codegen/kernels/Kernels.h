// The builders of kernels, one per kind of spec, and the way from a spec to its builder.
#pragma once

#include "codegen/targets/Target.h"
#include "dialects/kern/Kern.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::kern {

class KernelBuilder;

// Adds the kernel that `spec` asks for to a module, as a function `name` of vector, arith, scf, math, memref and kern
// ops. Fails with an error at the module's location if the spec cannot be built.
mlir::LogicalResult buildKernel(mlir::ModuleOp module, llvm::StringRef name, SpecInterface spec, const Target &target);

// One file each.
void buildAttention(KernelBuilder &b, AttentionAttr spec);
void buildArgmax(KernelBuilder &b, ArgmaxAttr spec);
void buildEmbed(KernelBuilder &b, EmbedAttr spec);
void buildFullAttention(KernelBuilder &b, FullAttentionAttr spec);
void buildLinear(KernelBuilder &b, LinearAttr spec);
void buildPool(KernelBuilder &b, PoolAttr spec);
void buildRelativeBias(KernelBuilder &b, RelativeBiasAttr spec);
void buildRopeTable(KernelBuilder &b, RopeTableAttr spec);
void buildRotateAppend(KernelBuilder &b, RotateAppendAttr spec);
void buildRows(KernelBuilder &b, RowsAttr spec);
void buildUnit(KernelBuilder &b, UnitAttr spec);
void buildYardstick(KernelBuilder &b, YardstickAttr spec);

} // namespace sinter::kern
