// RUN: sinter-opt %s --sinter-split-matrices=limit=4096 --verify-diagnostics

tx.param @e "m" at 0 : tensor<200x64xf16>
sched.plan context(64)
sched.kernel @embed #kern.embed<vocab = 200, width = 64, format = "f16", scale = 1.0 : f32>
sched.weight @table "f16" [@e] rows(200) columns(64)
sched.func @gpu.decode for gpu max_tokens(16) {
  %w = sched.ref @table : memref<?xi8>
  %ids = sched.alloc : memref<16xi32>
  %x = sched.alloc : memref<16x64xf32>
  // expected-error @+1 {{reads tiles of 4096 bytes, of which 2 do not fit into the 4096 that a kernel sees}}
  sched.dispatch @embed(%ids, %w, %x) units(1) per(1) : memref<16xi32>, memref<?xi8>, memref<16x64xf32>
}
