// Registers the kern dialect with its attributes and ops.

#include "dialects/kern/Kern.h"

#include "dialects/Formats.h"

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

using namespace mlir;

LogicalResult sinter::kern::ReduceOp::verify() {
  if (getType() != getVector().getType().getElementType())
    return emitOpError("(C1) makes ") << getType() << " of " << getVector().getType();
  return success();
}

LogicalResult sinter::kern::GatherOp::verify() {
  VectorType type = cast<VectorType>(getType());
  if (type.getShape() != getOffsets().getType().getShape())
    return emitOpError("(C1) has offsets for ") << getOffsets().getType() << ", the result is " << type;
  if (type.getElementType() != cast<MemRefType>(getMemref().getType()).getElementType())
    return emitOpError("(C2) makes ") << type << " of " << getMemref().getType();
  return success();
}

void sinter::kern::GatherOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getMemrefMutable());
}

LogicalResult sinter::kern::ScatterOp::verify() {
  MemRefType memref = cast<MemRefType>(getMemref().getType());
  VectorType vector = cast<VectorType>(getVector().getType());
  if (int64_t(getIndices().size()) != memref.getRank() || int64_t(getDimension()) >= memref.getRank())
    return emitOpError("(C1) has ") << getIndices().size() << " indices and dimension " << getDimension() << " for "
                                    << memref;
  if (vector.getRank() != 1 || vector.getElementType() != memref.getElementType())
    return emitOpError("(C2) stores ") << vector << " to " << memref;
  return success();
}

void sinter::kern::ScatterOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), &getMemrefMutable());
}

mlir::LogicalResult sinter::kern::TileProductOp::verify() {
  const Format *known = findFormat(getFormat());
  if (!known)
    return emitOpError("(C1) has unknown format '") << getFormat() << "', expected one of " << formatNames();
  size_t expected = known->isQuantized() ? 2 : 0;
  if (getScales().size() != expected)
    return emitOpError("(C2) has ") << getScales().size() << " scales and sums, expected " << expected;
  mlir::MemRefType out = mlir::cast<mlir::MemRefType>(getOut().getType());
  if (out.getRank() != 2 || out.getShape().back() != kTileRows)
    return emitOpError("(C3) writes to ") << out << ", expected rows of " << kTileRows;
  return mlir::success();
}

#define GET_OP_CLASSES
#include "dialects/kern/KernOps.cpp.inc"
