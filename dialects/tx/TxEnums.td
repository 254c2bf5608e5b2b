#ifndef SINTER_DIALECTS_TX_TXENUMS_TD
#define SINTER_DIALECTS_TX_TXENUMS_TD

include "mlir/IR/EnumAttr.td"

def Tx_NormKind : I32EnumAttr<"NormKind", "what a normalization divides by", [
    I32EnumAttrCase<"rms", 0>,    // x / sqrt(mean(x^2) + eps) (Zhang & Sennrich 2019)
    I32EnumAttrCase<"layer", 1>,  // (x - mean) / sqrt(var + eps) (Ba et al. 2016)
  ]> {
  let cppNamespace = "::sinter::tx";
  let genSpecializedAttr = 0;
}

def Tx_Activation : I32EnumAttr<"Activation", "a pointwise nonlinearity", [
    I32EnumAttrCase<"silu", 0>,       // x / (1 + exp(-x))
    I32EnumAttrCase<"gelu", 1>,       // x * (1 + erf(x / sqrt 2)) / 2
    I32EnumAttrCase<"gelu_tanh", 2>,  // its tanh approximation
    I32EnumAttrCase<"relu", 3>,
    I32EnumAttrCase<"tanh", 4>,
  ]> {
  let cppNamespace = "::sinter::tx";
  let genSpecializedAttr = 0;
}

def Tx_Pooling : I32EnumAttr<"Pooling", "how the rows of a text become one", [
    I32EnumAttrCase<"mean", 0>,   // of all rows
    I32EnumAttrCase<"first", 1>,  // the row of the first token, [CLS]
    I32EnumAttrCase<"last", 2>,
    I32EnumAttrCase<"max", 3>,    // column by column
  ]> {
  let cppNamespace = "::sinter::tx";
  let genSpecializedAttr = 0;
}

def Tx_RopeStyle : I32EnumAttr<"RopeStyle", "which columns of a head rotate together", [
    I32EnumAttrCase<"half", 0>,         // i and i + dims/2 (Hugging Face)
    I32EnumAttrCase<"interleaved", 1>,  // 2i and 2i + 1 (Su et al. 2021)
  ]> {
  let cppNamespace = "::sinter::tx";
  let genSpecializedAttr = 0;
}

#endif
