// No operating system: no files, one thread, memory only from the caller, code executed where the linker put it. What the
// runtime asks of a system that is not there fails with a status; a linked model with memory of the caller asks for none of
// it. Nothing but memcpy, memmove, memset and memcmp is needed from the program around.

#include "runtime/platform.h"

namespace sinter::platform {

const char *mapFile(const char *, uint64_t, const uint8_t **, size_t *) { return "there are no files here"; }
void unmapFile(const uint8_t *, size_t) {}
void adviseWeights(const uint8_t *, size_t) {}
void adviseUnused(const uint8_t *, size_t) {}
bool makeExecutable(const uint8_t *, size_t) { return false; }
const uint8_t *copyExecutable(const uint8_t *, size_t) { return nullptr; }
void freeExecutable(const uint8_t *, size_t) {}

void *allocatePages(size_t) { return nullptr; }
void freePages(void *, size_t) {}

const char *environment(const char *) { return nullptr; }
uint64_t nanoseconds() { return 0; }

uint32_t usableCpus(const char *) { return 1; }
size_t stackBytes(size_t needed) { return needed; }
bool startThread(ThreadHandle *, void *, size_t, void *(*)(void *), void *) { return false; }
void forbidPage(void *, size_t) {}
void joinThread(ThreadHandle) {}

// Nobody else runs, so nothing is ever waited for.
void sleepWhile(const uint32_t *, uint32_t) {}
void wakeAll(const uint32_t *) {}

} // namespace sinter::platform
