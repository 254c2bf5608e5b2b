// RUN: sinter-opt %s --sinter-place-barriers | FileCheck %s

tx.param @n "m" at 0 : tensor<32xf32>
tx.param @m "m" at 0 : tensor<32x32xf32>
sched.weight @w "vector" [@n] rows(32) columns(1)
sched.weight @packed "f32" [@m] rows(32) columns(32)
sched.cache @kv kv_heads(1) head_dim(8) window(0) element(f32) capacity(16)
sched.kernel @norm #kern.rows<width = 32, norm = <kind = rms, epsilon = 1.0e-5 : f32>>
sched.kernel @linear #kern.linear<rows = 32, columns = 32, format = "f32">
sched.kernel @add #kern.linear<rows = 32, columns = 32, format = "f32", residual = true>
sched.kernel @append #kern.rotate_append<heads = 2, kv_heads = 1, head_dim = 8, rotary_dims = 0, style = half, element = f32, capacity = 16, tokens_per_unit = 1>
sched.kernel @attend #kern.attention<heads = 2, kv_heads = 1, head_dim = 8, scale = 0.5 : f32, window = 0, element = f32, capacity = 16, tokens_per_unit = 1>

// Row by row in the same buffer, by the same threads: none.
// CHECK-LABEL: @own_rows
// CHECK: sched.dispatch @norm
// CHECK: sched.dispatch @norm
sched.func @own_rows max_tokens(16) {
  %n = sched.ref @w : memref<?xf32>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
  sched.dispatch @norm(%b, %n, %a) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
}

// A product reads all rows (read after write); the rows that it read are then overwritten (write after read).
// CHECK-LABEL: @whole
// CHECK: sched.dispatch @norm
// CHECK: sched.dispatch barrier @linear
// CHECK: sched.dispatch barrier @norm
sched.func @whole max_tokens(16) {
  %n = sched.ref @w : memref<?xf32>
  %p = sched.ref @packed : memref<?xi8>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  %c = sched.alloc at 4096 : memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
  sched.dispatch @linear(%b, %p, %c) units(1) : memref<16x32xf32>, memref<?xi8>, memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
}

// Two products that share nothing but their input; then tiles added to by who wrote them. A buffer that nothing else touched
// does not matter.
// CHECK-LABEL: @tiles
// CHECK: sched.dispatch @linear
// CHECK: sched.dispatch @linear
// CHECK: sched.dispatch @add
sched.func @tiles max_tokens(16) {
  %p = sched.ref @packed : memref<?xi8>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  %c = sched.alloc at 4096 : memref<16x32xf32>
  sched.dispatch @linear(%a, %p, %b) units(1) : memref<16x32xf32>, memref<?xi8>, memref<16x32xf32>
  sched.dispatch @linear(%a, %p, %c) units(1) : memref<16x32xf32>, memref<?xi8>, memref<16x32xf32>
  sched.dispatch @add(%a, %p, %b, %b) units(1) : memref<16x32xf32>, memref<?xi8>, memref<16x32xf32>, memref<16x32xf32>
}

// %b and %c are different buffers in the same bytes: rows of one are not rows of the other (write after write).
// CHECK-LABEL: @shared_bytes
// CHECK: sched.dispatch @norm
// CHECK: sched.dispatch barrier @norm
sched.func @shared_bytes max_tokens(16) {
  %n = sched.ref @w : memref<?xf32>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  %c = sched.alloc at 4032 : memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %c) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
}

// With several tokens a head's cache is written by several units; with one it is not.
// CHECK-LABEL: @prefill
// CHECK: sched.dispatch barrier @attend
// CHECK-LABEL: @decode
// CHECK: sched.dispatch @append
// CHECK: sched.dispatch @attend
sched.func @prefill max_tokens(16) {
  %kv = sched.ref @kv : memref<?xf32>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  sched.dispatch @append(%a, %kv) units(1) per(1) : memref<16x32xf32>, memref<?xf32>
  sched.dispatch @attend(%a, %kv, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
}
sched.func @decode max_tokens(1) {
  %kv = sched.ref @kv : memref<?xf32>
  %a = sched.alloc at 0 : memref<1x32xf32>
  %b = sched.alloc at 2048 : memref<1x32xf32>
  sched.dispatch @append(%a, %kv) units(1) per(1) : memref<1x32xf32>, memref<?xf32>
  sched.dispatch @attend(%a, %kv, %b) units(1) per(1) : memref<1x32xf32>, memref<?xf32>, memref<1x32xf32>
}
// A head's part of the output is not its part of Q, K, V, though both are one head's.
// CHECK-LABEL: @other_cut
// CHECK: sched.dispatch @attend
// CHECK: sched.dispatch barrier @append
sched.func @other_cut max_tokens(1) {
  %kv = sched.ref @kv : memref<?xf32>
  %a = sched.alloc at 0 : memref<1x32xf32>
  %b = sched.alloc at 2048 : memref<1x32xf32>
  sched.dispatch @attend(%a, %kv, %b) units(1) per(1) : memref<1x32xf32>, memref<?xf32>, memref<1x32xf32>
  sched.dispatch @append(%b, %kv) units(1) per(1) : memref<1x32xf32>, memref<?xf32>
}
// Other units: unit u of one dispatch runs on another thread than unit u of the other.
// CHECK-LABEL: @other_units
// CHECK: sched.dispatch @norm
// CHECK: sched.dispatch barrier @norm
sched.func @other_units max_tokens(16) {
  %n = sched.ref @w : memref<?xf32>
  %a = sched.alloc at 0 : memref<16x32xf32>
  %b = sched.alloc at 2048 : memref<16x32xf32>
  sched.dispatch @norm(%a, %n, %b) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
  sched.dispatch @norm(%b, %n, %a) units(1) per(2) : memref<16x32xf32>, memref<?xf32>, memref<16x32xf32>
}
