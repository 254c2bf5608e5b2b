// The kern dialect: dialect, attributes and ops. See KernOps.td for what each means.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/kern/KernSpec.h"
#include "dialects/tx/Tx.h"

#include "dialects/kern/KernDialect.h.inc"
#include "dialects/kern/KernEnums.h.inc"
#include "dialects/kern/KernInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kern/KernAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/kern/KernOps.h.inc"
