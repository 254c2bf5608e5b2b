// RUN: sinter-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{(C1) must be a static tensor of whole bytes per element, is 'tensor<8x8xi4>'}}
tx.param @w "m" at 0 : tensor<8x8xi4>

// -----

// expected-error @+1 {{(C1) must be a static tensor of whole bytes per element, is 'tensor<?x8xf32>'}}
tx.param @w "m" at 0 : tensor<?x8xf32>

// -----

// expected-error @+1 {{(C4) is 'tensor<2x3xi8>' without scales}}
tx.param @codes "f" at 0 : tensor<2x3xi8> stored <transposed = true>

// -----

// expected-error @+1 {{(C5) has scales or zeros that are neither one nor one for each of 2 rows}}
tx.param @codes "f" at 0 : tensor<2x3xi8> stored <scales = [1.0, 2.0, 3.0]>

// -----

// expected-error @+1 {{(C3) has 3 bytes of data, 'tensor<2xi16>' takes 4}}
tx.param @w "" at 0 : tensor<2xi16> data [1, 0, 2]

// -----

// expected-error @+1 {{(C2) has format 'q5', expected one of f32, f16, bf16, q8, q8-64, q6, q4}}
tx.param @w "m" at 0 : tensor<8x8xf32> as "q5"

// -----

// expected-error @+1 {{element must be f32, f16 or i8, is 'bf16'}}
tx.cache @kv kv_heads(1) head_dim(4) window(0) element(bf16) capacity(16)

// -----

// expected-error @+1 {{capacity must be positive, is 0}}
tx.cache @kv kv_heads(1) head_dim(4) window(0) element(f16) capacity(0)

// -----

// expected-error @+1 {{attribute 'kv_heads' failed to satisfy constraint}}
tx.cache @kv kv_heads(0) head_dim(4) window(0)

// -----

func.func @embed(%ids: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{refers to @table, which is not a tx.param}}
  %x = tx.embed %ids @table : tensor<?xi32> -> tensor<?x8xf32>
  return %x : tensor<?x8xf32>
}

// -----

tx.param @table "m" at 0 : tensor<64x16xf32>
func.func @embed(%ids: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{table @table is 'tensor<64x16xf32>', expected 8 columns}}
  %x = tx.embed %ids @table : tensor<?xi32> -> tensor<?x8xf32>
  return %x : tensor<?x8xf32>
}

// -----

tx.param @n "m" at 0 : tensor<8xf32>
func.func @norm(%x: tensor<?x12xf32>) -> tensor<?x12xf32> {
  // expected-error @+1 {{(C1) group 8 does not divide 12 columns}}
  %y = tx.norm #tx.norm<kind = rms, weight = @n, epsilon = 1.0 : f32> %x {group = 8} : tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}

// -----

tx.param @n "m" at 0 : tensor<8xf32>
func.func @norm(%x: tensor<?x12xf32>) -> tensor<?x12xf32> {
  // expected-error @+1 {{norm weight @n is 'tensor<8xf32>', expected 12 elements}}
  %y = tx.norm #tx.norm<kind = rms, weight = @n, epsilon = 1.0 : f32> %x : tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}

// -----

tx.param @n "m" at 0 : tensor<8xf32>
tx.param @b "m" at 0 : tensor<4xf32>
func.func @norm(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{norm bias @b is 'tensor<4xf32>', expected 8 elements}}
  %y = tx.norm #tx.norm<kind = layer, weight = @n, epsilon = 1.0 : f32, bias = @b> %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{needs at least one weight}}
  %y = tx.linear %x [] : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x16xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C1) weight @w is 'tensor<8x16xf32>', expected 8 columns}}
  %y = tx.linear %x [@w] : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x12xf32> {
  // expected-error @+1 {{(C2) weights give 16 columns, the result has 12}}
  %y = tx.linear %x [@w, @w] : tensor<?x8xf32> -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C2) with glu needs two weights, gate and up, has 1}}
  %y = tx.linear %x [@w] glu silu : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
tx.param @u "m" at 0 : tensor<4x8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x6xf32> {
  // expected-error @+1 {{(C2) gate has 8 rows, up 4}}
  %y = tx.linear %x [@w, @u] glu silu : tensor<?x8xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
tx.param @b "m" at 0 : tensor<8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{(C3) has 2 weights but 1 biases}}
  %y = tx.linear %x [@w, @w] bias [@b] : tensor<?x8xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
tx.param @b "m" at 0 : tensor<4xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C3) bias @b is 'tensor<4xf32>', expected 8 elements}}
  %y = tx.linear %x [@w] bias [@b] : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @w "m" at 0 : tensor<16x8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{(C4) residual is 'tensor<?x8xf32>', expected 'tensor<?x16xf32>'}}
  %y = tx.linear %x [@w] residual %x : tensor<?x8xf32> : tensor<?x8xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32> as "q8"
tx.param @u "m" at 0 : tensor<8x8xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{(C5) weights have different formats: q8 and none}}
  %y = tx.linear %x [@w, @u] : tensor<?x8xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

tx.param @w "m" at 0 : tensor<8x8xf32>
tx.param @n "m" at 0 : tensor<4xf32>
func.func @linear(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{norm weight @n is 'tensor<4xf32>', expected 8 elements}}
  %y = tx.linear norm <kind = rms, weight = @n, epsilon = 1.0 : f32> %x [@w] : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @slice(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{columns [6, 10) exceed the input's 8}}
  %y = tx.slice %x from 6 : tensor<?x8xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @rope(%x: tensor<?x8xf32>, %pos: index) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C1) head_dim 3 does not divide 8 columns}}
  %y = tx.rope %x at %pos by <style = half, inverse_frequencies = [1.0], factor = 1.0 : f32> head_dim(3) : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @rope(%x: tensor<?x8xf32>, %pos: index) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C2) rotates 6 dims of a head of 4}}
  %y = tx.rope %x at %pos by <style = half, inverse_frequencies = [1.0, 0.5, 0.25], factor = 1.0 : f32> head_dim(4) : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @kv "m" at 0 : tensor<8xf32>
func.func @append(%k: tensor<?x8xf32>, %pos: index) {
  // expected-error @+1 {{refers to @kv, which is not a tx.cache}}
  %K, %V = tx.cache_append %k, %k at %pos @kv : tensor<?x8xf32>
  return
}

// -----

tx.cache @kv kv_heads(1) head_dim(4) window(0)
func.func @append(%k: tensor<?x8xf32>, %pos: index) {
  // expected-error @+1 {{keys have 8 columns, cache @kv has 4}}
  %K, %V = tx.cache_append %k, %k at %pos @kv : tensor<?x8xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x12xf32>, %k: tensor<?x8xf32>, %pos: index) -> tensor<?x12xf32> {
  // expected-error @+1 {{(C1) 2 kv heads do not divide 3 heads}}
  %a = tx.attention %q, %k, %k at %pos heads(3) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x12xf32>, tensor<?x8xf32>
  return %a : tensor<?x12xf32>
}

// -----

func.func @attention(%q: tensor<?x12xf32>, %k: tensor<?x8xf32>, %pos: index) -> tensor<?x12xf32> {
  // expected-error @+1 {{(C2) query has 12 columns, expected 16; keys have 8, expected 8}}
  %a = tx.attention %q, %k, %k at %pos heads(4) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x12xf32>, tensor<?x8xf32>
  return %a : tensor<?x12xf32>
}

// -----

tx.cache @kv kv_heads(1) head_dim(4) window(0)
func.func @rotate(%qkv: tensor<?x20xf32>, %pos: index) {
  // expected-error @+1 {{(C1) input has 20 columns, queries, keys and values have 16}}
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(2) : tensor<?x20xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

tx.cache @kv kv_heads(1) head_dim(4) window(0)
func.func @rotate(%qkv: tensor<?x16xf32>, %pos: index) {
  // expected-error @+1 {{(C1) 3 heads do not divide 8 columns of queries}}
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(3) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

tx.param @n "m" at 0 : tensor<8xf32>
tx.cache @kv kv_heads(1) head_dim(4) window(0)
func.func @rotate(%qkv: tensor<?x16xf32>, %pos: index) {
  // expected-error @+1 {{norm weight @n is 'tensor<8xf32>', expected 4 elements}}
  %q, %k, %v = tx.rotate_append key_norm <kind = rms, weight = @n, epsilon = 1.0 : f32> %qkv at %pos @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

tx.cache @kv kv_heads(1) head_dim(8) window(0)
func.func @rotate(%qkv: tensor<?x16xf32>, %pos: index) {
  // expected-error @+1 {{keys have 4 columns, cache @kv has 8}}
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

tx.cache @kv kv_heads(2) head_dim(2) window(0)
func.func @rotate(%qkv: tensor<?x16xf32>, %pos: index) {
  // expected-error @+1 {{(C2) heads of queries have 4 columns, those of cache @kv 2}}
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
  return
}

// -----

tx.param @p "m" at 0 : tensor<8x4xf32>
func.func @positions(%ids: tensor<?xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{(C1) table @p is 'tensor<8x4xf32>', expected 4 columns and more than 8 rows}}
  %p = tx.position_embed %ids @p from 8 : tensor<?xi32> -> tensor<?x4xf32>
  return %p : tensor<?x4xf32>
}

// -----

tx.param @w "m" at 0 : tensor<4x4xf32>
func.func @both(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{(C6) has both glu and act}}
  %y = tx.linear %x [@w, @w] glu silu act gelu : tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @full(%q: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C3) has a window of 3 but no position}}
  %a = tx.attention %q, %q, %q heads(2) kv_heads(2) head_dim(4) scale(0.5) {window = 3} : tensor<?x8xf32>, tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// -----

func.func @masked(%q: tensor<?x8xf32>, %mask: tensor<?xi32>, %pos: index) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C4) has a position and a mask}}
  %a = tx.attention %q, %q, %q at %pos mask %mask : tensor<?xi32> heads(2) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// -----

tx.param @r "m" at 0 : tensor<6x2xf32>
func.func @relative(%q: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C5) table @r is 'tensor<6x2xf32>', expected 8 rows and 2 columns}}
  %a = tx.attention %q, %q, %q relative <table = @r, thresholds = [1, 2, 4]> heads(2) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// -----

func.func @pool(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{(C1) result is 'tensor<?x8xf32>', expected one row of 8}}
  %y = tx.pool mean %x : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

tx.param @w "m" at 0 : tensor<3xf32>

func.func @value() {
  // expected-error @+1 {{is 'tensor<4xf32>', its param @w is 'tensor<3xf32>'}}
  %w = tx.value @w : tensor<4xf32>
  return
}

// -----

func.func @loops(%x: tensor<?xf32>) {
  // expected-error @+1 {{(C1) has 0 sizes, its results have 1 dynamic dims}}
  %y = tx.loops(%x) : (tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%in: memref<?xf32>, %out: memref<?xf32>):
  }
  return
}

// -----

func.func @loops(%x: tensor<4xf32>) {
  // expected-error @+1 {{(C2) has an argument 'memref<5xf32>' for 'tensor<4xf32>'}}
  %y = tx.loops(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%in: memref<5xf32>, %out: memref<4xf32>):
  }
  return
}

// -----

func.func @loops(%n: index) {
  // expected-error @+1 {{(C3) has 2 scf.parallel at its top level, expected at most one}}
  %y = tx.loops() : () -> tensor<4xf32> {
  ^bb0(%out: memref<4xf32>):
    scf.parallel (%i) = (%n) to (%n) step (%n) {
      scf.reduce
    }
    scf.parallel (%i) = (%n) to (%n) step (%n) {
      scf.reduce
    }
  }
  return
}
