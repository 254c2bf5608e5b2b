/* The Metal backend, for macOS 11 and iOS 14 on: pass sinter_metal() in sinter_model_options.backend. */
#ifndef SINTER_METAL_H
#define SINTER_METAL_H

#include "sinter_device.h"

#ifdef __cplusplus
extern "C" {
#endif

const sinter_device_backend *sinter_metal(void);

#ifdef __cplusplus
}
#endif
#endif
