// RUN: sinter-opt %s --sinter-fuse-activation | FileCheck %s

tx.param @w "m" at 0 : tensor<64x64xf32>
tx.param @b "m" at 0 : tensor<64xf32>

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[Y:.*]] = tx.linear %arg0 [@w] bias [@b] act gelu {tap = "layers.0"} : tensor<?x64xf32> -> tensor<?x64xf32>
// CHECK-NEXT: return %[[Y]]
func.func @fuses(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %h = tx.linear %x [@w] bias [@b] : tensor<?x64xf32> -> tensor<?x64xf32>
  %y = tx.activate gelu %h {tap = "layers.0"} : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The product is read before the activation too.
// CHECK-LABEL: @used_twice
// CHECK: tx.activate
func.func @used_twice(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %h = tx.linear %x [@w] : tensor<?x64xf32> -> tensor<?x64xf32>
  %a = tx.activate relu %h : tensor<?x64xf32>
  %y = tx.add %h, %a : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A second activation stays behind the first.
// CHECK-LABEL: @twice
// CHECK: act relu
// CHECK-NEXT: tx.activate tanh
func.func @twice(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %h = tx.linear %x [@w] : tensor<?x64xf32> -> tensor<?x64xf32>
  %a = tx.activate relu %h : tensor<?x64xf32>
  %y = tx.activate tanh %a : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// What is activated is the sum, not the product.
// CHECK-LABEL: @residual
// CHECK: residual
// CHECK-NEXT: tx.activate gelu
func.func @residual(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %h = tx.linear %x [@w] residual %x : tensor<?x64xf32> : tensor<?x64xf32> -> tensor<?x64xf32>
  %y = tx.activate gelu %h : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
