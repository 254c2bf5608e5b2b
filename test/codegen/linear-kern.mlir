// What the linear builder makes: weights are unpacked once per register, activations are broadcast, one loop over groups
// carries the f32 sums. The integer sums of a symmetric format start from binding 2, so nothing is subtracted.
// RUN: kernel-stages %s --target x86-64-avx512vnni --stage kern | FileCheck %s

// CHECK-LABEL: func.func @one_token(
// CHECK-SAME: attributes {kern.kernel, kern.scratch_bytes = 0 : i64}
// CHECK-DAG: %[[CODES:.*]] = kern.binding 0 : memref<?x16xi32>
// CHECK-DAG: %[[SCALES:.*]] = kern.binding 1 : memref<?x2xf32>
// CHECK-DAG: %[[SUMS:.*]] = kern.binding 2 : memref<?x2xi32>
// CHECK-DAG: %[[WEIGHTS:.*]] = kern.binding 3 : memref<?xi8>
// CHECK-DAG: %[[WEIGHT_SCALES:.*]] = kern.binding 3 : memref<?xf16>
// CHECK-DAG: %[[OUT:.*]] = kern.binding 4 : memref<?x64xf32>
// CHECK: %[[TOTAL:.*]]:2 = scf.for %[[GROUP:.*]] = {{.*}} iter_args(%[[A:.*]] = {{.*}}, %[[B:.*]] = {{.*}}) -> (vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-9: memref.prefetch
// CHECK: memref.load %[[SUMS]][{{.*}}, %[[GROUP]]] : memref<?x2xi32>
// CHECK: vector.load %[[WEIGHTS]]
// CHECK-NEXT: arith.andi
// CHECK-NEXT: arith.shrui
// CHECK: memref.load %[[CODES]]
// CHECK-NEXT: vector.broadcast {{.*}} : i32 to vector<16xi32>
// CHECK-NEXT: vector.bitcast {{.*}} : vector<16xi32> to vector<64xi8>
// CHECK-NEXT: kern.dot {{.*}} max_code(15) : vector<16xi32>, vector<64xi8>
// CHECK-COUNT-15: kern.dot
// CHECK-NOT: kern.dot
// CHECK: arith.sitofp
// CHECK: scf.yield
// CHECK: vector.store %[[TOTAL]]#0, %[[OUT]]
sched.kernel @one_token #kern.linear<rows = 64, columns = 64, format = "q4", single = true>

// Gates are kept in scratch memory until their ups are there.
// CHECK-LABEL: func.func @gated(
// CHECK-SAME: kern.scratch_bytes = 1536 : i64
// CHECK: kern.scratch 0 : memref<12x32xf32>
// CHECK: math.exp
sched.kernel @gated #kern.linear<rows = 64, columns = 64, format = "f32", glu = silu>
