// A device that was opened for computing, buffers on it, and commands; vulkan_interface.cpp makes the table of it.
#pragma once

#include "runtime/gpu/vulkan_instance.h"

namespace sinter::vulkan {

struct Device {
  Instance instance;
  const PhysicalDevice *physical; // one of the instance's
  VkDevice handle;
  DeviceFunctions call;
  VkQueue queue;
};

struct Buffer {
  VkBuffer handle;
  VkDeviceMemory memory;
  void *mapped; // null unless the CPU sees it
  uint64_t size;
};

using gpu::Residence;

// `index` counts as sinter_device_backend.list does. On failure nothing is left open.
sinter_status openDevice(Device *device, uint32_t index, sinter_error *error);
void closeDevice(Device *device);

// `what` is for messages: "the weights". Usable for storage and copies.
sinter_status createBuffer(const Device &device, const char *what, uint64_t size, Residence residence, Buffer *buffer,
                           sinter_error *error);
void destroyBuffer(const Device &device, Buffer *buffer);

// Commands that are recorded once or again and again, submitted and waited for.
struct Commands {
  VkCommandPool pool;
  VkFence fence;
};
sinter_status createCommands(const Device &device, Commands *commands, sinter_error *error);
void destroyCommands(const Device &device, Commands *commands);
sinter_status allocateCommand(const Device &device, const Commands &commands, VkCommandBuffer *command,
                              sinter_error *error);
sinter_status beginCommand(const Device &device, VkCommandBuffer command, sinter_error *error);
// Makes everything that was written visible to everything that follows, on the device and on the CPU.
void barrier(const Device &device, VkCommandBuffer command);
// Submits the commands in their order and waits for the last.
sinter_status submit(const Device &device, const Commands &commands, const VkCommandBuffer *list, uint32_t count,
                     sinter_error *error);

// All of it, for runtime/gpu/model.cpp.
const gpu::Interface &interface();

} // namespace sinter::vulkan
