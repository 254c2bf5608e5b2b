// Loading a package onto a device. What the device must have is checked first, so that an error names what is missing
// before gigabytes were copied. Weights are cut into buffers between weights, each as large as the device allows; where the
// CPU sees the device's memory they are written in place, else they go through a buffer of a few megabytes.

#include "runtime/gpu/vulkan_model.h"


#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

namespace sinter::vulkan {

namespace {

constexpr uint64_t kStagingBytes = 16 << 20;
// Larger buffers gain nothing, and some drivers handle them badly.
constexpr uint64_t kLargestPiece = 1 << 30;

int compareBindings(const void *a, const void *b) {
  uint64_t x = (*static_cast<const package::Binding *const *>(a))->offset();
  uint64_t y = (*static_cast<const package::Binding *const *>(b))->offset();
  return x < y ? -1 : x > y;
}

class Loader {
public:
  Loader(Model *model, sinter_error *error) : model(model), error(error) {}

  sinter_status run(uint32_t device) {
    if (sinter_status status = openDevice(&model->device, device, error))
      return status;
    if (sinter_status status = checkDevice())
      return status;
    for (uint32_t i = 0; i < model->kernels; ++i)
      if (sinter_status status = makePipeline(i))
        return status;
    return placeWeights();
  }

private:
  const VkPhysicalDeviceLimits &limits() const { return model->device.physical->properties.limits; }
  const char *deviceName() const { return model->device.physical->properties.deviceName; }

  sinter_status checkDevice() {
    uint64_t missing = model->code->features() & ~model->device.physical->features;
    char names[128];
    nameFeatures(missing, names, sizeof(names));
    if (missing)
      return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: vulkan device %.64s lacks %s, which the package's kernels need",
                  model->program.label, deviceName(), names[0] ? names : "a feature newer than this runtime");
    for (uint32_t i = 0; i < model->kernels; ++i) {
      const package::GpuKernel *kernel = model->code->gpu_kernels()->Get(i);
      const char *name = model->manifest->kernels()->Get(i)->c_str();
      if (kernel->workgroup() > limits().maxComputeWorkGroupInvocations ||
          kernel->workgroup() > limits().maxComputeWorkGroupSize[0])
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: kernel '%.40s' has workgroups of %u, vulkan device %.64s allows %u",
                    model->program.label, name, kernel->workgroup(), deviceName(), limits().maxComputeWorkGroupInvocations);
      if (kernel->workgroup_bytes() > limits().maxComputeSharedMemorySize)
        return fail(error, SINTER_ERROR_UNSUPPORTED,
                    "%s: kernel '%.40s' shares %u bytes in a workgroup, vulkan device %.64s has %u", model->program.label,
                    name, kernel->workgroup_bytes(), deviceName(), limits().maxComputeSharedMemorySize);
      if (count(kernel->slots()) + 1 > limits().maxPerStageDescriptorStorageBuffers)
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: kernel '%.40s' reads %u buffers, vulkan device %.64s allows %u",
                    model->program.label, name, count(kernel->slots()) + 1, deviceName(),
                    limits().maxPerStageDescriptorStorageBuffers);
    }
    return checkRanges();
  }

  // Every binding must be visible to a kernel as a whole.
  sinter_status checkRanges() {
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i) {
        const package::Dispatch *dispatch = entry->dispatches()->Get(i);
        for (uint32_t b = 0; b < count(dispatch->bindings()); ++b) {
          const package::Binding *binding = dispatch->bindings()->Get(b);
          if (binding->size() > limits().maxStorageBufferRange)
            return fail(error, SINTER_ERROR_UNSUPPORTED,
                        "%s: kernel '%.40s' reads a buffer of %" PRIu64 " bytes, vulkan device %.64s allows %u",
                        model->program.label, model->manifest->kernels()->Get(dispatch->kernel())->c_str(),
                        binding->size(), deviceName(), limits().maxStorageBufferRange);
          if (binding->offset() % limits().minStorageBufferOffsetAlignment)
            return fail(error, SINTER_ERROR_UNSUPPORTED,
                        "%s: a buffer starts at byte %" PRIu64 ", vulkan device %.64s needs multiples of %" PRIu64,
                        model->program.label, binding->offset(), deviceName(),
                        uint64_t(limits().minStorageBufferOffsetAlignment));
        }
      }
    return SINTER_OK;
  }

  sinter_status makePipeline(uint32_t index) {
    const package::GpuKernel *kernel = model->code->gpu_kernels()->Get(index);
    if (kernel->range()->size() == 0)
      return SINTER_OK;
    Pipeline &pipeline = model->pipelines[index];
    const Device &device = model->device;
    pipeline.buffers = 1 + count(kernel->slots());
    VkDescriptorSetLayoutBinding bindings[UINT8_MAX + 1] = {};
    for (uint32_t i = 0; i < pipeline.buffers; ++i)
      bindings[i] = {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
    VkDescriptorSetLayoutCreateInfo set = {};
    set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
    set.bindingCount = pipeline.buffers;
    set.pBindings = bindings;
    VkResult result = device.call.CreateDescriptorSetLayout(device.handle, &set, nullptr, &pipeline.setLayout);
    VkPipelineLayoutCreateInfo layout = {};
    layout.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
    layout.setLayoutCount = 1;
    layout.pSetLayouts = &pipeline.setLayout;
    if (result == VK_SUCCESS)
      result = device.call.CreatePipelineLayout(device.handle, &layout, nullptr, &pipeline.layout);
    VkShaderModuleCreateInfo code = {};
    code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
    code.codeSize = kernel->range()->size();
    code.pCode = reinterpret_cast<const uint32_t *>(static_cast<const uint8_t *>(model->program.modules) +
                                                    kernel->range()->offset());
    VkShaderModule module = VK_NULL_HANDLE;
    if (result == VK_SUCCESS)
      result = device.call.CreateShaderModule(device.handle, &code, nullptr, &module);
    VkComputePipelineCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
    info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = module;
    info.stage.pName = model->manifest->kernels()->Get(index)->c_str();
    info.layout = pipeline.layout;
    if (result == VK_SUCCESS)
      result = device.call.CreateComputePipelines(device.handle, VK_NULL_HANDLE, 1, &info, nullptr, &pipeline.handle);
    if (module)
      device.call.DestroyShaderModule(device.handle, module, nullptr);
    return result == VK_SUCCESS ? SINTER_OK : failed(error, info.stage.pName, result);
  }

  //===-- Weights -------------------------------------------------------------------------------------------------===//

  uint64_t largestPiece() const {
    uint64_t largest = model->device.physical->largestAllocation;
    return largest && largest < kLargestPiece ? largest : kLargestPiece;
  }

  sinter_status placeWeights() {
    uint32_t most = 0;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
        most += count(entry->dispatches()->Get(i)->bindings());
    const package::Binding **sorted =
        static_cast<const package::Binding **>(malloc((most + 1) * sizeof(const package::Binding *)));
    model->weights = static_cast<WeightPiece *>(calloc(most + 1, sizeof(WeightPiece)));
    if (!sorted || !model->weights) {
      free(sorted);
      return fail(error, SINTER_ERROR_MEMORY, "no memory for the list of weights");
    }
    uint32_t used = 0;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
        for (uint32_t b = 0; b < count(entry->dispatches()->Get(i)->bindings()); ++b)
          if (const package::Binding *binding = entry->dispatches()->Get(i)->bindings()->Get(b);
              binding->space() == package::Space::weights)
            sorted[used++] = binding;
    qsort(sorted, used, sizeof(sorted[0]), compareBindings);
    sinter_status status = cutWeights(sorted, used);
    free(sorted);
    return status;
  }

  // Pieces end where no weight does not fit any more; then all are written.
  sinter_status cutWeights(const package::Binding *const *sorted, uint32_t used) {
    uint64_t begin = 0, end = 0;
    for (uint32_t i = 0; i <= used; ++i) {
      uint64_t next = i < used ? sorted[i]->offset() + sorted[i]->size() : UINT64_MAX;
      bool overlaps = i < used && sorted[i]->offset() < end;
      if (end > begin && !overlaps && (i == used || next - begin > largestPiece())) {
        WeightPiece &piece = model->weights[model->pieces];
        piece.begin = begin;
        if (sinter_status status =
                createBuffer(model->device, "the weights", end - begin, Residence::device, &piece.buffer, error))
          return status;
        ++model->pieces;
        begin = i < used ? sorted[i]->offset() : end;
      }
      if (i < used && next > end)
        end = next;
    }
    return upload();
  }

  sinter_status upload() {
    const Device &device = model->device;
    const uint8_t *section = static_cast<const uint8_t *>(model->program.weights);
    bool direct = true;
    for (uint32_t i = 0; i < model->pieces; ++i) {
      WeightPiece &piece = model->weights[i];
      if (piece.buffer.mapped)
        memcpy(piece.buffer.mapped, section + piece.begin, piece.buffer.size);
      direct &= piece.buffer.mapped != nullptr;
    }
    if (direct)
      return SINTER_OK;
    Buffer staging = {};
    Commands commands = {};
    VkCommandBuffer command = VK_NULL_HANDLE;
    sinter_status status = createBuffer(device, "uploading weights", kStagingBytes, Residence::upload, &staging, error);
    if (status == SINTER_OK)
      status = createCommands(device, &commands, error);
    if (status == SINTER_OK)
      status = allocateCommand(device, commands, &command, error);
    for (uint32_t i = 0; i < model->pieces && status == SINTER_OK; ++i) {
      const WeightPiece &piece = model->weights[i];
      for (uint64_t done = 0; done < piece.buffer.size && !piece.buffer.mapped && status == SINTER_OK;) {
        uint64_t rest = piece.buffer.size - done, bytes = rest < kStagingBytes ? rest : kStagingBytes;
        memcpy(staging.mapped, section + piece.begin + done, bytes);
        status = beginCommand(device, command, error);
        if (status != SINTER_OK)
          break;
        VkBufferCopy region = {0, done, bytes};
        device.call.CmdCopyBuffer(command, staging.handle, piece.buffer.handle, 1, &region);
        barrier(device, command);
        device.call.EndCommandBuffer(command);
        status = submit(device, commands, &command, 1, error);
        done += bytes;
      }
    }
    destroyCommands(device, &commands);
    destroyBuffer(device, &staging);
    return status;
  }

  Model *model;
  sinter_error *error;
};

} // namespace

sinter_status loadModel(const sinter_device_program *program, uint32_t device, void **result, sinter_error *error) {
  Model *model = static_cast<Model *>(calloc(1, sizeof(Model)));
  const package::Manifest *manifest = static_cast<const package::Manifest *>(program->manifest);
  uint32_t kernels = manifest->kernels()->size();
  Pipeline *pipelines = static_cast<Pipeline *>(calloc(kernels + 1, sizeof(Pipeline)));
  if (!model || !pipelines) {
    free(model);
    free(pipelines);
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a model");
  }
  model->program = *program;
  model->manifest = manifest;
  model->code = static_cast<const package::Code *>(program->code);
  for (uint32_t i = 0; i < 3; ++i)
    model->entries[i] = static_cast<const package::Entry *>(program->entries[i]);
  model->pipelines = pipelines;
  model->kernels = kernels;
  sinter_status status = Loader(model, error).run(device);
  if (status != SINTER_OK)
    unloadModel(model);
  else
    *result = model;
  return status;
}

void unloadModel(void *opened) {
  Model *model = static_cast<Model *>(opened);
  const Device &device = model->device;
  if (device.handle) {
    for (uint32_t i = 0; i < model->kernels; ++i) {
      const Pipeline &pipeline = model->pipelines[i];
      if (pipeline.handle)
        device.call.DestroyPipeline(device.handle, pipeline.handle, nullptr);
      if (pipeline.layout)
        device.call.DestroyPipelineLayout(device.handle, pipeline.layout, nullptr);
      if (pipeline.setLayout)
        device.call.DestroyDescriptorSetLayout(device.handle, pipeline.setLayout, nullptr);
    }
    for (uint32_t i = 0; i < model->pieces; ++i)
      destroyBuffer(device, &model->weights[i].buffer);
    closeDevice(&model->device);
  }
  free(model->weights);
  free(model->pipelines);
  free(model);
}

} // namespace sinter::vulkan
