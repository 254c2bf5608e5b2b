/* A libvulkan that fails on demand. FAKE_VULKAN says how, in one or several of these words; everything else is the system's
 * library, which REAL_VULKAN names.
 *
 *   no-driver     there is no driver: creating an instance fails
 *   no-16-bit     devices lack 16-bit storage
 *   no-memory     allocating more than a few kilobytes fails
 *   no-room       allocating more than a few kilobytes fails the second time: there is room for weights only
 *   discrete      devices say that they are graphics cards
 *   lost          the device is lost at the eighth submission
 *   subgroups     subgroups are of 128 invocations, and every pipeline's specialization constant is written to standard error
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vulkan_core.h>

static PFN_vkGetInstanceProcAddr instance_functions;
static PFN_vkGetDeviceProcAddr device_functions;
static PFN_vkGetPhysicalDeviceFeatures2 features;
static PFN_vkAllocateMemory allocate;
static PFN_vkQueueSubmit submit;
static PFN_vkGetPhysicalDeviceProperties2 properties;
static PFN_vkCreateComputePipelines create_pipelines;

static int fails(const char *how) {
  const char *wanted = getenv("FAKE_VULKAN");
  return wanted && strstr(wanted, how);
}

static VkResult create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *callbacks,
                                VkInstance *instance) {
  if (fails("no-driver"))
    return VK_ERROR_INCOMPATIBLE_DRIVER;
  return ((PFN_vkCreateInstance)instance_functions(NULL, "vkCreateInstance"))(info, callbacks, instance);
}

static void get_features(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *result) {
  features(device, result);
  for (VkBaseOutStructure *part = result->pNext; part; part = part->pNext)
    if (fails("no-16-bit") && part->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES)
      ((VkPhysicalDevice16BitStorageFeatures *)part)->storageBuffer16BitAccess = VK_FALSE;
}

static void get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *result) {
  properties(device, result);
  if (fails("discrete"))
    result->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  for (VkBaseOutStructure *part = result->pNext; part; part = part->pNext)
    if (fails("subgroups") && part->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
      ((VkPhysicalDeviceSubgroupProperties *)part)->subgroupSize = 128;
}

static VkResult create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                         const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *callbacks,
                                         VkPipeline *pipelines) {
  const VkSpecializationInfo *constants = infos->stage.pSpecializationInfo;
  if (fails("subgroups") && constants)
    fprintf(stderr, "%s %u\n", infos->stage.pName, *(const unsigned *)constants->pData);
  return create_pipelines(device, cache, count, infos, callbacks, pipelines);
}

static VkResult allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *callbacks,
                                VkDeviceMemory *memory) {
  static int large;
  if (info->allocationSize > 65536 && (fails("no-memory") || (++large > 1 && fails("no-room"))))
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return allocate(device, info, callbacks, memory);
}

static VkResult queue_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence) {
  static int submissions;
  if (fails("lost") && ++submissions >= 8)
    return VK_ERROR_DEVICE_LOST;
  return submit(queue, count, infos, fence);
}

static PFN_vkVoidFunction find_device_function(VkDevice device, const char *name) {
  PFN_vkVoidFunction found = device_functions(device, name);
  if (strcmp(name, "vkAllocateMemory") == 0) {
    allocate = (PFN_vkAllocateMemory)found;
    return (PFN_vkVoidFunction)allocate_memory;
  }
  if (strcmp(name, "vkCreateComputePipelines") == 0) {
    create_pipelines = (PFN_vkCreateComputePipelines)found;
    return (PFN_vkVoidFunction)create_compute_pipelines;
  }
  if (strcmp(name, "vkQueueSubmit") == 0) {
    submit = (PFN_vkQueueSubmit)found;
    return (PFN_vkVoidFunction)queue_submit;
  }
  return found;
}

__attribute__((visibility("default"))) PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name) {
  if (!instance_functions) {
    void *library = dlopen(getenv("REAL_VULKAN"), RTLD_NOW | RTLD_LOCAL);
    if (library)
      instance_functions = (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr");
    if (!instance_functions)
      return NULL;
  }
  PFN_vkVoidFunction found = instance_functions(instance, name);
  if (strcmp(name, "vkCreateInstance") == 0)
    return (PFN_vkVoidFunction)create_instance;
  if (strcmp(name, "vkGetPhysicalDeviceFeatures2") == 0) {
    features = (PFN_vkGetPhysicalDeviceFeatures2)found;
    return (PFN_vkVoidFunction)get_features;
  }
  if (strcmp(name, "vkGetPhysicalDeviceProperties2") == 0) {
    properties = (PFN_vkGetPhysicalDeviceProperties2)found;
    return (PFN_vkVoidFunction)get_properties;
  }
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) {
    device_functions = (PFN_vkGetDeviceProcAddr)found;
    return (PFN_vkVoidFunction)find_device_function;
  }
  return found;
}
