// Products of several tokens with SME. LLVM 22 forgets the return address in functions that start ZA and need no frame
// otherwise: ours must have one before they call __arm_tpidr2_save. Kernels themselves stay out of streaming mode, so they
// use no scalable vectors, and a step of one token does not enter it at all.
// RUN: kernel-stages %s --target aarch64-sme | FileCheck %s

// CHECK-LABEL: int4:
// CHECK-NOT: {{z[0-9]+\.|smstart}}
// CHECK: bl tile_product_q4_64_16
// CHECK-NOT: {{z[0-9]+\.|smstart}}
// CHECK-LABEL: single:
// CHECK-NOT: {{z[0-9]+\.|smstart|bl	}}
// CHECK: sdot
// CHECK-LABEL: floats:
// CHECK: bl tile_product_f16_64_64

// CHECK-LABEL: tile_product_f16_64_64:
// CHECK: {{(stp|str).*x30}}
// CHECK: bl __arm_tpidr2_save
// CHECK: fmopa za1.s
// CHECK: ret

// CHECK-LABEL: tile_product_q4_64_16:
// CHECK: {{(stp|str).*x30}}
// CHECK: bl __arm_tpidr2_save
// CHECK: msr TPIDR2_EL0, xzr
// CHECK: sumopa za1.s
// CHECK: sumopa za2.s
// CHECK: {{(ldp|ldr).*x30}}
// CHECK: ret
sched.kernel @int4 #kern.linear<rows = 64, columns = 64, format = "q4">
sched.kernel @single #kern.linear<rows = 64, columns = 64, format = "q4", single = true>
sched.kernel @floats #kern.linear<rows = 64, columns = 64, format = "f16">
