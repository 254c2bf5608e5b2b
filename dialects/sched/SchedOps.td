#ifndef SINTER_DIALECTS_SCHED_SCHEDOPS_TD
#define SINTER_DIALECTS_SCHED_SCHEDOPS_TD

include "dialects/sched/SchedDialect.td"
include "dialects/kern/KernAttrs.td"
include "dialects/sched/SchedEnums.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Sched_Op<string opMnemonic, list<Trait> traits = []> : Op<Sched_Dialect, opMnemonic, traits>;
def Sched_SymbolArray : TypedArrayAttrBase<FlatSymbolRefAttr, "symbols of params">;

def Sched_DeviceAttr : EnumAttr<Sched_Dialect, Sched_Device, "device">;
def Sched_RoleAttr : EnumAttr<Sched_Dialect, Sched_Role, "role">;

//===-- Module level ---------------------------------------------------------------------------------------------===//

def Sched_PlanOp : Sched_Op<"plan"> {
  let summary = "totals: context in tokens, bytes of the arena, bytes of the weights section";
  let arguments = (ins I64Attr:$context, OptionalAttr<I64Attr>:$arena_bytes, OptionalAttr<I64Attr>:$weights_bytes);
  let assemblyFormat = "`context` `(` $context `)` (`arena` `(` $arena_bytes^ `)`)? (`weights` `(` $weights_bytes^ `)`)? attr-dict";
}

def Sched_KernelOp : Sched_Op<"kernel", [Symbol]> {
  let summary = "a kernel that dispatches use";
  let description = [{ Example: `sched.kernel @rows_128_q8 #kern.rows<width = 128, quantize = "q8">` }];
  let arguments = (ins SymbolNameAttr:$sym_name, Kern_SpecInterface:$spec);
  let assemblyFormat = "$sym_name $spec attr-dict";
}

def Sched_WeightOp : Sched_Op<"weight", [Symbol]> {
  let summary = "a piece of the weights section and how to pack it";
  let description = [{
    `format` names a row of dialects/Formats.h, or is "vector" for plain f32 padded to 32 (norm weights, biases, with
    `add` added to each element), or "raw" for one source's bytes as they are. A matrix takes the rows of its sources one after another; with `interleave` its two
    sources, each padded to tiles of 32 rows, alternate tile by tile; so do two vectors. `offset` and `bytes` are given by
    `--sinter-plan-weights`.

    Example: `sched.weight @layers.0.gate_up "q8" [@layers.0.gate, @layers.0.up] interleave rows(704) columns(128)`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$format, Sched_SymbolArray:$sources, UnitAttr:$interleave,
                       I64Attr:$rows, I64Attr:$columns, DefaultValuedAttr<I64Attr, "0">:$add,
                       OptionalAttr<I64Attr>:$offset, OptionalAttr<I64Attr>:$bytes);
  let assemblyFormat = [{
    $sym_name $format $sources (`interleave` $interleave^)? `rows` `(` $rows `)` `columns` `(` $columns `)`
    (`at` $offset^)? (`bytes` `(` $bytes^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Sched_CacheOp : Sched_Op<"cache", [Symbol]> {
  let summary = "a planned key/value cache; its layout is that of Cache in the package schema";
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$kv_heads, I64Attr:$head_dim, I64Attr:$window, TypeAttr:$element,
                       I64Attr:$capacity);
  let assemblyFormat = [{
    $sym_name `kv_heads` `(` $kv_heads `)` `head_dim` `(` $head_dim `)` `window` `(` $window `)` `element` `(` $element `)`
    `capacity` `(` $capacity `)` attr-dict
  }];
  let extraClassDeclaration = [{
    /// Tokens per tile of every cache.
    static constexpr int64_t kTileTokens = ::sinter::kCacheTile;
    /// Bytes of one tile: keys and values of all heads for kTileTokens tokens.
    int64_t getTileBytes();
  }];
}

def Sched_DimOp : Sched_Op<"dim"> {
  let summary = "a run-time dimension; its number is its place among the others";
  let description = [{ Example: `sched.dim "sequence" max(512)` }];
  let arguments = (ins StrAttr:$name, I64Attr:$max);
  let assemblyFormat = "$name `max` `(` $max `)` attr-dict";
}

def Sched_PortOp : Sched_Op<"port"> {
  let summary = "a named input or output of @exec";
  let description = [{
    `buffer` holds it row-major; `type` is its element type as the model has it (`u8`, `bool`, ...). A dimension of at least
    0 is static. Of an input, -1 - n stands for run-time dimension n; of an output, for element n of the `sizes` buffer,
    which the entry @sizes fills.

    Example: `sched.port input "ids" @in.0 type("i64") dims([-1, -2])`
  }];
  let arguments = (ins UnitAttr:$output, StrAttr:$name, FlatSymbolRefAttr:$buffer, StrAttr:$type, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "(`output` $output^):(`input`)? $name $buffer `type` `(` $type `)` `dims` `(` $dims `)` attr-dict";
}

def Sched_CheckOp : Sched_Op<"check"> {
  let summary = "two elements of the `sizes` buffer that must be equal when the model runs";
  let arguments = (ins I64Attr:$left, I64Attr:$right, StrAttr:$message);
  let assemblyFormat = "$left `,` $right $message attr-dict";
}

def Sched_BufferOp : Sched_Op<"buffer", [Symbol]> {
  let summary = "a buffer in the arena that outlives one entry";
  let description = [{ Example: `sched.buffer @hidden hidden : memref<256x128xf32> at 4096` }];
  let arguments = (ins SymbolNameAttr:$sym_name, Sched_RoleAttr:$role, TypeAttrOf<AnyMemRef>:$type, OptionalAttr<I64Attr>:$offset);
  let assemblyFormat = "$sym_name $role `:` $type (`at` $offset^)? attr-dict";
}

def Sched_FuncOp : Sched_Op<"func", [Symbol, NoTerminator, SingleBlock, IsolatedFromAbove]> {
  let summary = "an entry of the schedule: prefill, decode or head";
  let description = [{
    Entries for GPUs have a name of their own, `@gpu.prefill`; in the package both are `prefill`.

    Example: `sched.func @gpu.head for gpu max_tokens(1) { ... }`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$max_tokens,
                       DefaultValuedAttr<Sched_DeviceAttr, "::sinter::sched::Device::cpu">:$device);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name (`for` $device^)? `max_tokens` `(` $max_tokens `)` attr-dict-with-keyword $body";
}

//===-- Inside entries -------------------------------------------------------------------------------------------===//

def Sched_AllocOp : Sched_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "a buffer in the arena for the time between its first and last use";
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "(`at` $offset^)? attr-dict `:` type($result)";
}

def Sched_RefOp : Sched_Op<"ref", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a module-level weight, cache or buffer as a value";
  let arguments = (ins FlatSymbolRefAttr:$symbol);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$symbol attr-dict `:` type($result)";
}

def Sched_DispatchOp : Sched_Op<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel over its units";
  let description = [{
    Units are `units`, or `units * ceil(tokens / tokens_per_unit)` if that is not 0. Operands are the kernel's bindings in its
    order. `barrier` (set by `--sinter-place-barriers`) makes all threads meet before it. `tap` names the layer whose output
    binding `tap_binding` holds after it. `parts`, an offset and a size in bytes for each binding, narrow what is bound; a size of
    0 is the rest.

    In a program, the tokens of a dispatch are its own: `rows`, and `sequence` where they are several texts of as many rows.
    A number below 0 stands for an element of the `rows` buffer, -1 - n for element n.

    Constraints: (C1) the symbol is a sched.kernel; (C2) there are as many operands as its spec has bindings; (C3) `parts` has
    two numbers, not negative, for each.

    Example: `sched.dispatch @rows_128_q8(%x, %c, %s, %i) units(1) per(1) : memref<...>, ...`
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyMemRef>:$bindings, I64Attr:$units,
                       DefaultValuedAttr<I64Attr, "0">:$tokens_per_unit, UnitAttr:$barrier,
                       OptionalAttr<StrAttr>:$tap, OptionalAttr<I64Attr>:$tap_binding,
                       OptionalAttr<DenseI64ArrayAttr>:$parts,
                       DefaultValuedAttr<I64Attr, "0">:$rows, DefaultValuedAttr<I64Attr, "0">:$sequence);
  let builders = [OpBuilder<(ins "::mlir::FlatSymbolRefAttr":$kernel, "::mlir::ValueRange":$bindings, "int64_t":$units,
                                 "int64_t":$tokens_per_unit), [{
    build($_builder, $_state, kernel, bindings, $_builder.getI64IntegerAttr(units),
          $_builder.getI64IntegerAttr(tokens_per_unit), ::mlir::UnitAttr(), ::mlir::StringAttr(), ::mlir::IntegerAttr(),
          ::mlir::DenseI64ArrayAttr(), $_builder.getI64IntegerAttr(0), $_builder.getI64IntegerAttr(0));
  }]>];
  let assemblyFormat = [{
    (`barrier` $barrier^)? $kernel `(` $bindings `)` `units` `(` $units `)` (`per` `(` $tokens_per_unit^ `)`)?
    (`rows` `(` $rows^ `)`)? (`sequence` `(` $sequence^ `)`)? (`tap` $tap^ `of` $tap_binding)? (`parts` $parts^)?
    attr-dict `:` type($bindings)
  }];
}

#endif
