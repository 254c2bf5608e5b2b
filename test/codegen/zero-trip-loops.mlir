// MLIR 22 lowers scf.for so that a loop which runs zero times leaves its results undefined. The initial values must be stored
// before the loop, in every loop, also inside of others.
// RUN: kernel-stages %s --target vulkan --stage spirv | FileCheck %s

// The sum of a product starts at zero: where there are no groups it is zero.
// CHECK-LABEL: spirv.func @product
// CHECK: %[[ZERO:.*]] = spirv.Constant 0.000000e+00 : f32
// CHECK: %[[SUM:.*]] = spirv.Variable : !spirv.ptr<f32, Function>
// CHECK: spirv.Store "Function" %[[SUM]], %[[ZERO]]
// CHECK-NEXT: spirv.mlir.loop
// CHECK: spirv.Branch ^[[HEADER:.*]](%{{.*}}, %[[ZERO]] : i32, f32)
// CHECK: spirv.Store "Function" %[[SUM]], %{{.*}}
// CHECK: spirv.mlir.merge
// CHECK: spirv.Load "Function" %[[SUM]]
sched.kernel @product #kern.linear<rows = 32, columns = 64, format = "q8", single = true>
