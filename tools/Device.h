// Where a model is to run: what --device means, and `sinter devices`.
#pragma once

#include "runtime/sinter_device.h"

#include <string>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace sinter {

struct DeviceChoice {
  const sinter_device_backend *backend = nullptr; // null: the CPU
  uint32_t number = 0;                            // among the backend's devices
  bool mayFallBack = false;                       // to the CPU, if the package does not run there
  std::string obstacle;                           // why "auto" chose the CPU
};

// "cpu", "vulkan", "vulkan:1" (the second device), "auto": the first GPU if there is one, else the CPU.
DeviceChoice chooseDevice(const std::string &text);

// Adds --device to a command that runs models.
CLI::Option *addDeviceOption(CLI::App *command, std::string &text);

} // namespace sinter
