// RUN: sinter-opt %s --sinter-fuse-residual | FileCheck %s

tx.param @o "m" at 0 : tensor<64x64xf32>

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[Y:.*]] = tx.linear %arg1 [@o] residual %arg0 : tensor<?x64xf32> {tap = "layers.0"}
// CHECK-NEXT: return %[[Y]]
func.func @fuses(%x: tensor<?x64xf32>, %a: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %y = tx.add %x, %o {tap = "layers.0"} : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The residual comes from between product and sum, and from the left.
// CHECK-LABEL: @moves
// CHECK-NEXT: %[[R:.*]] = tx.add %arg0, %arg0
// CHECK-NEXT: tx.linear %arg1 [@o] residual %[[R]]
func.func @moves(%x: tensor<?x64xf32>, %a: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %r = tx.add %x, %x : tensor<?x64xf32>
  %y = tx.add %o, %r : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Parallel blocks: x + attention(x) + mlp(x) becomes a chain.
// CHECK-LABEL: @chain
// CHECK-NEXT: %[[A:.*]] = tx.linear %arg1 [@o] residual %arg0
// CHECK-NEXT: %[[B:.*]] = tx.linear %arg2 [@o] residual %[[A]]
// CHECK-NEXT: return %[[B]]
func.func @chain(%x: tensor<?x64xf32>, %a: tensor<?x64xf32>, %m: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %d = tx.linear %m [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %y = tx.add %x, %o : tensor<?x64xf32>
  %z = tx.add %y, %d : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// CHECK-LABEL: @two_users
// CHECK: tx.add
func.func @two_users(%x: tensor<?x64xf32>, %a: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
  %y = tx.add %x, %o : tensor<?x64xf32>
  return %o, %y : tensor<?x64xf32>, tensor<?x64xf32>
}
