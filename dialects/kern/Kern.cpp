// Registers the kern dialect with its attributes and ops.

#include "dialects/kern/Kern.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/kern/KernDialect.cpp.inc"
#include "dialects/kern/KernEnums.cpp.inc"
#include "dialects/kern/KernInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kern/KernAttrs.cpp.inc"

void sinter::kern::KernDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kern/KernAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/kern/KernOps.cpp.inc"
      >();
}

mlir::LogicalResult sinter::kern::DotOp::verify() {
  int64_t sums = getAcc().getType().getNumElements(), products = getCodes().getType().getNumElements();
  if (products != 4 * sums)
    return emitOpError("(C1) has ") << products << " codes for " << sums << " sums, expected " << 4 * sums;
  return mlir::success();
}

#define GET_OP_CLASSES
#include "dialects/kern/KernOps.cpp.inc"
