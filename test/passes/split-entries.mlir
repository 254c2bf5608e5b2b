// RUN: sinter-opt %s --sinter-split-entries=prefill-tokens=32 | FileCheck %s

tx.param @embed "m" at 0 : tensor<256x64xf32>
tx.param @norm "m" at 0 : tensor<64xf32>

// CHECK-NOT: @forward
// CHECK-LABEL: func.func @prefill(%arg0: tensor<?xi32>, %arg1: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 32 : i64}
// CHECK-NEXT: %[[X:.*]] = tx.embed %arg0
// CHECK-NEXT: %[[Y:.*]] = tx.add %[[X]], %[[X]] {tap = "layers.0"}
// CHECK-NEXT: return %[[Y]]
// CHECK-LABEL: func.func @decode(%arg0: tensor<?xi32>, %arg1: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64}
// CHECK-NEXT: tx.embed
// CHECK-NEXT: tx.add
// CHECK-NEXT: return
// CHECK-LABEL: func.func @head(%arg0: tensor<?x64xf32>) -> tensor<?x256xf32> attributes {tx.max_tokens = 1 : i64}
// CHECK-NEXT: %[[N:.*]] = tx.norm {{.*}} %arg0
// CHECK-NEXT: %[[L:.*]] = tx.linear %[[N]] [@embed]
// CHECK-NEXT: return %[[L]]
// CHECK-NOT: @forward
func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x256xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %y = tx.add %x, %x {tap = "layers.0"} : tensor<?x64xf32>
  %n = tx.norm #tx.norm<kind = rms, weight = @norm, epsilon = 1.0e-5 : f32> %y : tensor<?x64xf32>
  %logits = tx.linear %n [@embed] : tensor<?x64xf32> -> tensor<?x256xf32>
  return %logits : tensor<?x256xf32>
}
