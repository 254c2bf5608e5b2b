// Commands on Metal, and the table that runtime/gpu/device.h wants. A command buffer runs once, so every step is recorded
// anew. Dispatches of a step go into one encoder that lets them run at once, with the schedule's barriers between them;
// copies need an encoder of another kind, and Metal itself orders what different encoders do to the same buffer.

#include "runtime/gpu/metal_device.h"

#include <stdlib.h>

namespace sinter::metal {

namespace {

constexpr Word kConcurrent = 1;     // MTLDispatchType
constexpr Word kScopeBuffers = 1;   // MTLBarrierScope
constexpr Word kCompleted = 4;      // MTLCommandBufferStatus
constexpr long kOutOfMemory = 8;    // MTLCommandBufferError
constexpr uint32_t kMostBuffers = 31;

struct Binding {
  Binding *next; // of the recorder's
  id buffers[kMostBuffers];
  Word offsets[kMostBuffers];
};

// Null where there is none. At most one encoder is open.
struct Recording {
  id commands; // MTLCommandBuffer
  id compute;  // MTLComputeCommandEncoder
  id copies;   // MTLBlitCommandEncoder
};

struct Recorder {
  const Device *device;
  Binding *bindings;
  uint32_t recordings;
  Recording list[1]; // [recordings]
};

Recorder &recorderOf(void *recorder) { return *static_cast<Recorder *>(recorder); }
id handleOf(const gpu::Buffer &buffer) { return static_cast<id>(buffer.object); }

void endEncoder(id *encoder) {
  if (!*encoder)
    return;
  send<void>(*encoder, "endEncoding");
  release(*encoder);
  *encoder = nullptr;
}

void drop(Recording *recording) {
  endEncoder(&recording->compute);
  endEncoder(&recording->copies);
  release(recording->commands);
  *recording = {};
}

id computeOf(Recording &recording) {
  endEncoder(&recording.copies);
  Pool pool;
  if (!recording.compute)
    recording.compute = retain(send(recording.commands, "computeCommandEncoderWithDispatchType:", kConcurrent));
  return recording.compute;
}

id copiesOf(Recording &recording) {
  endEncoder(&recording.compute);
  Pool pool;
  if (!recording.copies)
    recording.copies = retain(send(recording.commands, "blitCommandEncoder"));
  return recording.copies;
}

sinter_status createRecorder(void *device, uint32_t recordings, uint32_t, uint32_t, void **made, sinter_error *error) {
  Recorder *recorder = static_cast<Recorder *>(calloc(1, sizeof(Recorder) + recordings * sizeof(Recording)));
  if (!recorder)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for commands");
  recorder->device = static_cast<const Device *>(device);
  recorder->recordings = recordings;
  *made = recorder;
  return SINTER_OK;
}

void destroyRecorder(void *made) {
  Recorder &recorder = recorderOf(made);
  for (uint32_t i = 0; i < recorder.recordings; ++i)
    drop(&recorder.list[i]);
  while (Binding *binding = recorder.bindings) {
    recorder.bindings = binding->next;
    free(binding);
  }
  free(made);
}

sinter_status bind(void *made, void *pipeline, const gpu::Slice *slices, void **result, sinter_error *error) {
  Recorder &recorder = recorderOf(made);
  Binding *binding = static_cast<Binding *>(calloc(1, sizeof(Binding)));
  if (!binding)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for commands");
  for (uint32_t i = 0; i < static_cast<Pipeline *>(pipeline)->buffers; ++i) {
    binding->buffers[i] = handleOf(*slices[i].buffer);
    binding->offsets[i] = Word(slices[i].offset);
  }
  binding->next = recorder.bindings;
  recorder.bindings = binding;
  *result = binding;
  return SINTER_OK;
}

sinter_status begin(void *made, uint32_t recording, sinter_error *error) {
  Recorder &recorder = recorderOf(made);
  drop(&recorder.list[recording]); // of a step that failed
  Pool pool;
  id commands = send(recorder.device->queue, "commandBuffer");
  if (!commands)
    return fail(error, SINTER_ERROR_DEVICE, "metal: recording commands: the queue gives no command buffer");
  recorder.list[recording].commands = retain(commands);
  return SINTER_OK;
}

void dispatch(void *made, uint32_t recording, void *bound, void *bindings, uint32_t workgroups) {
  const Device &device = *recorderOf(made).device;
  const Pipeline &pipeline = *static_cast<const Pipeline *>(bound);
  const Binding &binding = *static_cast<const Binding *>(bindings);
  id encoder = computeOf(recorderOf(made).list[recording]);
  send<void>(encoder, device.setPipeline, pipeline.state);
  send<void>(encoder, device.setBuffers, &binding.buffers[0], &binding.offsets[0], Range{0, pipeline.buffers});
  send<void>(encoder, device.dispatch, Size{workgroups, 1, 1}, Size{pipeline.workgroup, 1, 1});
}

void barrier(void *made, uint32_t recording) {
  Recording &commands = recorderOf(made).list[recording];
  endEncoder(&commands.copies);
  if (commands.compute)
    send<void>(commands.compute, recorderOf(made).device->memoryBarrier, kScopeBuffers);
}

void copy(void *made, uint32_t recording, const gpu::Slice &from, const gpu::Slice &to) {
  send<void>(copiesOf(recorderOf(made).list[recording]),
             "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:", handleOf(*from.buffer), Word(from.offset),
             handleOf(*to.buffer), Word(to.offset), Word(from.size));
}

void clear(void *made, uint32_t recording, const gpu::Buffer &buffer) {
  send<void>(copiesOf(recorderOf(made).list[recording]), "fillBuffer:range:value:", handleOf(buffer),
             Range{0, Word(buffer.size)}, uint8_t(0));
}

sinter_status end(void *made, uint32_t recording, sinter_error *error) {
  Recording &commands = recorderOf(made).list[recording];
  endEncoder(&commands.compute);
  endEncoder(&commands.copies);
  return SINTER_OK;
}

sinter_status check(id commands, sinter_error *error) {
  if (send<Word>(commands, "status") == kCompleted)
    return SINTER_OK;
  Pool pool;
  id reason = send(commands, "error");
  bool memory = reason && send<long>(reason, "code") == kOutOfMemory;
  return fail(error, memory ? SINTER_ERROR_MEMORY : SINTER_ERROR_DEVICE, "metal: running a step: %.160s", textOf(reason));
}

sinter_status submit(void *made, const uint32_t *recordings, uint32_t count, sinter_error *error) {
  Recorder &recorder = recorderOf(made);
  for (uint32_t i = 0; i < count; ++i)
    send<void>(recorder.list[recordings[i]].commands, "commit");
  sinter_status status = SINTER_OK;
  for (uint32_t i = 0; i < count; ++i) {
    Recording &recording = recorder.list[recordings[i]];
    send<void>(recording.commands, "waitUntilCompleted");
    if (status == SINTER_OK)
      status = check(recording.commands, error);
    drop(&recording);
  }
  return status;
}

const gpu::Interface kInterface = {
    .name = "metal",
    .resubmits = false,
    .open = openDevice,
    .close = closeDevice,
    .createBuffer = createBuffer,
    .destroyBuffer = destroyBuffer,
    .createPipeline = createPipeline,
    .destroyPipeline = destroyPipeline,
    .createRecorder = createRecorder,
    .destroyRecorder = destroyRecorder,
    .bind = bind,
    .begin = begin,
    .dispatch = dispatch,
    .barrier = barrier,
    .copy = copy,
    .clear = clear,
    .end = end,
    .submit = submit,
};

} // namespace

const gpu::Interface &interface() { return kInterface; }

} // namespace sinter::metal
