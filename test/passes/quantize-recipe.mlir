// RUN: sinter-opt %s --sinter-quantize=format=q4m | FileCheck %s
// RUN: sinter-opt %s --sinter-quantize="format=q4m embed-format=f16" | FileCheck %s --check-prefix=EMBED

// Parts are told by what is computed around them: Q, K and V by attention, down by the activation before it.
// CHECK: tx.param @embed {{.*}} as "q6"
// CHECK: tx.param @q {{.*}} as "q6"
// CHECK: tx.param @k {{.*}} as "q6"
// CHECK: tx.param @v {{.*}} as "q6"
// CHECK: tx.param @o {{.*}} as "q4"
// CHECK: tx.param @gate {{.*}} as "q4"
// CHECK: tx.param @up {{.*}} as "q4"
// CHECK: tx.param @down {{.*}} as "q6"
// EMBED: tx.param @embed {{.*}} as "f16"
// EMBED: tx.param @q {{.*}} as "q6"
tx.param @embed "m" at 0 : tensor<256x64xbf16>
tx.param @q "m" at 0 : tensor<64x64xbf16>
tx.param @k "m" at 0 : tensor<32x64xbf16>
tx.param @v "m" at 0 : tensor<32x64xbf16>
tx.param @o "m" at 0 : tensor<64x64xbf16>
tx.param @gate "m" at 0 : tensor<96x64xbf16>
tx.param @up "m" at 0 : tensor<96x64xbf16>
tx.param @down "m" at 0 : tensor<64x96xbf16>
tx.cache @kv kv_heads(1) head_dim(32) window(0)

func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x256xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
  %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x32xf32>
  %v = tx.linear %x [@v] : tensor<?x64xf32> -> tensor<?x32xf32>
  %keys, %values = tx.cache_append %k, %v at %pos @kv : tensor<?x32xf32>
  %a = tx.attention %q, %keys, %values at %pos heads(2) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x64xf32>, tensor<?x32xf32>
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %g = tx.linear %o [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %u = tx.linear %o [@up] : tensor<?x64xf32> -> tensor<?x96xf32>
  %h = tx.glu silu %g, %u : tensor<?x96xf32>
  %d = tx.linear %h [@down] : tensor<?x96xf32> -> tensor<?x64xf32>
  %y = tx.linear %d [@embed] : tensor<?x64xf32> -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
