// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// RUN: sinter-opt %s --mlir-print-op-generic | sinter-opt | FileCheck %s

// Every op of tx, with and without its optional parts, prints as it was read.

// CHECK: #rope = #tx.rope<style = half, inverse_frequencies = [{{.*}}], factor = {{.*}} : f32>
#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>
#pairs = #tx.rope<style = interleaved, inverse_frequencies = [1.0], factor = 2.0 : f32>
#norm = #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32>
#layer = #tx.norm<kind = layer, weight = @n, epsilon = 0.5 : f32, bias = @n, weight_offset = 1>
#heads = #tx.norm<kind = rms, weight = @hn, epsilon = 1.0e-5 : f32>

// CHECK: tx.param @table "m" at 4096 : tensor<64x8xbf16> as "q4z-64"
tx.param @table "m" at 4096 : tensor<64x8xbf16> as "q4z-64"
// CHECK: tx.param @codes "m" at 8 : tensor<4x8xi8> stored <transposed = true, is_unsigned = true, scales = [5.000000e-01], zeros = [128]>
tx.param @codes "m" at 8 : tensor<4x8xi8> stored <transposed = true, is_unsigned = true, scales = [0.5], zeros = [128]>
// CHECK: tx.param @q "m" at 0 : tensor<8x8xf16>{{$}}
tx.param @q "m" at 0 : tensor<8x8xf16>
tx.param @k "m" at 0 : tensor<4x8xf32>
tx.param @n "m" at 0 : tensor<8xf32>
tx.param @hn "m" at 0 : tensor<4xf32>
// CHECK: tx.cache @kv kv_heads(1) head_dim(4) window(0){{$}}
tx.cache @kv kv_heads(1) head_dim(4) window(0)
// CHECK: tx.cache @ring kv_heads(1) head_dim(4) window(64) element(f16) capacity(128)
tx.cache @ring kv_heads(1) head_dim(4) window(64) element(f16) capacity(128)

// CHECK-LABEL: @rows
func.func @rows(%ids: tensor<?xi32>) -> tensor<?x8xf32> {
  // CHECK: tx.embed %{{.*}} @table : tensor<?xi32> -> tensor<?x8xf32>
  %x = tx.embed %ids @table : tensor<?xi32> -> tensor<?x8xf32>
  // CHECK: tx.embed %{{.*}} @table {scale = 4.000000e+00 : f32}
  %s = tx.embed %ids @table {scale = 4.0 : f32} : tensor<?xi32> -> tensor<?x8xf32>
  // CHECK: tx.norm <kind = rms, weight = @n, epsilon = {{.*}} : f32> %{{.*}} : tensor<?x8xf32>
  %n = tx.norm #norm %x : tensor<?x8xf32>
  // CHECK: tx.norm <kind = layer, weight = @n, epsilon = 5.000000e-01 : f32, bias = @n, weight_offset = 1>
  %l = tx.norm #layer %x : tensor<?x8xf32>
  // CHECK: tx.norm <{{.*}}@hn{{.*}}> %{{.*}} {group = 4 : i64} : tensor<?x8xf32>
  %g = tx.norm #heads %x {group = 4} : tensor<?x8xf32>
  // CHECK: tx.add %{{.*}}, %{{.*}} {tap = "layers.0"} : tensor<?x8xf32>
  %a = tx.add %n, %l {tap = "layers.0"} : tensor<?x8xf32>
  // CHECK: tx.glu gelu_tanh %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %y = tx.glu gelu_tanh %a, %g : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  // CHECK: tx.linear %{{.*}} [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
  %0 = tx.linear %x [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK: tx.linear %{{.*}} [@q] bias [@n] : tensor<?x8xf32> -> tensor<?x8xf32>
  %1 = tx.linear %x [@q] bias [@n] : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK: tx.linear %{{.*}} [@q, @q] glu relu : tensor<?x8xf32> -> tensor<?x8xf32>
  %2 = tx.linear %x [@q, @q] glu relu : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK: tx.linear %{{.*}} [@q, @k, @k] : tensor<?x8xf32> -> tensor<?x16xf32>
  %3 = tx.linear %x [@q, @k, @k] : tensor<?x8xf32> -> tensor<?x16xf32>
  // CHECK: tx.linear norm <kind = rms{{.*}}> %{{.*}} [@q, @k, @k] bias [@n, @hn, @hn] residual %{{.*}} : tensor<?x16xf32> : tensor<?x8xf32> -> tensor<?x16xf32>
  %4 = tx.linear norm #norm %x [@q, @k, @k] bias [@n, @hn, @hn] residual %3 : tensor<?x16xf32> : tensor<?x8xf32> -> tensor<?x16xf32>
  return %4 : tensor<?x16xf32>
}

// CHECK-LABEL: @attention
func.func @attention(%qkv: tensor<?x16xf32>, %pos: index) -> tensor<?x8xf32> {
  // CHECK: tx.slice %{{.*}} from 12 : tensor<?x16xf32> -> tensor<?x4xf32>
  %q = tx.slice %qkv from 0 : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = tx.slice %qkv from 12 : tensor<?x16xf32> -> tensor<?x4xf32>
  // CHECK: tx.rope %{{.*}} at %{{.*}} by #rope head_dim(4) : tensor<?x8xf32>
  %qr = tx.rope %q at %pos by #rope head_dim(4) : tensor<?x8xf32>
  // CHECK: tx.rope %{{.*}} at %{{.*}} by #rope1 head_dim(4) : tensor<?x8xf32>
  %qi = tx.rope %qr at %pos by #pairs head_dim(4) : tensor<?x8xf32>
  // CHECK: %[[K:.*]], %[[V:.*]] = tx.cache_append %{{.*}}, %{{.*}} at %{{.*}} @kv : tensor<?x4xf32>
  %K, %V = tx.cache_append %v, %v at %pos @kv : tensor<?x4xf32>
  // CHECK: tx.attention %{{.*}}, %[[K]], %[[V]] at %{{.*}} heads(2) kv_heads(1) head_dim(4) scale(5.000000e-01) {window = 64 : i64} : tensor<?x8xf32>, tensor<?x4xf32>
  %a = tx.attention %qi, %K, %V at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) {window = 64} : tensor<?x8xf32>, tensor<?x4xf32>
  // CHECK: tx.rotate_append %{{.*}} at %{{.*}} @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  %q1, %k1, %v1 = tx.rotate_append %qkv at %pos @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  // CHECK: tx.rotate_append query_norm <{{.*}}@hn{{.*}}> key_norm <{{.*}}@hn{{.*}}> rope #rope %{{.*}} at %{{.*}} @ring heads(2)
  %q2, %k2, %v2 = tx.rotate_append query_norm #heads key_norm #heads rope #rope %qkv at %pos @ring heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return %a : tensor<?x8xf32>
}

tx.param @positions "m" at 0 : tensor<16x8xf32>
tx.param @relative "m" at 0 : tensor<8x2xf32>

// CHECK-LABEL: @encoder
func.func @encoder(%ids: tensor<?xi32>, %mask: tensor<?xi32>) -> tensor<1x8xf32> {
  // CHECK: tx.position_embed %{{.*}} @positions from 2
  %p = tx.position_embed %ids @positions from 2 : tensor<?xi32> -> tensor<?x8xf32>
  // CHECK: tx.attention %{{.*}}, %{{.*}}, %{{.*}} heads(2)
  %a = tx.attention %p, %p, %p heads(2) kv_heads(2) head_dim(4) scale(5.0e-01) : tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: tx.attention {{.*}} mask %{{.*}} : tensor<?xi32> relative <table = @relative, thresholds = [1, 2, 4]> heads(2)
  %b = tx.attention %a, %a, %a mask %mask : tensor<?xi32> relative <table = @relative, thresholds = [1, 2, 4]>
      heads(2) kv_heads(2) head_dim(4) scale(5.0e-01) : tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK: tx.activate tanh
  %t = tx.activate tanh %b : tensor<?x8xf32>
  // CHECK: tx.pool mean %{{.*}} : tensor<?x8xf32> -> tensor<1x8xf32>
  %m = tx.pool mean %t : tensor<?x8xf32> -> tensor<1x8xf32>
  // CHECK: tx.unit
  %u = tx.unit %m : tensor<1x8xf32>
  return %u : tensor<1x8xf32>
}

// CHECK: tx.param @small "" at 0 : tensor<2xi16> data [1, 0, 2, 0]
tx.param @small "" at 0 : tensor<2xi16> data [1, 0, 2, 0]

// CHECK-LABEL: @generic
func.func @generic(%x: tensor<?x2xi16>) -> tensor<?xi16> {
  // CHECK: %[[N:.*]] = tx.dim 0 "rows" max(64)
  %n = tx.dim 0 "rows" max(64)
  // CHECK: tx.value @small : tensor<2xi16>
  %w = tx.value @small : tensor<2xi16>
  // CHECK: tx.loops(%{{.*}}, %{{.*}}) sizes(%[[N]]) : (tensor<?x2xi16>, tensor<2xi16>) -> tensor<?xi16> {
  // CHECK-NEXT: ^bb0(%{{.*}}: memref<?x2xi16>, %{{.*}}: memref<2xi16>, %{{.*}}: memref<?xi16>):
  %y = tx.loops(%x, %w) sizes(%n) : (tensor<?x2xi16>, tensor<2xi16>) -> tensor<?xi16> {
  ^bb0(%in: memref<?x2xi16>, %v: memref<2xi16>, %out: memref<?xi16>):
  }
  return %y : tensor<?xi16>
}
