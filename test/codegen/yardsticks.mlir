// What a yardstick's loop holds: as many products as its unit is said to be made of (register tile times columns), the
// loads of a stream, and no calls.
// RUN: kernel-stages %s --target x86-64 | FileCheck %s --check-prefix=SSE2 --implicit-check-not="{{call|ymm}}"
// RUN: kernel-stages %s --target x86-64-avx2 | FileCheck %s --check-prefix=AVX2 --implicit-check-not="{{call|zmm}}"
// RUN: kernel-stages %s --target x86-64-avx512vnni | FileCheck %s --check-prefix=AVX512 \
// RUN:   --implicit-check-not="{{call|Spill|Reload}}"

// 512 bytes in a round: 32, 16 or 8 loads, and a prefetch for each of 8 lines.
// SSE2-LABEL: read:
// SSE2-COUNT-8: prefetcht0
// SSE2-NOT: prefetcht0
// AVX2-LABEL: read:
// AVX2-COUNT-8: prefetcht0
// AVX2-NOT: prefetcht0
// AVX512-LABEL: read:
// AVX512-COUNT-8: prefetcht0
// AVX512-NOT: prefetcht0
sched.kernel @read #kern.yardstick<kind = read>

// 8 quads of a tile of 4 x 4, 4 x 8 and 6 x 32. SSE2 takes two instructions for each; AVX2 adds the pairs of all 8 quads
// before it widens them.
// SSE2-LABEL: dot:
// SSE2-COUNT-64: pmaddwd
// SSE2-NOT: pmaddwd
// AVX2-LABEL: dot:
// AVX2-COUNT-32: vpmaddubsw
// AVX2-NOT: vpmaddubsw
// AVX512-LABEL: dot:
// AVX512-COUNT-96: vpdpbusd
// AVX512-NOT: vpdpbusd
sched.kernel @dot #kern.yardstick<kind = dot>

// 8 columns of 4 x 8, 4 x 16 and 9 x 32.
// SSE2-LABEL: fma:
// SSE2-COUNT-64: mulps
// SSE2-NOT: mulps
// AVX2-LABEL: fma:
// AVX2-COUNT-64: vfmadd
// AVX2-NOT: vfmadd
// AVX512-LABEL: fma:
// AVX512-COUNT-144: vfmadd
// AVX512-NOT: vfmadd
sched.kernel @fma #kern.yardstick<kind = fma>
