// What a graphics interface has to offer for models to run on its devices: buffers, pipelines, and commands that are
// recorded and submitted. What a package asks of a device, where weights go and what a step consists of is written once,
// above it (model.cpp, sequence.cpp); a backend is a table of these functions.
//
// Objects are the backend's own; null ones are ignored by the functions that destroy them. A recording has a number, from 0
// up to what its recorder was made for.
#pragma once

#include "runtime/sinter_device.h"

namespace sinter::gpu {

struct Limits {
  char name[128];
  uint64_t features;       // package::GpuFeature bits
  uint64_t largestBuffer;
  uint64_t largestRange;   // bytes of a buffer that a kernel sees
  uint64_t rangeAlignment; // of where they start
  uint32_t buffers;        // that a kernel sees
  uint32_t workgroup;      // invocations
  uint32_t subgroup;       // of which run in step; 0: not known
  uint32_t workgroupBytes; // of shared memory
  uint32_t workgroups;     // of a dispatch
};

// Where a buffer's memory should be.
enum class Residence {
  device,   // the device's own, whether or not the CPU sees it
  upload,   // seen by the CPU, which writes
  readback, // seen by the CPU, which reads
};

struct Buffer {
  void *object;
  uint8_t *mapped; // null unless the CPU sees it
  uint64_t size;
};

struct Slice {
  const Buffer *buffer;
  uint64_t offset, size;
};

// A module with one kernel.
struct Module {
  const char *name; // the kernel's, and its entry point's
  const void *bytes;
  uint64_t size;
  uint32_t workgroup; // invocations
  uint32_t buffers;
  uint32_t units; // of a workgroup: specialization constant 0, if the module has it
};

struct Interface {
  const char *name;
  bool resubmits; // what was recorded may be submitted any number of times

  // `index` counts as sinter_device_backend.list does.
  sinter_status (*open)(uint32_t index, void **device, Limits *limits, sinter_error *error);
  void (*close)(void *device);
  // `what` is for messages: "the weights". `size` is not 0.
  sinter_status (*createBuffer)(void *device, const char *what, uint64_t size, Residence residence, Buffer *buffer,
                                sinter_error *error);
  void (*destroyBuffer)(void *device, Buffer *buffer);
  sinter_status (*createPipeline)(void *device, const Module &module, void **pipeline, sinter_error *error);
  void (*destroyPipeline)(void *device, void *pipeline);

  // A recorder has room for so many recordings, and for so many bindings with so many buffers in all.
  sinter_status (*createRecorder)(void *device, uint32_t recordings, uint32_t bindings, uint32_t buffers,
                                  void **recorder, sinter_error *error);
  void (*destroyRecorder)(void *recorder);
  // The buffers of a pipeline, as many as its module has. They live as long as the recorder.
  sinter_status (*bind)(void *recorder, void *pipeline, const Slice *slices, void **binding, sinter_error *error);

  sinter_status (*begin)(void *recorder, uint32_t recording, sinter_error *error);
  void (*dispatch)(void *recorder, uint32_t recording, void *pipeline, void *binding, uint32_t workgroups);
  // What follows, on the device and on the CPU, sees everything written before. Without it, commands may run at once.
  void (*barrier)(void *recorder, uint32_t recording);
  void (*copy)(void *recorder, uint32_t recording, const Slice &from, const Slice &to);
  void (*clear)(void *recorder, uint32_t recording, const Buffer &buffer); // to zeros
  sinter_status (*end)(void *recorder, uint32_t recording, sinter_error *error);
  // Runs the recordings in their order and waits for the last.
  sinter_status (*submit)(void *recorder, const uint32_t *recordings, uint32_t count, sinter_error *error);
};

// Fills `error` (may be null) and returns `status`, as the core's function of this name does.
__attribute__((format(printf, 3, 4))) sinter_status fail(sinter_error *error, sinter_status status, const char *format,
                                                         ...);
// "16-bit storage, 8-bit storage": names of GpuFeature bits.
void nameFeatures(uint64_t features, char *text, size_t capacity);

} // namespace sinter::gpu
