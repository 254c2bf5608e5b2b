/* The Vulkan backend: pass sinter_vulkan() in sinter_model_options.backend. Links to nothing but libc; libvulkan is looked
 * for when the first device is. */
#ifndef SINTER_VULKAN_H
#define SINTER_VULKAN_H

#include "sinter_device.h"

#ifdef __cplusplus
extern "C" {
#endif

const sinter_device_backend *sinter_vulkan(void);

#ifdef __cplusplus
}
#endif
#endif
