// RUN: sinter-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{has format 'q5', expected vector, raw, f32, f16, bf16, q8, q8-64, q6, q4}}
sched.weight @w "q5" [@a] rows(64) columns(32)

// -----

// expected-error @+1 {{interleaves two sources, has 1}}
sched.weight @w "q8" [@a] interleave rows(64) columns(32)

// -----

// expected-error @+1 {{needs at least one source}}
sched.weight @w "q8" [] rows(64) columns(32)

// -----

sched.kernel @rows #kern.rows<width = 32, quantize = "q8">
sched.func @prefill max_tokens(16) {
  // expected-error @+1 {{refers to @rows, which is not a sched.weight, sched.cache or sched.buffer}}
  %a = sched.ref @rows : memref<?xf32>
}

// -----

sched.func @prefill max_tokens(16) {
  %a = sched.alloc : memref<16x32xf32>
  // expected-error @+1 {{(C1) refers to @missing, which is not a sched.kernel}}
  sched.dispatch @missing(%a) units(1) : memref<16x32xf32>
}

// -----

sched.kernel @rows #kern.rows<width = 32, quantize = "q8">
sched.func @prefill max_tokens(16) {
  %a = sched.alloc : memref<16x32xf32>
  // expected-error @+1 {{(C2) has 1 bindings, kernel @rows takes 4}}
  sched.dispatch @rows(%a) units(1) per(1) : memref<16x32xf32>
}

// -----

sched.kernel @rows #kern.rows<width = 32, norm = <kind = rms, epsilon = 1.0e-5 : f32>>
sched.func @prefill max_tokens(16) {
  %a = sched.alloc : memref<16x32xf32>
  // expected-error @+1 {{(C3) has parts [0, 8], expected an offset and a size for each of 3 bindings}}
  sched.dispatch @rows(%a, %a, %a) units(1) per(1) parts [0, 8] : memref<16x32xf32>, memref<16x32xf32>, memref<16x32xf32>
}

// -----

// expected-error @+1 {{attribute 'spec' failed to satisfy constraint}}
"sched.kernel"() {sym_name = "k", spec = 1 : i64} : () -> ()
