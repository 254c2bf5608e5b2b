// RUN: sinter-opt %s --sinter-fuse-norm | FileCheck %s

#norm = #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32>
tx.param @n "m" at 0 : tensor<64xf32>
tx.param @h "m" at 0 : tensor<32xf32>
tx.param @w "m" at 0 : tensor<96x64xf32>

// CHECK-LABEL: @fuses
// CHECK-NEXT: %[[Y:.*]] = tx.linear norm <kind = rms, weight = @n, {{.*}}> %arg0 [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
// CHECK-NEXT: return %[[Y]]
func.func @fuses(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %n = tx.norm #norm %x : tensor<?x64xf32>
  %y = tx.linear %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: @two_users
// CHECK-NEXT: tx.norm
func.func @two_users(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x96xf32>) {
  %n = tx.norm #norm %x : tensor<?x64xf32>
  %y = tx.linear %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
  return %n, %y : tensor<?x64xf32>, tensor<?x96xf32>
}

// CHECK-LABEL: @by_groups
// CHECK-NEXT: tx.norm {{.*}} {group = 32 : i64}
func.func @by_groups(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %n = tx.norm #tx.norm<kind = rms, weight = @h, epsilon = 1.0e-5 : f32> %x {group = 32} : tensor<?x64xf32>
  %y = tx.linear %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// A post-norm model's layer ends in the norm.
// CHECK-LABEL: @tapped
// CHECK-NEXT: tx.norm
func.func @tapped(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %n = tx.norm #norm %x {tap = "layers.0"} : tensor<?x64xf32>
  %y = tx.linear %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: @second_norm
// CHECK-NEXT: %[[N:.*]] = tx.norm
// CHECK-NEXT: tx.linear norm <{{.*}}> %[[N]]
func.func @second_norm(%x: tensor<?x64xf32>) -> tensor<?x96xf32> {
  %n = tx.norm #norm %x : tensor<?x64xf32>
  %y = tx.linear norm #norm %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
