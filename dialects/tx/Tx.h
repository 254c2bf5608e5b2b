// The tx dialect: dialect, attributes and ops. See TxOps.td for what each means.
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

#include "dialects/tx/TxDialect.h.inc"
#include "dialects/tx/TxEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/tx/TxAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/tx/TxOps.h.inc"
