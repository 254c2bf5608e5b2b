// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// RUN: sinter-opt %s --mlir-print-op-generic | sinter-opt | FileCheck %s

// Every op and every spec of kern, with and without its optional parts, prints as it was read.

#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>

// CHECK: #kern.embed<vocab = 64, width = 32, format = "q4", scale = 1.000000e+00 : f32>
sched.kernel @embed #kern.embed<vocab = 64, width = 32, format = "q4", scale = 1.0 : f32>
// CHECK: #kern.rows<width = 32, norm = <kind = layer, epsilon = 5.000000e-01 : f32, bias = true>>
sched.kernel @norm #kern.rows<width = 32, norm = <kind = layer, epsilon = 0.5 : f32, bias = true>>
// CHECK: #kern.rows<width = 32, quantize = "q8">
sched.kernel @quantize #kern.rows<width = 32, quantize = "q8">
// CHECK: #kern.linear<rows = 64, columns = 32, format = "q8">
sched.kernel @linear #kern.linear<rows = 64, columns = 32, format = "q8">
// CHECK: #kern.linear<rows = 64, columns = 32, format = "q8", fused_rows = true, norm = <kind = rms, epsilon = 5.000000e-01 : f32>, glu = silu, bias = true, residual = true, single = true, row_from_scalar = true>
sched.kernel @fused #kern.linear<rows = 64, columns = 32, format = "q8", fused_rows = true, norm = <kind = rms, epsilon = 0.5 : f32>, glu = silu, bias = true, residual = true, single = true, row_from_scalar = true>
// CHECK: #kern.generic<body = @some, inputs = 2, outputs = 1, serial = true>
sched.kernel @generic #kern.generic<body = @some, inputs = 2, outputs = 1, serial = true>
// CHECK: #kern.rope_table<rope = #rope>
sched.kernel @table #kern.rope_table<rope = #rope>
// CHECK: #kern.rotate_append<heads = 4, kv_heads = 2, head_dim = 8, rotary_dims = 4, style = interleaved, element = f16, capacity = 64, tokens_per_unit = 16, query_norm = <kind = rms, epsilon = 5.000000e-01 : f32>, key_norm = <kind = rms, epsilon = 5.000000e-01 : f32>>
sched.kernel @append #kern.rotate_append<heads = 4, kv_heads = 2, head_dim = 8, rotary_dims = 4, style = interleaved, element = f16, capacity = 64, tokens_per_unit = 16, query_norm = <kind = rms, epsilon = 0.5 : f32>, key_norm = <kind = rms, epsilon = 0.5 : f32>>
// CHECK: #kern.attention<heads = 4, kv_heads = 2, head_dim = 8, scale = 5.000000e-01 : f32, window = 16, element = f32, capacity = 64, tokens_per_unit = 1>
sched.kernel @attention #kern.attention<heads = 4, kv_heads = 2, head_dim = 8, scale = 0.5 : f32, window = 16, element = f32, capacity = 64, tokens_per_unit = 1>
// CHECK: #kern.yardstick<kind = dot>
sched.kernel @yardstick #kern.yardstick<kind = dot>

// CHECK-LABEL: @kernel
func.func @kernel(%begin: index, %end: index) attributes {kern.kernel} {
  // CHECK: kern.binding 1 : memref<?xi8>
  %w = kern.binding 1 : memref<?xi8>
  // CHECK: kern.scratch 64 : memref<1x576xi8>
  %s = kern.scratch 64 : memref<1x576xi8>
  // CHECK: kern.scalar tokens
  %t = kern.scalar tokens
  // CHECK: kern.scalar position
  %p = kern.scalar position
  // CHECK: kern.scalar row
  %r = kern.scalar row
  return
}

// CHECK-LABEL: @dot
func.func @dot(%acc: vector<16xi32>, %codes: vector<64xi8>, %rows: vector<64xi8>) -> vector<16xi32> {
  // CHECK: kern.dot %{{.*}}, %{{.*}}, %{{.*}} max_code(15) : vector<16xi32>, vector<64xi8>
  %d = kern.dot %acc, %codes, %rows max_code(15) : vector<16xi32>, vector<64xi8>
  return %d : vector<16xi32>
}

// CHECK-LABEL: @dims
func.func @dims() -> index {
  // CHECK: kern.dim 3
  %d = kern.dim 3
  return %d : index
}

// CHECK-LABEL: @dot_2x2
func.func @dot_2x2(%acc: vector<4xi32>, %codes: vector<16xi8>, %rows: vector<16xi8>) -> vector<4xi32> {
  // CHECK: kern.dot %{{.*}}, %{{.*}}, %{{.*}} max_code(128) signed : vector<4xi32>, vector<16xi8>
  %s = kern.dot %acc, %codes, %rows max_code(128) signed : vector<4xi32>, vector<16xi8>
  // CHECK: kern.dot_2x2 %{{.*}}, %{{.*}}, %{{.*}} : vector<4xi32>, vector<16xi8>
  %d = kern.dot_2x2 %s, %rows, %codes : vector<4xi32>, vector<16xi8>
  return %d : vector<4xi32>
}

// CHECK-LABEL: @tile_product
func.func @tile_product(%w: memref<?xi8>, %q: memref<?x16xi32>, %s: memref<?x2xf32>, %z: memref<?x2xi32>,
                        %f: memref<?xf32>, %x: memref<?x64xf32>, %out: memref<64x32xf32>, %i: index, %n: index) {
  // CHECK: kern.tile_product "q4" columns(64) %{{.*}}[%{{.*}}], %{{.*}}[%{{.*}} for %{{.*}}] scales(%{{.*}}, %{{.*}}) to %{{.*}} : memref<?xi8>
  kern.tile_product "q4" columns(64) %w[%i], %q[%i for %n] scales(%s, %z) to %out : memref<?xi8>, memref<?x16xi32>, memref<64x32xf32> scales(memref<?x2xf32>, memref<?x2xi32>)
  // CHECK: kern.tile_product "f32" columns(64) %{{.*}}[%{{.*}}], %{{.*}}[%{{.*}} for %{{.*}}] to %{{.*}} : memref<?xf32>
  kern.tile_product "f32" columns(64) %f[%i], %x[%i for %n] to %out : memref<?xf32>, memref<?x64xf32>, memref<64x32xf32>
  return
}
