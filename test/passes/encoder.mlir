// RUN: sinter-opt %s --sinter-split-entries=context=40 | FileCheck %s --check-prefix=SPLIT
// RUN: sinter-opt %s --sinter-pipeline="format=q8 context=40" | FileCheck %s

// One layer of an encoder and its head, through all passes.

#in = #tx.norm<kind = layer, weight = @n, epsilon = 1.0e-5 : f32, bias = @b>
tx.param @embed "m" at 0 : tensor<100x64xf32>
tx.param @places "m" at 0 : tensor<42x64xf32>
tx.param @kinds "m" at 0 : tensor<2x64xf32>
tx.param @relative "m" at 0 : tensor<8x2xf32>
tx.param @q "m" at 0 : tensor<64x64xf32>
tx.param @k "m" at 0 : tensor<64x64xf32>
tx.param @v "m" at 0 : tensor<64x64xf32>
tx.param @o "m" at 0 : tensor<64x64xf32>
tx.param @up "m" at 0 : tensor<96x64xf32>
tx.param @ub "m" at 0 : tensor<96xf32>
tx.param @down "m" at 0 : tensor<64x96xf32>
tx.param @n "m" at 0 : tensor<64xf32>
tx.param @b "m" at 0 : tensor<64xf32>

// SPLIT-NOT: @forward
// SPLIT-LABEL: func.func @encode(%arg0: tensor<?xi32>, %arg1: tensor<?xi32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 40 : i64}
// SPLIT: return
// SPLIT-LABEL: func.func @head(%arg0: tensor<?x64xf32>) -> tensor<1x64xf32> attributes {tx.every_row, tx.max_tokens = 40 : i64}
// SPLIT-NEXT: tx.pool
// SPLIT-NOT: @forward

// Biases of attention stay floats.
// CHECK: sched.weight @packed.relative "f32"
// CHECK-DAG: sched.buffer @tokens tokens : memref<40xi32>
// CHECK-DAG: sched.buffer @types types : memref<40xi32>
// CHECK-DAG: sched.buffer @hidden hidden : memref<40x64xf32>
// CHECK-DAG: sched.buffer @logits logits : memref<1x64xf32>

// CHECK-LABEL: sched.func @encode max_tokens(40)
// CHECK-DAG: %[[H:.*]] = sched.ref @hidden
// The norms leave the rows in place, for the residual, and codes beside them, for the product.
// CHECK: sched.dispatch @embed_100x64_q8_positions_types({{.*}}, %[[H]]) units(1) per(1)
// CHECK: sched.dispatch @rows_64_norm_q8_keep(%[[H]], {{.*}}, %[[H]], {{.*}}) units(1) per(1)
// CHECK: sched.dispatch barrier @linear_192x64_q8
// CHECK: sched.dispatch @relative_bias_2({{.*}}) units(2)
// CHECK: sched.dispatch barrier @full_attention_2_2x32_relative(%[[Q:.*]], %[[Q]], %[[Q]], {{.*}}) units(2) per(32)
// CHECK: sched.dispatch barrier @rows_64_q8
// CHECK: sched.dispatch barrier @linear_64x64_q8_residual({{.*}}, %[[H]], %[[H]])
// CHECK: sched.dispatch barrier @rows_64_norm_q8_keep(%[[H]], {{.*}}, %[[H]], {{.*}})
// CHECK: sched.dispatch barrier @linear_96x64_q8_gelu_bias
// CHECK: sched.dispatch barrier @rows_96_q8
// CHECK: sched.dispatch barrier @linear_64x96_q8_residual({{.*}}, %[[H]], %[[H]])
// CHECK: sched.dispatch barrier @rows_64_norm(%[[H]], {{.*}}, %[[H]]) units(1) per(1) tap "layers.0"
// CHECK-LABEL: sched.func @head max_tokens(40)
// CHECK: sched.dispatch @pool_mean_64(%{{.*}}, %[[P:.*]]) units(2) :
// One row, whatever the number of tokens.
// CHECK: sched.dispatch barrier @linear_64x64_q8_tanh_single(%[[P]], {{.*}}) units(2) :
// CHECK: sched.dispatch barrier @unit_64({{.*}}) units(1) :
func.func @forward(%ids: tensor<?xi32>, %types: tensor<?xi32>) -> tensor<1x64xf32> {
  %t = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %y = tx.embed %types @kinds : tensor<?xi32> -> tensor<?x64xf32>
  %s = tx.add %t, %y : tensor<?x64xf32>
  %p = tx.position_embed %ids @places from 2 : tensor<?xi32> -> tensor<?x64xf32>
  %e = tx.add %s, %p : tensor<?x64xf32>
  %x = tx.norm #in %e : tensor<?x64xf32>
  %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
  %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x64xf32>
  %v = tx.linear %x [@v] : tensor<?x64xf32> -> tensor<?x64xf32>
  %a = tx.attention %q, %k, %v relative <table = @relative, thresholds = [1, 2, 4]> heads(2) kv_heads(2) head_dim(32) scale(0.17) : tensor<?x64xf32>, tensor<?x64xf32>
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %r = tx.add %x, %o : tensor<?x64xf32>
  %z = tx.norm #in %r : tensor<?x64xf32>
  %u = tx.linear %z [@up] bias [@ub] : tensor<?x64xf32> -> tensor<?x96xf32>
  %g = tx.activate gelu %u : tensor<?x96xf32>
  %d = tx.linear %g [@down] : tensor<?x96xf32> -> tensor<?x64xf32>
  %f = tx.add %z, %d : tensor<?x64xf32>
  %h = tx.norm #in %f {tap = "layers.0"} : tensor<?x64xf32>
  %m = tx.pool mean %h : tensor<?x64xf32> -> tensor<1x64xf32>
  %l = tx.linear %m [@o] : tensor<1x64xf32> -> tensor<1x64xf32>
  %c = tx.activate tanh %l : tensor<1x64xf32>
  %n = tx.unit %c : tensor<1x64xf32>
  return %n : tensor<1x64xf32>
}
