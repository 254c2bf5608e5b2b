// A package on a device: its weights, and a pipeline for each kernel.
#pragma once

#include "runtime/gpu/vulkan_device.h"
#include "runtime/package_generated.h"

namespace sinter::vulkan {

// One kernel. The descriptor set has the step's scalars first, then its slots.
struct Pipeline {
  VkDescriptorSetLayout setLayout;
  VkPipelineLayout layout;
  VkPipeline handle; // null: no entry for GPUs uses the kernel
  uint32_t buffers;  // in the descriptor set
};

// Bytes [begin, begin + buffer.size) of the weights section. A weight lies in one piece as a whole.
struct WeightPiece {
  uint64_t begin;
  Buffer buffer;
};

struct Model {
  Device device;
  sinter_device_program program;
  const package::Manifest *manifest;
  const package::Code *code;
  const package::Entry *entries[3];
  Pipeline *pipelines; // [kernels]
  uint32_t kernels;
  WeightPiece *weights; // [pieces], in order
  uint32_t pieces;
};

sinter_status loadModel(const sinter_device_program *program, uint32_t device, void **model, sinter_error *error);
void unloadModel(void *model);

// Null vectors of the manifest count as empty.
template <class Vector> uint32_t count(const Vector *vector) { return vector ? vector->size() : 0; }

} // namespace sinter::vulkan
