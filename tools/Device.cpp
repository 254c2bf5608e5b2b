// Devices: those of the backends that this program links, listed and chosen by name.

#include "tools/Device.h"

#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/DeviceBackends.h"
#include "tools/Output.h"

#include <vector>

namespace sinter {

static constexpr uint32_t kMostDevices = 16;

// False, with the reason, where the backend finds no driver.
static bool listDevices(const sinter_device_backend *backend, std::vector<sinter_device_info> &devices, std::string &reason) {
  devices.resize(kMostDevices);
  uint32_t count = 0;
  sinter_error error = {};
  sinter_status status = backend->list(devices.data(), kMostDevices, &count, &error);
  devices.resize(status == SINTER_OK ? std::min(count, kMostDevices) : 0);
  reason = error.message;
  return status == SINTER_OK;
}

static const char *kindOf(const sinter_device_info &device) {
  static constexpr const char *kNames[] = {"other", "integrated gpu", "discrete gpu", "virtual gpu", "cpu"};
  return device.kind <= SINTER_DEVICE_CPU ? kNames[device.kind] : kNames[0];
}

// The first device of any backend that is not a CPU itself: its kernels would only be slower than those for the CPU.
static DeviceChoice chooseBest() {
  DeviceChoice choice;
  for (const sinter_device_backend *backend : deviceBackends()) {
    std::vector<sinter_device_info> devices;
    std::string reason;
    if (!listDevices(backend, devices, reason)) {
      choice.obstacle = reason;
      continue;
    }
    choice.obstacle = std::string(backend->name) + " has no device on this machine";
    for (uint32_t i = 0; i < devices.size(); ++i) {
      if (devices[i].kind != SINTER_DEVICE_CPU)
        return {backend, i, /*mayFallBack=*/true, ""};
      choice.obstacle = std::string(backend->name) + " device " + devices[i].name + " is a cpu itself";
    }
  }
  return choice;
}

DeviceChoice chooseDevice(const std::string &text) {
  if (text == "cpu")
    return {};
  if (text == "auto")
    return chooseBest();
  std::string name = text.substr(0, text.find(':')), known = "cpu, auto";
  DeviceChoice choice;
  for (const sinter_device_backend *backend : deviceBackends()) {
    known += ", " + std::string(backend->name);
    if (name == backend->name)
      choice.backend = backend;
  }
  if (!choice.backend)
    throw Failure("there is no device '" + text + "', expected " + known + " or one with a number, as vulkan:1");
  if (name.size() < text.size()) {
    std::string number = text.substr(name.size() + 1);
    const char *end = number.data() + number.size();
    std::from_chars_result parsed = std::from_chars(number.data(), end, choice.number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      throw Failure("'" + number + "' in device '" + text + "' is not the number of a device");
  }
  return choice;
}

CLI::Option *addDeviceOption(CLI::App *command, std::string &text) {
  return command
      ->add_option("--device", text, "cpu, vulkan, vulkan:1 (its second device), metal (on a Mac), or auto: a GPU if there is one")
      ->type_name("NAME")
      ->capture_default_str();
}

static void printDevices(bool json) {
  Json all = Json::array();
  for (const sinter_device_backend *backend : deviceBackends()) {
    std::vector<sinter_device_info> devices;
    std::string reason;
    if (!listDevices(backend, devices, reason)) {
      if (!json)
        std::printf("%-10s none: %s\n", backend->name, reason.c_str());
      continue;
    }
    if (devices.empty() && !json)
      std::printf("%-10s none\n", backend->name);
    for (uint32_t i = 0; i < devices.size(); ++i) {
      const sinter_device_info &device = devices[i];
      std::string name = std::string(backend->name) + ":" + std::to_string(i);
      all.push_back({{"device", name},
                     {"name", device.name},
                     {"kind", kindOf(device)},
                     {"memory_bytes", device.memory_bytes},
                     {"largest_range", device.largest_range},
                     {"shared_bytes", device.shared_bytes},
                     {"subgroup_size", device.subgroup_size},
                     {"lacks", device.lacks}});
      if (!json)
        std::printf("%-10s %s (%s), %s, subgroups of %u%s%s\n", name.c_str(), device.name, kindOf(device),
                    inUnits(device.memory_bytes).c_str(), device.subgroup_size, *device.lacks ? ", lacks " : "",
                    device.lacks);
    }
  }
  if (json)
    return printJson({{"devices", all}});
  std::printf("%-10s always there\n", "cpu");
  flushOutput();
}

void addDevicesCommand(CLI::App &app) {
  auto json = std::make_shared<bool>(false);
  CLI::App *command = app.add_subcommand("devices", "Lists what models can run on, for --device");
  command->add_flag("--json", *json, "print the list as JSON");
  command->footer("Examples:\n  sinter devices\n  sinter run tales.sinter --device vulkan:0 \"Once upon a time\"\n");
  command->callback([json] { printDevices(*json); });
}

} // namespace sinter
