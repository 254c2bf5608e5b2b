// Runs one kernel of a target for GPUs on the first Vulkan device of this machine, with buffers of the test.
#pragma once

#include "codegen/Codegen.h"
#include "runtime/kernel_abi.h"

#include <vector>

namespace sinter::test {

struct BoundBytes {
  void *data;
  size_t size;
};

// Whether there is a Vulkan device.
bool hasVulkan();
// Uploads the bindings, runs `units` workgroups, and copies the bindings back. Fails the test if that does not work.
void runOnVulkan(const CompiledKernels &kernels, const std::vector<BoundBytes> &bindings, uint32_t units,
                 const sinter_kernel_scalars &scalars);

} // namespace sinter::test
