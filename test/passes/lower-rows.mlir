// RUN: sinter-opt %s --sinter-lower-rows | FileCheck %s

// What no product took in becomes loops over the rows that there are.
// CHECK-LABEL: @exec
// CHECK: %[[N:.*]] = tx.dim 0 "n" max(64)
// CHECK: %[[ROWS:.*]] = tensor.reshape
// CHECK: %[[A:.*]] = tx.loops(%[[ROWS]]) sizes(%[[N]]) : (tensor<?x64xf32>) -> tensor<?x64xf32>
// CHECK: scf.parallel
// CHECK: arith.maximumf
// CHECK: %[[B:.*]] = tx.loops(%[[A]], %[[ROWS]]) sizes(%[[N]])
// CHECK: arith.addf
// CHECK: tx.loops(%[[A]], %[[B]]) sizes(%[[N]])
// CHECK: math.exp
// CHECK: arith.mulf
// CHECK-NOT: tx.activate
func.func @exec(%x: tensor<2x?x32xf32>) -> tensor<?x64xf32> {
  %n = tx.dim 0 "n" max(64)
  %c64 = arith.constant 64 : index
  %shape = tensor.from_elements %n, %c64 : tensor<2xindex>
  %rows = tensor.reshape %x(%shape) : (tensor<2x?x32xf32>, tensor<2xindex>) -> tensor<?x64xf32>
  %a = tx.activate relu %rows : tensor<?x64xf32>
  %b = tx.add %a, %rows : tensor<?x64xf32>
  %y = tx.glu silu %a, %b : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
