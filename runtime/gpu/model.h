// A package on a device: its weights, and a pipeline for each kernel.
#pragma once

#include "runtime/gpu/device.h"
#include "runtime/package_generated.h"

namespace sinter::gpu {

// Bytes [begin, begin + buffer.size) of the weights section. A weight lies in one piece as a whole.
struct WeightPiece {
  uint64_t begin;
  Buffer buffer;
};

struct Model {
  const Interface *api;
  void *device; // null: not opened
  Limits limits;
  sinter_device_program program;
  const package::Manifest *manifest;
  const package::Code *code;
  const package::Entry *entries[3];
  void **pipelines; // [kernels]; null where no entry for GPUs uses the kernel
  uint32_t *units;  // [kernels] that a workgroup computes
  uint32_t kernels;
  WeightPiece *weights; // [pieces], in order
  uint32_t pieces;
};

sinter_status loadModel(const Interface &api, const sinter_device_program *program, uint32_t device, void **model,
                        sinter_error *error);
void unloadModel(void *model);

// Null vectors of the manifest count as empty.
template <class Vector> uint32_t count(const Vector *vector) { return vector ? vector->size() : 0; }

// Buffers of a kernel: the step's scalars, then its slots.
uint32_t bufferCount(const Model &model, uint32_t kernel);

} // namespace sinter::gpu
