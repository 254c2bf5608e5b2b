// Opens a device with the features that it has of those that kernels may need, allocates buffers, and submits commands.
// One queue, one fence: a step is one submission, and the CPU waits for it, because the next token depends on it.

#include "runtime/gpu/vulkan_device.h"

#include "runtime/package_generated.h"

#include <inttypes.h>

namespace sinter::vulkan {

static sinter_status open(Device *device, uint32_t index, sinter_error *error) {
  if (sinter_status status = openInstance(&device->instance, error))
    return status;
  Instance &instance = device->instance;
  if (instance.count == 0)
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: there is no device for Vulkan 1.1 on this machine");
  if (index >= instance.count)
    return fail(error, SINTER_ERROR_ARGUMENT, "vulkan: device %u was asked for, there are %u", index, instance.count);
  device->physical = &instance.devices[index];

  VkPhysicalDevice8BitStorageFeatures storage8 = {};
  storage8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  storage8.storageBuffer8BitAccess = (device->physical->features & uint64_t(package::GpuFeature::storage_8bit)) != 0;
  VkPhysicalDevice16BitStorageFeatures storage16 = {};
  storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  storage16.pNext = storage8.storageBuffer8BitAccess ? &storage8 : nullptr;
  storage16.storageBuffer16BitAccess = (device->physical->features & uint64_t(package::GpuFeature::storage_16bit)) != 0;
  const float priority = 1;
  VkDeviceQueueCreateInfo queue = {};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = device->physical->queueFamily;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  const char *extension = VK_KHR_8BIT_STORAGE_EXTENSION_NAME;
  VkDeviceCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = &storage16;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = device->physical->extension8Bit;
  info.ppEnabledExtensionNames = &extension;
  VkResult result = instance.call.CreateDevice(device->physical->handle, &info, nullptr, &device->handle);
  if (result != VK_SUCCESS)
    return failed(error, "opening the device", result);
#define SINTER_LOOK_UP(name)                                                                                           \
  device->call.name = reinterpret_cast<PFN_vk##name>(instance.call.GetDeviceProcAddr(device->handle, "vk" #name));      \
  if (!device->call.name)                                                                                              \
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: the driver lacks vk" #name);
  SINTER_VULKAN_DEVICE(SINTER_LOOK_UP)
#undef SINTER_LOOK_UP
  device->call.GetDeviceQueue(device->handle, device->physical->queueFamily, 0, &device->queue);
  return SINTER_OK;
}

sinter_status openDevice(Device *device, uint32_t index, sinter_error *error) {
  *device = {};
  sinter_status status = open(device, index, error);
  if (status != SINTER_OK)
    closeDevice(device);
  return status;
}

void closeDevice(Device *device) {
  if (device->handle && device->call.DestroyDevice)
    device->call.DestroyDevice(device->handle, nullptr);
  if (device->instance.library)
    closeInstance(&device->instance);
  *device = {};
}

//===-- Buffers ---------------------------------------------------------------------------------------------------===//

// The first type of memory that a buffer may have and that has all of `flags`; -1 if there is none.
static int32_t findMemory(const Device &device, uint32_t allowed, VkMemoryPropertyFlags flags) {
  const VkPhysicalDeviceMemoryProperties &memory = device.physical->memory;
  for (uint32_t i = 0; i < memory.memoryTypeCount; ++i)
    if (allowed >> i & 1 && (memory.memoryTypes[i].propertyFlags & flags) == flags)
      return int32_t(i);
  return -1;
}

// What to look for, the best first.
static int32_t chooseMemory(const Device &device, uint32_t allowed, Residence residence) {
  constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  constexpr VkMemoryPropertyFlags seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const VkMemoryPropertyFlags wishes[3][3] = {{local | seen, local, 0},
                                              {local | seen, seen, seen},
                                              {seen | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, seen, seen}};
  // On a card only a window of its memory may be visible: what the CPU need not see does not go there.
  bool card = device.physical->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  int32_t type = -1;
  for (uint32_t i = residence == Residence::device && card ? 1 : 0; i < 3 && type < 0; ++i)
    type = findMemory(device, allowed, wishes[uint32_t(residence)][i]);
  return type;
}

static sinter_status create(const Device &device, const char *what, uint64_t size, Residence residence, Buffer *buffer,
                            sinter_error *error) {
  VkBufferCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = size;
  info.usage =
      VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  VkResult result = device.call.CreateBuffer(device.handle, &info, nullptr, &buffer->handle);
  if (result != VK_SUCCESS)
    return failed(error, what, result);
  VkMemoryRequirements needs;
  device.call.GetBufferMemoryRequirements(device.handle, buffer->handle, &needs);
  int32_t type = chooseMemory(device, needs.memoryTypeBits, residence);
  if (type < 0)
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: the device has no kind of memory for %s", what);
  VkMemoryAllocateInfo allocation = {};
  allocation.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  allocation.allocationSize = needs.size;
  allocation.memoryTypeIndex = uint32_t(type);
  result = device.call.AllocateMemory(device.handle, &allocation, nullptr, &buffer->memory);
  if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
    return fail(error, SINTER_ERROR_MEMORY, "vulkan: out of memory: no %" PRIu64 " bytes on %.64s for %s", needs.size,
                device.physical->properties.deviceName, what);
  if (result != VK_SUCCESS)
    return failed(error, what, result);
  result = device.call.BindBufferMemory(device.handle, buffer->handle, buffer->memory, 0);
  VkMemoryPropertyFlags flags = device.physical->memory.memoryTypes[type].propertyFlags;
  constexpr VkMemoryPropertyFlags seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  if (result == VK_SUCCESS && (flags & seen) == seen)
    result = device.call.MapMemory(device.handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, what, result);
}

sinter_status createBuffer(const Device &device, const char *what, uint64_t size, Residence residence, Buffer *buffer,
                           sinter_error *error) {
  *buffer = {};
  buffer->size = size ? size : 4;
  sinter_status status = create(device, what, buffer->size, residence, buffer, error);
  if (status != SINTER_OK)
    destroyBuffer(device, buffer);
  return status;
}

void destroyBuffer(const Device &device, Buffer *buffer) {
  if (buffer->handle)
    device.call.DestroyBuffer(device.handle, buffer->handle, nullptr);
  if (buffer->memory)
    device.call.FreeMemory(device.handle, buffer->memory, nullptr);
  *buffer = {};
}

//===-- Commands --------------------------------------------------------------------------------------------------===//

sinter_status createCommands(const Device &device, Commands *commands, sinter_error *error) {
  *commands = {};
  VkCommandPoolCreateInfo pool = {};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = device.physical->queueFamily;
  VkFenceCreateInfo fence = {};
  fence.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  VkResult result = device.call.CreateCommandPool(device.handle, &pool, nullptr, &commands->pool);
  if (result == VK_SUCCESS)
    result = device.call.CreateFence(device.handle, &fence, nullptr, &commands->fence);
  if (result == VK_SUCCESS)
    return SINTER_OK;
  destroyCommands(device, commands);
  return failed(error, "making command buffers", result);
}

void destroyCommands(const Device &device, Commands *commands) {
  if (commands->fence)
    device.call.DestroyFence(device.handle, commands->fence, nullptr);
  if (commands->pool)
    device.call.DestroyCommandPool(device.handle, commands->pool, nullptr);
  *commands = {};
}

sinter_status allocateCommand(const Device &device, const Commands &commands, VkCommandBuffer *command,
                              sinter_error *error) {
  VkCommandBufferAllocateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = commands.pool;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkResult result = device.call.AllocateCommandBuffers(device.handle, &info, command);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, "making command buffers", result);
}

sinter_status beginCommand(const Device &device, VkCommandBuffer command, sinter_error *error) {
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  VkResult result = device.call.BeginCommandBuffer(command, &info);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, "recording commands", result);
}

void barrier(const Device &device, VkCommandBuffer command) {
  VkMemoryBarrier memory = {};
  memory.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  memory.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT;
  constexpr VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  device.call.CmdPipelineBarrier(command, stages, stages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory, 0, nullptr, 0,
                                 nullptr);
}

sinter_status submit(const Device &device, const Commands &commands, const VkCommandBuffer *list, uint32_t count,
                     sinter_error *error) {
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = count;
  info.pCommandBuffers = list;
  VkResult result = device.call.ResetFences(device.handle, 1, &commands.fence);
  if (result == VK_SUCCESS)
    result = device.call.QueueSubmit(device.queue, 1, &info, commands.fence);
  if (result == VK_SUCCESS)
    result = device.call.WaitForFences(device.handle, 1, &commands.fence, VK_TRUE, UINT64_MAX);
  return result == VK_SUCCESS ? SINTER_OK : failed(error, "running a step", result);
}

} // namespace sinter::vulkan
