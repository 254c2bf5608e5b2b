/* A tiny model whose every number is an integer that a test can compute again: two layers that mix the columns of all
 * earlier tokens, one over the whole sequence, one over a window. Its kernels follow kernel_abi.h and lie together in
 * one section of the test program, so that the bytes between the two symbols below are a code section for a package. */
#ifndef SINTER_TEST_FAKE_KERNELS_H
#define SINTER_TEST_FAKE_KERNELS_H

#include "runtime/kernel_abi.h"

enum {
  FAKE_VOCAB = 48,
  FAKE_HIDDEN = 40,
  FAKE_STRIDE = 64,
  FAKE_HEADS = 2,
  FAKE_HEAD_DIM = 20, /* FAKE_HEADS * FAKE_HEAD_DIM == FAKE_HIDDEN */
  FAKE_TILE = 16,
  FAKE_WINDOW = 20,
  FAKE_STEP = 24, /* tokens of a prefill step */
  /* attend: a unit is 8 columns of up to 8 tokens */
  FAKE_BLOCK_TOKENS = 8,
  FAKE_BLOCK_COLUMNS = 8
};

/* Weights that tell a kernel about its cache. */
struct fake_cache_facts {
  int32_t capacity;
  int32_t window; /* 0: everything */
};

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char __start_fake_kernels[], __stop_fake_kernels[];

/* tokens, table f32 [vocab][hidden], x f32 [tokens][stride]; units: columns */
void fake_embed(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);
/* facts, cache, x; units: columns. K = x, V = x + 1 */
void fake_append(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);
/* facts, cache, x; units: blocks. x[p][c] = (x[p][c] + sum of (q % 5 + 1) * (K[q][c + 1] + V[q][c + 7])) mod 256 */
void fake_attend(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);
/* x, head f32 [vocab][hidden], logits; units: tokens of the vocabulary */
void fake_head(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);
/* constant logits f32 [vocab], logits; units: tokens of the vocabulary */
void fake_constant_head(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);

/* counters uint32_t [units][16]; units: counters, each of which is raised by one */
void fake_yardstick(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
