#ifndef SINTER_DIALECTS_KERN_KERNINTERFACES_TD
#define SINTER_DIALECTS_KERN_KERNINTERFACES_TD

include "mlir/IR/OpBase.td"

def Kern_SpecInterface : AttrInterface<"SpecInterface"> {
  let cppNamespace = "::sinter::kern";
  let description = [{ What passes need to know of any kernel: its bindings in order, how it touches each, its domain, and how much work
    it is. }];
  let methods = [
    InterfaceMethod<"bindings in the order of the dispatch", "::llvm::SmallVector<::sinter::kern::BindingInfo>", "getBindings">,
    InterfaceMethod<"what a unit is", "::sinter::kern::Domain", "getDomain">,
    InterfaceMethod<"what a dispatch has to do", "::sinter::kern::Work", "getWork">,
  ];
}

#endif
