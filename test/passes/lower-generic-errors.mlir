// RUN: sinter-opt %s --sinter-lower-generic --split-input-file --verify-diagnostics

#map = affine_map<(i) -> (i)>
#one = affine_map<(i) -> (0)>

func.func @reduction(%x: tensor<4xf32>) -> tensor<1xf32> {
  %e = tensor.empty() : tensor<1xf32>
  // expected-error @below {{reduces; reductions are written as tx.loops}}
  %y = linalg.generic {indexing_maps = [#map, #one], iterator_types = ["reduction"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<1xf32>) {
  ^bb0(%u: f32, %o: f32):
    %v = arith.addf %u, %o : f32
    linalg.yield %v : f32
  } -> tensor<1xf32>
  return %y : tensor<1xf32>
}

// -----

#map = affine_map<(i) -> (i)>

func.func @in_place(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{writes to what is not a tensor.empty}}
  %y = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%x : tensor<4xf32>) {
  ^bb0(%o: f32):
    linalg.yield %o : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
