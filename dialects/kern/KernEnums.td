#ifndef SINTER_DIALECTS_KERN_KERNENUMS_TD
#define SINTER_DIALECTS_KERN_KERNENUMS_TD

include "mlir/IR/EnumAttr.td"

def Kern_Scalar : I32EnumAttr<"Scalar", "a run-time scalar", [
    I32EnumAttrCase<"tokens", 0>, I32EnumAttrCase<"position", 1>, I32EnumAttrCase<"row", 2>]> {
  let cppNamespace = "::sinter::kern";
  let genSpecializedAttr = 0;
}

#endif
