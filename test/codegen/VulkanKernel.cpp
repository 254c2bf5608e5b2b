// One kernel, one descriptor set, one submission; the device is opened once per process. Uses the runtime's own device
// layer, so that tests of kernels try that too.

#include "test/codegen/VulkanKernel.h"

#include "runtime/gpu/vulkan_device.h"

#include "gtest/gtest.h"

#include <cstring>

namespace sinter::test {

using namespace vulkan;

static Device *sharedDevice() {
  static Device device;
  static sinter_error error;
  static bool opened = openDevice(&device, 0, &error) == SINTER_OK;
  return opened ? &device : nullptr;
}

bool hasVulkan() { return sharedDevice() != nullptr; }

namespace {

class Run {
public:
  explicit Run(Device &device) : device(device) {}
  ~Run() {
    for (Buffer &buffer : buffers)
      destroyBuffer(device, &buffer);
    destroyCommands(device, &commands);
    device.call.DestroyDescriptorPool(device.handle, pool, nullptr);
    device.call.DestroyPipeline(device.handle, pipeline, nullptr);
    device.call.DestroyPipelineLayout(device.handle, layout, nullptr);
    device.call.DestroyDescriptorSetLayout(device.handle, setLayout, nullptr);
    device.call.DestroyShaderModule(device.handle, module, nullptr);
  }

  // Workgroups are as large as `units`, of a dispatch, can be cut into, up to four times.
  void makePipeline(const CompiledKernels &kernels, uint32_t units) {
    const GpuModule &kernel = kernels.modules.front();
    while (kernel.sharesWorkgroups && unitsOfWorkgroup < 4 && units % (2 * unitsOfWorkgroup) == 0)
      unitsOfWorkgroup *= 2;
    count = uint32_t(kernel.slots.size()) + 1;
    std::vector<VkDescriptorSetLayoutBinding> bindings;
    for (uint32_t i = 0; i < count; ++i)
      bindings.push_back({i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
    VkDescriptorSetLayoutCreateInfo set = {};
    set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
    set.bindingCount = count;
    set.pBindings = bindings.data();
    ASSERT_EQ(device.call.CreateDescriptorSetLayout(device.handle, &set, nullptr, &setLayout), VK_SUCCESS);
    VkPipelineLayoutCreateInfo layoutInfo = {};
    layoutInfo.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
    layoutInfo.setLayoutCount = 1;
    layoutInfo.pSetLayouts = &setLayout;
    ASSERT_EQ(device.call.CreatePipelineLayout(device.handle, &layoutInfo, nullptr, &layout), VK_SUCCESS);
    VkShaderModuleCreateInfo code = {};
    code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
    code.codeSize = kernel.size;
    code.pCode = reinterpret_cast<const uint32_t *>(kernels.image.data() + kernel.offset);
    ASSERT_EQ(device.call.CreateShaderModule(device.handle, &code, nullptr, &module), VK_SUCCESS);
    VkComputePipelineCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
    info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = module;
    info.stage.pName = "k";
    const VkSpecializationMapEntry unitsEntry = {0, 0, sizeof(unitsOfWorkgroup)};
    const VkSpecializationInfo specialization = {1, &unitsEntry, sizeof(unitsOfWorkgroup), &unitsOfWorkgroup};
    info.stage.pSpecializationInfo = &specialization;
    info.layout = layout;
    ASSERT_EQ(device.call.CreateComputePipelines(device.handle, VK_NULL_HANDLE, 1, &info, nullptr, &pipeline), VK_SUCCESS);
  }

  void makeBuffers(const std::vector<BoundBytes> &bindings, const sinter_kernel_scalars &scalars) {
    const uint32_t words[] = {uint32_t(scalars.tokens), uint32_t(scalars.position), uint32_t(scalars.row), 0};
    add(words, sizeof(words));
    for (const BoundBytes &binding : bindings)
      add(binding.data, binding.size);
  }

  void run(const std::vector<uint8_t> &slots, uint32_t units) {
    sinter_error error = {};
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count};
    VkDescriptorPoolCreateInfo poolInfo = {};
    poolInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    poolInfo.maxSets = 1;
    poolInfo.poolSizeCount = 1;
    poolInfo.pPoolSizes = &size;
    ASSERT_EQ(device.call.CreateDescriptorPool(device.handle, &poolInfo, nullptr, &pool), VK_SUCCESS);
    VkDescriptorSetAllocateInfo setInfo = {};
    setInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    setInfo.descriptorPool = pool;
    setInfo.descriptorSetCount = 1;
    setInfo.pSetLayouts = &setLayout;
    VkDescriptorSet set;
    ASSERT_EQ(device.call.AllocateDescriptorSets(device.handle, &setInfo, &set), VK_SUCCESS);
    std::vector<VkDescriptorBufferInfo> places(count);
    std::vector<VkWriteDescriptorSet> writes(count);
    for (uint32_t i = 0; i < count; ++i) {
      const Buffer &buffer = buffers[i ? slots[i - 1] + 1 : 0];
      places[i] = {buffer.handle, 0, buffer.size};
      writes[i] = {};
      writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
      writes[i].dstSet = set;
      writes[i].dstBinding = i;
      writes[i].descriptorCount = 1;
      writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
      writes[i].pBufferInfo = &places[i];
    }
    device.call.UpdateDescriptorSets(device.handle, count, writes.data(), 0, nullptr);
    VkCommandBuffer command;
    ASSERT_EQ(createCommands(device, &commands, &error), SINTER_OK) << error.message;
    ASSERT_EQ(allocateCommand(device, commands, &command, &error), SINTER_OK) << error.message;
    ASSERT_EQ(beginCommand(device, command, &error), SINTER_OK) << error.message;
    device.call.CmdBindPipeline(command, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    device.call.CmdBindDescriptorSets(command, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, nullptr);
    device.call.CmdDispatch(command, units / unitsOfWorkgroup, 1, 1);
    barrier(device, command);
    device.call.EndCommandBuffer(command);
    ASSERT_EQ(submit(device, commands, &command, 1, &error), SINTER_OK) << error.message;
  }

  void readBack(const std::vector<BoundBytes> &bindings) {
    for (size_t i = 0; i < bindings.size(); ++i)
      std::memcpy(bindings[i].data, buffers[i + 1].mapped, bindings[i].size);
  }

private:
  void add(const void *data, size_t size) {
    sinter_error error = {};
    buffers.emplace_back();
    ASSERT_EQ(createBuffer(device, "a test", (size + 3) / 4 * 4, Residence::readback, &buffers.back(), &error), SINTER_OK)
        << error.message;
    std::memcpy(buffers.back().mapped, data, size);
  }

  Device &device;
  uint32_t count = 0, unitsOfWorkgroup = 1;
  std::vector<Buffer> buffers; // the scalars, then the bindings
  Commands commands = {};
  VkDescriptorPool pool = VK_NULL_HANDLE;
  VkDescriptorSetLayout setLayout = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkShaderModule module = VK_NULL_HANDLE;
  VkPipeline pipeline = VK_NULL_HANDLE;
};

} // namespace

void runOnVulkan(const CompiledKernels &kernels, const std::vector<BoundBytes> &bindings, uint32_t units,
                 const sinter_kernel_scalars &scalars) {
  ASSERT_TRUE(hasVulkan());
  Run run(*sharedDevice());
  ASSERT_NO_FATAL_FAILURE(run.makePipeline(kernels, units));
  ASSERT_NO_FATAL_FAILURE(run.makeBuffers(bindings, scalars));
  ASSERT_NO_FATAL_FAILURE(run.run(kernels.modules.front().slots, units));
  run.readBack(bindings);
}

} // namespace sinter::test
