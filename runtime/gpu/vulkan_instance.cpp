// Finds libvulkan when it is asked for, so that nothing links to it: a machine without a driver runs the same program on
// its CPU. Devices are listed in the order in which one would choose: own memory before shared memory before CPUs that pose
// as GPUs, and otherwise as the loader lists them.

#include "runtime/gpu/vulkan_instance.h"

#include "runtime/package_generated.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace sinter::vulkan {

static constexpr const char *kLibraries[] = {"libvulkan.so.1", "libvulkan.so"};

static const char *nameOf(VkResult result) {
  switch (result) {
  case VK_ERROR_OUT_OF_HOST_MEMORY:
    return "out of host memory";
  case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    return "out of device memory";
  case VK_ERROR_INITIALIZATION_FAILED:
    return "initialization failed";
  case VK_ERROR_DEVICE_LOST:
    return "device lost";
  case VK_ERROR_INCOMPATIBLE_DRIVER:
    return "incompatible driver";
  case VK_ERROR_OUT_OF_POOL_MEMORY:
    return "out of pool memory";
  case VK_TIMEOUT:
    return "timeout";
  default:
    return nullptr;
  }
}

sinter_status failed(sinter_error *error, const char *what, VkResult result) {
  bool memory = result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY;
  sinter_status status = memory ? SINTER_ERROR_MEMORY : SINTER_ERROR_DEVICE;
  if (const char *name = nameOf(result))
    return fail(error, status, "vulkan: %s: %s", what, name);
  return fail(error, status, "vulkan: %s: result %d", what, int(result));
}

void describe(const PhysicalDevice &device, sinter_device_info *info) {
  *info = {};
  snprintf(info->name, sizeof(info->name), "%s", device.properties.deviceName);
  static constexpr sinter_device_kind kKinds[] = {SINTER_DEVICE_OTHER, SINTER_DEVICE_INTEGRATED, SINTER_DEVICE_DISCRETE,
                                                  SINTER_DEVICE_VIRTUAL, SINTER_DEVICE_CPU};
  uint32_t type = uint32_t(device.properties.deviceType);
  info->kind = type < 5 ? kKinds[type] : SINTER_DEVICE_OTHER;
  for (uint32_t i = 0; i < device.memory.memoryHeapCount; ++i)
    if (device.memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      info->memory_bytes += device.memory.memoryHeaps[i].size;
  info->largest_range = device.properties.limits.maxStorageBufferRange;
  info->shared_bytes = device.properties.limits.maxComputeSharedMemorySize;
  info->subgroup_size = device.subgroupSize;
  uint64_t all = uint64_t(package::GpuFeature::storage_16bit) | uint64_t(package::GpuFeature::storage_8bit);
  nameFeatures(all & ~device.features, info->lacks, sizeof(info->lacks));
}

namespace {

// The first queue family that computes; false if there is none.
bool findQueue(const Instance &instance, VkPhysicalDevice device, uint32_t *family) {
  VkQueueFamilyProperties families[16];
  uint32_t count = 16;
  instance.call.GetPhysicalDeviceQueueFamilyProperties(device, &count, families);
  for (*family = 0; *family < count; ++*family)
    if (families[*family].queueFlags & VK_QUEUE_COMPUTE_BIT)
      return true;
  return false;
}

bool hasExtension(const Instance &instance, VkPhysicalDevice device, const char *name) {
  uint32_t count = 0;
  if (instance.call.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) < 0)
    return false;
  VkExtensionProperties *extensions = static_cast<VkExtensionProperties *>(calloc(count + 1, sizeof(VkExtensionProperties)));
  bool found = false;
  if (extensions && instance.call.EnumerateDeviceExtensionProperties(device, nullptr, &count, extensions) >= 0)
    for (uint32_t i = 0; i < count; ++i)
      found |= strcmp(extensions[i].extensionName, name) == 0;
  free(extensions);
  return found;
}

void inspect(const Instance &instance, PhysicalDevice *device) {
  VkPhysicalDeviceMaintenance3Properties allocation = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
                                                       nullptr, 0, 0};
  VkPhysicalDeviceSubgroupProperties subgroup = {};
  subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  subgroup.pNext = &allocation;
  VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &subgroup, {}};
  instance.call.GetPhysicalDeviceProperties2(device->handle, &properties);
  device->properties = properties.properties;
  device->subgroupSize = subgroup.subgroupSize;
  device->largestAllocation = allocation.maxMemoryAllocationSize;
  instance.call.GetPhysicalDeviceMemoryProperties(device->handle, &device->memory);

  device->extension8Bit = device->properties.apiVersion < VK_API_VERSION_1_2 &&
                          hasExtension(instance, device->handle, VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
  bool may8Bit = device->extension8Bit || device->properties.apiVersion >= VK_API_VERSION_1_2;
  VkPhysicalDevice8BitStorageFeatures storage8 = {};
  storage8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  VkPhysicalDevice16BitStorageFeatures storage16 = {};
  storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  storage16.pNext = may8Bit ? &storage8 : nullptr;
  VkPhysicalDeviceFeatures2 features = {};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &storage16;
  instance.call.GetPhysicalDeviceFeatures2(device->handle, &features);
  device->features = (storage16.storageBuffer16BitAccess ? uint64_t(package::GpuFeature::storage_16bit) : 0) |
                     (storage8.storageBuffer8BitAccess ? uint64_t(package::GpuFeature::storage_8bit) : 0);
}

uint32_t rank(const PhysicalDevice &device) {
  switch (device.properties.deviceType) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return 4;
  default:
    return 3;
  }
}

// Devices of Vulkan 1.1 and later that compute.
sinter_status findDevices(Instance *instance, sinter_error *error) {
  VkPhysicalDevice handles[kMostDevices];
  uint32_t count = kMostDevices;
  VkResult result = instance->call.EnumeratePhysicalDevices(instance->handle, &count, handles);
  if (result < 0)
    return failed(error, "listing devices", result);
  for (uint32_t i = 0; i < count; ++i) {
    PhysicalDevice device = {};
    device.handle = handles[i];
    if (!findQueue(*instance, handles[i], &device.queueFamily))
      continue;
    inspect(*instance, &device);
    if (device.properties.apiVersion < VK_API_VERSION_1_1)
      continue;
    uint32_t at = instance->count++;
    for (; at > 0 && rank(device) < rank(instance->devices[at - 1]); --at)
      instance->devices[at] = instance->devices[at - 1];
    instance->devices[at] = device;
  }
  return SINTER_OK;
}

// The names of functions that the library should have and does not.
template <class Lookup> const char *fillGlobal(GlobalFunctions *table, Lookup lookup) {
#define SINTER_LOOK_UP(name)                                                                                           \
  if (!(table->name = reinterpret_cast<PFN_vk##name>(lookup("vk" #name))))                                             \
    return "vk" #name;
  SINTER_VULKAN_GLOBAL(SINTER_LOOK_UP)
  return nullptr;
}
template <class Lookup> const char *fillInstance(InstanceFunctions *table, Lookup lookup) {
  SINTER_VULKAN_INSTANCE(SINTER_LOOK_UP)
#undef SINTER_LOOK_UP
  return nullptr;
}

sinter_status open(Instance *instance, sinter_error *error) {
  for (const char *name : kLibraries)
    if (!instance->library)
      instance->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!instance->library)
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: there is no %s on this machine", kLibraries[0]);
  instance->global.GetInstanceProcAddr =
      reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(instance->library, "vkGetInstanceProcAddr"));
  const char *missing = "vkGetInstanceProcAddr";
  if (instance->global.GetInstanceProcAddr)
    missing = fillGlobal(&instance->global,
                         [&](const char *name) { return instance->global.GetInstanceProcAddr(nullptr, name); });
  if (missing)
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: the library lacks %s; Vulkan 1.1 is needed", missing);

  VkApplicationInfo application = {};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "sinter";
  application.apiVersion = VK_API_VERSION_1_2;
  VkInstanceCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  VkResult result = instance->global.CreateInstance(&info, nullptr, &instance->handle);
  if (result != VK_SUCCESS)
    return failed(error, "there is no usable driver: creating an instance", result);
  missing = fillInstance(&instance->call, [&](const char *name) {
    return instance->global.GetInstanceProcAddr(instance->handle, name);
  });
  if (missing)
    return fail(error, SINTER_ERROR_DEVICE, "vulkan: the library lacks %s; Vulkan 1.1 is needed", missing);
  return findDevices(instance, error);
}

} // namespace

sinter_status openInstance(Instance *instance, sinter_error *error) {
  *instance = {};
  sinter_status status = open(instance, error);
  if (status != SINTER_OK)
    closeInstance(instance);
  return status;
}

void closeInstance(Instance *instance) {
  if (instance->handle && instance->call.DestroyInstance)
    instance->call.DestroyInstance(instance->handle, nullptr);
  if (instance->library)
    dlclose(instance->library);
  *instance = {};
}

} // namespace sinter::vulkan
