// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// RUN: sinter-opt %s --mlir-print-op-generic | sinter-opt | FileCheck %s

// Every op of sched, with and without its optional parts, prints as it was read.

tx.param @a "m" at 0 : tensor<64x32xf32> as "q8"
tx.param @v "m" at 0 : tensor<32xf32>

// CHECK: sched.plan context(256) arena(4096) weights(8192)
sched.plan context(256) arena(4096) weights(8192)
// CHECK: sched.kernel @rows #kern.rows<width = 32, quantize = "q8">
sched.kernel @rows #kern.rows<width = 32, quantize = "q8">
// CHECK: sched.cache @kv kv_heads(2) head_dim(16) window(64) element(f16) capacity(128)
sched.cache @kv kv_heads(2) head_dim(16) window(64) element(f16) capacity(128)
// CHECK: sched.weight @pair "q8" [@a, @a] interleave rows(128) columns(32) at 64 bytes(4352)
sched.weight @pair "q8" [@a, @a] interleave rows(128) columns(32) at 64 bytes(4352)
// CHECK: sched.weight @vector "vector" [@v] rows(32) columns(1) {add = 1 : i64}
sched.weight @vector "vector" [@v] rows(32) columns(1) {add = 1 : i64}
// CHECK: sched.buffer @tokens tokens : memref<16xi32>{{$}}
sched.buffer @tokens tokens : memref<16xi32>
// CHECK: sched.buffer @hidden hidden : memref<16x32xf32> at 64
sched.buffer @hidden hidden : memref<16x32xf32> at 64
// CHECK: sched.buffer @logits logits : memref<1x64xf32> at 2112
sched.buffer @logits logits : memref<1x64xf32> at 2112

// CHECK: sched.weight @raw "raw" [@v] rows(1) columns(128)
sched.weight @raw "raw" [@v] rows(1) columns(128)
// CHECK: sched.buffer @in port : memref<64xi64>
sched.buffer @in port : memref<64xi64>
// CHECK: sched.dim "rows" max(64)
sched.dim "rows" max(64)
// CHECK: sched.port input "ids" @in type("i64") dims([-1])
sched.port input "ids" @in type("i64") dims([-1])
// CHECK: sched.port output "copy" @in type("i64") dims([-1])
sched.port output "copy" @in type("i64") dims([-1])
// CHECK: sched.check 0, 1 "rows of both"
sched.check 0, 1 "rows of both"

// CHECK: sched.func @prefill max_tokens(16) {
sched.func @prefill max_tokens(16) {
  // CHECK-DAG: %[[X:.*]] = sched.ref @hidden : memref<16x32xf32>
  %x = sched.ref @hidden : memref<16x32xf32>
  // CHECK-DAG: sched.ref @kv : memref<?xf16>
  %kv = sched.ref @kv : memref<?xf16>
  // CHECK-DAG: sched.ref @pair : memref<?xi8>
  %w = sched.ref @pair : memref<?xi8>
  // CHECK: %[[C:.*]] = sched.alloc : memref<16x32xi8>
  %c = sched.alloc : memref<16x32xi8>
  // CHECK: %[[S:.*]] = sched.alloc at 4096 : memref<16x1xf32>
  %s = sched.alloc at 4096 : memref<16x1xf32>
  %i = sched.alloc : memref<16x1xi32>
  // CHECK: sched.dispatch @rows(%[[X]], %[[C]], %[[S]], %{{.*}}) units(1) per(1) : memref<16x32xf32>, memref<16x32xi8>, memref<16x1xf32>, memref<16x1xi32>
  sched.dispatch @rows(%x, %c, %s, %i) units(1) per(1) : memref<16x32xf32>, memref<16x32xi8>, memref<16x1xf32>, memref<16x1xi32>
  // CHECK: sched.dispatch barrier @rows({{.*}}) units(3) tap "layers.0" of 1 :
  sched.dispatch barrier @rows(%x, %c, %s, %i) units(3) tap "layers.0" of 1 : memref<16x32xf32>, memref<16x32xi8>, memref<16x1xf32>, memref<16x1xi32>
}
