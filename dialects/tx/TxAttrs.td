#ifndef SINTER_DIALECTS_TX_TXATTRS_TD
#define SINTER_DIALECTS_TX_TXATTRS_TD

include "dialects/tx/TxDialect.td"
include "dialects/tx/TxEnums.td"

class Tx_Attr<string name, string attrMnemonic> : AttrDef<Tx_Dialect, name> { let mnemonic = attrMnemonic; }

def Tx_ActivationAttr : EnumAttr<Tx_Dialect, Tx_Activation, "activation">;

def Tx_NormAttr : Tx_Attr<"Norm", "norm"> {
  let summary = "a normalization and its parameters";
  let description = [{
    `y = normalize(x) * (weight + weight_offset) + bias`. The offset is 1 for families whose weights are stored
    around zero (Gemma).

    Example: `#tx.norm<kind = rms, weight = @layers.0.input_norm, epsilon = 1.0e-5 : f32>`
  }];
  let parameters = (ins
    EnumParameter<Tx_NormKind>:$kind,
    "::mlir::FlatSymbolRefAttr":$weight,
    "::mlir::FloatAttr":$epsilon,
    OptionalParameter<"::mlir::FlatSymbolRefAttr">:$bias,
    DefaultValuedParameter<"int64_t", "0">:$weight_offset);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Tx_PoolingAttr : EnumAttr<Tx_Dialect, Tx_Pooling, "pooling">;

def Tx_RelativeBiasAttr : Tx_Attr<"RelativeBias", "relative_bias"> {
  let summary = "a bias of attention that depends on the distance between two tokens (Raffel et al. 2020)";
  let description = [{
    A query at i and a key at j have `b = table[bucket, head]` added to their score. `bucket` counts the thresholds that
    are not above `|j - i|`; for keys behind the query (j > i), half of the table's rows is added to it. The frontend
    works every bucketing out into thresholds, which ascend.

    Example: `#tx.relative_bias<table = @relative, thresholds = [1, 2, 3, 4, 6, 8]>`
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$table, "::mlir::DenseI64ArrayAttr":$thresholds);
  let assemblyFormat = "`<` struct(params) `>`";
}

// Upstream prints DenseF32ArrayAttr with seven digits; an angle at position 100000 needs all nine.
def Tx_ExactFloats : AttrOrTypeParameter<"::mlir::DenseF32ArrayAttr", "floats, printed so that they read back the same"> {
  let printer = [{
    $_printer << '[';
    ::llvm::interleaveComma($_self.asArrayRef(), $_printer.getStream(),
                            [&](float value) { $_printer.printFloat(::llvm::APFloat(value)); });
    $_printer << ']'
  }];
}

def Tx_StoredAttr : Tx_Attr<"Stored", "stored"> {
  let summary = "how a matrix lies in its file where that is not row by row in floats";
  let description = [{
    `transposed`: the file holds `[columns, rows]`. Integers of 8 bits stand for `(code - zero) * scale`, where `scales` has one
    number or one for each row, and so has `zeros`, which may be left out.

    Example: `#tx.stored<transposed = true, is_unsigned = true, scales = [0.5], zeros = [128]>`
  }];
  let parameters = (ins
    DefaultValuedParameter<"bool", "false">:$transposed,
    DefaultValuedParameter<"bool", "false">:$is_unsigned,
    OptionalParameter<"::mlir::DenseF32ArrayAttr">:$scales,
    OptionalParameter<"::mlir::DenseI32ArrayAttr">:$zeros);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Tx_RopeAttr : Tx_Attr<"Rope", "rope"> {
  let summary = "rotary position embedding as data";
  let description = [{
    Column pair `i` of a head turns by `position * inverse_frequencies[i]` radians and is scaled by `factor`. Every kind of
    scaling (linear, llama3, yarn, long-rope) is worked out by the frontend into these numbers. The first
    `2 * size(inverse_frequencies)` columns of a head rotate; the others pass through.
  }];
  let parameters = (ins
    EnumParameter<Tx_RopeStyle>:$style,
    Tx_ExactFloats:$inverse_frequencies,
    "::mlir::FloatAttr":$factor);
  let assemblyFormat = "`<` struct(params) `>`";
  let genMnemonicAlias = 1; // printed once, as #rope
  let extraClassDeclaration = [{
    /// Columns of a head that rotate.
    int64_t getRotaryDims() const { return 2 * getInverseFrequencies().size(); }
  }];
}

#endif
