// RUN: sinter-opt %s --sinter-split-entries --split-input-file --verify-diagnostics

// expected-error @+1 {{has no func.func @forward to split}}
module {}

// -----

tx.param @embed "m" at 0 : tensor<256x64xf32>
// expected-error @+1 {{has no op with one result and a `tap` to split after}}
func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

tx.param @embed "m" at 0 : tensor<256x64xf32>
func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %y = tx.add %x, %x {tap = "layers.0"} : tensor<?x64xf32>
  // expected-error @+1 {{comes after the last tapped value and may only depend on it}}
  %z = tx.add %y, %x : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// -----

tx.param @embed "m" at 0 : tensor<256x64xf32>
// expected-error @+1 {{returns a value that does not depend on the last tapped one}}
func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %y = tx.add %x, %x {tap = "layers.0"} : tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

// expected-error @+1 {{must have one block}}
func.func private @forward(tensor<?xi32>, index) -> tensor<?x64xf32>
