#ifndef SINTER_DIALECTS_KERN_KERNDIALECT_TD
#define SINTER_DIALECTS_KERN_KERNDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Kern_Dialect : Dialect {
  let name = "kern";
  let cppNamespace = "::sinter::kern";
  let summary = "how one dispatch is computed";
  let description = [{
    Two things live here. The spec attributes (`#kern.linear<...>`) say which kernel is wanted, with every size known; a
    `sched.kernel` carries one, and one builder per kind in codegen/kernels turns it into a function. The ops are what such
    a function needs beyond the vector, arith, scf, math and memref dialects: access to its bindings and to the run-time
    scalars, and the dot products in which instruction sets differ. Every target lowers these ops and nothing else.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::sinter::tx::TxDialect"];
}

#endif
