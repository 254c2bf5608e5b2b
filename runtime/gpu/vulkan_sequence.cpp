// Running steps. Where everything is never changes, so descriptor sets are written once, when a sequence begins; what
// changes with each step, tokens and positions and ids, lies in a small buffer that the CPU writes and the kernels read.
// Commands therefore stay valid as long as the number of tokens does: a decode step submits what was recorded at the first.
//
// The head leaves the most likely id, 4 bytes, which are copied back with every head; logits are read when they are asked
// for.

#include "runtime/gpu/vulkan_sequence.h"


#include <stdlib.h>
#include <string.h>

namespace sinter::vulkan {

namespace {

constexpr uint32_t kHead = 2; // its entry
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
      : sequence(sequence), model(*sequence->model), device(model.device), error(error) {}

  sinter_status run() {
    if (sinter_status status = makeBuffers())
      return status;
    if (sinter_status status = createCommands(device, &sequence->commands, error))
      return status;
    for (Recording &recording : sequence->recordings)
      if (sinter_status status = allocateCommand(device, sequence->commands, &recording.command, error))
        return status;
    if (sinter_status status = allocateCommand(device, sequence->commands, &sequence->copy, error))
      return status;
    if (sinter_status status = makeSets())
      return status;
    return clear();
  }

private:
  sinter_status makeBuffers() {
    const package::Manifest &manifest = *model.manifest;
    if (sinter_status status =
            createBuffer(device, "activations", manifest.arena_bytes(), Residence::device, &sequence->arena, error))
      return status;
    for (uint32_t i = 0; i < manifest.caches()->size(); ++i)
      if (sinter_status status = createBuffer(device, "keys and values", cacheBytes(*manifest.caches()->Get(i), sequence->context),
                                              Residence::device, &sequence->caches[i], error))
        return status;
    uint64_t ids = kIdsOffset + manifest.tokens()->size();
    if (sinter_status status = createBuffer(device, "token ids", ids, Residence::upload, &sequence->inputs, error))
      return status;
    // As much as is ever read at once.
    uint64_t most = kReadOffset + manifest.hidden()->size() + manifest.logits()->size();
    return createBuffer(device, "logits", most, Residence::readback, &sequence->outputs, error);
  }

  VkDescriptorBufferInfo place(const package::Binding &binding) const {
    if (same(binding, model.manifest->tokens()) && binding.space() == package::Space::arena)
      return {sequence->inputs.handle, kIdsOffset, binding.size()};
    if (binding.space() == package::Space::arena)
      return {sequence->arena.handle, binding.offset(), binding.size()};
    if (binding.space() == package::Space::cache)
      return {sequence->caches[binding.index()].handle, 0, sequence->caches[binding.index()].size};
    uint32_t piece = 0;
    while (piece + 1 < model.pieces && binding.offset() >= model.weights[piece + 1].begin)
      ++piece;
    return {model.weights[piece].buffer.handle, binding.offset() - model.weights[piece].begin, binding.size()};
  }

  sinter_status makeSets() {
    uint32_t sets = 0, buffers = 0;
    for (const package::Entry *entry : model.entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i) {
        ++sets;
        buffers += model.pipelines[entry->dispatches()->Get(i)->kernel()].buffers;
      }
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, buffers + 1};
    VkDescriptorPoolCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    info.maxSets = sets + 1;
    info.poolSizeCount = 1;
    info.pPoolSizes = &size;
    VkResult result = device.call.CreateDescriptorPool(device.handle, &info, nullptr, &sequence->pool);
    if (result != VK_SUCCESS)
      return failed(error, "making descriptors", result);
    for (uint32_t e = 0; e < 3; ++e) {
      uint32_t dispatches = count(model.entries[e]->dispatches());
      sequence->sets[e] = static_cast<VkDescriptorSet *>(calloc(dispatches + 1, sizeof(VkDescriptorSet)));
      if (!sequence->sets[e])
        return fail(error, SINTER_ERROR_MEMORY, "no memory for a sequence");
      for (uint32_t i = 0; i < dispatches; ++i)
        if (sinter_status status = writeSet(e, *model.entries[e]->dispatches()->Get(i), &sequence->sets[e][i]))
          return status;
    }
    return SINTER_OK;
  }

  sinter_status writeSet(uint32_t entry, const package::Dispatch &dispatch, VkDescriptorSet *set) {
    const Pipeline &pipeline = model.pipelines[dispatch.kernel()];
    VkDescriptorSetAllocateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    info.descriptorPool = sequence->pool;
    info.descriptorSetCount = 1;
    info.pSetLayouts = &pipeline.setLayout;
    VkResult result = device.call.AllocateDescriptorSets(device.handle, &info, set);
    if (result != VK_SUCCESS)
      return failed(error, "making descriptors", result);
    const package::GpuKernel *kernel = model.code->gpu_kernels()->Get(dispatch.kernel());
    VkDescriptorBufferInfo buffers[UINT8_MAX + 1];
    VkWriteDescriptorSet writes[UINT8_MAX + 1] = {};
    for (uint32_t i = 0; i < pipeline.buffers; ++i) {
      if (i == 0)
        buffers[i] = {sequence->inputs.handle, entry == kHead ? kScalarsStride : 0, kScalarsStride};
      else
        buffers[i] = place(*dispatch.bindings()->Get(kernel->slots()->Get(i - 1)));
      writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
      writes[i].dstSet = *set;
      writes[i].dstBinding = i;
      writes[i].descriptorCount = 1;
      writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
      writes[i].pBufferInfo = &buffers[i];
    }
    device.call.UpdateDescriptorSets(device.handle, pipeline.buffers, writes, 0, nullptr);
    return SINTER_OK;
  }

  // Padding is read and must be finite.
  sinter_status clear() {
    if (sinter_status status = beginCommand(device, sequence->copy, error))
      return status;
    device.call.CmdFillBuffer(sequence->copy, sequence->arena.handle, 0, VK_WHOLE_SIZE, 0);
    for (uint32_t i = 0; i < model.manifest->caches()->size(); ++i)
      device.call.CmdFillBuffer(sequence->copy, sequence->caches[i].handle, 0, VK_WHOLE_SIZE, 0);
    barrier(device, sequence->copy);
    device.call.EndCommandBuffer(sequence->copy);
    return submit(device, sequence->commands, &sequence->copy, 1, error);
  }

  Sequence *sequence;
  const Model &model;
  const Device &device;
  sinter_error *error;
};

// Commands of a step; what was recorded before serves again if it was the same.
sinter_status record(Sequence *sequence, const sinter_device_step &step, sinter_error *error) {
  Recording &recording = sequence->recordings[step.entry];
  const Model &model = *sequence->model;
  const Device &device = model.device;
  if (recording.tokens == step.tokens && recording.first == step.first && recording.end == step.end)
    return SINTER_OK;
  recording.tokens = 0;
  if (sinter_status status = beginCommand(device, recording.command, error))
    return status;
  barrier(device, recording.command); // the step before
  const package::Entry &entry = *model.entries[step.entry];
  uint32_t most = device.physical->properties.limits.maxComputeWorkGroupCount[0];
  for (uint32_t i = step.first; i < step.end; ++i) {
    const package::Dispatch &dispatch = *entry.dispatches()->Get(i);
    const Pipeline &pipeline = model.pipelines[dispatch.kernel()];
    uint64_t units = dispatch.grid()->units(), per = dispatch.grid()->tokens_per_unit();
    units *= per ? (step.tokens + per - 1) / per : 1;
    if (units > most)
      return fail(error, SINTER_ERROR_UNSUPPORTED, "vulkan: kernel '%.40s' has %llu workgroups, the device allows %u",
                  model.manifest->kernels()->Get(dispatch.kernel())->c_str(), (unsigned long long)units, most);
    if (dispatch.barrier() && i > step.first)
      barrier(device, recording.command);
    device.call.CmdBindPipeline(recording.command, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
    device.call.CmdBindDescriptorSets(recording.command, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1,
                                      &sequence->sets[step.entry][i], 0, nullptr);
    device.call.CmdDispatch(recording.command, uint32_t(units), 1, 1);
  }
  barrier(device, recording.command);
  if (step.entry == kHead) {
    VkBufferCopy region = {model.manifest->greedy()->offset(), 0, 4};
    device.call.CmdCopyBuffer(recording.command, sequence->arena.handle, sequence->outputs.handle, 1, &region);
    barrier(device, recording.command);
  }
  VkResult result = device.call.EndCommandBuffer(recording.command);
  if (result != VK_SUCCESS)
    return failed(error, "recording commands", result);
  recording.tokens = step.tokens;
  recording.first = step.first;
  recording.end = step.end;
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
  const Device &device = sequence->model->device;
  if (sequence->pool)
    device.call.DestroyDescriptorPool(device.handle, sequence->pool, nullptr);
  destroyCommands(device, &sequence->commands);
  for (uint32_t i = 0; i < sequence->model->manifest->caches()->size(); ++i)
    destroyBuffer(device, &sequence->caches[i]);
  for (Buffer *buffer : {&sequence->arena, &sequence->inputs, &sequence->outputs})
    destroyBuffer(device, buffer);
  for (VkDescriptorSet *sets : sequence->sets)
    free(sets);
  free(sequence->caches);
  free(sequence);
}

sinter_status runSteps(void *begun, const int32_t *ids, const sinter_device_step *steps, uint32_t count,
                       sinter_error *error) {
  Sequence *sequence = static_cast<Sequence *>(begun);
  uint8_t *inputs = static_cast<uint8_t *>(sequence->inputs.mapped);
  VkCommandBuffer list[2];
  for (uint32_t i = 0; i < count && i < 2; ++i) {
    const uint32_t scalars[3] = {uint32_t(steps[i].tokens), uint32_t(steps[i].position), uint32_t(steps[i].row)};
    memcpy(inputs + (steps[i].entry == kHead ? kScalarsStride : 0), scalars, sizeof(scalars));
    if (steps[i].entry != kHead)
      memcpy(inputs + kIdsOffset, ids, steps[i].tokens * sizeof(int32_t));
    if (sinter_status status = record(sequence, steps[i], error))
      return status;
    list[i] = sequence->recordings[steps[i].entry].command;
  }
  return submit(sequence->model->device, sequence->commands, list, count, error);
}

uint32_t greedyId(const void *begun) {
  const Sequence *sequence = static_cast<const Sequence *>(begun);
  uint32_t id;
  memcpy(&id, sequence->outputs.mapped, sizeof(id));
  return id;
}

sinter_status readArena(void *begun, uint64_t offset, void *to, uint64_t size, sinter_error *error) {
  Sequence *sequence = static_cast<Sequence *>(begun);
  const Device &device = sequence->model->device;
  uint64_t room = sequence->outputs.size - kReadOffset;
  for (uint64_t done = 0; done < size;) {
    uint64_t bytes = size - done < room ? size - done : room;
    if (sinter_status status = beginCommand(device, sequence->copy, error))
      return status;
    VkBufferCopy region = {offset + done, kReadOffset, bytes};
    device.call.CmdCopyBuffer(sequence->copy, sequence->arena.handle, sequence->outputs.handle, 1, &region);
    barrier(device, sequence->copy);
    device.call.EndCommandBuffer(sequence->copy);
    if (sinter_status status = submit(device, sequence->commands, &sequence->copy, 1, error))
      return status;
    memcpy(static_cast<uint8_t *>(to) + done, static_cast<const uint8_t *>(sequence->outputs.mapped) + kReadOffset, bytes);
    done += bytes;
  }
  return SINTER_OK;
}

} // namespace sinter::vulkan
