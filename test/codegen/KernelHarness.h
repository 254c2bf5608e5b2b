// Compiles one kernel from the text of its spec, for a target of this machine or of an emulated one, and calls it with
// buffers of the test.
#pragma once

#include "codegen/KernelCompiler.h"
#include "runtime/kernel_abi.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace sinter::test {

// Targets whose code this machine runs, from the baseline up; those of 64-bit ARM if there is an emulator for it, those for
// Vulkan if there is a device, and the one for Metal, whose texts run on the CPU.
std::vector<const Target *> runnableTargets();

// Bytes that end where a page without access begins, so that reading or writing past them is a crash. The start is
// aligned to 64 bytes, so sizes that are no multiple of 64 leave a gap before that page.
class GuardedBytes {
public:
  explicit GuardedBytes(size_t size);
  ~GuardedBytes();
  GuardedBytes(GuardedBytes &&other) : pages(other.pages), mapped(other.mapped), start(other.start) {
    other.pages = nullptr;
  }
  GuardedBytes &operator=(GuardedBytes &&) = delete;
  uint8_t *data() const { return start; }
  // Bytes from `data` to the end of the object of this class that it lies in.
  static size_t sizeAt(const void *data);

private:
  void *pages;
  size_t mapped;
  uint8_t *start;
};

template <typename T> class Buffer {
public:
  explicit Buffer(size_t count, T value = T()) : bytes(count * sizeof(T)), count(count) {
    for (size_t i = 0; i < count; ++i)
      (*this)[i] = value;
  }
  Buffer(const std::vector<T> &values) : bytes(values.size() * sizeof(T)), count(values.size()) {
    std::memcpy(bytes.data(), values.data(), count * sizeof(T));
  }
  T *data() const { return reinterpret_cast<T *>(bytes.data()); }
  T &operator[](size_t i) const { return data()[i]; }
  size_t size() const { return count; }
  operator void *() const { return bytes.data(); } // as a binding
  std::vector<T> values() const { return std::vector<T>(data(), data() + count); }

private:
  GuardedBytes bytes;
  size_t count;
};

// A kernel in executable memory.
class CompiledKernel {
public:
  // `spec` as in MLIR: "#kern.rows<width = 8, quantize = \"q8\">". Fails the test if it does not compile.
  CompiledKernel(const std::string &spec, const Target &target);
  // One whose body is written by `build`.
  CompiledKernel(llvm::function_ref<void(kern::KernelBuilder &)> build, const Target &target);
  ~CompiledKernel();
  CompiledKernel(const CompiledKernel &) = delete;
  CompiledKernel &operator=(const CompiledKernel &) = delete;

  // Runs units [0, units), in `parts` calls partitioned as the runtime does, each with scratch memory full of NaNs; on a
  // GPU, where a unit is a workgroup, in one dispatch.
  void run(std::initializer_list<void *> bindings, uint32_t units, sinter_kernel_scalars scalars,
           uint32_t parts = 1) const {
    run(std::vector<void *>(bindings), units, scalars, parts);
  }
  void run(const std::vector<void *> &bindings, uint32_t units, sinter_kernel_scalars scalars,
           uint32_t parts = 1) const;

  // Of CPUs; GPUs have none.
  uint32_t scratchBytes() const { return kernels.scratchBytes.empty() ? 0 : kernels.scratchBytes[0]; }
  uint32_t stackBytes() const { return kernels.stackBytes.empty() ? 0 : kernels.stackBytes[0]; }

private:
  void emulate(const std::vector<void *> &bindings, uint32_t units, sinter_kernel_scalars scalars,
               uint32_t parts) const;
  void load(llvm::Expected<CompiledKernels> compiled);

  CompiledKernels kernels = {};
  void *mapped = nullptr;
};

// The text of a kernel at a stage of its lowering.
std::string kernelText(const std::string &spec, const Target &target, KernelStage stage);

// Numbers that are the same in every run: uniform in [low, high).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 2 + 1) {}
  uint32_t bits() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<uint32_t>(state >> 33);
  }
  float uniform(float low, float high) { return low + (high - low) * static_cast<float>(bits()) / 2147483648.0f; }

private:
  uint64_t state;
};

// IEEE 754 binary16 and bfloat16, by arithmetic on doubles: independent of what is tested.
uint16_t halfBits(double value);
double halfValue(uint16_t bits);
uint16_t brainBits(double value);
double brainValue(uint16_t bits);

} // namespace sinter::test
