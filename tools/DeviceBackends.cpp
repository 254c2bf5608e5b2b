// Which backends are linked: Metal's where there is Metal, or something that stands in for it, and Vulkan's always, since
// it looks for its library at run time.

#include "tools/DeviceBackends.h"

#include "runtime/gpu/sinter_metal.h"
#include "runtime/gpu/sinter_vulkan.h"

namespace sinter {

std::vector<const sinter_device_backend *> deviceBackends() {
  return {
#ifdef SINTER_METAL
      sinter_metal(),
#endif
      sinter_vulkan(),
  };
}

} // namespace sinter
