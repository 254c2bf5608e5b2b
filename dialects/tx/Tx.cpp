// Registers the tx dialect with its attributes and ops.

#include "dialects/tx/Tx.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/tx/TxDialect.cpp.inc"
#include "dialects/tx/TxEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/tx/TxAttrs.cpp.inc"

void sinter::tx::TxDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/tx/TxAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/tx/TxOps.cpp.inc"
      >();
}
