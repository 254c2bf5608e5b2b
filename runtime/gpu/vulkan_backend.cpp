// The Vulkan backend as a table: what runtime/sinter_device.h asks for, and who does it.

#include "runtime/gpu/sinter_vulkan.h"

#include "runtime/gpu/sequence.h"
#include "runtime/gpu/vulkan_device.h"

#include <stdlib.h>

namespace sinter::vulkan {

static sinter_status list(sinter_device_info *infos, uint32_t capacity, uint32_t *count, sinter_error *error) {
  *count = 0;
  Instance *instance = static_cast<Instance *>(calloc(1, sizeof(Instance)));
  if (!instance)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a list of devices");
  sinter_status status = openInstance(instance, error);
  if (status == SINTER_OK) {
    *count = instance->count;
    for (uint32_t i = 0; i < instance->count && i < capacity; ++i)
      describe(instance->devices[i], &infos[i]);
    closeInstance(instance);
  }
  free(instance);
  return status;
}

static sinter_status load(const sinter_device_program *program, uint32_t device, void **model, sinter_error *error) {
  return gpu::loadModel(interface(), program, device, model, error);
}

static const sinter_device_backend kBackend = {
    SINTER_API_VERSION, "vulkan",         list,          load,          gpu::unloadModel, gpu::sequenceBytes,
    gpu::beginSequence, gpu::endSequence, gpu::runSteps, gpu::greedyId, gpu::readArena};

} // namespace sinter::vulkan

const sinter_device_backend *sinter_vulkan(void) { return &sinter::vulkan::kBackend; }
