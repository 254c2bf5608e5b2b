#ifndef SINTER_DIALECTS_KERN_KERNATTRS_TD
#define SINTER_DIALECTS_KERN_KERNATTRS_TD

include "dialects/kern/KernDialect.td"
include "dialects/kern/KernEnums.td"
include "dialects/kern/KernInterfaces.td"
include "dialects/tx/TxAttrs.td"

class Kern_Spec<string name, string attrMnemonic> : AttrDef<Kern_Dialect, name, [
    DeclareAttrInterfaceMethods<Kern_SpecInterface, ["getBindings", "getDomain", "getWork"]>]> {
  let mnemonic = attrMnemonic;
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kern_NormSpecAttr : AttrDef<Kern_Dialect, "NormSpec"> {
  let mnemonic = "norm";
  let summary = "the kind of normalization inside a kernel; the weight is a binding";
  let parameters = (ins EnumParameter<Tx_NormKind>:$kind, "::mlir::FloatAttr":$epsilon, DefaultValuedParameter<"bool", "false">:$bias);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kern_TableAttr : AttrDef<Kern_Dialect, "Table"> {
  let mnemonic = "table";
  let summary = "a packed matrix whose rows are gathered; row i of the table is the model's row `begin` + i";
  let parameters = (ins "int64_t":$rows, StringRefParameter<>:$format, DefaultValuedParameter<"int64_t", "0">:$begin);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kern_EmbedAttr : Kern_Spec<"Embed", "embed"> {
  let summary = "gathers rows of a packed matrix, and of two more that are added to them";
  let description = [{
    Domain: tokens. Bindings: `ids` i32[T], `table` packed [vocab, width]; with `positions`, `positions` packed; with `types`,
    `type_ids` i32[T] and `types` packed; `out` f32[T][stride(width)]. `out[t][:] = decode(table[clamp(ids[t])][:]) * scale +
    decode(positions[begin + t][:]) + decode(types[clamp(type_ids[t])][:])`. With `end`, only rows [`begin`, `end`) of the table are
    bound, and tokens of other rows are left alone.
  }];
  let parameters = (ins "int64_t":$vocab, "int64_t":$width, StringRefParameter<>:$format, "::mlir::FloatAttr":$scale,
                       OptionalParameter<"::sinter::kern::TableAttr">:$positions,
                       OptionalParameter<"::sinter::kern::TableAttr">:$types,
                       DefaultValuedParameter<"int64_t", "0">:$begin, DefaultValuedParameter<"int64_t", "0">:$end);
}

def Kern_RowsAttr : Kern_Spec<"Rows", "rows"> {
  let summary = "normalizes rows and/or quantizes them";
  let description = [{
    Domain: tokens. Bindings: `in` f32[T][stride(width)]; with a norm, `weight` f32[width], and `bias` f32[width] if it has one;
    then with `quantize` (a weight format that the codes will be multiplied with) `codes` s8[T][padded], `scales` f32[T][groups],
    `sums` i32|f32[T][groups]; without, or before them with `keep`, `out` f32[T][stride(width)], which may be `in`.
    `row_from_scalar`: of one token, whose row is row `row` (run-time scalar) of the input.
  }];
  let parameters = (ins "int64_t":$width, OptionalParameter<"::sinter::kern::NormSpecAttr">:$norm,
                       OptionalParameter<"::mlir::StringAttr">:$quantize, DefaultValuedParameter<"bool", "false">:$keep,
                       DefaultValuedParameter<"bool", "false">:$row_from_scalar);
}

def Kern_LinearAttr : Kern_Spec<"Linear", "linear"> {
  let summary = "matrix product with a packed matrix, and what is fused into it";
  let description = [{
    `rows` outputs (of one of the two matrices with `glu`) by `columns` inputs. Domain: tiles; a unit is one tile of 32
    outputs for all tokens of the step, or with `tokens_per_unit` for that many; units are then numbered tile * blocks +
    block. With `glu` the packed matrix interleaves gate and up by tiles of 32 rows: tile 2u is gate, tile 2u + 1 is up.

    Input: if the format is quantized and `fused_rows` is false, the three buffers that `#kern.rows<quantize = format>` made;
    otherwise f32 rows. `fused_rows` (single-token steps): the kernel normalizes (with `norm`) and quantizes (if the format
    wants it) its input by itself, into scratch, once per call. With a float format, `norm` implies `fused_rows`.

    `act`: applied to the outputs with their biases, before the residual.

    `out_rows`: the outputs are columns of rows that have so many: `residual` and `out` are f32[T][stride(out_rows)].

    `single`: the input has exactly one row. `row_from_scalar`: reads row `row` (run-time scalar) of its input, not row 0.

    Bindings: `in` f32[T][stride(columns)] | `codes` s8[T][padded], `scales` f32[T][groups], `sums`[T][groups];
    with a norm `norm_weight` f32[columns] and, if it has one, `norm_bias`; `weights` packed; with `bias`, `bias`
    f32[rows] (with `glu`, of gate and up in turns of 32); with `residual`, `residual` f32[T][stride(rows)] (may be the same buffer as out); `out` f32[T][stride(rows)].
  }];
  let parameters = (ins
    "int64_t":$rows, "int64_t":$columns, StringRefParameter<>:$format,
    DefaultValuedParameter<"bool", "false">:$fused_rows,
    OptionalParameter<"::sinter::kern::NormSpecAttr">:$norm,
    OptionalParameter<"::sinter::tx::ActivationAttr">:$glu,
    OptionalParameter<"::sinter::tx::ActivationAttr">:$act,
    DefaultValuedParameter<"bool", "false">:$bias,
    DefaultValuedParameter<"bool", "false">:$residual,
    DefaultValuedParameter<"bool", "false">:$single,
    DefaultValuedParameter<"bool", "false">:$row_from_scalar,
    DefaultValuedParameter<"int64_t", "0">:$tokens_per_unit,
    DefaultValuedParameter<"int64_t", "0">:$out_rows);
}

def Kern_ArgmaxAttr : Kern_Spec<"Argmax", "argmax"> {
  let summary = "place of the largest number in a row";
  let description = [{
    Domain: tokens, of which there is one. Bindings: `in` f32[1][stride(width)], `out` i32[1]. Of equal numbers the first one
    counts.
  }];
  let parameters = (ins "int64_t":$width);
}

def Kern_RopeTableAttr : Kern_Spec<"RopeTable", "rope_table"> {
  let summary = "cosines and sines for the step's positions";
  let description = [{
    Domain: tokens. Bindings: `out` f32[T][stride(2 * dims/2)]: row t holds `cos[dims/2]` then `sin[dims/2]` of
    `f32(position + t) * inverse_frequencies[i]`, times the factor.
  }];
  let parameters = (ins "::sinter::tx::RopeAttr":$rope);
}

def Kern_RotateAppendAttr : Kern_Spec<"RotateAppend", "rotate_append"> {
  let summary = "per-head norm and rotation of Q and K in place, keys and values to the cache";
  let description = [{
    Domain: kv_heads; a unit is one kv head (K, V and the queries of its group) for `tokens_per_unit` tokens; units are
    numbered kv_head * blocks + block. Bindings: `qkv` f32[T][stride((heads + 2 kv_heads) * head_dim)], read and written; with
    `rotary_dims` > 0 `table` of rope_table; with the norms `query_norm`, `key_norm` f32[head_dim]; `cache` (`capacity`
    tokens of `element`, see runtime/package.fbs).
  }];
  let parameters = (ins
    "int64_t":$heads, "int64_t":$kv_heads, "int64_t":$head_dim, "int64_t":$rotary_dims,
    EnumParameter<Tx_RopeStyle>:$style, TypeParameter<"::mlir::Type", "element type of the cache">:$element,
    "int64_t":$capacity, "int64_t":$tokens_per_unit,
    OptionalParameter<"::sinter::kern::NormSpecAttr">:$query_norm,
    OptionalParameter<"::sinter::kern::NormSpecAttr">:$key_norm);
}

def Kern_AttentionAttr : Kern_Spec<"Attention", "attention"> {
  let summary = "causal attention over the cache with online softmax";
  let description = [{
    Domain: kv_heads; a unit is one kv head for `tokens_per_unit` query tokens; units are numbered kv_head * blocks +
    block. Bindings: `qkv` f32[T][stride((heads + 2 kv_heads) * head_dim)] of which the first heads * head_dim columns are the
    rotated queries; `cache`; `out` f32[T][stride(heads * head_dim)].
  }];
  let parameters = (ins
    "int64_t":$heads, "int64_t":$kv_heads, "int64_t":$head_dim, "::mlir::FloatAttr":$scale, "int64_t":$window,
    TypeParameter<"::mlir::Type", "element type of the cache">:$element, "int64_t":$capacity, "int64_t":$tokens_per_unit);
}

def Kern_FullAttentionAttr : Kern_Spec<"FullAttention", "full_attention"> {
  let summary = "attention of every token to every token of the step, with online softmax";
  let description = [{
    Domain: kv_heads; a unit is one kv head for `tokens_per_unit` query tokens; units are numbered kv_head * blocks +
    block. Bindings: `query` f32[T], `keys` f32[T], `values` f32[T], rows whose strides and first columns are given by
    `strides` and `columns` (three each; the three may be one buffer); with `mask`, `mask` i32[T], 0 for keys that nobody
    sees, or with `added` f32[T], added to the scaled scores of each key; with `relative`, `bias` of relative_bias for `max_tokens`; `out` f32[T][stride(heads * head_dim)].
    With `sequences` the rows are several texts of `sequence` (run-time scalar) rows each.
  }];
  let parameters = (ins
    "int64_t":$heads, "int64_t":$kv_heads, "int64_t":$head_dim, "::mlir::FloatAttr":$scale,
    "::mlir::DenseI64ArrayAttr":$strides, "::mlir::DenseI64ArrayAttr":$columns,
    DefaultValuedParameter<"bool", "false">:$mask, DefaultValuedParameter<"bool", "false">:$relative,
    "int64_t":$max_tokens, "int64_t":$tokens_per_unit, DefaultValuedParameter<"bool", "false">:$added,
    DefaultValuedParameter<"bool", "false">:$sequences);
}

def Kern_RelativeBiasAttr : Kern_Spec<"RelativeBias", "relative_bias"> {
  let summary = "the bias of each head for each distance between two tokens";
  let description = [{
    Domain: kv_heads; a unit is one head. Bindings: `table` packed f32 [buckets, heads]; `out` f32[heads][stride(2 *
    max_tokens + 32)]: row h holds at column max_tokens + i - j the bias of a query at i and a key at j, in units of log2(e).
    `thresholds`: see tx.relative_bias. Columns that no two tokens lead to are zero.
  }];
  let parameters = (ins "int64_t":$heads, "::mlir::DenseI64ArrayAttr":$thresholds, "int64_t":$max_tokens);
}

def Kern_PoolAttr : Kern_Spec<"Pool", "pool"> {
  let summary = "one row of all rows of the step";
  let description = [{
    Domain: tiles; a unit is 32 columns. Bindings: `in` f32[T][stride(width)], `out` f32[1][stride(width)].
  }];
  let parameters = (ins "int64_t":$width, EnumParameter<Tx_Pooling>:$pooling);
}

def Kern_UnitAttr : Kern_Spec<"Unit", "unit"> {
  let summary = "rows divided by their length, or by 1e-12 if that is larger";
  let description = [{
    Domain: tokens. Bindings: `in` f32[T][stride(width)], `out` f32[T][stride(width)], which may be `in`.
  }];
  let parameters = (ins "int64_t":$width);
}

def Kern_GenericAttr : Kern_Spec<"Generic", "generic"> {
  let summary = "a kernel whose body is a function of the module";
  let description = [{
    What `--sinter-form-generic` makes of a `tx.loops`. `body` names a function with the attribute `kern.kernel`, written
    as builders write theirs. Bindings: `inputs` that it reads, then `outputs` that it writes, all row-major. Domain: tiles;
    a unit is an even part of the parallel iterations. With `serial` there is one unit.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$body, "int64_t":$inputs, "int64_t":$outputs,
                       DefaultValuedParameter<"bool", "false">:$serial);
}

def Kern_YardstickAttr : Kern_Spec<"Yardstick", "yardstick"> {
  let summary = "does one thing as fast as the machine can, so that it can be measured";
  let description = [{
    What `sinter bench` compares a model with. Not part of any entry. Domain: tiles. Binding: `data`, of which unit u of
    `read` reads bytes [u * unitBytes, (u + 1) * unitBytes), and every unit of the others the first sharedBytes again
    and again, from the first-level cache. The results mean nothing and end in scratch memory. For `dot`, `data` should
    hold bytes of 0 to 15, for `fma` floats that neither overflow nor underflow.
  }];
  let parameters = (ins EnumParameter<Kern_YardstickKind>:$kind);
  let extraClassDeclaration = [{
    /// Of `data` that a unit has for itself, and that all units share.
    int64_t getUnitBytes() const;
    int64_t getSharedBytes() const;
    /// That a unit does, within half a percent: register tiles differ in size.
    int64_t getUnitMultiplyAdds() const;
  }];
}

#endif
