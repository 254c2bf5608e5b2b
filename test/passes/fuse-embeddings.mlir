// RUN: sinter-opt %s --sinter-fuse-embeddings | FileCheck %s

tx.param @tokens "m" at 0 : tensor<100x64xf32>
tx.param @places "m" at 0 : tensor<16x64xf32>
tx.param @kinds "m" at 0 : tensor<2x64xf32>

// CHECK-LABEL: @bert
// CHECK-NEXT: %[[X:.*]] = tx.embed_sum %arg0 @tokens positions @places from 2 types %arg1 @kinds : tensor<?xi32> {tap = "x"}
// CHECK-NEXT: return %[[X]]
func.func @bert(%ids: tensor<?xi32>, %types: tensor<?xi32>) -> tensor<?x64xf32> {
  %k = tx.embed %types @kinds : tensor<?xi32> -> tensor<?x64xf32>
  %t = tx.embed %ids @tokens : tensor<?xi32> -> tensor<?x64xf32>
  %p = tx.position_embed %ids @places from 2 : tensor<?xi32> -> tensor<?x64xf32>
  %s = tx.add %p, %t : tensor<?x64xf32>
  %x = tx.add %k, %s {tap = "x"} : tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// CHECK-LABEL: @no_types
// CHECK-NEXT: tx.embed_sum %arg0 @tokens positions @places from 0 {scale = 2.000000e+00 : f32}
func.func @no_types(%ids: tensor<?xi32>) -> tensor<?x64xf32> {
  %t = tx.embed %ids @tokens {scale = 2.0 : f32} : tensor<?xi32> -> tensor<?x64xf32>
  %p = tx.position_embed %ids @places from 0 : tensor<?xi32> -> tensor<?x64xf32>
  %x = tx.add %t, %p : tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// Positions that something else reads stay; so does a sum with anything but embeddings.
// CHECK-LABEL: @shared
// CHECK-NOT: embed_sum
func.func @shared(%ids: tensor<?xi32>, %h: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %t = tx.embed %ids @tokens : tensor<?xi32> -> tensor<?x64xf32>
  %p = tx.position_embed %ids @places from 0 : tensor<?xi32> -> tensor<?x64xf32>
  %x = tx.add %t, %p : tensor<?x64xf32>
  %y = tx.add %x, %p : tensor<?x64xf32>
  %z = tx.add %y, %h : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
