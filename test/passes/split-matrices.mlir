// RUN: sinter-opt %s --sinter-split-matrices=limit=16384 --sinter-plan-memory | FileCheck %s

tx.param @e "m" at 0 : tensor<200x64xf16>
tx.param @g "m" at 0 : tensor<128x32xf32>
tx.param @u "m" at 0 : tensor<128x32xf32>
tx.param @b "m" at 0 : tensor<200xf32>
sched.plan context(64)
// A tile of 32 rows of 64 halves has 4096 bytes. What CPUs run, and what fits, stays.
// CHECK: sched.kernel @embed {{.*}}vocab = 200, width = 64
sched.kernel @embed #kern.embed<vocab = 200, width = 64, format = "f16", scale = 1.0 : f32>
// CHECK-NOT: sched.kernel @linear
sched.kernel @linear #kern.linear<rows = 200, columns = 64, format = "f16", bias = true, residual = true>
// CHECK: sched.kernel @small
sched.kernel @small #kern.linear<rows = 128, columns = 64, format = "f16">
sched.kernel @gated #kern.linear<rows = 128, columns = 32, format = "f32", glu = silu, tokens_per_unit = 8>
// CHECK: sched.kernel @embed_200x64_f16_from0 {{.*}}end = 128
// CHECK: sched.kernel @embed_200x64_f16_from128 {{.*}}begin = 128, end = 200
// CHECK: sched.kernel @linear_128x64_f16_bias_residual_of200
// CHECK: sched.kernel @linear_72x64_f16_bias_residual_of200
// CHECK: sched.kernel @linear_64x32_f32_silu_t8_of128
// CHECK-NOT: sched.kernel
sched.weight @table "f16" [@e] rows(200) columns(64)
sched.weight @pair "f32" [@g, @u] interleave rows(256) columns(32)
sched.weight @bias "vector" [@b] rows(200) columns(1)

// CHECK-LABEL: @gpu.decode
sched.func @gpu.decode for gpu max_tokens(16) {
  %w = sched.ref @table : memref<?xi8>
  %p = sched.ref @pair : memref<?xi8>
  %b = sched.ref @bias : memref<?xf32>
  %ids = sched.alloc : memref<16xi32>
  %x = sched.alloc : memref<16x64xf32>
  %y = sched.alloc : memref<16x224xf32>
  %z = sched.alloc : memref<16x128xf32>
  // CHECK: dispatch @embed_200x64_f16_from0({{.*}}) units(1) per(1) parts [0, 0, 0, 16384, 0, 0]
  // CHECK: dispatch @embed_200x64_f16_from128({{.*}}) units(1) per(1) tap "embed" of 2 parts [0, 0, 16384, 12288, 0, 0]
  sched.dispatch @embed(%ids, %w, %x) units(1) per(1) tap "embed" of 2 : memref<16xi32>, memref<?xi8>, memref<16x64xf32>
  // CHECK: dispatch @linear_128x64_f16_bias_residual_of200({{.*}}) units(4) parts [0, 0, 0, 16384, 0, 512, 0, 0, 0, 0]
  // CHECK: dispatch @linear_72x64_f16_bias_residual_of200({{.*}}) units(3) parts [0, 0, 16384, 12288, 512, 384, 512, 0, 512, 0]
  sched.dispatch @linear(%x, %w, %b, %y, %y) units(7) : memref<16x64xf32>, memref<?xi8>, memref<?xf32>, memref<16x224xf32>, memref<16x224xf32>
  // A gate and its up stay together.
  // CHECK: dispatch @linear_64x32_f32_silu_t8_of128({{.*}}) units(2) per(8) parts [0, 0, 0, 16384, 0, 0]
  // CHECK: dispatch @linear_64x32_f32_silu_t8_of128({{.*}}) units(2) per(8) parts [0, 0, 16384, 16384, 256, 0]
  sched.dispatch @gated(%x, %p, %z) units(4) per(8) : memref<16x64xf32>, memref<?xi8>, memref<16x128xf32>
  // CHECK: dispatch @small(%{{.*}}) units(4) : memref
  sched.dispatch @small(%x, %w, %z) units(4) : memref<16x64xf32>, memref<?xi8>, memref<16x128xf32>
}

// CHECK-LABEL: @decode
sched.func @decode max_tokens(1) {
  %w = sched.ref @table : memref<?xi8>
  %ids = sched.alloc : memref<16xi32>
  %x = sched.alloc : memref<16x64xf32>
  // CHECK: dispatch @embed(%{{.*}}) units(1) per(1) :
  sched.dispatch @embed(%ids, %w, %x) units(1) per(1) : memref<16xi32>, memref<?xi8>, memref<16x64xf32>
}
