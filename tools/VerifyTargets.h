// --verify: a package against the specification it was made from, on every instruction set this machine runs and every
// device it has.
#pragma once

#include "dialects/tx/ParamReader.h"
#include "mlir/IR/BuiltinOps.h"
#include "tools/Compiler.h"

namespace sinter {

// `specification` is the tx module as imported. Fills report.verifications and report.notVerified.
llvm::Error verifyTargets(const CompileOptions &options, mlir::ModuleOp specification, tx::ParamReader &reader,
                          Progress &progress, CompileReport &report);

} // namespace sinter
