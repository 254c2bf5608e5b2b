// What becomes of the linear kernel on each target: its dot product instructions, and nothing that a kernel must not have,
// such as calls or, in the tiles with most tokens, vectors spilled to the stack.
// RUN: kernel-stages %s --target x86-64 | FileCheck %s --check-prefix=SSE2 \
// RUN:   --implicit-check-not="{{call|ymm|zmm|pmaddubsw|cvtph2ps}}"
// RUN: kernel-stages %s --target x86-64-avx2 | FileCheck %s --check-prefix=AVX2 --implicit-check-not="{{call|zmm|vpdpbusd}}"
// RUN: kernel-stages %s --target x86-64-avx512vnni | FileCheck %s --check-prefix=AVX512 \
// RUN:   --implicit-check-not="{{call|(16|32|64)-byte (Folded )?(Spill|Reload)}}"

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
sched.kernel @int4 #kern.linear<rows = 64, columns = 2048, format = "q4">
sched.kernel @int8 #kern.linear<rows = 64, columns = 2048, format = "q8">
sched.kernel @half #kern.linear<rows = 64, columns = 2048, format = "f16">
