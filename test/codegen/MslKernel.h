// Runs one kernel of the target for Metal on the CPU (test/metal), with buffers of the test.
#pragma once

#include "codegen/Codegen.h"
#include "runtime/kernel_abi.h"
#include "test/codegen/VulkanKernel.h"

namespace sinter::test {

// Runs `units` workgroups on the bindings where they are, with invocations in either order, which must not change a bit.
// Fails the test if that does not work.
void runAsMsl(const CompiledKernels &kernels, const std::vector<BoundBytes> &bindings, uint32_t units,
              const sinter_kernel_scalars &scalars);

} // namespace sinter::test
