// Vulkan as runtime/gpu/device.h wants it: a pipeline with the layout of its one descriptor set, which holds nothing but
// storage buffers, and recordings that are command buffers of one pool.

#include "runtime/gpu/vulkan_device.h"

#include <stdlib.h>

namespace sinter::vulkan {

namespace {

struct Pipeline {
  VkDescriptorSetLayout setLayout;
  VkPipelineLayout layout;
  VkPipeline handle;
  uint32_t buffers;
};

struct Recorder {
  const Device *device;
  Commands commands;
  VkDescriptorPool pool;   // null: no bindings
  VkCommandBuffer list[1]; // [recordings]
};

const Device &deviceOf(void *device) { return *static_cast<const Device *>(device); }
Buffer &bufferOf(const gpu::Buffer &buffer) { return *static_cast<Buffer *>(buffer.object); }

template <class T> T smaller(T a, T b) { return a < b ? a : b; }

//===-- Devices and buffers ---------------------------------------------------------------------------------------===//

sinter_status open(uint32_t index, void **result, gpu::Limits *limits, sinter_error *error) {
  Device *device = static_cast<Device *>(calloc(1, sizeof(Device)));
  if (!device)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a device");
  if (sinter_status status = openDevice(device, index, error)) {
    free(device);
    return status;
  }
  const VkPhysicalDeviceLimits &allowed = device->physical->properties.limits;
  const char *name = device->physical->properties.deviceName;
  for (size_t i = 0; i + 1 < sizeof(limits->name) && name[i]; ++i)
    limits->name[i] = name[i];
  limits->features = device->physical->features;
  limits->largestBuffer = device->physical->largestAllocation ? device->physical->largestAllocation : UINT64_MAX;
  limits->largestRange = allowed.maxStorageBufferRange;
  limits->rangeAlignment = allowed.minStorageBufferOffsetAlignment;
  limits->buffers = allowed.maxPerStageDescriptorStorageBuffers;
  limits->workgroup = smaller(allowed.maxComputeWorkGroupInvocations, allowed.maxComputeWorkGroupSize[0]);
  limits->subgroup = device->physical->subgroupSize;
  limits->workgroupBytes = allowed.maxComputeSharedMemorySize;
  limits->workgroups = allowed.maxComputeWorkGroupCount[0];
  *result = device;
  return SINTER_OK;
}

void close(void *device) {
  closeDevice(static_cast<Device *>(device));
  free(device);
}

sinter_status makeBuffer(void *device, const char *what, uint64_t size, Residence residence, gpu::Buffer *result,
                         sinter_error *error) {
  Buffer *buffer = static_cast<Buffer *>(calloc(1, sizeof(Buffer)));
  if (!buffer)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a buffer");
  if (sinter_status status = createBuffer(deviceOf(device), what, size, residence, buffer, error)) {
    free(buffer);
    return status;
  }
  *result = {buffer, static_cast<uint8_t *>(buffer->mapped), size};
  return SINTER_OK;
}

void dropBuffer(void *device, gpu::Buffer *buffer) {
  if (!buffer->object)
    return;
  destroyBuffer(deviceOf(device), &bufferOf(*buffer));
  free(buffer->object);
  *buffer = {};
}

//===-- Pipelines -------------------------------------------------------------------------------------------------===//

void destroyPipeline(void *opened, void *made) {
  const Device &device = deviceOf(opened);
  Pipeline *pipeline = static_cast<Pipeline *>(made);
  if (pipeline->handle)
    device.call.DestroyPipeline(device.handle, pipeline->handle, nullptr);
  if (pipeline->layout)
    device.call.DestroyPipelineLayout(device.handle, pipeline->layout, nullptr);
  if (pipeline->setLayout)
    device.call.DestroyDescriptorSetLayout(device.handle, pipeline->setLayout, nullptr);
  free(pipeline);
}

VkResult fillPipeline(const Device &device, const gpu::Module &module, Pipeline *pipeline) {
  pipeline->buffers = module.buffers;
  VkDescriptorSetLayoutBinding bindings[UINT8_MAX + 1] = {};
  for (uint32_t i = 0; i < pipeline->buffers; ++i)
    bindings[i] = {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  VkDescriptorSetLayoutCreateInfo set = {};
  set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set.bindingCount = pipeline->buffers;
  set.pBindings = bindings;
  VkResult result = device.call.CreateDescriptorSetLayout(device.handle, &set, nullptr, &pipeline->setLayout);
  VkPipelineLayoutCreateInfo layout = {};
  layout.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  layout.setLayoutCount = 1;
  layout.pSetLayouts = &pipeline->setLayout;
  if (result == VK_SUCCESS)
    result = device.call.CreatePipelineLayout(device.handle, &layout, nullptr, &pipeline->layout);
  VkShaderModuleCreateInfo code = {};
  code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  code.codeSize = module.size;
  code.pCode = static_cast<const uint32_t *>(module.bytes);
  VkShaderModule shader = VK_NULL_HANDLE;
  if (result == VK_SUCCESS)
    result = device.call.CreateShaderModule(device.handle, &code, nullptr, &shader);
  // Modules without the constant ignore it.
  const VkSpecializationMapEntry unitsEntry = {0, 0, sizeof(module.units)};
  const VkSpecializationInfo specialization = {1, &unitsEntry, sizeof(module.units), &module.units};
  VkComputePipelineCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = shader;
  info.stage.pName = module.name;
  info.stage.pSpecializationInfo = &specialization;
  info.layout = pipeline->layout;
  if (result == VK_SUCCESS)
    result = device.call.CreateComputePipelines(device.handle, VK_NULL_HANDLE, 1, &info, nullptr, &pipeline->handle);
  if (shader)
    device.call.DestroyShaderModule(device.handle, shader, nullptr);
  return result;
}

sinter_status createPipeline(void *device, const gpu::Module &module, void **made, sinter_error *error) {
  Pipeline *pipeline = static_cast<Pipeline *>(calloc(1, sizeof(Pipeline)));
  if (!pipeline)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a kernel");
  VkResult result = fillPipeline(deviceOf(device), module, pipeline);
  if (result != VK_SUCCESS) {
    destroyPipeline(device, pipeline);
    return failed(error, module.name, result);
  }
  *made = pipeline;
  return SINTER_OK;
}

//===-- Recordings ------------------------------------------------------------------------------------------------===//

const Recorder &recorderOf(void *recorder) { return *static_cast<const Recorder *>(recorder); }

void destroyRecorder(void *made) {
  Recorder *recorder = static_cast<Recorder *>(made);
  if (recorder->pool)
    recorder->device->call.DestroyDescriptorPool(recorder->device->handle, recorder->pool, nullptr);
  destroyCommands(*recorder->device, &recorder->commands);
  free(recorder);
}

sinter_status fillRecorder(Recorder *recorder, uint32_t recordings, uint32_t bindings, uint32_t buffers,
                           sinter_error *error) {
  const Device &device = *recorder->device;
  if (sinter_status status = createCommands(device, &recorder->commands, error))
    return status;
  for (uint32_t i = 0; i < recordings; ++i)
    if (sinter_status status = allocateCommand(device, recorder->commands, &recorder->list[i], error))
      return status;
  if (!bindings)
    return SINTER_OK;
  VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, buffers};
  VkDescriptorPoolCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  info.maxSets = bindings;
  info.poolSizeCount = 1;
  info.pPoolSizes = &size;
  VkResult result = device.call.CreateDescriptorPool(device.handle, &info, nullptr, &recorder->pool);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, "making descriptors", result);
}

sinter_status createRecorder(void *device, uint32_t recordings, uint32_t bindings, uint32_t buffers, void **made,
                             sinter_error *error) {
  Recorder *recorder = static_cast<Recorder *>(calloc(1, sizeof(Recorder) + recordings * sizeof(VkCommandBuffer)));
  if (!recorder)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for commands");
  recorder->device = &deviceOf(device);
  if (sinter_status status = fillRecorder(recorder, recordings, bindings, buffers, error)) {
    destroyRecorder(recorder);
    return status;
  }
  *made = recorder;
  return SINTER_OK;
}

// A binding is a descriptor set.
sinter_status bind(void *made, void *bound, const gpu::Slice *slices, void **binding, sinter_error *error) {
  const Recorder &recorder = recorderOf(made);
  const Device &device = *recorder.device;
  const Pipeline &pipeline = *static_cast<const Pipeline *>(bound);
  VkDescriptorSetAllocateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  info.descriptorPool = recorder.pool;
  info.descriptorSetCount = 1;
  info.pSetLayouts = &pipeline.setLayout;
  VkDescriptorSet set = VK_NULL_HANDLE;
  VkResult result = device.call.AllocateDescriptorSets(device.handle, &info, &set);
  if (result != VK_SUCCESS)
    return failed(error, "making descriptors", result);
  VkDescriptorBufferInfo buffers[UINT8_MAX + 1];
  VkWriteDescriptorSet writes[UINT8_MAX + 1] = {};
  for (uint32_t i = 0; i < pipeline.buffers; ++i) {
    buffers[i] = {bufferOf(*slices[i].buffer).handle, slices[i].offset, slices[i].size};
    writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    writes[i].dstSet = set;
    writes[i].dstBinding = i;
    writes[i].descriptorCount = 1;
    writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[i].pBufferInfo = &buffers[i];
  }
  device.call.UpdateDescriptorSets(device.handle, pipeline.buffers, writes, 0, nullptr);
  *binding = reinterpret_cast<void *>(set);
  return SINTER_OK;
}

sinter_status begin(void *recorder, uint32_t recording, sinter_error *error) {
  return beginCommand(*recorderOf(recorder).device, recorderOf(recorder).list[recording], error);
}

void dispatch(void *made, uint32_t recording, void *bound, void *binding, uint32_t workgroups) {
  const Recorder &recorder = recorderOf(made);
  const Pipeline &pipeline = *static_cast<const Pipeline *>(bound);
  const DeviceFunctions &call = recorder.device->call;
  VkCommandBuffer command = recorder.list[recording];
  VkDescriptorSet set = reinterpret_cast<VkDescriptorSet>(binding);
  call.CmdBindPipeline(command, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
  call.CmdBindDescriptorSets(command, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1, &set, 0, nullptr);
  call.CmdDispatch(command, workgroups, 1, 1);
}

void addBarrier(void *recorder, uint32_t recording) {
  barrier(*recorderOf(recorder).device, recorderOf(recorder).list[recording]);
}

void copy(void *made, uint32_t recording, const gpu::Slice &from, const gpu::Slice &to) {
  const Recorder &recorder = recorderOf(made);
  VkBufferCopy region = {from.offset, to.offset, from.size};
  recorder.device->call.CmdCopyBuffer(recorder.list[recording], bufferOf(*from.buffer).handle,
                                      bufferOf(*to.buffer).handle, 1, &region);
}

void clear(void *made, uint32_t recording, const gpu::Buffer &buffer) {
  const Recorder &recorder = recorderOf(made);
  recorder.device->call.CmdFillBuffer(recorder.list[recording], bufferOf(buffer).handle, 0, VK_WHOLE_SIZE, 0);
}

sinter_status end(void *recorder, uint32_t recording, sinter_error *error) {
  VkResult result = recorderOf(recorder).device->call.EndCommandBuffer(recorderOf(recorder).list[recording]);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, "recording commands", result);
}

sinter_status submitList(void *made, const uint32_t *recordings, uint32_t count, sinter_error *error) {
  const Recorder &recorder = recorderOf(made);
  VkCommandBuffer list[4];
  if (count > 4)
    return fail(error, SINTER_ERROR_ARGUMENT, "vulkan: %u recordings at once", count);
  for (uint32_t i = 0; i < count; ++i)
    list[i] = recorder.list[recordings[i]];
  return submit(*recorder.device, recorder.commands, list, count, error);
}

const gpu::Interface kInterface = {
    .name = "vulkan",
    .resubmits = true,
    .open = open,
    .close = close,
    .createBuffer = makeBuffer,
    .destroyBuffer = dropBuffer,
    .createPipeline = createPipeline,
    .destroyPipeline = destroyPipeline,
    .createRecorder = createRecorder,
    .destroyRecorder = destroyRecorder,
    .bind = bind,
    .begin = begin,
    .dispatch = dispatch,
    .barrier = addBarrier,
    .copy = copy,
    .clear = clear,
    .end = end,
    .submit = submitList,
};

} // namespace

const gpu::Interface &interface() { return kInterface; }

} // namespace sinter::vulkan
