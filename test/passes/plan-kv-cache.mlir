// RUN: sinter-opt %s --sinter-plan-kv-cache="context=1000 prefill-tokens=64 element=f16" | FileCheck %s
// RUN: sinter-opt %s --sinter-plan-kv-cache="context=120 prefill-tokens=512 element=f32" | FileCheck %s --check-prefix=SHORT

// Everything is kept: the context, in tiles of 16 tokens.
// CHECK: tx.cache @full kv_heads(2) head_dim(32) window(0) element(f16) capacity(1008)
// SHORT: tx.cache @full kv_heads(2) head_dim(32) window(0) element(f32) capacity(128)
tx.cache @full kv_heads(2) head_dim(32) window(0)

// A ring of the window and one prefill chunk.
// CHECK: tx.cache @ring kv_heads(2) head_dim(32) window(100) element(f16) capacity(176)
// SHORT: tx.cache @ring kv_heads(2) head_dim(32) window(100) element(f32) capacity(128)
tx.cache @ring kv_heads(2) head_dim(32) window(100)

// A window larger than the context keeps everything.
// CHECK: tx.cache @wide kv_heads(2) head_dim(32) window(4096) element(f16) capacity(1008)
// SHORT: tx.cache @wide kv_heads(2) head_dim(32) window(4096) element(f32) capacity(128)
tx.cache @wide kv_heads(2) head_dim(32) window(4096)
