// RUN: sinter-opt %s --sinter-quantize=format=q4 | FileCheck %s
// RUN: sinter-opt %s --sinter-quantize="format=q8 embed-format=f16" | FileCheck %s --check-prefix=BOTH
// RUN: sinter-opt %s --sinter-quantize=format=f32 | FileCheck %s --check-prefix=FLOAT

// Vectors keep what they are; embeddings and head go with the body unless told.
// CHECK: tx.param @embed {{.*}} as "q6"
// CHECK: tx.param @q {{.*}} as "q4"
// CHECK: tx.param @norm "m" at 0 : tensor<64xbf16>{{$}}
// CHECK: tx.param @head {{.*}} as "q6"
// BOTH: tx.param @embed {{.*}} as "f16"
// BOTH: tx.param @q {{.*}} as "q8"
// BOTH: tx.param @head {{.*}} as "f16"
// FLOAT: tx.param @embed {{.*}} as "f32"
// FLOAT: tx.param @q {{.*}} as "f32"
// FLOAT: tx.param @head {{.*}} as "f32"
tx.param @embed "m" at 0 : tensor<256x64xbf16>
tx.param @q "m" at 0 : tensor<64x64xbf16>
tx.param @norm "m" at 0 : tensor<64xbf16>
tx.param @head "m" at 0 : tensor<256x64xbf16>

func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x256xf32> {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
  %n = tx.norm #tx.norm<kind = rms, weight = @norm, epsilon = 1.0e-5 : f32> %q : tensor<?x64xf32>
  %y = tx.linear %n [@head] : tensor<?x64xf32> -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
