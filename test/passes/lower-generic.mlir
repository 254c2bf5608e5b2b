// RUN: sinter-opt %s --sinter-lower-generic --canonicalize | FileCheck %s

#map = affine_map<(i, j) -> (i, j)>
#flip = affine_map<(i, j) -> (j, i)>

// CHECK-LABEL: @transpose
// CHECK: tx.loops(%arg0) sizes(%{{.*}}) : (tensor<?x4xf32>) -> tensor<4x?xf32>
// CHECK: ^bb0(%[[IN:.*]]: memref<?x4xf32>, %[[OUT:.*]]: memref<4x?xf32>):
// CHECK: scf.parallel (%[[I:.*]], %[[J:.*]]) =
// CHECK: %[[X:.*]] = memref.load %[[IN]][%[[J]], %[[I]]]
// CHECK: memref.store %[[X]], %[[OUT]][%[[I]], %[[J]]]
func.func @transpose(%x: tensor<?x4xf32>) -> tensor<4x?xf32> {
  %n = tx.dim 0 "n" max(64)
  %e = tensor.empty(%n) : tensor<4x?xf32>
  %y = linalg.generic {indexing_maps = [#flip, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x4xf32>) outs(%e : tensor<4x?xf32>) {
  ^bb0(%u: f32, %o: f32):
    linalg.yield %u : f32
  } -> tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}
