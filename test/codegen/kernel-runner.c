/* Runs compiled kernels of another machine for KernelHarness.cpp, under an emulator. Reads requests from standard input
 * and answers on standard output until the input ends:
 *
 *   request: struct request, image, then per buffer its size (u64) and bytes, then per binding the index of its buffer
 *            (u32)
 *   answer:  the bytes of all buffers
 *
 * Each buffer ends where a page without access begins. */
#define _GNU_SOURCE
#include "runtime/kernel_abi.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct request {
  uint64_t image_bytes, entry, scratch_bytes;
  sinter_kernel_scalars scalars;
  uint32_t units, parts, buffers, bindings;
  uint32_t vector_bytes; /* of SME's streaming mode; 0: as it is */
  uint32_t unused;
};

struct guarded {
  uint8_t *start;
  size_t bytes;
  void *pages;
  size_t mapped;
};

static void take(void *data, size_t bytes) {
  if (bytes && fread(data, bytes, 1, stdin) != 1)
    exit(2);
}

static struct guarded allocate(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), usable = (bytes + page - 1) / page * page;
  struct guarded result = {NULL, bytes, NULL, usable + page};
  result.pages = mmap(NULL, result.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (result.pages == MAP_FAILED || mprotect((uint8_t *)result.pages + usable, page, PROT_NONE) != 0)
    exit(3);
  result.start = (uint8_t *)result.pages + (usable - bytes) / 64 * 64;
  return result;
}

static void release(struct guarded memory) { munmap(memory.pages, memory.mapped); }

static void serve(const struct request *request) {
  struct guarded image = allocate(request->image_bytes);
  /* Code starts at a page. */
  uint8_t *code = image.pages;
  take(code, request->image_bytes);
  __builtin___clear_cache((char *)code, (char *)code + request->image_bytes);
  if (mprotect(code, request->image_bytes, PROT_READ | PROT_EXEC) != 0)
    exit(3);
#ifdef PR_SME_SET_VL
  if (request->vector_bytes && prctl(PR_SME_SET_VL, request->vector_bytes) < 0)
    exit(4);
#endif

  struct guarded *buffers = calloc(request->buffers + 1, sizeof(*buffers));
  for (uint32_t i = 0; i < request->buffers; ++i) {
    uint64_t bytes;
    take(&bytes, sizeof(bytes));
    buffers[i] = allocate(bytes);
    take(buffers[i].start, bytes);
  }
  void **bindings = calloc(request->bindings + 1, sizeof(*bindings));
  for (uint32_t i = 0; i < request->bindings; ++i) {
    uint32_t index;
    take(&index, sizeof(index));
    if (index >= request->buffers)
      exit(2);
    bindings[i] = buffers[index].start;
  }

  sinter_kernel_args args = {bindings, &request->scalars};
  uint8_t *at = code + request->entry;
  sinter_kernel kernel;
  memcpy(&kernel, &at, sizeof(kernel));
  for (uint64_t part = 0; part < request->parts; ++part) {
    struct guarded scratch = allocate(request->scratch_bytes);
    memset(scratch.start, 0xff, request->scratch_bytes);
    kernel(&args, (uint32_t)(request->units * part / request->parts),
           (uint32_t)(request->units * (part + 1) / request->parts), scratch.start);
    release(scratch);
  }

  for (uint32_t i = 0; i < request->buffers; ++i) {
    if (buffers[i].bytes && fwrite(buffers[i].start, buffers[i].bytes, 1, stdout) != 1)
      exit(5);
    release(buffers[i]);
  }
  fflush(stdout);
  release(image);
  free(buffers);
  free(bindings);
}

int main(void) {
  struct request request;
  while (fread(&request, sizeof(request), 1, stdin) == 1)
    serve(&request);
  return 0;
}
