// RUN: sinter-opt %s --sinter-form-generic | FileCheck %s

// The two ops are one kernel, whose iterations units share; the sizes come from the run-time dimension.
// CHECK-LABEL: func.func @generic_0.body(%arg0: index, %arg1: index) attributes {kern.kernel
// CHECK: %[[N:.*]] = kern.dim 0
// CHECK: %[[FLAT:.*]] = kern.binding 0 : memref<?xf32>
// CHECK: memref.reinterpret_cast %[[FLAT]] {{.*}} : memref<?xf32> to memref<?x128xf32>
// CHECK: arith.muli %{{.*}}, %arg0
// CHECK: scf.for
// CHECK: scf.for
// CHECK: math.absf
// CHECK-NOT: func.func

// CHECK: sched.kernel @generic_0 #kern.generic<body = @generic_0.body, inputs = 1, outputs = 1>
// CHECK: sched.buffer @in.0 port : memref<8192xf32>
// CHECK: sched.buffer @out.0 port : memref<8192xf32>
// CHECK: sched.dim "n" max(64)
// CHECK: sched.port input "x" @in.0 type("f32") dims([-1, 128])
// CHECK: sched.port output "y" @out.0 type("f32") dims([-1, 128])
// CHECK: sched.func @exec
// CHECK: %[[A:.*]] = sched.alloc : memref<8192xf32>
// CHECK: sched.dispatch @generic_0(%{{.*}}, %[[A]]) units(64)
// CHECK: sched.dispatch @generic_0(%[[A]], %{{.*}}) units(64)
func.func @exec(%x: tensor<?x128xf32> {tx.name = "x", tx.type = "f32", tx.dims = array<i64: -1, 128>})
    -> (tensor<?x128xf32> {tx.name = "y", tx.type = "f32", tx.dims = array<i64: -1, 128>})
    attributes {tx.dim_names = ["n"], tx.dim_max = [64], tx.checks = []} {
  %n = tx.dim 0 "n" max(64)
  %a = tx.loops(%x) sizes(%n) : (tensor<?x128xf32>) -> tensor<?x128xf32> {
  ^bb0(%in: memref<?x128xf32>, %out: memref<?x128xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c128) step (%c1, %c1) {
      %u = memref.load %in[%i, %j] : memref<?x128xf32>
      %v = math.absf %u : f32
      memref.store %v, %out[%i, %j] : memref<?x128xf32>
      scf.reduce
    }
  }
  %y = tx.loops(%a) sizes(%n) : (tensor<?x128xf32>) -> tensor<?x128xf32> {
  ^bb0(%in: memref<?x128xf32>, %out: memref<?x128xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c128) step (%c1, %c1) {
      %u = memref.load %in[%i, %j] : memref<?x128xf32>
      %v = math.absf %u : f32
      memref.store %v, %out[%i, %j] : memref<?x128xf32>
      scf.reduce
    }
  }
  return %y : tensor<?x128xf32>
}
