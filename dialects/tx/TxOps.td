#ifndef SINTER_DIALECTS_TX_TXOPS_TD
#define SINTER_DIALECTS_TX_TXOPS_TD

include "dialects/tx/TxAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tx_Op<string opMnemonic, list<Trait> traits = []> : Op<Tx_Dialect, opMnemonic, traits>;

// Activations: [tokens, columns] f32.
def Tx_Rows : RankedTensorOf<[F32], [HasAnyRankOfPred<[2]>], "rows of f32, one per token">;
def Tx_Ids : RankedTensorOf<[I32], [HasAnyRankOfPred<[1]>], "token ids">;
def Tx_Mask : RankedTensorOf<[I32, F32], [HasAnyRankOfPred<[1]>], "a number for each token">;
def Tx_SymbolArray : TypedArrayAttrBase<FlatSymbolRefAttr, "symbols of params">;

//===-- Module level ---------------------------------------------------------------------------------------------===//

def Tx_ParamOp : Tx_Op<"param", [Symbol]> {
  let summary = "a weight: where its bytes are and what they mean";
  let description = [{
    Bytes `[offset, offset + size)` of `file` hold a row-major tensor of this type. A matrix is `[rows, columns]` =
    `[outputs, inputs]`. `as` is the format it will be stored in (dialects/Formats.h), chosen by `--sinter-quantize`. Small
    constants that no file holds (of an ONNX graph) bring their bytes as `data`, and name no file. A matrix that is
    transposed there, or quantized, has `stored`.

    Constraints: (C1) the type is a static tensor of whole bytes per element; (C2) `as` names a format; (C3) `data` has the
    type's bytes; (C4) what is `stored` is a matrix, with scales if and only if its elements are integers of 8 bits; (C5) there is
    one scale, or one for each row; the same holds for zeros, if there are some.

    Example: `tx.param @layers.0.q "model.safetensors" at 262400 : tensor<128x128xbf16> as "q8"`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$file, I64Attr:$offset, TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<StrAttr>:$format, OptionalAttr<DenseI8ArrayAttr>:$data,
                       OptionalAttr<Tx_StoredAttr>:$stored);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$sym_name, "::llvm::StringRef":$file, "int64_t":$offset,
                                 "::mlir::Type":$type, "::mlir::StringAttr":$format, "::mlir::DenseI8ArrayAttr":$data), [{
    build($_builder, $_state, $_builder.getStringAttr(sym_name), $_builder.getStringAttr(file),
          $_builder.getI64IntegerAttr(offset), ::mlir::TypeAttr::get(type), format, data, StoredAttr());
  }]>];
  let assemblyFormat = [{
    $sym_name $file `at` $offset `:` $type (`as` $format^)? (`stored` $stored^)? (`data` $data^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
  }];
}

def Tx_CacheOp : Tx_Op<"cache", [Symbol]> {
  let summary = "keys and values of one layer, for every position so far";
  let description = [{
    `window` 0 keeps every position; else only the last `window` matter. `element` and `capacity` (tokens) are planned by
    `--sinter-plan-kv-cache`.

    Example: `tx.cache @kv.0 kv_heads(2) head_dim(32) window(0)`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       ConfinedAttr<I64Attr, [IntPositive]>:$head_dim, ConfinedAttr<I64Attr, [IntNonNegative]>:$window,
                       OptionalAttr<TypeAttr>:$element, OptionalAttr<I64Attr>:$capacity);
  let assemblyFormat = [{
    $sym_name `kv_heads` `(` $kv_heads `)` `head_dim` `(` $head_dim `)` `window` `(` $window `)`
    (`element` `(` $element^ `)`)? (`capacity` `(` $capacity^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

//===-- Computation ----------------------------------------------------------------------------------------------===//

def Tx_EmbedOp : Tx_Op<"embed", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "rows of a table, one per token id: `y[t, :] = table[ids[t], :] * scale`";
  let description = [{ Example: `%x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x128xf32>` }];
  let arguments = (ins Tx_Ids:$ids, FlatSymbolRefAttr:$table, DefaultValuedAttr<F32Attr, "1.0f">:$scale);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$ids $table attr-dict `:` type($ids) `->` type($result)";
}

def Tx_PositionEmbedOp : Tx_Op<"position_embed", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "learned position embeddings: `y[t, :] = table[begin + t, :]`";
  let description = [{
    One row for each of `ids`, whatever their values. Constraint: (C1) the table has the result's columns and rows from
    `begin` on.

    Example: `%p = tx.position_embed %ids @positions from 2 : tensor<?xi32> -> tensor<?x128xf32>`
  }];
  let arguments = (ins Tx_Ids:$ids, FlatSymbolRefAttr:$table, ConfinedAttr<I64Attr, [IntNonNegative]>:$begin);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$ids $table `from` $begin attr-dict `:` type($ids) `->` type($result)";
}

def Tx_NormOp : Tx_Op<"norm", [Pure, SameOperandsAndResultType, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "RMS or layer normalization of each row, or of each group of columns in it";
  let description = [{
    With `group` = 0 the whole row is normalized, else every run of `group` columns by itself with the same weight
    (query/key normalization per head).

    Constraints: (C1) `group` divides the columns; (C2) the weight and bias have as many elements as are normalized together.
  }];
  let arguments = (ins Tx_Rows:$input, Tx_NormAttr:$norm,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$group);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$norm $input attr-dict `:` type($input)";
}

def Tx_LinearOp : Tx_Op<"linear", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a matrix product with what fuses into it";
  let description = [{
    `y = glu(concat_i(norm(x) * weights[i]^T + biases[i])) + residual`, where everything but the product is optional.
    Several weights make one product whose columns follow one another (Q, K, V). With `glu f`, there are two weights, gate
    and up, and `y = f(gate) * up`; with `act f`, f is applied before the residual is added. Frontends emit the plain form;
    the fusion passes add the rest.

    Constraints: (C1) every weight has as many columns as the input; (C2) the rows of the weights add up to the result's
    columns, or with `glu` are two times the same number; (C3) there are as many biases as weights, of the weights'
    rows; (C4) the residual has the result's type; (C5) the weights have one format; (C6) there is `glu` or `act`, not both.

    Example: `%y = tx.linear %x [@q, @k, @v] : tensor<?x128xf32> -> tensor<?x256xf32>`
  }];
  let arguments = (ins Tx_Rows:$input, Tx_SymbolArray:$weights, OptionalAttr<Tx_SymbolArray>:$biases,
                       OptionalAttr<Tx_NormAttr>:$norm, OptionalAttr<Tx_ActivationAttr>:$glu, OptionalAttr<Tx_ActivationAttr>:$act,
                       Optional<Tx_Rows>:$residual);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = [{
    (`norm` $norm^)? $input $weights (`bias` $biases^)? (`glu` $glu^)? (`act` $act^)? (`residual` $residual^ `:` type($residual))?
    attr-dict `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tx_SliceOp : Tx_Op<"slice", [Pure]> {
  let summary = "columns `[begin, begin + width of the result)` of each row";
  let arguments = (ins Tx_Rows:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$begin);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$input `from` $begin attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tx_AddOp : Tx_Op<"add", [Pure, Commutative, SameOperandsAndResultType]> {
  let summary = "elementwise sum";
  let arguments = (ins Tx_Rows:$lhs, Tx_Rows:$rhs);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def Tx_ActivateOp : Tx_Op<"activate", [Pure, SameOperandsAndResultType]> {
  let summary = "a pointwise nonlinearity: `y = f(x)`";
  let description = [{ Example: `%y = tx.activate gelu %x : tensor<?x512xf32>` }];
  let arguments = (ins Tx_ActivationAttr:$activation, Tx_Rows:$input);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$activation $input attr-dict `:` type($result)";
}

def Tx_GluOp : Tx_Op<"glu", [Pure, SameOperandsAndResultType]> {
  let summary = "gated linear unit: `y = f(gate) * up` (Shazeer 2020)";
  let arguments = (ins Tx_ActivationAttr:$activation, Tx_Rows:$gate, Tx_Rows:$up);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$activation $gate `,` $up attr-dict `:` type($result)";
}

def Tx_RopeOp : Tx_Op<"rope", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "rotary position embedding of each head (Su et al. 2021)";
  let description = [{
    Row t is at `position + t`. Constraints: (C1) `head_dim` divides the columns; (C2) the rotary dims fit into `head_dim`.
  }];
  let arguments = (ins Tx_Rows:$input, Index:$position, Tx_RopeAttr:$rope, ConfinedAttr<I64Attr, [IntPositive]>:$head_dim);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$input `at` $position `by` $rope `head_dim` `(` $head_dim `)` attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Tx_CacheAppendOp : Tx_Op<"cache_append", [AllTypesMatch<["key", "value", "keys", "values"]>,
                                              DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "stores keys and values of the step's tokens, and yields all so far";
  let description = [{
    Writes rows `position .. position + tokens` of the cache and returns its rows `0 .. position + tokens`, heads side by
    side in the columns: `[position + tokens, kv_heads * head_dim]`.
  }];
  let arguments = (ins Tx_Rows:$key, Tx_Rows:$value, Index:$position, FlatSymbolRefAttr:$cache);
  let results = (outs Tx_Rows:$keys, Tx_Rows:$values);
  let assemblyFormat = "$key `,` $value `at` $position $cache attr-dict `:` type($key)";
}

def Tx_AttentionOp : Tx_Op<"attention", [Pure, AttrSizedOperandSegments, AllTypesMatch<["query", "result"]>,
                                         AllTypesMatch<["keys", "values"]>,
                                         DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "scaled dot-product attention with grouped heads, causal or full";
  let description = [{
    `y[t, h] = sum_j softmax_j(scale * q[t, h] . k[j, h / (heads / kv_heads)]) v[j, ...]` (Vaswani et al. 2017; Ainslie et
    al. 2023). With a position, attention is causal: `j <= position + t` and, with `window` > 0, `j > position + t -
    window`. Without one it is full, over all rows of keys; a `mask` of integers then leaves out those whose element is 0 (if it
    leaves none, y is 0), one of floats is added to the scaled scores, as is the bias of `relative`. With `sequence`, the rows
    are several texts of as many rows each, one after another, and tokens see those of their own text.

    Constraints: (C1) `kv_heads` divides `heads`; (C2) columns of the query are `heads * head_dim`, of keys and values
    `kv_heads * head_dim`; (C3) full attention has no window; (C4) only full attention has a mask, a relative bias or
    sequences; (C5) the table of the bias has a column for each head and two rows for each threshold, and two more.

    Examples:
    `%y = tx.attention %q, %keys, %values at %pos heads(4) kv_heads(2) head_dim(32) scale(0.18) : ...`
    `%y = tx.attention %q, %k, %v heads(4) kv_heads(4) head_dim(32) scale(0.18) : ...`
  }];
  let arguments = (ins Tx_Rows:$query, Tx_Rows:$keys, Tx_Rows:$values, Optional<Index>:$position, Optional<Tx_Mask>:$mask,
                       Optional<Index>:$sequence, OptionalAttr<Tx_RelativeBiasAttr>:$relative,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       ConfinedAttr<I64Attr, [IntPositive]>:$head_dim, F32Attr:$scale,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$window);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = [{
    $query `,` $keys `,` $values (`at` $position^)? (`mask` $mask^ `:` type($mask))? (`sequence` $sequence^)?
    (`relative` $relative^)? `heads` `(` $heads `)` `kv_heads` `(` $kv_heads `)` `head_dim` `(` $head_dim `)` `scale` `(` $scale `)` attr-dict `:` type($query) `,` type($keys)
  }];
  let hasVerifier = 1;
}

def Tx_PoolOp : Tx_Op<"pool", [Pure]> {
  let summary = "one row of all rows";
  let description = [{
    Constraint: (C1) the result has one row, as wide as the input's.

    Example: `%y = tx.pool mean %x : tensor<?x384xf32> -> tensor<1x384xf32>`
  }];
  let arguments = (ins Tx_PoolingAttr:$pooling, Tx_Rows:$input);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$pooling $input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tx_UnitOp : Tx_Op<"unit", [Pure, SameOperandsAndResultType]> {
  let summary = "each row divided by its length: `y = x / max(|x|, 1e-12)`, the L2 norm";
  let description = [{ Example: `%y = tx.unit %x : tensor<1x384xf32>` }];
  let arguments = (ins Tx_Rows:$input);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

//===-- What is not of a transformer ----------------------------------------------------------------------------===//

def Tx_DimOp : Tx_Op<"dim", [Pure]> {
  let summary = "a size that is known when the model runs";
  let description = [{
    Dimension `index` of the program's run-time dimensions, called `name` in the model; never above `max`, which buffers are
    planned for.

    Example: `%s = tx.dim 1 "sequence" max(512)`
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index, StrAttr:$name,
                       ConfinedAttr<I64Attr, [IntPositive]>:$max);
  let results = (outs Index:$result);
  let assemblyFormat = "$index $name `max` `(` $max `)` attr-dict";
}

def Tx_ValueOp : Tx_Op<"value", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a param as it lies in its file: a row-major tensor of the param's type";
  let description = [{ Example: `%w = tx.value @w : tensor<3x4xi64>` }];
  let arguments = (ins FlatSymbolRefAttr:$param);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$param attr-dict `:` type($result)";
}

def Tx_LoopsOp : Tx_Op<"loops", [Pure, NoTerminator, SingleBlock, AttrSizedOperandSegments]> {
  let summary = "a computation written as loops over memory, one kernel";
  let description = [{
    The block's arguments are the inputs and then the results as row-major memrefs; the body reads the former and writes
    the latter, whose first contents are undefined. `sizes` are the dynamic sizes of all results in order. The body may
    use `index` values from outside that come from `tx.dim`. Iterations of the `scf.parallel` at the body's top level are
    shared out among threads; what stands before it each thread does by itself.

    Constraints: (C1) there are as many sizes as dynamic dimensions of results; (C2) arguments are memrefs of the inputs'
    and results' shapes; (C3) at most one `scf.parallel` is at the top level, and stores are inside of it if there is one.

    Example:
    ```mlir
    %y = tx.loops(%x) sizes(%n) : (tensor<?xf32>) -> tensor<?xf32> {
    ^bb0(%in: memref<?xf32>, %out: memref<?xf32>):
      scf.parallel (%i) = (%c0) to (%n) step (%c1) { ... }
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<Index>:$sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` (`sizes` `(` $sizes^ `)`)? attr-dict `:` functional-type($inputs, $results) $body";
  let hasVerifier = 1;
}

//===-- Fused forms ----------------------------------------------------------------------------------------------===//

def Tx_EmbedSumOp : Tx_Op<"embed_sum", [Pure,
                                        DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the sum of an encoder's embeddings: of tokens, of positions, of token types";
  let description = [{
    `y[t, :] = table[ids[t], :] * scale + positions[begin + t, :] + types[type_ids[t], :]`: the fused form of tx.embed,
    tx.position_embed, another tx.embed, and what adds them.

    Constraints: (C1) every table has the result's columns; (C2) there are `type_ids` if and only if there are `types`.

    Example: `%x = tx.embed_sum %ids @embed positions @p from 2 types %t @types : tensor<?xi32> -> tensor<?x128xf32>`
  }];
  let arguments = (ins Tx_Ids:$ids, FlatSymbolRefAttr:$table, OptionalAttr<FlatSymbolRefAttr>:$positions,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$begin,
                       Optional<Tx_Ids>:$type_ids, OptionalAttr<FlatSymbolRefAttr>:$types,
                       DefaultValuedAttr<F32Attr, "1.0f">:$scale);
  let results = (outs Tx_Rows:$result);
  let assemblyFormat = [{
    $ids $table (`positions` $positions^ `from` $begin)? (`types` $type_ids^ $types `:` type($type_ids))? attr-dict
    `:` type($ids) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tx_RotateAppendOp : Tx_Op<"rotate_append", [AllTypesMatch<["keys", "values"]>,
                                                DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "splits a Q, K, V product, normalizes and rotates the heads, appends to the cache";
  let description = [{
    The fused form of slice, norm (per head), rope and cache_append around attention. The input's columns are Q, K, V side
    by side; the results are the rotated queries and all keys and values so far.

    Constraints: (C1) the input has `(heads + 2 * kv_heads) * head_dim` columns; (C2) heads of queries are as wide as the
    cache's.
  }];
  let arguments = (ins Tx_Rows:$qkv, Index:$position, FlatSymbolRefAttr:$cache, ConfinedAttr<I64Attr, [IntPositive]>:$heads,
                       OptionalAttr<Tx_RopeAttr>:$rope, OptionalAttr<Tx_NormAttr>:$query_norm,
                       OptionalAttr<Tx_NormAttr>:$key_norm);
  let results = (outs Tx_Rows:$query, Tx_Rows:$keys, Tx_Rows:$values);
  let assemblyFormat = [{
    (`query_norm` $query_norm^)? (`key_norm` $key_norm^)? (`rope` $rope^)? $qkv `at` $position $cache
    `heads` `(` $heads `)` attr-dict `:` type($qkv) `->` type($query) `,` type($keys)
  }];
  let hasVerifier = 1;
}

#endif
