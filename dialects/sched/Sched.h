// The sched dialect: dialect, attributes and ops. See SchedOps.td for what each means.
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

#include "dialects/CacheElement.h"
#include "dialects/kern/Kern.h"

#include "dialects/sched/SchedDialect.h.inc"
#include "dialects/sched/SchedEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/sched/SchedAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/sched/SchedOps.h.inc"
