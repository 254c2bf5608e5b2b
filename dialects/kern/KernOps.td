#ifndef SINTER_DIALECTS_KERN_KERNOPS_TD
#define SINTER_DIALECTS_KERN_KERNOPS_TD

include "dialects/kern/KernAttrs.td"
include "dialects/kern/KernEnums.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"

class Kern_Op<string opMnemonic, list<Trait> traits = []> : Op<Kern_Dialect, opMnemonic, traits>;

def Kern_ScalarAttr : EnumAttr<Kern_Dialect, Kern_Scalar, "scalar">;

def Kern_BindingOp : Kern_Op<"binding", [Pure]> {
  let summary = "a bound buffer, seen as elements of one type";
  let description = [{
    The same binding may be seen with several types (scales as f16, codes as i8); each view starts at the binding's first
    byte. The memref's strides must be static, its leading dimension may be dynamic. Valid only in a kernel function:
    `func.func @k(%begin: index, %end: index) attributes {kern.kernel}`.

    Example: `%w = kern.binding 1 : memref<?xi8>`
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Kern_ScratchOp : Kern_Op<"scratch", [Pure]> {
  let summary = "a piece of the calling thread's scratch memory, from byte `offset` on";
  let description = [{ Example: `%codes = kern.scratch 0 : memref<1x576xi8>` }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$offset attr-dict `:` type($result)";
}

def Kern_ScalarOp : Kern_Op<"scalar", [Pure]> {
  let summary = "a run-time scalar of the step: tokens, position or row";
  let arguments = (ins Kern_ScalarAttr:$which);
  let results = (outs Index:$result);
  let assemblyFormat = "$which attr-dict";
}

def Kern_DimOp : Kern_Op<"dim", [Pure]> {
  let summary = "a run-time dimension of the model, by its number";
  let description = [{ Example: `%s = kern.dim 1` }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index);
  let results = (outs Index:$result);
  let assemblyFormat = "$index attr-dict";
}

def Kern_DotOp : Kern_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>, AllTypesMatch<["codes", "activations"]>]> {
  let summary = "products of unsigned codes and signed activations, summed by fours";
  let description = [{
    `acc'[i] = acc[i] + sum_{j<4} codes[4i + j] * activations[4i + j]` with u8 codes not above `max_code` and s8
    activations not below -127, exact in i32. `vpdpbusd`, `pmaddubsw`/`pmaddwd` or `sdot`, by target. With `signed` the
    codes are s8 of either sign, -128 to 127, and max_code is 128; only targets whose table says so lower that.

    Constraints: (C1) codes and activations have four times the elements of the accumulator.

    Example: `%d = kern.dot %acc, %codes, %acts max_code(15) : vector<16xi32>, vector<64xi8>`
  }];
  let arguments = (ins VectorOfRankAndType<[1], [I32]>:$acc, VectorOfRankAndType<[1], [I8]>:$codes,
                       VectorOfRankAndType<[1], [I8]>:$activations, ConfinedAttr<I64Attr, [IntPositive]>:$max_code,
                       UnitAttr:$signed_codes);
  let results = (outs VectorOfRankAndType<[1], [I32]>:$result);
  let assemblyFormat = "$acc `,` $codes `,` $activations `max_code` `(` $max_code `)` (`signed` $signed_codes^)? attr-dict `:` type($acc) `,` type($codes)";
  let hasVerifier = 1;
}

def Kern_Dot2x2Op : Kern_Op<"dot_2x2", [Pure, AllTypesMatch<["acc", "result"]>, AllTypesMatch<["codes", "activations"]>]> {
  let summary = "products of two rows of activations with two outputs' codes, eight columns each";
  let description = [{
    `acc'[2r + c] = acc[2r + c] + sum_{j<8} activations[8r + j] * codes[8c + j]`, all of them signed, exact in i32: `smmla`.
    For targets whose table says `rowPairs`.

    Example: `%d = kern.dot_2x2 %acc, %acts, %codes : vector<4xi32>, vector<16xi8>`
  }];
  let arguments = (ins VectorOfLengthAndType<[4], [I32]>:$acc, VectorOfLengthAndType<[16], [I8]>:$activations,
                       VectorOfLengthAndType<[16], [I8]>:$codes);
  let results = (outs VectorOfLengthAndType<[4], [I32]>:$result);
  let assemblyFormat = "$acc `,` $activations `,` $codes attr-dict `:` type($acc) `,` type($codes)";
}

def Kern_TileProductOp : Kern_Op<"tile_product"> {
  let summary = "the product of some rows with one packed tile, from memory to memory";
  let description = [{
    `out[i][n] = sum_k rows[first + i][k] * weight[32 tile + n][k]` for i < count and n < 32, with `columns` columns and
    weights packed in `format`. Of a quantized format, `rows` are codes, four to an i32, and `scales` and `sums` are what
    `#kern.rows<quantize = format>` stores beside them. For targets with matrix instructions whose tiles are larger than
    registers (`Target::tileProducts`); others never see it.

    Constraints: (C1) the format is known; (C2) scales and sums are there exactly if it is quantized; (C3) out has 32 columns.

    Example: `kern.tile_product "q4" columns(64) %weights[%tile], %codes[%first for %count] scales(%scales, %sums) to %out :
    memref<?xi8>, memref<?x16xi32>, memref<64x32xf32> scales(memref<?x2xf32>, memref<?x2xi32>)`
  }];
  let arguments = (ins StrAttr:$format, ConfinedAttr<I64Attr, [IntPositive]>:$columns, AnyMemRef:$weights, Index:$tile,
                       AnyMemRef:$rows, Index:$first_row, Index:$count, Variadic<AnyMemRef>:$scales, AnyMemRef:$out);
  let assemblyFormat = [{$format `columns` `(` $columns `)` $weights `[` $tile `]` `,` $rows `[` $first_row `for` $count `]`
    (`scales` `(` $scales^ `)`)? `to` $out attr-dict `:` type($weights) `,` type($rows) `,` type($out) (`scales` `(` type($scales)^ `)`)?}];
  let hasVerifier = 1;
}

def Kern_ReductionAttr : EnumAttr<Kern_Dialect, Kern_Reduction, "reduction">;

def Kern_ReduceOp : Kern_Op<"reduce", [Pure]> {
  let summary = "sum or maximum of a vector's lanes as a scalar";
  let description = [{
    Halves: the upper half is folded onto the lower until one lane is left; the middle lane of an odd width waits for the
    next round. The order is the same on every target, so the bits are.

    Constraints: (C1) the result has the type of the vector's elements.

    Example: `%s = kern.reduce sum %v : vector<16xf32> -> f32`
  }];
  let arguments = (ins Kern_ReductionAttr:$kind, VectorOfRankAndType<[1], [F32, I32]>:$vector);
  let results = (outs AnyTypeOf<[F32, I32]>:$result);
  let assemblyFormat = "$kind $vector attr-dict `:` type($vector) `->` type($result)";
  let hasVerifier = 1;
}

def Kern_LanesOp : Kern_Op<"lanes", [Pure]> {
  let summary = "0, 1, 2 ...: the number of each lane";
  let description = [{ Example: `%l = kern.lanes : vector<16xi32>` }];
  let results = (outs VectorOfRankAndType<[1], [I32]>:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Kern_GatherOp : Kern_Op<"gather", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "elements of a flat buffer that lie apart, as one vector";
  let description = [{
    `result[i] = memref[base + offsets[i]]`.

    Constraints: (C1) result and offsets have the same width, (C2) the result has the memref's elements.

    Example: `%row = kern.gather %table[%base] %offsets : memref<?xf32>, vector<16xi32> -> vector<16xf32>`
  }];
  let arguments = (ins MemRefRankOf<[AnyType], [1]>:$memref, Index:$base, VectorOfRankAndType<[1], [I32]>:$offsets);
  let results = (outs VectorOfAnyRankOf<[AnyType]>:$result);
  let assemblyFormat = "$memref `[` $base `]` $offsets attr-dict `:` type($memref) `,` type($offsets) `->` type($result)";
  let hasVerifier = 1;
}

def Kern_ScatterOp : Kern_Op<"scatter", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "stores a vector's elements along one dimension of a buffer, which need not be the last";
  let description = [{
    `memref[indices with indices[dimension] + i] = vector[i]`.

    Constraints: (C1) there is an index for each dimension, `dimension` among them, (C2) vector and memref have the same
    elements.

    Example: `kern.scatter %keys, %cache[%tile, %d, %slot] along 1 : vector<16xf16>, memref<?x64x16xf16>`
  }];
  let arguments = (ins VectorOfAnyRankOf<[AnyType]>:$vector, AnyMemRef:$memref, Variadic<Index>:$indices,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$dimension);
  let assemblyFormat = [{
    $vector `,` $memref `[` $indices `]` `along` $dimension attr-dict `:` type($vector) `,` type($memref)
  }];
  let hasVerifier = 1;
}

#endif
