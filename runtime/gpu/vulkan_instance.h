// The Vulkan library, an instance of it, and the devices it knows.
#pragma once

#include "runtime/gpu/device.h"
#include "runtime/gpu/vulkan_functions.h"

namespace sinter::vulkan {

using gpu::fail;
using gpu::nameFeatures;

inline constexpr uint32_t kMostDevices = 16;

struct PhysicalDevice {
  VkPhysicalDevice handle;
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;
  uint32_t queueFamily;
  uint32_t subgroupSize;
  uint64_t largestAllocation;
  uint64_t features;   // package::GpuFeature bits
  bool extension8Bit;  // its 8-bit storage is an extension to be asked for
};

struct Instance {
  void *library;
  GlobalFunctions global;
  InstanceFunctions call;
  VkInstance handle;
  uint32_t count;
  PhysicalDevice devices[kMostDevices]; // those that compute, the best first
};

// Loads the library and lists the devices. On failure nothing is left open.
sinter_status openInstance(Instance *instance, sinter_error *error);
void closeInstance(Instance *instance);

void describe(const PhysicalDevice &device, sinter_device_info *info);
// SINTER_ERROR_DEVICE or SINTER_ERROR_MEMORY with the call's name and the result's.
sinter_status failed(sinter_error *error, const char *what, VkResult result);

} // namespace sinter::vulkan
