// libvulkan, loaded at run time: every function that the backend calls, in three tables by what they are looked up with.
#pragma once

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#define SINTER_VULKAN_GLOBAL(X) X(CreateInstance) X(EnumerateInstanceVersion)

#define SINTER_VULKAN_INSTANCE(X)                                                                                      \
  X(DestroyInstance) X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties2) X(GetPhysicalDeviceFeatures2)         \
  X(GetPhysicalDeviceMemoryProperties) X(GetPhysicalDeviceQueueFamilyProperties)                                       \
  X(EnumerateDeviceExtensionProperties) X(CreateDevice) X(GetDeviceProcAddr)

#define SINTER_VULKAN_DEVICE(X)                                                                                        \
  X(DestroyDevice) X(GetDeviceQueue) X(CreateBuffer) X(DestroyBuffer) X(GetBufferMemoryRequirements)                   \
  X(AllocateMemory) X(FreeMemory) X(BindBufferMemory) X(MapMemory) X(CreateShaderModule) X(DestroyShaderModule)        \
  X(CreateDescriptorSetLayout) X(DestroyDescriptorSetLayout) X(CreatePipelineLayout) X(DestroyPipelineLayout)          \
  X(CreateComputePipelines) X(DestroyPipeline) X(CreateDescriptorPool) X(DestroyDescriptorPool)                        \
  X(AllocateDescriptorSets) X(UpdateDescriptorSets) X(CreateCommandPool) X(DestroyCommandPool)                         \
  X(AllocateCommandBuffers) X(BeginCommandBuffer) X(EndCommandBuffer) X(CmdBindPipeline) X(CmdBindDescriptorSets)      \
  X(CmdDispatch) X(CmdPipelineBarrier) X(CmdCopyBuffer) X(CmdFillBuffer) X(CreateFence) X(DestroyFence)                \
  X(ResetFences) X(WaitForFences) X(QueueSubmit) X(DeviceWaitIdle)

namespace sinter::vulkan {

#define SINTER_DECLARE(name) PFN_vk##name name;
struct GlobalFunctions {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
  SINTER_VULKAN_GLOBAL(SINTER_DECLARE)
};
struct InstanceFunctions {
  SINTER_VULKAN_INSTANCE(SINTER_DECLARE)
};
struct DeviceFunctions {
  SINTER_VULKAN_DEVICE(SINTER_DECLARE)
};
#undef SINTER_DECLARE

} // namespace sinter::vulkan
