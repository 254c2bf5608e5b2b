// What becomes of the linear kernel on each target: its dot product instructions, and nothing that a kernel must not have,
// such as calls or, in the tiles with most tokens, vectors spilled to the stack.
// RUN: kernel-stages %s --target x86-64 | FileCheck %s --check-prefixes=SSE2
// RUN: kernel-stages %s --target x86-64-avx2 | FileCheck %s --check-prefixes=AVX2
// RUN: kernel-stages %s --target x86-64-avx512vnni | FileCheck %s --check-prefixes=AVX512

// SSE2-NOT: {{call|ymm|zmm|pmaddubsw|cvtph2ps}}
// SSE2: pmaddwd

// AVX2-NOT: {{call|zmm|vpdpbusd}}
// AVX2-LABEL: int4:
// AVX2-COUNT-8: vpmaddubsw
// AVX2-LABEL: int8:
// AVX2: vpmaddubsw
// AVX2-LABEL: half:
// AVX2: vcvtph2ps
// AVX2: vfmadd

// AVX512-NOT: {{call|(16|32|64)-byte (Folded )?(Spill|Reload)}}
// AVX512-LABEL: int4:
// AVX512-COUNT-96: vpdpbusd
// AVX512-LABEL: int8:
// AVX512-COUNT-96: vpdpbusd
// AVX512-LABEL: half:
// AVX512-COUNT-96: vfmadd
sched.kernel @int4 #kern.linear<rows = 64, columns = 2048, format = "q4">
sched.kernel @int8 #kern.linear<rows = 64, columns = 2048, format = "q8">
sched.kernel @half #kern.linear<rows = 64, columns = 2048, format = "f16">
