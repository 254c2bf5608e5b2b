// A workgroup is the thread: each invocation has one lane, folding a register goes through workgroup memory, and barriers stand
// between the store and the load.
// RUN: kernel-stages %s --target vulkan --stage spirv | FileCheck %s

// 128 lanes fold in seven rounds, twice, and each result is handed to all.
// CHECK-LABEL: spirv.func @largest
// CHECK-SAME: kern.slots = [0, 1]
// CHECK: spirv.mlir.loop
// CHECK: spirv.mlir.merge
// CHECK: spirv.Store "Workgroup"
// CHECK: spirv.ControlBarrier <Workgroup>, <Workgroup>, <AcquireRelease|UniformMemory|WorkgroupMemory>
// CHECK-NEXT: {{.*}} = spirv.
// CHECK: spirv.Load "Workgroup"
// CHECK-COUNT-15: spirv.ControlBarrier
// CHECK-NOT: spirv.ControlBarrier
// CHECK: spirv.ExecutionMode @largest "LocalSize", 128, 1, 1
sched.kernel @largest #kern.argmax<width = 1000>

// Rows need no barrier where nothing crosses lanes.
// CHECK-LABEL: spirv.func @embed
// CHECK-NOT: spirv.ControlBarrier
// CHECK: spirv.ExecutionMode @embed "LocalSize", 32, 1, 1
sched.kernel @embed #kern.embed<vocab = 100, width = 64, format = "q4", scale = 1.0 : f32>
