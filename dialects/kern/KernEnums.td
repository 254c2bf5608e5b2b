#ifndef SINTER_DIALECTS_KERN_KERNENUMS_TD
#define SINTER_DIALECTS_KERN_KERNENUMS_TD

include "mlir/IR/EnumAttr.td"

def Kern_Scalar : I32EnumAttr<"Scalar", "a run-time scalar", [
    I32EnumAttrCase<"tokens", 0>, I32EnumAttrCase<"position", 1>, I32EnumAttrCase<"row", 2>,
    I32EnumAttrCase<"sequence", 3>]> {
  let cppNamespace = "::sinter::kern";
  let genSpecializedAttr = 0;
}

def Kern_YardstickKind : I32EnumAttr<"YardstickKind", "what a yardstick does", [
    I32EnumAttrCase<"read", 0>,  // reads memory, each byte once
    I32EnumAttrCase<"dot", 1>,   // products of 4-bit codes with 8-bit activations, kern.dot
    I32EnumAttrCase<"fma", 2>,   // multiply-adds of 32-bit floats
  ]> {
  let cppNamespace = "::sinter::kern";
  let genSpecializedAttr = 0;
}

def Kern_Reduction : I32EnumAttr<"Reduction", "what becomes of a vector's lanes", [
    I32EnumAttrCase<"sum", 0>, I32EnumAttrCase<"max", 1>]> {
  let cppNamespace = "::sinter::kern";
  let genSpecializedAttr = 0;
}

#endif
