// Parses "sched.kernel @k <spec>", compiles it, copies the image into memory of its own and makes that executable, as
// the runtime does with the pages of a package. Kernels for 64-bit ARM on another machine go to the emulator, with all
// the buffers that they are bound to.

#include "KernelHarness.h"

#include "dialects/sched/Sched.h"
#include "runtime/package_generated.h"
#include "test/codegen/Emulator.h"
#include "test/codegen/MslKernel.h"
#include "test/codegen/VulkanKernel.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <cmath>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace sinter::test {

static bool isEmulated(const Target &target) {
#if defined(__aarch64__)
  return false;
#else
  return hasEmulator() && target.machine == static_cast<uint8_t>(package::Machine::aarch64);
#endif
}

std::vector<const Target *> runnableTargets() {
  std::vector<const Target *> native, runnable;
  std::string error;
  if (!parseTargets("native", native, error))
    ADD_FAILURE() << error;
  // Each level of an architecture contains the ones below it.
  for (const Target &target : targets())
    if (!native.empty() && target.triple == native[0]->triple && target.priority <= native[0]->priority)
      runnable.push_back(&target);
  for (const Target &target : targets())
    if (isEmulated(target) || target.code == CodeKind::msl || (target.code == CodeKind::spirv && hasVulkan()))
      runnable.push_back(&target);
  return runnable;
}

static std::map<const void *, size_t> &guardedSizes() {
  static std::map<const void *, size_t> sizes;
  return sizes;
}

size_t GuardedBytes::sizeAt(const void *data) {
  auto found = guardedSizes().upper_bound(data);
  if (found == guardedSizes().begin()) {
    ADD_FAILURE() << "a binding is in no Buffer";
    return 0;
  }
  --found;
  size_t offset = static_cast<const uint8_t *>(data) - static_cast<const uint8_t *>(found->first);
  EXPECT_LE(offset, found->second) << "a binding is in no Buffer";
  return offset <= found->second ? found->second - offset : 0;
}

GuardedBytes::GuardedBytes(size_t size) {
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t usable = (size + page - 1) / page * page;
  mapped = usable + page;
  pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    abort();
  mprotect(static_cast<uint8_t *>(pages) + usable, page, PROT_NONE);
  start = static_cast<uint8_t *>(pages) + (usable - size) / 64 * 64;
  guardedSizes()[start] = size;
}

GuardedBytes::~GuardedBytes() {
  if (!pages)
    return;
  guardedSizes().erase(start);
  munmap(pages, mapped);
}

static mlir::OwningOpRef<mlir::ModuleOp> parseSpec(mlir::MLIRContext &context, const std::string &spec) {
  context.loadDialect<tx::TxDialect, kern::KernDialect, sched::SchedDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>("sched.kernel @k " + spec, mlir::ParserConfig(&context));
  if (!module)
    ADD_FAILURE() << "not a spec: " << spec;
  return module;
}

CompiledKernel::CompiledKernel(const std::string &spec, const Target &target) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::OwningOpRef<mlir::ModuleOp> module = parseSpec(context, spec);
  if (module)
    load(compileKernels(*module, target));
}

CompiledKernel::CompiledKernel(llvm::function_ref<void(kern::KernelBuilder &)> build, const Target &target) {
  KernelCompiler compiler(target);
  if (llvm::Error error = compiler.add("k", build))
    ADD_FAILURE() << llvm::toString(std::move(error));
  load(compiler.compile());
}

void CompiledKernel::load(llvm::Expected<CompiledKernels> compiled) {
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return;
  }
  kernels = std::move(*compiled);
  if (kernels.target->isGpu() || isEmulated(*kernels.target))
    return;
  mapped = mmap(nullptr, kernels.image.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    abort();
  std::memcpy(mapped, kernels.image.data(), kernels.image.size());
  mprotect(mapped, kernels.image.size(), PROT_READ | PROT_EXEC);
}

CompiledKernel::~CompiledKernel() {
  if (mapped)
    munmap(mapped, kernels.image.size());
}

void CompiledKernel::run(const std::vector<void *> &bindings, uint32_t units, sinter_kernel_scalars scalars,
                         uint32_t parts) const {
  ASSERT_NE(kernels.target, nullptr) << "the kernel did not compile";
  if (!kernels.modules.empty()) {
    std::vector<BoundBytes> bytes;
    for (void *binding : bindings)
      bytes.push_back({binding, GuardedBytes::sizeAt(binding)});
    if (kernels.target->code == CodeKind::msl)
      return runAsMsl(kernels, bytes, units, scalars);
    return runOnVulkan(kernels, bytes, units, scalars);
  }
  if (isEmulated(*kernels.target))
    return emulate(bindings, units, scalars, parts);
  sinter_kernel kernel = reinterpret_cast<sinter_kernel>(static_cast<uint8_t *>(mapped) + kernels.entries[0]);
  sinter_kernel_args args = {bindings.data(), &scalars};
  for (uint64_t part = 0; part < parts; ++part) {
    GuardedBytes scratch(scratchBytes());
    std::memset(scratch.data(), 0xff, scratchBytes());
    kernel(&args, static_cast<uint32_t>(units * part / parts), static_cast<uint32_t>(units * (part + 1) / parts),
           scratch.data());
  }
}

// Whether code of 64-bit ARM has the instruction `smstart sm`.
static bool entersStreamingMode(llvm::ArrayRef<uint8_t> image) {
  constexpr uint32_t kStart = 0xd503437f;
  for (size_t at = 0; at + 4 <= image.size(); at += 4) {
    uint32_t word;
    std::memcpy(&word, &image[at], 4);
    if (word == kStart)
      return true;
  }
  return false;
}

void CompiledKernel::emulate(const std::vector<void *> &bindings, uint32_t units, sinter_kernel_scalars scalars,
                             uint32_t parts) const {
  std::vector<EmulatedBuffer> buffers;
  std::vector<uint32_t> indices;
  for (void *binding : bindings) {
    auto known = llvm::find_if(buffers, [&](const EmulatedBuffer &buffer) { return buffer.data == binding; });
    indices.push_back(static_cast<uint32_t>(known - buffers.begin()));
    if (known != buffers.end())
      continue;
    buffers.push_back({static_cast<uint8_t *>(binding), GuardedBytes::sizeAt(binding)});
  }
  EmulatedRun run = {kernels.image, kernels.entries[0], kernels.scratchBytes[0], scalars, units, parts, 0};
  if (!entersStreamingMode(kernels.image)) {
    runEmulated(run, buffers, indices);
    return;
  }
  // Vector lengths are the CPU's choice there, and must not matter.
  std::vector<std::vector<uint8_t>> before, first;
  for (const EmulatedBuffer &buffer : buffers)
    before.emplace_back(buffer.data, buffer.data + buffer.bytes);
  for (uint32_t bytes : {16, 32, 64}) {
    for (auto [buffer, values] : llvm::zip_equal(buffers, before))
      std::copy(values.begin(), values.end(), buffer.data);
    run.vectorBytes = bytes;
    if (!runEmulated(run, buffers, indices))
      return;
    for (auto [i, buffer] : llvm::enumerate(buffers))
      if (bytes == 16)
        first.emplace_back(buffer.data, buffer.data + buffer.bytes);
      else
        EXPECT_EQ(std::memcmp(buffer.data, first[i].data(), buffer.bytes), 0)
            << "other results with vectors of " << bytes << " bytes";
  }
}

std::string kernelText(const std::string &spec, const Target &target, KernelStage stage) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::OwningOpRef<mlir::ModuleOp> module = parseSpec(context, spec);
  std::string text;
  llvm::raw_string_ostream out(text);
  if (llvm::Error error = printKernels(*module, target, stage, out))
    ADD_FAILURE() << llvm::toString(std::move(error));
  return text;
}

// Rounds a finite value to `digits` binary digits, to nearest even, with steps no finer than 2^lowest.
static double roundTo(double value, int digits, int lowest) {
  int exponent = 0;
  std::frexp(value, &exponent);
  int step = std::max(exponent - digits, lowest);
  return std::ldexp(std::nearbyint(std::ldexp(value, -step)), step);
}

uint16_t halfBits(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7e00;
  double magnitude = std::isinf(value) ? value : roundTo(std::fabs(value), 11, -24);
  if (std::fabs(magnitude) >= 65536)
    return sign | 0x7c00;
  if (magnitude < std::ldexp(1, -14))
    return sign | static_cast<uint16_t>(std::ldexp(magnitude, 24));
  int exponent = 0;
  double fraction = std::frexp(magnitude, &exponent); // [0.5, 1)
  return sign | static_cast<uint16_t>(((exponent + 14) << 10) + static_cast<int>(std::ldexp(fraction, 11)) - 1024);
}

double halfValue(uint16_t bits) {
  double sign = bits & 0x8000 ? -1 : 1;
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31)
    return fraction ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

uint16_t brainBits(double value) {
  float rounded = static_cast<float>(roundTo(value, 8, -133));
  uint32_t bits;
  std::memcpy(&bits, &rounded, 4);
  return static_cast<uint16_t>(bits >> 16);
}

double brainValue(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

} // namespace sinter::test
