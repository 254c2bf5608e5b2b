// A sequence on a device: its caches, its activations, and the commands of each entry.
#pragma once

#include "runtime/gpu/model.h"

namespace sinter::gpu {

// What was recorded of one entry: some of its dispatches, for a number of tokens.
struct Recording {
  uint32_t first, end;
  uint64_t tokens; // 0: nothing that may be submitted again
};

struct Sequence {
  const Model *model;
  uint32_t context;
  Buffer arena;
  Buffer *caches; // [caches of the manifest]
  Buffer inputs;  // the CPU writes: scalars of two steps, then ids
  Buffer outputs; // the CPU reads
  void *recorder;
  Recording recordings[3]; // by entry, which is also their number
  void **bindings[3];      // [dispatches of the entry]
};

uint64_t sequenceBytes(const sinter_device_program *program, uint32_t context);
sinter_status beginSequence(void *model, uint32_t context, void **sequence, sinter_error *error);
void endSequence(void *sequence);
sinter_status runSteps(void *sequence, const int32_t *ids, const sinter_device_step *steps, uint32_t count,
                       sinter_error *error);
uint32_t greedyId(const void *sequence);
sinter_status readArena(void *sequence, uint64_t offset, void *to, uint64_t size, sinter_error *error);

} // namespace sinter::gpu
