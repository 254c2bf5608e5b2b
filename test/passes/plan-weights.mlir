// RUN: sinter-opt %s --sinter-plan-weights | FileCheck %s

tx.param @w "m" at 0 : tensor<96x64xf32>
tx.param @v "m" at 0 : tensor<40x64xf32>
tx.param @n "m" at 0 : tensor<40xf32>

// CHECK: sched.plan context(64) weights(51200)
sched.plan context(64)

// A vector is padded to 32 floats.
// CHECK: sched.weight @n.v {{.*}} at 0 bytes(256)
sched.weight @n.v "vector" [@n] rows(40) columns(1)
// 3 tiles by 2 groups of 576 bytes.
// CHECK: sched.weight @w.q4 {{.*}} at 256 bytes(3456)
sched.weight @w.q4 "q4" [@w] rows(96) columns(64)
// 3 tiles by one group of 128, of which half is padding: 64 bytes of scales, 64 of zeros, 2048 of codes.
// CHECK: sched.weight @w.q4z {{.*}} at 3712 bytes(6528)
sched.weight @w.q4z "q4z-128" [@w] rows(96) columns(64)
// 2 tiles of 64 columns of 32 rows of 2 bytes.
// CHECK: sched.weight @v.f16 {{.*}} at 10240 bytes(8192)
sched.weight @v.f16 "f16" [@v] rows(40) columns(64)
// Interleaved sources are padded each: 4 tiles, not the 3 that 80 rows would fill.
// CHECK: sched.weight @v.f32 {{.*}} interleave {{.*}} at 18432 bytes(32768)
sched.weight @v.f32 "f32" [@v, @v] interleave rows(80) columns(64)
