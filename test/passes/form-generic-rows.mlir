// RUN: sinter-opt %s --sinter-form-generic | FileCheck %s

// Ops on rows are dispatches of the transformer's kernels; how many rows there are, and how many each text has, @sizes
// computes when they are known. The tensor and its rows are one buffer.
// CHECK: sched.kernel @linear_64x64_q8
// CHECK: sched.kernel @full_attention_2_2x32_added_sequences
// CHECK: sched.buffer @[[ROWS:.*]] rows : memref<2xi64>
// CHECK-LABEL: sched.func @exec
// CHECK-DAG: %[[X:.*]] = sched.ref @in.0
// CHECK-DAG: %[[M:.*]] = sched.ref @in.1
// CHECK: sched.dispatch @rows_64_norm_q8_keep(%[[X]], {{.*}}) units(1) per(1) rows(-1)
// CHECK: sched.dispatch @linear_64x64_q8({{.*}}) units(2) rows(-1)
// CHECK: sched.dispatch @full_attention_2_2x32_added_sequences({{.*}}, %[[M]], {{.*}}) units(2) per(32) rows(-1) sequence(-2)
// CHECK-LABEL: sched.func @sizes
// CHECK: sched.dispatch @{{.*}} units(1)
tx.param @w "m" at 0 : tensor<64x64xf32> as "q8"
tx.param @n "m" at 16384 : tensor<64xf32>
func.func @exec(%x: tensor<3x?x64xf32> {tx.name = "x", tx.type = "f32", tx.dims = array<i64: 3, -1, 64>},
                %mask: tensor<?xf32> {tx.name = "mask", tx.type = "f32", tx.dims = array<i64: -2>})
    -> (tensor<3x?x64xf32> {tx.name = "y", tx.type = "f32", tx.dims = array<i64: 3, -1, 64>})
    attributes {tx.dim_names = ["n", "m"], tx.dim_max = [16, 48], tx.checks = []} {
  %n = tx.dim 0 "n" max(16)
  %c3 = arith.constant 3 : index
  %c64 = arith.constant 64 : index
  %all = arith.muli %n, %c3 : index
  %flat = tensor.from_elements %all, %c64 : tensor<2xindex>
  %rows = tensor.reshape %x(%flat) : (tensor<3x?x64xf32>, tensor<2xindex>) -> tensor<?x64xf32>
  %a = tx.norm <kind = layer, weight = @n, epsilon = 1.0e-5 : f32, bias = @n> %rows : tensor<?x64xf32>
  %q = tx.linear %a [@w] : tensor<?x64xf32> -> tensor<?x64xf32>
  %m = tx.attention %q, %a, %a mask %mask : tensor<?xf32> sequence %n heads(2) kv_heads(2) head_dim(32) scale(0.2)
      : tensor<?x64xf32>, tensor<?x64xf32>
  %deep = tensor.from_elements %c3, %n, %c64 : tensor<3xindex>
  %y = tensor.reshape %m(%deep) : (tensor<?x64xf32>, tensor<3xindex>) -> tensor<3x?x64xf32>
  return %y : tensor<3x?x64xf32>
}
