// RUN: sinter-opt %s --sinter-form-dispatches=context=64 | FileCheck %s

#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>
#norm = #tx.norm<kind = rms, weight = @norm, epsilon = 1.0e-5 : f32>
tx.param @embed "m" at 0 : tensor<256x64xf32> as "q8"
tx.param @norm "m" at 0 : tensor<64xf32>
tx.param @qkv "m" at 0 : tensor<128x64xf32> as "q4z"
tx.param @o "m" at 0 : tensor<64x64xf32> as "f16"
tx.cache @kv kv_heads(1) head_dim(32) window(0) element(f16) capacity(64)

// One weight for the tied embedding and head, one kernel for both uses of a spec.
// CHECK: sched.plan context(64)
// CHECK-COUNT-1: sched.kernel @rope_table_4
// CHECK: sched.kernel @rows_64_norm_q4z #kern.rows<width = 64, norm = <kind = rms, {{.*}}>, quantize = "q4z">
// CHECK: sched.kernel @attention_2_1x32_f16_c64_t16
// CHECK: sched.kernel @attention_2_1x32_f16_c64_t1 {{.*}}tokens_per_unit = 1
// CHECK: sched.kernel @linear_256x64_q8_norm_row {{.*}}fused_rows = true, {{.*}}single = true, row_from_scalar = true
// CHECK: sched.cache @kv kv_heads(1) head_dim(32) window(0) element(f16) capacity(64)
// CHECK-COUNT-1: sched.weight @packed.embed "q8" [@embed] rows(256) columns(64)
// CHECK: sched.weight @packed.norm "vector" [@norm] rows(64) columns(1)
// CHECK: sched.weight @packed.qkv "q4z" [@qkv] rows(128) columns(64)
// CHECK: sched.buffer @tokens tokens : memref<32xi32>
// CHECK: sched.buffer @hidden hidden : memref<32x64xf32>
// CHECK: sched.buffer @logits logits : memref<1x256xf32>

// Many tokens: rows are normalized and quantized by a dispatch of their own; floats are read as they are. The residual
// stream stays in @hidden.
// CHECK-LABEL: sched.func @prefill max_tokens(32)
// CHECK-DAG: %[[IDS:.*]] = sched.ref @tokens
// CHECK-DAG: %[[X:.*]] = sched.ref @hidden
// CHECK: %[[ROPE:.*]] = sched.alloc : memref<32x32xf32>
// CHECK: sched.dispatch @rope_table_4(%[[ROPE]]) units(1) per(1)
// CHECK: sched.dispatch @embed_256x64_q8(%[[IDS]], %{{.*}}, %[[X]]) units(1) per(1)
// CHECK: %[[C:.*]] = sched.alloc : memref<32x64xi8>
// CHECK: %[[S:.*]] = sched.alloc : memref<32x2xf32>
// CHECK: %[[SUMS:.*]] = sched.alloc : memref<32x2xf32>
// CHECK: sched.dispatch @rows_64_norm_q4z(%[[X]], %{{.*}}, %[[C]], %[[S]], %[[SUMS]]) units(1) per(1)
// CHECK: %[[QKV:.*]] = sched.alloc : memref<32x128xf32>
// CHECK: sched.dispatch @linear_128x64_q4z(%[[C]], %[[S]], %[[SUMS]], %{{.*}}, %[[QKV]]) units(4) :
// CHECK: %[[KV:.*]] = sched.ref @kv : memref<?xf16>
// CHECK: sched.dispatch @rotate_append_2_1x32_f16_c64_t16(%[[QKV]], %[[ROPE]], %[[KV]]) units(1) per(16)
// CHECK: %[[A:.*]] = sched.alloc : memref<32x64xf32>
// CHECK: sched.dispatch @attention_2_1x32_f16_c64_t16(%[[QKV]], %[[KV]], %[[A]]) units(1) per(16)
// CHECK: sched.dispatch @linear_64x64_f16_residual(%[[A]], %{{.*}}, %[[X]], %[[X]]) units(2) tap "layers.0" of 3
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 32 : i64} {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %qkv = tx.linear norm #norm %x [@qkv] : tensor<?x64xf32> -> tensor<?x128xf32>
  %q, %k, %v = tx.rotate_append rope #rope %qkv at %pos @kv heads(2) : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>
  %a = tx.attention %q, %k, %v at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  %y = tx.linear %a [@o] residual %x : tensor<?x64xf32> {tap = "layers.0"} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// One token: every thread prepares the row itself.
// CHECK-LABEL: sched.func @decode max_tokens(1)
// CHECK: %[[X:.*]] = sched.ref @hidden : memref<32x64xf32>
// CHECK: sched.dispatch @linear_128x64_q4z_norm_single(%[[X]], %{{.*}}, %{{.*}}, %{{.*}}) units(4) :
// CHECK: sched.dispatch @rotate_append_2_1x32_f16_c64_t1({{.*}}) units(1) per(1)
// CHECK: sched.dispatch @linear_64x64_f16_residual_single
func.func @decode(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64} {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %qkv = tx.linear norm #norm %x [@qkv] : tensor<?x64xf32> -> tensor<?x128xf32>
  %q, %k, %v = tx.rotate_append rope #rope %qkv at %pos @kv heads(2) : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>
  %a = tx.attention %q, %k, %v at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  %y = tx.linear %a [@o] residual %x : tensor<?x64xf32> {tap = "layers.0"} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: sched.func @head max_tokens(1)
// CHECK-DAG: %[[X:.*]] = sched.ref @hidden : memref<32x64xf32>
// CHECK-DAG: %[[Y:.*]] = sched.ref @logits : memref<1x256xf32>
// CHECK-DAG: %[[N:.*]] = sched.ref @packed.norm : memref<?xf32>
// CHECK-DAG: %[[W:.*]] = sched.ref @packed.embed : memref<?xi8>
// CHECK: sched.dispatch @linear_256x64_q8_norm_row(%[[X]], %[[N]], %[[W]], %[[Y]]) units(8) :
func.func @head(%hidden: tensor<?x64xf32>) -> tensor<?x256xf32> attributes {tx.max_tokens = 1 : i64} {
  %y = tx.linear norm #norm %hidden [@embed] : tensor<?x64xf32> -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
