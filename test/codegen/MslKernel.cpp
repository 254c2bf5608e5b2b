// Bindings stay where the test has them, with a page without access behind each. They are run on twice, the second time
// from a copy of what they held, since kernels may write where they read.

#include "test/codegen/MslKernel.h"

#include "test/metal/MslProgram.h"

#include "gtest/gtest.h"

#include <cstring>
#include <map>
#include <memory>

namespace sinter::test {

// A text is compiled once per process at most.
static MslProgram &programOf(const std::string &text) {
  static std::map<std::string, std::unique_ptr<MslProgram>> programs;
  std::unique_ptr<MslProgram> &program = programs[text];
  if (!program)
    program = std::make_unique<MslProgram>(text, "k");
  return *program;
}

static std::vector<std::vector<uint8_t>> contentsOf(const std::vector<BoundBytes> &bindings) {
  std::vector<std::vector<uint8_t>> contents;
  for (const BoundBytes &binding : bindings) {
    const uint8_t *bytes = static_cast<const uint8_t *>(binding.data);
    contents.emplace_back(bytes, bytes + binding.size);
  }
  return contents;
}

void runAsMsl(const CompiledKernels &kernels, const std::vector<BoundBytes> &bindings, uint32_t units,
              const sinter_kernel_scalars &scalars) {
  const GpuModule &kernel = kernels.modules.front();
  MslProgram &program = programOf(std::string(kernels.image.begin() + kernel.offset,
                                              kernels.image.begin() + kernel.offset + kernel.size));
  ASSERT_EQ(program.error(), "");
  uint32_t words[] = {uint32_t(scalars.tokens), uint32_t(scalars.position), uint32_t(scalars.row), 0};
  std::vector<void *> buffers = {words};
  for (uint8_t slot : kernel.slots)
    buffers.push_back(bindings[slot].data);

  const std::vector<std::vector<uint8_t>> before = contentsOf(bindings);
  ASSERT_TRUE(program.run(buffers, units, kernel.workgroup, MslOrder::backward)) << program.error();
  const std::vector<std::vector<uint8_t>> backward = contentsOf(bindings);
  for (size_t i = 0; i < bindings.size(); ++i)
    std::memcpy(bindings[i].data, before[i].data(), before[i].size());
  ASSERT_TRUE(program.run(buffers, units, kernel.workgroup, MslOrder::forward)) << program.error();
  EXPECT_TRUE(contentsOf(bindings) == backward) << "the order of invocations changes the result";
}

} // namespace sinter::test
