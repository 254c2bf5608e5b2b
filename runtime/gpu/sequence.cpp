// Running steps. Where everything is never changes, so bindings are made once, when a sequence begins; what changes with
// each step, tokens and positions and ids, lies in a small buffer that the CPU writes and the kernels read. Commands
// therefore stay valid as long as the number of tokens does: where commands may be submitted again, a decode step submits
// what was recorded at the first.
//
// The head leaves the most likely id, 4 bytes, which are copied back with every head; logits are read when they are asked
// for.

#include "runtime/gpu/sequence.h"

#include <stdlib.h>
#include <string.h>

namespace sinter::gpu {

namespace {

constexpr uint32_t kHead = 2; // its entry
constexpr uint32_t kCopy = 3; // the recording for copies, behind those of the entries
// Each step's scalars start where every device can bind them.
constexpr uint64_t kScalarsStride = 256;
constexpr uint64_t kIdsOffset = 2 * kScalarsStride;
// The CPU reads the greedy id here; what it asks for besides comes after.
constexpr uint64_t kReadOffset = 16;

uint64_t cacheBytes(const package::Cache &cache, uint32_t context) {
  uint64_t tiles = (uint64_t(context) + cache.tile_tokens() - 1) / cache.tile_tokens();
  uint64_t most = cache.capacity() / cache.tile_tokens();
  return (tiles < most ? tiles : most) * cache.tile_bytes();
}

bool same(const package::Binding &a, const package::Binding *b) {
  return b && a.space() == b->space() && a.offset() == b->offset();
}

class Builder {
public:
  Builder(Sequence *sequence, sinter_error *error)
      : sequence(sequence), model(*sequence->model), api(*model.api), error(error) {}

  sinter_status run() {
    if (sinter_status status = makeBuffers())
      return status;
    if (sinter_status status = makeBindings())
      return status;
    return clear();
  }

private:
  sinter_status makeBuffer(const char *what, uint64_t size, Residence residence, Buffer *buffer) {
    return api.createBuffer(model.device, what, size ? size : 4, residence, buffer, error);
  }

  sinter_status makeBuffers() {
    const package::Manifest &manifest = *model.manifest;
    if (sinter_status status = makeBuffer("activations", manifest.arena_bytes(), Residence::device, &sequence->arena))
      return status;
    for (uint32_t i = 0; i < manifest.caches()->size(); ++i)
      if (sinter_status status = makeBuffer("keys and values", cacheBytes(*manifest.caches()->Get(i), sequence->context),
                                            Residence::device, &sequence->caches[i]))
        return status;
    uint64_t ids = kIdsOffset + manifest.tokens()->size();
    if (sinter_status status = makeBuffer("token ids", ids, Residence::upload, &sequence->inputs))
      return status;
    // As much as is ever read at once.
    uint64_t most = kReadOffset + manifest.hidden()->size() + manifest.logits()->size();
    return makeBuffer("logits", most, Residence::readback, &sequence->outputs);
  }

  Slice place(const package::Binding &binding) const {
    if (same(binding, model.manifest->tokens()) && binding.space() == package::Space::arena)
      return {&sequence->inputs, kIdsOffset, binding.size()};
    if (binding.space() == package::Space::arena)
      return {&sequence->arena, binding.offset(), binding.size()};
    if (binding.space() == package::Space::cache)
      return {&sequence->caches[binding.index()], 0, sequence->caches[binding.index()].size};
    uint32_t piece = 0;
    while (piece + 1 < model.pieces && binding.offset() >= model.weights[piece + 1].begin)
      ++piece;
    return {&model.weights[piece].buffer, binding.offset() - model.weights[piece].begin, binding.size()};
  }

  sinter_status makeBindings() {
    uint32_t bindings = 0, buffers = 0;
    for (const package::Entry *entry : model.entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i) {
        ++bindings;
        buffers += bufferCount(model, entry->dispatches()->Get(i)->kernel());
      }
    if (sinter_status status =
            api.createRecorder(model.device, kCopy + 1, bindings, buffers, &sequence->recorder, error))
      return status;
    for (uint32_t e = 0; e < 3; ++e) {
      uint32_t dispatches = count(model.entries[e]->dispatches());
      sequence->bindings[e] = static_cast<void **>(calloc(dispatches + 1, sizeof(void *)));
      if (!sequence->bindings[e])
        return fail(error, SINTER_ERROR_MEMORY, "no memory for a sequence");
      for (uint32_t i = 0; i < dispatches; ++i)
        if (sinter_status status = bind(e, *model.entries[e]->dispatches()->Get(i), &sequence->bindings[e][i]))
          return status;
    }
    return SINTER_OK;
  }

  sinter_status bind(uint32_t entry, const package::Dispatch &dispatch, void **binding) {
    const package::GpuKernel *kernel = model.code->gpu_kernels()->Get(dispatch.kernel());
    Slice slices[UINT8_MAX + 1];
    slices[0] = {&sequence->inputs, entry == kHead ? kScalarsStride : 0, kScalarsStride};
    for (uint32_t i = 0; i < count(kernel->slots()); ++i)
      slices[i + 1] = place(*dispatch.bindings()->Get(kernel->slots()->Get(i)));
    return api.bind(sequence->recorder, model.pipelines[dispatch.kernel()], slices, binding, error);
  }

  // Padding is read and must be finite.
  sinter_status clear() {
    if (sinter_status status = api.begin(sequence->recorder, kCopy, error))
      return status;
    api.clear(sequence->recorder, kCopy, sequence->arena);
    for (uint32_t i = 0; i < model.manifest->caches()->size(); ++i)
      api.clear(sequence->recorder, kCopy, sequence->caches[i]);
    api.barrier(sequence->recorder, kCopy);
    if (sinter_status status = api.end(sequence->recorder, kCopy, error))
      return status;
    return api.submit(sequence->recorder, &kCopy, 1, error);
  }

  Sequence *sequence;
  const Model &model;
  const Interface &api;
  sinter_error *error;
};

// Commands of a step; what was recorded before serves again if it was the same.
sinter_status record(Sequence *sequence, const sinter_device_step &step, sinter_error *error) {
  Recording &recording = sequence->recordings[step.entry];
  const Model &model = *sequence->model;
  const Interface &api = *model.api;
  void *recorder = sequence->recorder;
  if (recording.tokens == step.tokens && recording.first == step.first && recording.end == step.end)
    return SINTER_OK;
  recording.tokens = 0;
  if (sinter_status status = api.begin(recorder, step.entry, error))
    return status;
  api.barrier(recorder, step.entry); // the step before
  const package::Entry &entry = *model.entries[step.entry];
  for (uint32_t i = step.first; i < step.end; ++i) {
    const package::Dispatch &dispatch = *entry.dispatches()->Get(i);
    uint64_t units = dispatch.grid()->units(), per = dispatch.grid()->tokens_per_unit();
    units *= per ? (step.tokens + per - 1) / per : 1;
    units /= model.units[dispatch.kernel()]; // a divisor of grid()->units()
    if (units > model.limits.workgroups)
      return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: kernel '%.40s' has %llu workgroups, the device allows %u",
                  api.name, model.manifest->kernels()->Get(dispatch.kernel())->c_str(), (unsigned long long)units,
                  model.limits.workgroups);
    if (dispatch.barrier() && i > step.first)
      api.barrier(recorder, step.entry);
    api.dispatch(recorder, step.entry, model.pipelines[dispatch.kernel()], sequence->bindings[step.entry][i],
                 uint32_t(units));
  }
  api.barrier(recorder, step.entry);
  if (step.entry == kHead) {
    api.copy(recorder, step.entry, {&sequence->arena, model.manifest->greedy()->offset(), 4}, {&sequence->outputs, 0, 4});
    api.barrier(recorder, step.entry);
  }
  if (sinter_status status = api.end(recorder, step.entry, error))
    return status;
  if (api.resubmits)
    recording = {step.first, step.end, step.tokens};
  return SINTER_OK;
}

} // namespace

uint64_t sequenceBytes(const sinter_device_program *program, uint32_t context) {
  const package::Manifest &manifest = *static_cast<const package::Manifest *>(program->manifest);
  uint64_t bytes = manifest.arena_bytes() + kIdsOffset + manifest.tokens()->size() + kReadOffset +
                   manifest.hidden()->size() + manifest.logits()->size();
  for (const package::Cache *cache : *manifest.caches())
    bytes += cacheBytes(*cache, context);
  return bytes;
}

sinter_status beginSequence(void *model, uint32_t context, void **result, sinter_error *error) {
  Sequence *sequence = static_cast<Sequence *>(calloc(1, sizeof(Sequence)));
  const Model *opened = static_cast<const Model *>(model);
  Buffer *caches = static_cast<Buffer *>(calloc(opened->manifest->caches()->size() + 1, sizeof(Buffer)));
  if (!sequence || !caches) {
    free(sequence);
    free(caches);
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a sequence");
  }
  sequence->model = opened;
  sequence->context = context;
  sequence->caches = caches;
  sinter_status status = Builder(sequence, error).run();
  if (status != SINTER_OK)
    endSequence(sequence);
  else
    *result = sequence;
  return status;
}

void endSequence(void *begun) {
  Sequence *sequence = static_cast<Sequence *>(begun);
  const Model &model = *sequence->model;
  if (sequence->recorder)
    model.api->destroyRecorder(sequence->recorder);
  for (uint32_t i = 0; i < model.manifest->caches()->size(); ++i)
    model.api->destroyBuffer(model.device, &sequence->caches[i]);
  for (Buffer *buffer : {&sequence->arena, &sequence->inputs, &sequence->outputs})
    model.api->destroyBuffer(model.device, buffer);
  for (void **bindings : sequence->bindings)
    free(bindings);
  free(sequence->caches);
  free(sequence);
}

sinter_status runSteps(void *begun, const int32_t *ids, const sinter_device_step *steps, uint32_t count,
                       sinter_error *error) {
  Sequence *sequence = static_cast<Sequence *>(begun);
  uint8_t *inputs = sequence->inputs.mapped;
  uint32_t list[2];
  for (uint32_t i = 0; i < count && i < 2; ++i) {
    const uint32_t scalars[3] = {uint32_t(steps[i].tokens), uint32_t(steps[i].position), uint32_t(steps[i].row)};
    memcpy(inputs + (steps[i].entry == kHead ? kScalarsStride : 0), scalars, sizeof(scalars));
    if (steps[i].entry != kHead)
      memcpy(inputs + kIdsOffset, ids, steps[i].tokens * sizeof(int32_t));
    if (sinter_status status = record(sequence, steps[i], error))
      return status;
    list[i] = steps[i].entry;
  }
  return sequence->model->api->submit(sequence->recorder, list, count, error);
}

uint32_t greedyId(const void *begun) {
  const Sequence *sequence = static_cast<const Sequence *>(begun);
  uint32_t id;
  memcpy(&id, sequence->outputs.mapped, sizeof(id));
  return id;
}

sinter_status readArena(void *begun, uint64_t offset, void *to, uint64_t size, sinter_error *error) {
  Sequence *sequence = static_cast<Sequence *>(begun);
  const Interface &api = *sequence->model->api;
  uint64_t room = sequence->outputs.size - kReadOffset;
  for (uint64_t done = 0; done < size;) {
    uint64_t bytes = size - done < room ? size - done : room;
    if (sinter_status status = api.begin(sequence->recorder, kCopy, error))
      return status;
    api.copy(sequence->recorder, kCopy, {&sequence->arena, offset + done, bytes}, {&sequence->outputs, kReadOffset, bytes});
    api.barrier(sequence->recorder, kCopy);
    if (sinter_status status = api.end(sequence->recorder, kCopy, error))
      return status;
    if (sinter_status status = api.submit(sequence->recorder, &kCopy, 1, error))
      return status;
    memcpy(static_cast<uint8_t *>(to) + done, sequence->outputs.mapped + kReadOffset, bytes);
    done += bytes;
  }
  return SINTER_OK;
}

} // namespace sinter::gpu
