// CPU detection on 64-bit ARM. Who knows depends on the system: Linux tells each process by HWCAP bits, macOS by names of
// sysctl, and without an operating system the ID registers may be read. All of them name a feature only if its
// registers are saved for us.

#include "runtime/cpu_features.h"

#include "runtime/package_generated.h"

#if defined(__aarch64__) && defined(__AARCH64EL__)

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <stddef.h>
extern "C" int sysctlbyname(const char *name, void *value, size_t *size, void *fresh, size_t freshSize);
#endif

using sinter::package::CpuFeature;
using sinter::package::Machine;

namespace {

struct Row {
  CpuFeature feature;
  unsigned word, bit;     // Linux: of AT_HWCAP (1) or AT_HWCAP2 (2)
  const char *name;       // macOS
  unsigned idRegister;    // no system: ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64PFR1_EL1 ...
  unsigned shift;         // ... and where its field of four bits starts, not 0 if the feature is there
};

constexpr Row kRows[] = {
    {CpuFeature::dotprod, 1, 20, "hw.optional.arm.FEAT_DotProd", 0, 44},
    {CpuFeature::i8mm, 2, 13, "hw.optional.arm.FEAT_I8MM", 1, 52},
    {CpuFeature::sme, 2, 23, "hw.optional.arm.FEAT_SME", 2, 24},
};

#if defined(__linux__)
bool has(const Row &row) { return getauxval(row.word == 1 ? AT_HWCAP : AT_HWCAP2) >> row.bit & 1; }
#elif defined(__APPLE__)
bool has(const Row &row) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(row.name, &value, &size, nullptr, 0) == 0 && value != 0;
}
#else
bool has(const Row &row) {
  uint64_t value[3];
  __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(value[0]));
  __asm__("mrs %0, ID_AA64ISAR1_EL1" : "=r"(value[1]));
  __asm__("mrs %0, ID_AA64PFR1_EL1" : "=r"(value[2]));
  return value[row.idRegister] >> row.shift & 15;
}
#endif

} // namespace

uint64_t sinter::runtime::cpuFeatures() {
  uint64_t features = 0;
  for (const Row &row : kRows)
    if (has(row))
      features |= uint64_t(row.feature);
  return features;
}

bool sinter::runtime::runsMachine(uint8_t machine) { return machine == uint8_t(Machine::aarch64); }
void sinter::runtime::relaxCpu() { __asm__ volatile("yield"); }

#if defined(__APPLE__)
extern "C" void sys_icache_invalidate(void *data, size_t size);
void sinter::runtime::flushInstructions(const uint8_t *data, size_t size) {
  sys_icache_invalidate(const_cast<uint8_t *>(data), size);
}
#else
void sinter::runtime::flushInstructions(const uint8_t *data, size_t size) {
  uint64_t type;
  __asm__("mrs %0, CTR_EL0" : "=r"(type));
  const uintptr_t dataLine = uintptr_t(4) << (type >> 16 & 15), codeLine = uintptr_t(4) << (type & 15);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data), end = begin + size;
  for (uintptr_t at = begin & ~(dataLine - 1); at < end; at += dataLine)
    __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
  __asm__ volatile("dsb ish" : : : "memory");
  for (uintptr_t at = begin & ~(codeLine - 1); at < end; at += codeLine)
    __asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
  __asm__ volatile("dsb ish\n\tisb" : : : "memory");
}
#endif

sinter::runtime::DefaultFloatMode::DefaultFloatMode() {
  uint64_t mode;
  __asm__ volatile("mrs %0, FPCR" : "=r"(mode));
  saved = uint32_t(mode);
  __asm__ volatile("msr FPCR, %0" : : "r"(uint64_t(0))); // nothing flushed to zero, round to nearest
}
sinter::runtime::DefaultFloatMode::~DefaultFloatMode() { __asm__ volatile("msr FPCR, %0" : : "r"(uint64_t(saved))); }

#endif
