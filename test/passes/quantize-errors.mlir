// RUN: sinter-opt %s --sinter-quantize=format=q5 --verify-diagnostics

// expected-error @+1 {{unknown weight format 'q5', expected one of f32, f16, bf16, q8, q8-64, q6, q4}}
module {
  tx.param @q "m" at 0 : tensor<64x64xbf16>
}
