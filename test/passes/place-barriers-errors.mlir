// RUN: sinter-opt %s --sinter-place-barriers --split-input-file --verify-diagnostics

sched.kernel @rows #kern.rows<width = 32, quantize = "q8">
sched.func @prefill max_tokens(16) {
  %a = sched.alloc at 0 : memref<16x32xf32>
  %c = sched.alloc at 2048 : memref<16x32xi8>
  %s = sched.alloc : memref<16x1xf32>
  %i = sched.alloc at 2624 : memref<16x1xi32>
  // expected-error @+1 {{binds scales to a buffer without offset: run --sinter-plan-memory first}}
  sched.dispatch @rows(%a, %c, %s, %i) units(1) per(1) : memref<16x32xf32>, memref<16x32xi8>, memref<16x1xf32>, memref<16x1xi32>
}

// -----

sched.kernel @rope #kern.rope_table<rope = <style = half, inverse_frequencies = [1.0], factor = 1.0 : f32>>
sched.func @prefill max_tokens(16) {
  %a = memref.alloc() : memref<16x32xf32>
  // expected-error @+1 {{binds out to what is neither a sched.alloc nor a sched.ref}}
  sched.dispatch @rope(%a) units(1) per(1) : memref<16x32xf32>
}
