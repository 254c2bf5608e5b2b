// The devices that programs built here know.
#pragma once

#include "runtime/sinter_device.h"

#include <vector>

namespace sinter {

// Every backend that is built in, the one to prefer first.
std::vector<const sinter_device_backend *> deviceBackends();

} // namespace sinter
