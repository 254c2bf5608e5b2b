// CPU detection on x86-64; cpu_features_arm.cpp has 64-bit ARM, and no other file of the runtime knows instruction sets.
// A feature counts when CPUID names it and XCR0 says that the operating system saves its registers; a kernel that used
// zmm registers without the latter would fault.

#include "runtime/cpu_features.h"

#include "runtime/package_generated.h"

using sinter::package::CpuFeature;
using sinter::package::Machine;

#if defined(__x86_64__)
#include <cpuid.h>

namespace {
constexpr uint64_t kYmmState = 0x06, kZmmState = 0xE6; // XCR0 bits: SSE, AVX; and opmask, upper ZMM, ZMM16-31

enum Register { ebx, ecx };

struct Row {
  CpuFeature feature;
  unsigned leaf; // subleaf 0
  Register reg;
  unsigned bit;
  uint64_t state; // XCR0 bits that must be set
};

constexpr Row kRows[] = {
    {CpuFeature::fma, 1, ecx, 12, kYmmState},        {CpuFeature::f16c, 1, ecx, 29, kYmmState},
    {CpuFeature::avx2, 7, ebx, 5, kYmmState},        {CpuFeature::bmi2, 7, ebx, 8, 0},
    {CpuFeature::avx512f, 7, ebx, 16, kZmmState},    {CpuFeature::avx512dq, 7, ebx, 17, kZmmState},
    {CpuFeature::avx512bw, 7, ebx, 30, kZmmState},   {CpuFeature::avx512vl, 7, ebx, 31, kZmmState},
    {CpuFeature::avx512vnni, 7, ecx, 11, kZmmState},
};
} // namespace

uint64_t sinter::runtime::cpuFeatures() {
  unsigned registers[8][4] = {}; // [leaf][eax, ebx, ecx, edx]
  for (unsigned leaf : {1u, 7u})
    __get_cpuid_count(leaf, 0, &registers[leaf][0], &registers[leaf][1], &registers[leaf][2], &registers[leaf][3]);

  uint64_t saved = 0;
  constexpr unsigned kOsxsave = 1u << 27;
  if (registers[1][2] & kOsxsave) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    saved = uint64_t(high) << 32 | low;
  }

  uint64_t features = 0;
  for (const Row &row : kRows) {
    bool named = registers[row.leaf][row.reg == ebx ? 1 : 2] >> row.bit & 1;
    if (named && (saved & row.state) == row.state)
      features |= uint64_t(row.feature);
  }
  return features;
}

bool sinter::runtime::runsMachine(uint8_t machine) { return machine == uint8_t(Machine::x86_64); }
void sinter::runtime::relaxCpu() { __builtin_ia32_pause(); }
void sinter::runtime::flushInstructions(const uint8_t *, size_t) {} // caches are coherent

sinter::runtime::DefaultFloatMode::DefaultFloatMode() : saved(__builtin_ia32_stmxcsr()) {
  constexpr uint32_t kPowerUp = 0x1F80; // MXCSR: all exceptions masked, round to nearest
  __builtin_ia32_ldmxcsr(kPowerUp);
}
sinter::runtime::DefaultFloatMode::~DefaultFloatMode() { __builtin_ia32_ldmxcsr(saved); }

#elif !(defined(__aarch64__) && defined(__AARCH64EL__)) // no code is made for this machine

uint64_t sinter::runtime::cpuFeatures() { return 0; }
bool sinter::runtime::runsMachine(uint8_t) { return false; }
void sinter::runtime::relaxCpu() {}
void sinter::runtime::flushInstructions(const uint8_t *, size_t) {}
sinter::runtime::DefaultFloatMode::DefaultFloatMode() : saved(0) {}
sinter::runtime::DefaultFloatMode::~DefaultFloatMode() {}

#endif
