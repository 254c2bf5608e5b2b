/* Sinter runtime: computing on a device with memory of its own.
 *
 * The runtime knows no graphics interface. A backend is a table of functions that a library of its own brings
 * (sinter_vulkan() of libsinter_vulkan); a program that links it passes it in sinter_model_options.backend. The schedule
 * is the package's, as on a CPU: the backend turns dispatches into commands, keeps weights, caches and activations on the
 * device, and hands back what is asked for. */
#ifndef SINTER_DEVICE_H
#define SINTER_DEVICE_H

#include "sinter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sinter_device_kind {
  SINTER_DEVICE_OTHER = 0,
  SINTER_DEVICE_INTEGRATED = 1, /* shares the CPU's memory */
  SINTER_DEVICE_DISCRETE = 2,
  SINTER_DEVICE_VIRTUAL = 3,
  SINTER_DEVICE_CPU = 4         /* a CPU that poses as a GPU */
} sinter_device_kind;

typedef struct sinter_device_info {
  char name[128];         /* as its driver says */
  sinter_device_kind kind;
  uint64_t memory_bytes;  /* of its own, or that it may use of the system's */
  uint64_t largest_range; /* bytes of one buffer that a kernel can see */
  uint32_t shared_bytes;  /* that the invocations of a workgroup can share */
  uint32_t subgroup_size; /* invocations that run in step */
  char lacks[128];        /* what kernels may need that it does not have, e.g. "16-bit storage"; "": nothing */
} sinter_device_info;

/* What a backend gets of an opened model. All of it outlives what the backend makes of it. */
typedef struct sinter_device_program {
  const char *label;      /* what messages call the package */
  const void *manifest;   /* sinter::package::Manifest, checked */
  const void *code;       /* sinter::package::Code, checked */
  const void *entries[3]; /* sinter::package::Entry: prefill, decode, head */
  const void *modules;    /* the code section */
  const void *weights;    /* the weights section */
} sinter_device_program;

/* What of an entry is to be run: dispatches [first, end). */
typedef struct sinter_device_step {
  uint32_t entry; /* index into sinter_device_program.entries */
  uint32_t first, end;
  uint64_t tokens, position, row; /* as sinter_kernel_scalars */
} sinter_device_step;

struct sinter_device_backend {
  uint32_t api_version; /* SINTER_API_VERSION */
  const char *name;     /* "vulkan"; also the name of the code sections it takes */
  /* Fills the first `capacity` of `infos` and sets `count` to the number of devices, which may be 0. The order is the best
   * one first, and stays the same. Fails where there is no driver at all. */
  sinter_status (*list)(sinter_device_info *infos, uint32_t capacity, uint32_t *count, sinter_error *error);
  /* Uploads the weights and makes pipelines of the kernels. */
  sinter_status (*load)(const sinter_device_program *program, uint32_t device, void **model, sinter_error *error);
  void (*unload)(void *model);
  /* Bytes on the device that a sequence of `context` tokens has for itself. */
  uint64_t (*sequence_bytes)(const sinter_device_program *program, uint32_t context);
  /* Memory of a sequence, zeroed. */
  sinter_status (*begin)(void *model, uint32_t context, void **sequence, sinter_error *error);
  void (*end)(void *sequence);
  /* Runs one or two steps after each other and waits for them. `ids`: of the first step, if it takes tokens. */
  sinter_status (*run)(void *sequence, const int32_t *ids, const sinter_device_step *steps, uint32_t count,
                       sinter_error *error);
  /* The id that the last head step found most likely. */
  uint32_t (*greedy)(const void *sequence);
  /* Copies bytes of the sequence's arena to the caller. */
  sinter_status (*read)(void *sequence, uint64_t offset, void *to, uint64_t size, sinter_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
