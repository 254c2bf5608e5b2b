// RUN: sinter-opt %s --sinter-form-dispatches | FileCheck %s

// Where a residual product may write over its residual, and the forms of linear beyond the plain.

#norm = #tx.norm<kind = layer, weight = @norm, epsilon = 1.0e-5 : f32, bias = @nb, weight_offset = 1>
tx.param @embed "m" at 0 : tensor<256x64xf32> as "f32"
tx.param @norm "m" at 0 : tensor<64xf32>
tx.param @nb "m" at 0 : tensor<64xf32>
tx.param @o "m" at 0 : tensor<64x64xf32> as "f32"
tx.param @b1 "m" at 0 : tensor<64xf32>
tx.param @gate "m" at 0 : tensor<48x64xf32> as "f32"
tx.param @down "m" at 0 : tensor<64x48xf32> as "f32"
tx.param @up "m" at 0 : tensor<48x64xf32> as "f32"

// CHECK: sched.weight @packed.norm "vector" [@norm] rows(64) columns(1) {add = 1 : i64}
// CHECK: sched.weight @packed.gate_up "f32" [@gate, @up] interleave rows(96) columns(64)

// The old rows are read again after the sum, so the sum has its own buffer; it is what returns.
// CHECK-LABEL: sched.func @keeps
// CHECK: %[[Y:.*]] = sched.ref @hidden
// CHECK: %[[X:.*]] = sched.alloc
// CHECK: sched.dispatch @embed_256x64_f32(%{{.*}}, %{{.*}}, %[[X]])
// CHECK: %[[A:.*]] = sched.alloc
// CHECK: sched.dispatch @linear_64x64_f32_residual(%[[X]], %{{.*}}, %[[X]], %[[A]])
// CHECK: sched.dispatch @linear_64x64_f32_bias_residual(%[[A]], %{{.*}}, %{{.*}}, %[[X]], %[[Y]])
// CHECK: sched.dispatch @linear_64x64_f32_residual(%[[X]], %{{.*}}, %[[Y]], %[[Y]])
func.func @keeps(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 32 : i64} {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %a = tx.linear %x [@o] residual %x : tensor<?x64xf32> : tensor<?x64xf32> -> tensor<?x64xf32>
  %b = tx.linear %a [@o] bias [@b1] residual %x : tensor<?x64xf32> : tensor<?x64xf32> -> tensor<?x64xf32>
  %c = tx.linear %x [@o] residual %b : tensor<?x64xf32> : tensor<?x64xf32> -> tensor<?x64xf32>
  return %c : tensor<?x64xf32>
}

// A norm by itself, and one in front of a product of floats, are passes over the rows; gate and up are 2 tiles of 32.
// CHECK-LABEL: sched.func @norms
// CHECK: sched.dispatch @rows_64_norm(%{{.*}}, %{{.*}}, %{{.*}}, %[[N:.*]]) units(1) per(1)
// CHECK: sched.dispatch @rows_64_norm(%[[N]], %{{.*}}, %{{.*}}, %[[M:.*]]) units(1) per(1)
// CHECK: sched.dispatch @linear_48x64_f32_gelu(%[[M]], %{{.*}}, %[[G:.*]]) units(2) :
// CHECK: sched.dispatch @linear_64x48_f32(%[[G]], %{{.*}}, %{{.*}}) units(2) :
func.func @norms(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 32 : i64} {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %n = tx.norm #norm %x : tensor<?x64xf32>
  %y = tx.linear norm #norm %n [@gate, @up] glu gelu : tensor<?x64xf32> -> tensor<?x48xf32>
  %d = tx.linear %y [@down] : tensor<?x48xf32> -> tensor<?x64xf32>
  return %d : tensor<?x64xf32>
}
