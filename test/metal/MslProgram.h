// A kernel's text in the Metal Shading Language, compiled as C++ against the stand-in for <metal_stdlib> and run on the CPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter::test {

// In which order invocations run between barriers, and workgroups. A kernel that leaves its results to chance gives
// different ones.
enum class MslOrder { forward, backward };

class MslProgram {
public:
  // `error()` says what is wrong with the text, and is empty if nothing is. What was compiled once, by any process, is kept
  // in the build directory.
  MslProgram(const std::string &text, const std::string &name);
  ~MslProgram();
  MslProgram(const MslProgram &) = delete;
  MslProgram &operator=(const MslProgram &) = delete;

  const std::string &error() const { return failure; }
  // `buffers[i]` is what [[buffer(i)]] names. False, with error(), if a barrier was not met by all of a workgroup.
  bool run(const std::vector<void *> &buffers, uint32_t workgroups, uint32_t workgroup, MslOrder order);

private:
  struct Dim {
    uint32_t x, y, z;
  };
  bool runWorkgroup(void *const *buffers, uint32_t group, uint32_t lanes, MslOrder order);
  bool open(const std::string &path);

  std::string failure;
  bool hasBarriers = false;
  void *library = nullptr;
  void (*call)(void *const *buffers, Dim group, Dim lane) = nullptr;
  uint8_t *shared = nullptr; // memory of a workgroup
  size_t sharedBytes = 0;
};

} // namespace sinter::test
