// RUN: split-file %s %t
// RUN: sinter-opt %t/context.mlir --sinter-plan-kv-cache=context=0 --verify-diagnostics
// RUN: sinter-opt %t/element.mlir --sinter-plan-kv-cache=element=bf16 --verify-diagnostics

//--- context.mlir
// expected-error @+1 {{context and prefill tokens must be positive, are 0 and 256}}
module {}

//--- element.mlir
// expected-error @+1 {{unknown cache element 'bf16', expected f32, f16 or q8}}
module {}
