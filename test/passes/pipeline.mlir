#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1, 0.01, 0.001], factor = 1.0 : f32>
#in0 = #tx.norm<kind = rms, weight = @layers.0.input_norm, epsilon = 1.0e-5 : f32>
#post0 = #tx.norm<kind = rms, weight = @layers.0.post_norm, epsilon = 1.0e-5 : f32>
#in1 = #tx.norm<kind = rms, weight = @layers.1.input_norm, epsilon = 1.0e-5 : f32>
#post1 = #tx.norm<kind = rms, weight = @layers.1.post_norm, epsilon = 1.0e-5 : f32>
#final = #tx.norm<kind = rms, weight = @norm, epsilon = 1.0e-5 : f32>

tx.param @embed "m" at 0 : tensor<64x32xbf16>
tx.param @norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.input_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.q "m" at 0 : tensor<32x32xbf16>
tx.param @layers.0.k "m" at 0 : tensor<16x32xbf16>
tx.param @layers.0.v "m" at 0 : tensor<16x32xbf16>
tx.param @layers.0.o "m" at 0 : tensor<32x32xbf16>
tx.param @layers.0.post_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.0.gate "m" at 0 : tensor<48x32xbf16>
tx.param @layers.0.up "m" at 0 : tensor<48x32xbf16>
tx.param @layers.0.down "m" at 0 : tensor<32x48xbf16>
tx.param @layers.1.input_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.1.q "m" at 0 : tensor<32x32xbf16>
tx.param @layers.1.k "m" at 0 : tensor<16x32xbf16>
tx.param @layers.1.v "m" at 0 : tensor<16x32xbf16>
tx.param @layers.1.o "m" at 0 : tensor<32x32xbf16>
tx.param @layers.1.post_norm "m" at 0 : tensor<32xbf16>
tx.param @layers.1.gate "m" at 0 : tensor<48x32xbf16>
tx.param @layers.1.up "m" at 0 : tensor<48x32xbf16>
tx.param @layers.1.down "m" at 0 : tensor<32x48xbf16>
tx.cache @kv.0 kv_heads(2) head_dim(8) window(0)
tx.cache @kv.1 kv_heads(2) head_dim(8) window(0)

func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> {
  %x0 = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x32xf32>

  %n0 = tx.norm #in0 %x0 : tensor<?x32xf32>
  %q0 = tx.linear %n0 [@layers.0.q] : tensor<?x32xf32> -> tensor<?x32xf32>
  %k0 = tx.linear %n0 [@layers.0.k] : tensor<?x32xf32> -> tensor<?x16xf32>
  %v0 = tx.linear %n0 [@layers.0.v] : tensor<?x32xf32> -> tensor<?x16xf32>
  %qr0 = tx.rope %q0 at %pos by #rope head_dim(8) : tensor<?x32xf32>
  %kr0 = tx.rope %k0 at %pos by #rope head_dim(8) : tensor<?x16xf32>
  %K0, %V0 = tx.cache_append %kr0, %v0 at %pos @kv.0 : tensor<?x16xf32>
  %a0 = tx.attention %qr0, %K0, %V0 at %pos heads(4) kv_heads(2) head_dim(8) scale(0.35) : tensor<?x32xf32>, tensor<?x16xf32>
  %o0 = tx.linear %a0 [@layers.0.o] : tensor<?x32xf32> -> tensor<?x32xf32>
  %y0 = tx.add %x0, %o0 : tensor<?x32xf32>
  %m0 = tx.norm #post0 %y0 : tensor<?x32xf32>
  %g0 = tx.linear %m0 [@layers.0.gate] : tensor<?x32xf32> -> tensor<?x48xf32>
  %u0 = tx.linear %m0 [@layers.0.up] : tensor<?x32xf32> -> tensor<?x48xf32>
  %h0 = tx.glu silu %g0, %u0 : tensor<?x48xf32>
  %d0 = tx.linear %h0 [@layers.0.down] : tensor<?x48xf32> -> tensor<?x32xf32>
  %x1 = tx.add %y0, %d0 {tap = "layers.0"} : tensor<?x32xf32>

  %n1 = tx.norm #in1 %x1 : tensor<?x32xf32>
  %q1 = tx.linear %n1 [@layers.1.q] : tensor<?x32xf32> -> tensor<?x32xf32>
  %k1 = tx.linear %n1 [@layers.1.k] : tensor<?x32xf32> -> tensor<?x16xf32>
  %v1 = tx.linear %n1 [@layers.1.v] : tensor<?x32xf32> -> tensor<?x16xf32>
  %qr1 = tx.rope %q1 at %pos by #rope head_dim(8) : tensor<?x32xf32>
  %kr1 = tx.rope %k1 at %pos by #rope head_dim(8) : tensor<?x16xf32>
  %K1, %V1 = tx.cache_append %kr1, %v1 at %pos @kv.1 : tensor<?x16xf32>
  %a1 = tx.attention %qr1, %K1, %V1 at %pos heads(4) kv_heads(2) head_dim(8) scale(0.35) : tensor<?x32xf32>, tensor<?x16xf32>
  %o1 = tx.linear %a1 [@layers.1.o] : tensor<?x32xf32> -> tensor<?x32xf32>
  %y1 = tx.add %x1, %o1 : tensor<?x32xf32>
  %m1 = tx.norm #post1 %y1 : tensor<?x32xf32>
  %g1 = tx.linear %m1 [@layers.1.gate] : tensor<?x32xf32> -> tensor<?x48xf32>
  %u1 = tx.linear %m1 [@layers.1.up] : tensor<?x32xf32> -> tensor<?x48xf32>
  %h1 = tx.glu silu %g1, %u1 : tensor<?x48xf32>
  %d1 = tx.linear %h1 [@layers.1.down] : tensor<?x48xf32> -> tensor<?x32xf32>
  %x2 = tx.add %y1, %d1 {tap = "layers.1"} : tensor<?x32xf32>

  %f = tx.norm #final %x2 : tensor<?x32xf32>
  %logits = tx.linear %f [@embed] : tensor<?x32xf32> -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}
