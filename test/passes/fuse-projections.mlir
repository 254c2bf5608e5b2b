// RUN: sinter-opt %s --sinter-fuse-projections | FileCheck %s

tx.param @q "m" at 0 : tensor<64x64xf32>
tx.param @k "m" at 0 : tensor<32x64xf32>
tx.param @v8 "m" at 0 : tensor<32x64xf32> as "q8"
tx.param @qb "m" at 0 : tensor<64xf32>
tx.param @kb "m" at 0 : tensor<32xf32>

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[QK:.*]] = tx.linear %arg0 [@q, @k] : tensor<?x64xf32> -> tensor<?x96xf32>
// CHECK-NEXT: %[[Q:.*]] = tx.slice %[[QK]] from 0 : tensor<?x96xf32> -> tensor<?x64xf32>
// CHECK-NEXT: %[[K:.*]] = tx.slice %[[QK]] from 64 : tensor<?x96xf32> -> tensor<?x32xf32>
// CHECK-NEXT: return %[[Q]], %[[K]]
func.func @fuses(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x32xf32>) {
  %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
  %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x32xf32>
  return %q, %k : tensor<?x64xf32>, tensor<?x32xf32>
}

// CHECK-LABEL: @biased
// CHECK-NEXT: tx.linear %arg0 [@q, @k] bias [@qb, @kb] : tensor<?x64xf32> -> tensor<?x96xf32>
func.func @biased(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x32xf32>) {
  %q = tx.linear %x [@q] bias [@qb] : tensor<?x64xf32> -> tensor<?x64xf32>
  %k = tx.linear %x [@k] bias [@kb] : tensor<?x64xf32> -> tensor<?x32xf32>
  return %q, %k : tensor<?x64xf32>, tensor<?x32xf32>
}

// Only one has a bias; nothing fuses.
// CHECK-LABEL: @half_biased
// CHECK-NEXT: tx.linear %arg0 [@q] bias [@qb]
// CHECK-NEXT: tx.linear %arg0 [@k] :
func.func @half_biased(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x32xf32>) {
  %q = tx.linear %x [@q] bias [@qb] : tensor<?x64xf32> -> tensor<?x64xf32>
  %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x32xf32>
  return %q, %k : tensor<?x64xf32>, tensor<?x32xf32>
}

// Products of another format stay apart.
// CHECK-LABEL: @formats
// CHECK-NEXT: tx.linear %arg0 [@q, @k] :
// CHECK: tx.linear %arg0 [@v8] :
func.func @formats(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) {
  %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
  %v = tx.linear %x [@v8] : tensor<?x64xf32> -> tensor<?x32xf32>
  %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x32xf32>
  return %q, %k, %v : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>
}
