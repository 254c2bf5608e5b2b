// RUN: sinter-opt %s --sinter-fuse-rotate-append | FileCheck %s

#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>
#hn = #tx.norm<kind = rms, weight = @hn, epsilon = 1.0e-5 : f32>
tx.param @hn "m" at 0 : tensor<32xf32>
tx.cache @kv kv_heads(1) head_dim(32) window(0)

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[Q:.*]], %[[K:.*]], %[[V:.*]] = tx.rotate_append rope #rope %arg0 at %arg1 @kv heads(2) : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>
// CHECK-NEXT: tx.attention %[[Q]], %[[K]], %[[V]] at %arg1 heads(2)
// CHECK-NEXT: return
func.func @fuses(%qkv: tensor<?x128xf32>, %pos: index) -> tensor<?x64xf32> {
  %q = tx.slice %qkv from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
  %k = tx.slice %qkv from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
  %v = tx.slice %qkv from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
  %qr = tx.rope %q at %pos by #rope head_dim(32) : tensor<?x64xf32>
  %kr = tx.rope %k at %pos by #rope head_dim(32) : tensor<?x32xf32>
  %keys, %values = tx.cache_append %kr, %v at %pos @kv : tensor<?x32xf32>
  %a = tx.attention %qr, %keys, %values at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  return %a : tensor<?x64xf32>
}

// With norms of each head, and in a layer that does not rotate.
// CHECK-LABEL: @norms
// CHECK-NEXT: tx.rotate_append query_norm <{{.*}}@hn{{.*}}> key_norm <{{.*}}@hn{{.*}}> %arg0 at %arg1 @kv heads(2)
// CHECK-NEXT: tx.attention
// CHECK-NEXT: return
func.func @norms(%qkv: tensor<?x128xf32>, %pos: index) -> tensor<?x64xf32> {
  %q = tx.slice %qkv from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
  %k = tx.slice %qkv from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
  %v = tx.slice %qkv from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
  %qn = tx.norm #hn %q {group = 32} : tensor<?x64xf32>
  %kn = tx.norm #hn %k {group = 32} : tensor<?x32xf32>
  %keys, %values = tx.cache_append %kn, %v at %pos @kv : tensor<?x32xf32>
  %a = tx.attention %qn, %keys, %values at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  return %a : tensor<?x64xf32>
}

// Only the keys rotate: nothing that the fused form can say.
// CHECK-LABEL: @half_rotated
// CHECK: tx.cache_append
func.func @half_rotated(%qkv: tensor<?x128xf32>, %pos: index) -> tensor<?x64xf32> {
  %q = tx.slice %qkv from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
  %k = tx.slice %qkv from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
  %v = tx.slice %qkv from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
  %kr = tx.rope %k at %pos by #rope head_dim(32) : tensor<?x32xf32>
  %keys, %values = tx.cache_append %kr, %v at %pos @kv : tensor<?x32xf32>
  %a = tx.attention %q, %keys, %values at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  return %a : tensor<?x64xf32>
}

// K and V are the other way round.
// CHECK-LABEL: @other_order
// CHECK: tx.cache_append
func.func @other_order(%qkv: tensor<?x128xf32>, %pos: index) -> tensor<?x64xf32> {
  %q = tx.slice %qkv from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
  %k = tx.slice %qkv from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
  %v = tx.slice %qkv from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
  %keys, %values = tx.cache_append %k, %v at %pos @kv : tensor<?x32xf32>
  %a = tx.attention %q, %keys, %values at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  return %a : tensor<?x64xf32>
}
