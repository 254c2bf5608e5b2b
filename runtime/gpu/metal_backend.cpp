// The Metal backend as a table: what runtime/sinter_device.h asks for, and who does it.

#include "runtime/gpu/sinter_metal.h"

#include "runtime/gpu/metal_device.h"
#include "runtime/gpu/sequence.h"

namespace sinter::metal {

// The system chooses the device, so there is one at most.
static sinter_status list(sinter_device_info *infos, uint32_t capacity, uint32_t *count, sinter_error *) {
  id device = defaultDevice();
  *count = device ? 1 : 0;
  if (device && capacity)
    describe(device, &infos[0]);
  release(device);
  return SINTER_OK;
}

static sinter_status load(const sinter_device_program *program, uint32_t device, void **model, sinter_error *error) {
  return gpu::loadModel(interface(), program, device, model, error);
}

static const sinter_device_backend kBackend = {
    SINTER_API_VERSION, "metal",          list,          load,          gpu::unloadModel, gpu::sequenceBytes,
    gpu::beginSequence, gpu::endSequence, gpu::runSteps, gpu::greedyId, gpu::readArena};

} // namespace sinter::metal

const sinter_device_backend *sinter_metal(void) { return &sinter::metal::kBackend; }
