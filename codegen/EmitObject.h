// LLVM's part: from the LLVM dialect to optimized LLVM IR, assembly and an object file.
#pragma once

#include "codegen/targets/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <string>

namespace sinter {

enum class EmitKind { llvmIr, assembly, object };

struct EmittedCode {
  llvm::SmallVector<char, 0> bytes;     // text or an object file
  llvm::StringMap<uint32_t> stackBytes; // worst case per function; none: it uses no stack of its own
};

// Loops of the functions in `generic` become vectors here; those of all others are vectors already.
llvm::Expected<EmittedCode> emitCode(mlir::ModuleOp module, const Target &target, EmitKind kind,
                                     const llvm::StringMap<mlir::func::FuncOp> &generic);

} // namespace sinter
