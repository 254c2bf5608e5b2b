// What becomes of the linear kernel on each target: its dot product instructions, and nothing that a kernel must not have,
// such as calls or, in the tiles with most tokens, vectors spilled to the stack.
// RUN: kernel-stages %s --target x86-64 | FileCheck %s --check-prefix=SSE2 \
// RUN:   --implicit-check-not="{{call|ymm|zmm|pmaddubsw|cvtph2ps}}"
// RUN: kernel-stages %s --target x86-64-avx2 | FileCheck %s --check-prefix=AVX2 --implicit-check-not="{{call|zmm|vpdpbusd}}"
// RUN: kernel-stages %s --target x86-64-avx512vnni | FileCheck %s --check-prefix=AVX512 \
// RUN:   --implicit-check-not="{{call|(16|32|64)-byte (Folded )?(Spill|Reload)}}"
// RUN: kernel-stages %s --target aarch64 | FileCheck %s --check-prefix=NEON --implicit-check-not="{{(sdot|mmla|z[0-9]+\.|[^0]x18|bl	)}}"
// RUN: kernel-stages %s --target aarch64-dotprod | FileCheck %s --check-prefix=DOTPROD --implicit-check-not="{{(mmla|z[0-9]+\.|[^0]x18|bl	)}}"
// RUN: kernel-stages %s --target aarch64-i8mm | FileCheck %s --check-prefix=I8MM --implicit-check-not="{{(z[0-9]+\.|[^0]x18|bl	)}}"

// SSE2-LABEL: int4:
// SSE2: pmaddwd
// SSE2-LABEL: half:

// AVX2-LABEL: int4:
// AVX2: vpmaddubsw
// AVX2: vpaddw
// AVX2-LABEL: int8:
// AVX2: vpmaddubsw
// AVX2-LABEL: half:
// AVX2: vcvtph2ps
// AVX2: vfmadd

// AVX512-LABEL: int4:
// AVX512: vpandq
// AVX512: vpdpbusd
// AVX512-LABEL: int8:
// AVX512: vpdpbusd
// AVX512-LABEL: half:
// AVX512: vcvtph2ps
// AVX512: vfmadd

// NEON-LABEL: int4:
// NEON: smlal
// NEON: saddlp
// NEON-LABEL: int8:
// NEON: eor
// NEON: smull
// NEON-LABEL: half:
// NEON: fcvtl
// NEON: fmla {{.*}}.s[

// Activations are lanes of what was loaded, not broadcast.
// DOTPROD-LABEL: int4:
// DOTPROD: sdot {{.*}}.4b[0]
// DOTPROD: sdot {{.*}}.4b[3]
// DOTPROD-LABEL: int8:
// DOTPROD: eor
// DOTPROD: sdot
// DOTPROD-LABEL: half:

// I8MM-LABEL: int4:
// I8MM: zip1
// I8MM: smmla
// I8MM-LABEL: int8:
// I8MM: smmla
// I8MM-LABEL: half:
sched.kernel @int4 #kern.linear<rows = 64, columns = 2048, format = "q4">
sched.kernel @int8 #kern.linear<rows = 64, columns = 2048, format = "q8">
sched.kernel @half #kern.linear<rows = 64, columns = 2048, format = "f16">
