// RUN: sinter-opt %s --sinter-fuse-glu | FileCheck %s

tx.param @gate "m" at 0 : tensor<96x64xf32>
tx.param @up "m" at 0 : tensor<96x64xf32>
tx.param @up8 "m" at 0 : tensor<96x64xf32> as "q8"
tx.param @bias "m" at 0 : tensor<96xf32>

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[Y:.*]] = tx.linear %arg0 [@gate, @up] glu silu {tap = "t"} : tensor<?x64xf32> -> tensor<?x96xf32>
// CHECK-NEXT: return %[[Y]]
func.func @fuses(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %x [@up] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu silu %gate, %up {tap = "t"} : tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// The gate's value is wanted by itself.
// CHECK-LABEL: @other_use
// CHECK: tx.glu gelu
func.func @other_use(%x: tensor<?x64xf32>) -> (tensor<?x96xf32>, tensor<?x96xf32>) {
  %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %x [@up] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu gelu %gate, %up : tensor<?x96xf32>
  return %gate, %y : tensor<?x96xf32>, tensor<?x96xf32>
}

// CHECK-LABEL: @other_input
// CHECK: tx.glu silu
func.func @other_input(%x: tensor<?x64xf32>, %z: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %z [@up] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu silu %gate, %up : tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: @other_format
// CHECK: tx.glu silu
func.func @other_format(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %x [@up8] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu silu %gate, %up : tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: @biased
// CHECK-NEXT: tx.linear %arg0 [@gate, @up] bias [@bias, @bias] glu silu
func.func @biased(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %gate = tx.linear %x [@gate] bias [@bias] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %x [@up] bias [@bias] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu silu %gate, %up : tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: @one_biased
// CHECK: tx.glu silu
func.func @one_biased(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
  %up = tx.linear %x [@up] bias [@bias] : tensor<?x64xf32> -> tensor<?x96xf32>
  %y = tx.glu silu %gate, %up : tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
