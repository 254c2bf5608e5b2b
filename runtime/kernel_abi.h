/* The calling convention between the schedule executor and compiled kernels. Changing it means a new package version. */
#ifndef SINTER_RUNTIME_KERNEL_ABI_H
#define SINTER_RUNTIME_KERNEL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Run-time dimensions that a model may have. */
#define SINTER_MOST_DIMS 32

/* Scalars known only at run time, the same for all threads and all dispatches of a step. */
typedef struct sinter_kernel_scalars {
  uint64_t tokens;   /* tokens in this step, 1 .. the entry's max_tokens; of `exec`, rows of this dispatch */
  uint64_t position; /* position of the step's first token in the sequence */
  uint64_t row;      /* `head` only: row of the hidden buffer to read */
  uint64_t sequence; /* `exec` only: rows of each text, where the rows of a dispatch are several texts */
  uint64_t dims[SINTER_MOST_DIMS]; /* `exec` and `sizes` only: the model's run-time dimensions */
} sinter_kernel_scalars;

typedef struct sinter_kernel_args {
  void *const *bindings; /* one pointer per binding of the dispatch, in its order */
  const sinter_kernel_scalars *scalars;
} sinter_kernel_args;

/* Computes units [begin, end) of a dispatch. `scratch` belongs to the calling thread, is 64-byte aligned and holds at
 * least the kernel's scratch_bytes. Kernels touch nothing else, call nothing and keep no state. */
typedef void (*sinter_kernel)(const sinter_kernel_args *args, uint32_t begin, uint32_t end, void *scratch);

/* Thread t of n computes units [units*t/n, units*(t+1)/n): a fixed rule, so that plans can rely on which thread wrote
 * what. */

#ifdef __cplusplus
}
#endif
#endif
