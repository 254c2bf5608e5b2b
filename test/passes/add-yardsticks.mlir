// RUN: sinter-opt %s --sinter-add-yardsticks | FileCheck %s

// After the kernels of the schedule, which keep their numbers.
// CHECK: sched.kernel @rows
// CHECK-NEXT: sched.kernel @yardstick_read #kern.yardstick<kind = read>
// CHECK-NEXT: sched.kernel @yardstick_dot #kern.yardstick<kind = dot>
// CHECK-NEXT: sched.kernel @yardstick_fma #kern.yardstick<kind = fma>
// CHECK-NEXT: sched.func @decode
sched.kernel @rows #kern.rows<width = 8, quantize = "q8">
sched.func @decode max_tokens(1) { }
