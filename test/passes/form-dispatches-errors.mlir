// RUN: sinter-opt %s --sinter-form-dispatches --split-input-file --verify-diagnostics

// expected-error @+1 {{has no format: run --sinter-quantize first}}
tx.param @embed "m" at 0 : tensor<256x64xf32>

// -----

// expected-error @+1 {{has no element and capacity: run --sinter-plan-kv-cache first}}
tx.cache @kv kv_heads(1) head_dim(32) window(0)

// -----

// expected-error @+1 {{has no tx.max_tokens: run --sinter-split-entries first}}
func.func @prefill(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

// -----

// expected-error @+1 {{must return one value that it computes}}
func.func @prefill(%x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64} {
  return %x : tensor<?x64xf32>
}

// -----

tx.param @w "m" at 0 : tensor<64x64xf32> as "q8"
// expected-error @+1 {{must take token ids or hidden rows as its first argument}}
func.func @prefill(%pos: index, %x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64} {
  %y = tx.linear %x [@w] : tensor<?x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @w "m" at 0 : tensor<64x64xf32> as "q8"
// expected-error @+1 {{reads hidden rows, so it must have tx.max_tokens = 1, has 8}}
func.func @head(%x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 8 : i64} {
  %y = tx.linear %x [@w] : tensor<?x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @n "m" at 0 : tensor<64xf32>
func.func @head(%x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64} {
  // expected-error @+1 {{reads the hidden rows, of which the run time names one: only tx.linear can do that}}
  %y = tx.norm #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32> %x : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x64xf32> as "q8"
func.func @prefill(%ids: tensor<?xi32>, %other: tensor<?xi32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 8 : i64} {
  // expected-error @+1 {{must embed the ids of the step}}
  %y = tx.embed %other @e : tensor<?xi32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x64xf32> as "q8"
func.func @prefill(%ids: tensor<?xi32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x64xf32>
  // expected-error @+1 {{'tx.add' op has no kernel: supported are tx.embed, tx.embed_sum, tx.norm of whole rows, tx.linear, tx.rotate_append, tx.attention, tx.pool and tx.unit}}
  %y = tx.add %x, %x : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x64xf32> as "q8"
tx.param @n "m" at 0 : tensor<32xf32>
func.func @prefill(%ids: tensor<?xi32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x64xf32>
  // expected-error @+1 {{of groups of columns has no kernel of its own: it must fuse into tx.rotate_append}}
  %y = tx.norm #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32> %x {group = 32} : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x96xf32> as "q8"
tx.cache @kv kv_heads(1) head_dim(32) window(0) element(f16) capacity(64)
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x32xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x96xf32>
  // expected-error @+1 {{rotates its input in place, so that must be a tx.linear's}}
  %q, %k, %v = tx.rotate_append %x at %pos @kv heads(1) : tensor<?x96xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  return %q : tensor<?x32xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x96xf32> as "q8"
tx.param @w "m" at 0 : tensor<96x96xf32> as "q8"
tx.cache @kv kv_heads(1) head_dim(32) window(0) element(f16) capacity(64)
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x96xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x96xf32>
  %qkv = tx.linear %x [@w] : tensor<?x96xf32> -> tensor<?x96xf32>
  // expected-error @+1 {{rotates its input in place, but that has other users}}
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(1) : tensor<?x96xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  return %qkv : tensor<?x96xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x32xf32> as "q8"
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x32xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x32xf32>
  // expected-error @+1 {{must attend with the queries, keys and values of one tx.rotate_append}}
  %a = tx.attention %x, %x, %x at %pos heads(1) kv_heads(1) head_dim(32) scale(0.2) : tensor<?x32xf32>, tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x96xf32> as "q8"
tx.param @w "m" at 0 : tensor<96x96xf32> as "q8"
tx.cache @kv kv_heads(1) head_dim(32) window(0) element(f16) capacity(64)
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x32xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x96xf32>
  %qkv = tx.linear %x [@w] : tensor<?x96xf32> -> tensor<?x96xf32>
  %q, %k, %v = tx.rotate_append %qkv at %pos @kv heads(1) : tensor<?x96xf32> -> tensor<?x32xf32>, tensor<?x32xf32>
  // expected-error @+1 {{has a window of 16, its cache one of 0}}
  %a = tx.attention %q, %k, %v at %pos heads(1) kv_heads(1) head_dim(32) scale(0.2) {window = 16} : tensor<?x32xf32>, tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// -----

tx.param @e "m" at 0 : tensor<64x64xf32> as "q8"
tx.param @w "m" at 0 : tensor<64x96xf32> as "q8"
func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @e : tensor<?xi32> -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}
// expected-error @+1 {{needs @hidden to be 'memref<8x96xf32>', another entry needs 'memref<8x64xf32>'}}
func.func @head(%x: tensor<?x96xf32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 1 : i64} {
  %y = tx.linear %x [@w] : tensor<?x96xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tx.param @embed "m" at 0 : tensor<100x64xf32> as "f32"
tx.param @places "m" at 0 : tensor<42x64xf32> as "f32"
func.func @encode(%ids: tensor<?xi32>) -> tensor<?x64xf32> attributes {tx.max_tokens = 41 : i64} {
  // expected-error @+1 {{has positions for 40 tokens, but a step may have 41}}
  %x = tx.embed_sum %ids @embed positions @places from 2 : tensor<?xi32> -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

func.func @encode(%ids: tensor<?xi32>) -> tensor<?x32xf32> attributes {tx.max_tokens = 8 : i64} {
  %x = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
  // expected-error @+1 {{has no kernel: it must fuse into tx.rotate_append or be read by full attention}}
  %s = tx.slice %x from 0 : tensor<?x64xf32> -> tensor<?x32xf32>
  return %s : tensor<?x32xf32>
}
tx.param @embed "m" at 0 : tensor<100x64xf32> as "f32"
