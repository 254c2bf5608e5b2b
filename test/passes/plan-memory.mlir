// RUN: sinter-opt %s --sinter-plan-memory | FileCheck %s

sched.kernel @rows #kern.rows<width = 32, norm = <kind = rms, epsilon = 1.0e-5 : f32>>
sched.weight @w "vector" [@n] rows(32) columns(1)
tx.param @n "m" at 0 : tensor<32xf32>

// CHECK: sched.plan context(64) arena(9280) {arena_bound = 9280 : i64}
sched.plan context(64)
// Buffers of the module live always; each starts on a cache line.
// CHECK: sched.buffer @tokens {{.*}} at 0
// CHECK: sched.buffer @hidden {{.*}} at 64
sched.buffer @tokens tokens : memref<12xi32>
sched.buffer @hidden hidden : memref<12x32xf32>

// %d, the largest, is placed first; %a is dead before %d lives, so it shares its bytes. %b and %c live together with %d.
// CHECK-LABEL: @prefill
// CHECK: sched.alloc at 1600 : memref<12x32xf32>
// CHECK: sched.alloc at 5696 : memref<16x32xf32>
// CHECK: sched.alloc at 7744 : memref<12x32xf32>
// CHECK: sched.alloc at 1600 : memref<32x32xf32>
sched.func @prefill max_tokens(12) {
  %h = sched.ref @hidden : memref<12x32xf32>
  %n = sched.ref @w : memref<?xf32>
  %a = sched.alloc : memref<12x32xf32>
  sched.dispatch @rows(%h, %n, %a) units(1) per(1) : memref<12x32xf32>, memref<?xf32>, memref<12x32xf32>
  %b = sched.alloc : memref<16x32xf32>
  sched.dispatch @rows(%a, %n, %b) units(1) per(1) : memref<12x32xf32>, memref<?xf32>, memref<16x32xf32>
  %c = sched.alloc : memref<12x32xf32>
  sched.dispatch @rows(%b, %n, %c) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<12x32xf32>
  %d = sched.alloc : memref<32x32xf32>
  sched.dispatch @rows(%b, %n, %d) units(1) per(1) : memref<16x32xf32>, memref<?xf32>, memref<32x32xf32>
  sched.dispatch @rows(%c, %n, %h) units(1) per(1) : memref<12x32xf32>, memref<?xf32>, memref<12x32xf32>
}

// Another entry starts from the same place. With one token, a buffer is kept for one dispatch after its last.
// CHECK-LABEL: @decode
// CHECK: sched.alloc at 1600 : memref<1x32xf32>
// CHECK: sched.alloc at 1728 : memref<1x32xf32>
// CHECK: sched.alloc at 1856 : memref<1x32xf32>
// CHECK: sched.alloc at 1600 : memref<1x32xf32>
sched.func @decode max_tokens(1) {
  %h = sched.ref @hidden : memref<12x32xf32>
  %n = sched.ref @w : memref<?xf32>
  %a = sched.alloc : memref<1x32xf32>
  sched.dispatch @rows(%h, %n, %a) units(1) per(1) : memref<12x32xf32>, memref<?xf32>, memref<1x32xf32>
  %b = sched.alloc : memref<1x32xf32>
  sched.dispatch @rows(%a, %n, %b) units(1) per(1) : memref<1x32xf32>, memref<?xf32>, memref<1x32xf32>
  %c = sched.alloc : memref<1x32xf32>
  sched.dispatch @rows(%b, %n, %c) units(1) per(1) : memref<1x32xf32>, memref<?xf32>, memref<1x32xf32>
  %d = sched.alloc : memref<1x32xf32>
  sched.dispatch @rows(%c, %n, %d) units(1) per(1) : memref<1x32xf32>, memref<?xf32>, memref<1x32xf32>
}
