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

def Kern_DotOp : Kern_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>, AllTypesMatch<["codes", "activations"]>]> {
  let summary = "products of unsigned codes and signed activations, summed by fours";
  let description = [{
    `acc'[i] = acc[i] + sum_{j<4} codes[4i + j] * activations[4i + j]` with u8 codes not above `max_code` and s8
    activations not below -127, exact in i32. `vpdpbusd`, `pmaddubsw`/`pmaddwd` or `sdot`, by target.

    Constraints: (C1) codes and activations have four times the elements of the accumulator.

    Example: `%d = kern.dot %acc, %codes, %acts max_code(15) : vector<16xi32>, vector<64xi8>`
  }];
  let arguments = (ins VectorOfRankAndType<[1], [I32]>:$acc, VectorOfRankAndType<[1], [I8]>:$codes,
                       VectorOfRankAndType<[1], [I8]>:$activations, ConfinedAttr<I64Attr, [IntPositive]>:$max_code);
  let results = (outs VectorOfRankAndType<[1], [I32]>:$result);
  let assemblyFormat = "$acc `,` $codes `,` $activations `max_code` `(` $max_code `)` attr-dict `:` type($acc) `,` type($codes)";
  let hasVerifier = 1;
}

#endif
