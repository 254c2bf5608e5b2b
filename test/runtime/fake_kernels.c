/* Kernels of the fake model, see fake_kernels.h. They must not need anything outside of their section: no calls, no
 * constants in memory. That is why the arithmetic is on integers and this file has compiler options of its own. */

#include "fake_kernels.h"

#define KERNEL __attribute__((section("fake_kernels"), noinline))

static inline __attribute__((always_inline)) uint64_t tile_of(const struct fake_cache_facts *facts, uint64_t position) {
  return (position / FAKE_TILE) % ((uint64_t)facts->capacity / FAKE_TILE) * (2 * FAKE_HIDDEN * FAKE_TILE);
}
static inline __attribute__((always_inline)) uint64_t key_index(const struct fake_cache_facts *facts, uint64_t position,
                                                                uint64_t column) {
  return tile_of(facts, position) + column * FAKE_TILE + position % FAKE_TILE;
}
static inline __attribute__((always_inline)) uint64_t value_index(const struct fake_cache_facts *facts,
                                                                  uint64_t position, uint64_t column) {
  uint64_t head = column / FAKE_HEAD_DIM, in_head = column % FAKE_HEAD_DIM;
  return tile_of(facts, position) + FAKE_HIDDEN * FAKE_TILE +
         (head * FAKE_TILE + position % FAKE_TILE) * FAKE_HEAD_DIM + in_head;
}

KERNEL void fake_embed(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  const int32_t *tokens = args->bindings[0];
  const float *table = args->bindings[1];
  float *x = args->bindings[2];
  for (uint64_t t = 0; t < args->scalars->tokens; ++t)
    for (uint32_t c = begin; c < end; ++c)
      x[t * FAKE_STRIDE + c] = table[tokens[t] * FAKE_HIDDEN + c];
}

KERNEL void fake_append(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  const struct fake_cache_facts *facts = args->bindings[0];
  float *cache = args->bindings[1];
  const float *x = args->bindings[2];
  for (uint64_t t = 0; t < args->scalars->tokens; ++t)
    for (uint32_t c = begin; c < end; ++c) {
      uint64_t position = args->scalars->position + t;
      cache[key_index(facts, position, c)] = x[t * FAKE_STRIDE + c];
      cache[value_index(facts, position, c)] = (float)((int32_t)x[t * FAKE_STRIDE + c] + 1);
    }
}

KERNEL void fake_attend(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  const struct fake_cache_facts *facts = args->bindings[0];
  const float *cache = args->bindings[1];
  float *x = args->bindings[2];
  volatile int32_t *sums = scratch; /* [FAKE_BLOCK_COLUMNS], in memory to be sure that threads do not share it */
  const uint32_t parts = FAKE_HIDDEN / FAKE_BLOCK_COLUMNS;
  for (uint32_t unit = begin; unit < end; ++unit) {
    uint64_t first = (uint64_t)(unit / parts) * FAKE_BLOCK_TOKENS;
    for (uint64_t t = first; t < first + FAKE_BLOCK_TOKENS && t < args->scalars->tokens; ++t) {
      uint64_t position = args->scalars->position + t;
      uint64_t from = 0;
      if (facts->window && position + 1 > (uint64_t)facts->window)
        from = position + 1 - (uint64_t)facts->window;
      for (uint32_t i = 0; i < FAKE_BLOCK_COLUMNS; ++i)
        sums[i] = 0;
      for (uint64_t q = from; q <= position; ++q)
        for (uint32_t i = 0; i < FAKE_BLOCK_COLUMNS; ++i) {
          uint32_t c = unit % parts * FAKE_BLOCK_COLUMNS + i;
          sums[i] += (int32_t)(q % 5 + 1) * ((int32_t)cache[key_index(facts, q, (c + 1) % FAKE_HIDDEN)] +
                                             (int32_t)cache[value_index(facts, q, (c + 7) % FAKE_HIDDEN)]);
        }
      for (uint32_t i = 0; i < FAKE_BLOCK_COLUMNS; ++i) {
        float *element = &x[t * FAKE_STRIDE + unit % parts * FAKE_BLOCK_COLUMNS + i];
        *element = (float)(((int32_t)*element + sums[i]) & 255);
      }
    }
  }
}

KERNEL void fake_head(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  const float *x = (const float *)args->bindings[0] + args->scalars->row * FAKE_STRIDE;
  const float *head = args->bindings[1];
  float *logits = args->bindings[2];
  for (uint32_t v = begin; v < end; ++v) {
    int32_t sum = 0;
    for (uint32_t c = 0; c < FAKE_HIDDEN; ++c)
      sum += (int32_t)x[c] * (int32_t)head[v * FAKE_HIDDEN + c];
    logits[v] = (float)sum;
  }
}

KERNEL void fake_constant_head(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  const float *constants = args->bindings[0];
  float *logits = args->bindings[1];
  for (uint32_t v = begin; v < end; ++v)
    logits[v] = constants[v];
}

KERNEL void fake_yardstick(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch) {
  uint32_t *counters = args->bindings[0];
  for (uint32_t u = begin; u < end; ++u)
    ++counters[u * 16];
}
