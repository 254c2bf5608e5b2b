// Kernels of another machine, run by kernel-runner.c under an emulator that stays up for the whole test.
#pragma once

#include "runtime/kernel_abi.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <cstdio>
#include <vector>

namespace sinter::test {

// A buffer that bindings point to; the kernel's results replace its bytes.
struct EmulatedBuffer {
  uint8_t *data;
  uint64_t bytes;
};

struct EmulatedRun {
  llvm::ArrayRef<uint8_t> image;
  uint64_t entry, scratchBytes;
  sinter_kernel_scalars scalars;
  uint32_t units, parts;
  uint32_t vectorBytes; // of SME's streaming mode; 0: as it is
};

// Whether there is one, so that tests of 64-bit ARM can run on this machine.
bool hasEmulator();
// `bindings` are indices of buffers. False, with the test failed, if the kernel crashed.
bool runEmulated(const EmulatedRun &run, llvm::ArrayRef<EmulatedBuffer> buffers, llvm::ArrayRef<uint32_t> bindings);

} // namespace sinter::test
