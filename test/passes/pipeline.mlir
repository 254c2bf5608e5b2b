// RUN: sinter-opt %s --sinter-pipeline="format=q4 context=250 prefill-tokens=32" | FileCheck %s
// RUN: sinter-opt %s --sinter-pipeline="format=f32 context=250 prefill-tokens=32" | FileCheck %s --check-prefix=FLOAT

// A Llama of two layers, from what a frontend emits to a plan.

// CHECK: sched.plan context(250) arena(20864) weights({{[0-9]+}}) {arena_bound = 20864 : i64}
// CHECK: sched.cache @kv.0 {{.*}} element(f16) capacity(256)
// CHECK: sched.weight @packed.layers.0.q_k_v "q4" [@layers.0.q, @layers.0.k, @layers.0.v]
// CHECK: sched.weight @packed.layers.0.gate_up "q4" [@layers.0.gate, @layers.0.up] interleave
// FLOAT: sched.cache @kv.0 {{.*}} element(f32) capacity(256)

// Many tokens: a pass over the rows before each product. What belongs to a row (rope table, embedding, norm) needs no barrier.
// CHECK-LABEL: sched.func @prefill max_tokens(32)
// CHECK: sched.dispatch @rope_table_8
// CHECK: sched.dispatch @embed_64x32_q6
// CHECK: sched.dispatch @rows_32_norm_q4
// CHECK: sched.dispatch barrier @linear_64x32_q4(
// CHECK: sched.dispatch barrier @rotate_append_4_2x8_f16_c256_t16
// CHECK: sched.dispatch barrier @attention_4_2x8_f16_c256_t16
// CHECK: sched.dispatch barrier @rows_32_q4
// CHECK: sched.dispatch barrier @linear_32x32_q4_residual
// CHECK: sched.dispatch barrier @rows_32_norm_q4
// CHECK: sched.dispatch barrier @linear_48x32_q4_silu
// CHECK: sched.dispatch barrier @rows_48_q4
// CHECK: sched.dispatch barrier @linear_32x48_q4_residual({{.*}} tap "layers.0" of 5
// FLOAT-LABEL: sched.func @prefill max_tokens(32)
// FLOAT: sched.dispatch @rows_32_norm(
// FLOAT: sched.dispatch barrier @linear_64x32_f32(
// FLOAT: sched.dispatch barrier @rotate_append_4_2x8_f32_c256_t16
// FLOAT: sched.dispatch barrier @attention_4_2x8_f32_c256_t16
// FLOAT: sched.dispatch barrier @linear_32x32_f32_residual
// FLOAT: sched.dispatch barrier @rows_32_norm(

// One token: five barriers in a layer.
// CHECK-LABEL: sched.func @decode max_tokens(1)
// CHECK: sched.dispatch @rope_table_8
// CHECK: sched.dispatch @embed_64x32_q6
// CHECK: sched.dispatch barrier @linear_64x32_q4_norm_single
// CHECK: sched.dispatch barrier @rotate_append_4_2x8_f16_c256_t1
// CHECK: sched.dispatch @attention_4_2x8_f16_c256_t1
// CHECK: sched.dispatch barrier @linear_32x32_q4_residual_single
// CHECK: sched.dispatch barrier @linear_48x32_q4_norm_silu_single
// CHECK: sched.dispatch barrier @linear_32x48_q4_residual_single({{.*}} tap "layers.0" of 3
// CHECK-COUNT-5: sched.dispatch barrier
// CHECK-NOT: barrier
// FLOAT-LABEL: sched.func @decode max_tokens(1)
// FLOAT-COUNT-10: sched.dispatch barrier
// FLOAT-NOT: barrier

// CHECK-LABEL: sched.func @head max_tokens(1)
// CHECK: sched.dispatch @linear_64x32_q6_norm_row
// FLOAT-LABEL: sched.func @head max_tokens(1)
// FLOAT: sched.dispatch @linear_64x32_f32_norm_row

#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1, 0.01, 0.001], factor = 1.0 : f32>
#in0 = #tx.norm<kind = rms, weight = @layers.0.input_norm, epsilon = 1.0e-5 : f32>
#post0 = #tx.norm<kind = rms, weight = @layers.0.post_norm, epsilon = 1.0e-5 : f32>
#in1 = #tx.norm<kind = rms, weight = @layers.1.input_norm, epsilon = 1.0e-5 : f32>
#post1 = #tx.norm<kind = rms, weight = @layers.1.post_norm, epsilon = 1.0e-5 : f32>
#final = #tx.norm<kind = rms, weight = @norm, epsilon = 1.0e-5 : f32>

tx.param @embed "m" at 0 : tensor<64x32xbf16>
tx.param @norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.input_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.q "m" at 0 : tensor<32x32xbf16>
tx.param @layers.0.k "m" at 0 : tensor<16x32xbf16>
tx.param @layers.0.v "m" at 0 : tensor<16x32xbf16>
tx.param @layers.0.o "m" at 0 : tensor<32x32xbf16>
tx.param @layers.0.post_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.gate "m" at 0 : tensor<48x32xbf16>
tx.param @layers.0.up "m" at 0 : tensor<48x32xbf16>
tx.param @layers.0.down "m" at 0 : tensor<32x48xbf16>
tx.param @layers.1.input_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.1.q "m" at 0 : tensor<32x32xbf16>
tx.param @layers.1.k "m" at 0 : tensor<16x32xbf16>
tx.param @layers.1.v "m" at 0 : tensor<16x32xbf16>
tx.param @layers.1.o "m" at 0 : tensor<32x32xbf16>
tx.param @layers.1.post_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.1.gate "m" at 0 : tensor<48x32xbf16>
tx.param @layers.1.up "m" at 0 : tensor<48x32xbf16>
tx.param @layers.1.down "m" at 0 : tensor<32x48xbf16>
tx.cache @kv.0 kv_heads(2) head_dim(8) window(0)
tx.cache @kv.1 kv_heads(2) head_dim(8) window(0)

func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> {
  %x0 = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x32xf32>

  %n0 = tx.norm #in0 %x0 : tensor<?x32xf32>
  %q0 = tx.linear %n0 [@layers.0.q] : tensor<?x32xf32> -> tensor<?x32xf32>
  %k0 = tx.linear %n0 [@layers.0.k] : tensor<?x32xf32> -> tensor<?x16xf32>
  %v0 = tx.linear %n0 [@layers.0.v] : tensor<?x32xf32> -> tensor<?x16xf32>
  %qr0 = tx.rope %q0 at %pos by #rope head_dim(8) : tensor<?x32xf32>
  %kr0 = tx.rope %k0 at %pos by #rope head_dim(8) : tensor<?x16xf32>
  %K0, %V0 = tx.cache_append %kr0, %v0 at %pos @kv.0 : tensor<?x16xf32>
  %a0 = tx.attention %qr0, %K0, %V0 at %pos heads(4) kv_heads(2) head_dim(8) scale(0.35) : tensor<?x32xf32>, tensor<?x16xf32>
  %o0 = tx.linear %a0 [@layers.0.o] : tensor<?x32xf32> -> tensor<?x32xf32>
  %y0 = tx.add %x0, %o0 : tensor<?x32xf32>
  %m0 = tx.norm #post0 %y0 : tensor<?x32xf32>
  %g0 = tx.linear %m0 [@layers.0.gate] : tensor<?x32xf32> -> tensor<?x48xf32>
  %u0 = tx.linear %m0 [@layers.0.up] : tensor<?x32xf32> -> tensor<?x48xf32>
  %h0 = tx.glu silu %g0, %u0 : tensor<?x48xf32>
  %d0 = tx.linear %h0 [@layers.0.down] : tensor<?x48xf32> -> tensor<?x32xf32>
  %x1 = tx.add %y0, %d0 {tap = "layers.0"} : tensor<?x32xf32>

  %n1 = tx.norm #in1 %x1 : tensor<?x32xf32>
  %q1 = tx.linear %n1 [@layers.1.q] : tensor<?x32xf32> -> tensor<?x32xf32>
  %k1 = tx.linear %n1 [@layers.1.k] : tensor<?x32xf32> -> tensor<?x16xf32>
  %v1 = tx.linear %n1 [@layers.1.v] : tensor<?x32xf32> -> tensor<?x16xf32>
  %qr1 = tx.rope %q1 at %pos by #rope head_dim(8) : tensor<?x32xf32>
  %kr1 = tx.rope %k1 at %pos by #rope head_dim(8) : tensor<?x16xf32>
  %K1, %V1 = tx.cache_append %kr1, %v1 at %pos @kv.1 : tensor<?x16xf32>
  %a1 = tx.attention %qr1, %K1, %V1 at %pos heads(4) kv_heads(2) head_dim(8) scale(0.35) : tensor<?x32xf32>, tensor<?x16xf32>
  %o1 = tx.linear %a1 [@layers.1.o] : tensor<?x32xf32> -> tensor<?x32xf32>
  %y1 = tx.add %x1, %o1 : tensor<?x32xf32>
  %m1 = tx.norm #post1 %y1 : tensor<?x32xf32>
  %g1 = tx.linear %m1 [@layers.1.gate] : tensor<?x32xf32> -> tensor<?x48xf32>
  %u1 = tx.linear %m1 [@layers.1.up] : tensor<?x32xf32> -> tensor<?x48xf32>
  %h1 = tx.glu silu %g1, %u1 : tensor<?x48xf32>
  %d1 = tx.linear %h1 [@layers.1.down] : tensor<?x48xf32> -> tensor<?x32xf32>
  %x2 = tx.add %y1, %d1 {tap = "layers.1"} : tensor<?x32xf32>

  %f = tx.norm #final %x2 : tensor<?x32xf32>
  %logits = tx.linear %f [@embed] : tensor<?x32xf32> -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}
