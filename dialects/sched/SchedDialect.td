#ifndef SINTER_DIALECTS_SCHED_SCHEDDIALECT_TD
#define SINTER_DIALECTS_SCHED_SCHEDDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Sched_Dialect : Dialect {
  let name = "sched";
  let cppNamespace = "::sinter::sched";
  let summary = "when and where: dispatches, buffers and barriers";
  let description = [{
    A sched module is the plan that the package's manifest stores. Entries (`sched.func`) are straight lists of dispatches of
    `sched.kernel`s over buffers; memory planning gives every buffer its offset in the arena and every weight its offset in
    the weights section; barrier placement says where threads must meet.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::sinter::kern::KernDialect"];
}

#endif
