// What the CPU at hand can run, in terms of the package schema.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace sinter::runtime {

// CpuFeature bits of package.fbs that the CPU has and the operating system saves.
uint64_t cpuFeatures();
// Whether code for a Machine of package.fbs can run here at all.
bool runsMachine(uint8_t machine);
// Makes bytes that were just written visible to instruction fetch.
void flushInstructions(const uint8_t *data, size_t size);
// Tells the core that this thread only waits.
void relaxCpu();

// While it lives, floating point on this thread rounds to nearest and keeps denormals, whatever the host process has
// set: results must not depend on which thread computes them.
class DefaultFloatMode {
public:
  DefaultFloatMode();
  ~DefaultFloatMode();
  DefaultFloatMode(const DefaultFloatMode &) = delete;
  DefaultFloatMode &operator=(const DefaultFloatMode &) = delete;

private:
  [[maybe_unused]] uint32_t saved; // machines without such a register have nothing to keep
};

} // namespace sinter::runtime
