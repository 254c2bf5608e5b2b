// What Metal gets of a product with one token: a text whose buffers are numbered as SPIR-V's bindings are, the step's scalars
// first, which this kernel does not read. Weights are bound twice, as codes and as scales.
// RUN: kernel-stages %s --target metal --stage metal | FileCheck %s

// CHECK: #include <metal_stdlib>
// CHECK: kernel void one_token(
// CHECK-NOT: {{\[\[}}buffer(0)
// CHECK-SAME: device {{.*}}& [[CODES:[_a-z0-9]+]] {{\[\[}}buffer(1){{\]\]}}
// CHECK-SAME: {{\[\[}}buffer(4){{\]\]}}, device {{.*}} {{\[\[}}buffer(5){{\]\]}}, device {{.*}} {{\[\[}}buffer(6){{\]\]}}
// CHECK-SAME: uint3 gl_WorkGroupID {{\[\[}}threadgroup_position_in_grid{{\]\]}}
// CHECK: [[CODES]]._m0[
// CHECK: fma(
sched.kernel @one_token #kern.linear<rows = 64, columns = 64, format = "q4", single = true>

// Gates wait for their ups in memory of the workgroup.
// CHECK: kernel void gates(
// CHECK: threadgroup _{{[0-9]+}} [[GATES:_[0-9]+]];
// CHECK: [[GATES]]._m0[
// CHECK: threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
sched.kernel @gates #kern.linear<rows = 64, columns = 64, format = "q4", glu = silu>
