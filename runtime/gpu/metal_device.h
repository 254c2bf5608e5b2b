// A Metal device with its queue, buffers and pipelines on it; metal_interface.cpp makes the table of it.
#pragma once

#include "runtime/gpu/device.h"
#include "runtime/gpu/metal_objc.h"

namespace sinter::metal {

using gpu::fail;

struct Device {
  id handle;    // MTLDevice
  id queue;     // MTLCommandQueue
  bool unified; // the CPU sees all of its memory
  // Methods that are called for every dispatch.
  SEL setPipeline, setBuffers, dispatch, memoryBarrier;
};

struct Pipeline {
  id state; // MTLComputePipelineState
  uint32_t workgroup, buffers;
};

// Null if this machine has no device. The caller releases it.
id defaultDevice();
void describe(id device, sinter_device_info *info);

sinter_status openDevice(uint32_t index, void **device, gpu::Limits *limits, sinter_error *error);
void closeDevice(void *device);
sinter_status createBuffer(void *device, const char *what, uint64_t size, gpu::Residence residence,
                           gpu::Buffer *buffer, sinter_error *error);
void destroyBuffer(void *device, gpu::Buffer *buffer);
sinter_status createPipeline(void *device, const gpu::Module &module, void **pipeline, sinter_error *error);
void destroyPipeline(void *device, void *pipeline);

// An NSError's text, or something that says that there is none; valid while the current pool is.
const char *textOf(id error);

// All of it, and commands, for runtime/gpu/model.cpp.
const gpu::Interface &interface();

} // namespace sinter::metal
