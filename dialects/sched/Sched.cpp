// Registers the sched dialect, and the verifiers of its ops.

#include "dialects/sched/Sched.h"
#include "dialects/Formats.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/sched/SchedDialect.cpp.inc"
#include "dialects/sched/SchedEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/sched/SchedAttrs.cpp.inc"

using namespace mlir;

namespace sinter::sched {

void SchedDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/sched/SchedAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/sched/SchedOps.cpp.inc"
      >();
}

LogicalResult WeightOp::verify() {
  if (getFormat() != "vector" && getFormat() != "raw" && !findFormat(getFormat()))
    return emitOpError("has format '") << getFormat() << "', expected vector, raw, " << formatNames();
  if (getFormat() == "raw" && getSources().size() != 1)
    return emitOpError("is raw and has ") << getSources().size() << " sources, expected one";
  if (getInterleave() && getSources().size() != 2)
    return emitOpError("interleaves two sources, has ") << getSources().size();
  if (getSources().empty())
    return emitOpError("needs at least one source");
  return success();
}

int64_t CacheOp::getTileBytes() {
  return 2 * getKvHeads() * cacheHeadBytes(getElement(), getHeadDim());
}

LogicalResult RefOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *target = symbols.lookupNearestSymbolFrom(*this, getSymbolAttr());
  if (!isa_and_present<WeightOp, CacheOp, BufferOp>(target))
    return emitOpError("refers to ") << getSymbolAttr() << ", which is not a sched.weight, sched.cache or sched.buffer";
  return success();
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  KernelOp kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("(C1) refers to ") << getKernelAttr() << ", which is not a sched.kernel";
  size_t expected = cast<kern::SpecInterface>(kernel.getSpec()).getBindings().size();
  if (getBindings().size() != expected)
    return emitOpError("(C2) has ") << getBindings().size() << " bindings, kernel " << getKernelAttr() << " takes " << expected;
  if (std::optional<ArrayRef<int64_t>> parts = getParts())
    if (parts->size() != 2 * expected || llvm::any_of(*parts, [](int64_t number) { return number < 0; }))
      return emitOpError("(C3) has parts [") << *parts << "], expected an offset and a size for each of " << expected
                                             << " bindings";
  return success();
}

} // namespace sinter::sched

#define GET_OP_CLASSES
#include "dialects/sched/SchedOps.cpp.inc"
