// Everything the runtime asks of an operating system. One file implements it per system (platform_linux.cpp); the rest
// of the runtime is plain C++ and can be built for a board without one.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace sinter::platform {

// ---- Files and memory ----

// Maps a regular file read-only from byte `offset` on, a multiple of 4096: `*size` bytes, or all that follow if that is
// 0 (it is set to them). Returns null, or what went wrong ("no such file").
const char *mapFile(const char *path, uint64_t offset, const uint8_t **data, size_t *size);
void unmapFile(const uint8_t *data, size_t size);
// The bytes will be read soon and often.
void adviseWeights(const uint8_t *data, size_t size);
// Whole pages of a mapped file will not be read: what was read around them by the system need not stay.
void adviseUnused(const uint8_t *data, size_t size);
// Makes whole pages of a mapped file executable where they are; false where the system does not allow it.
bool makeExecutable(const uint8_t *data, size_t size);
// A copy in fresh executable pages; null if there are none.
const uint8_t *copyExecutable(const uint8_t *data, size_t size);
void freeExecutable(const uint8_t *data, size_t size);

// Zeroed pages, every one of them already backed by memory, in huge pages where that pays. 64-byte aligned; null if
// there is not enough.
void *allocatePages(size_t size);
void freePages(void *data, size_t size);

// Null if not set.
const char *environment(const char *name);

// Nanoseconds of a clock that never goes back and is the same for all threads; from where it counts does not matter.
uint64_t nanoseconds();

// ---- Threads ----

// CPUs that this process may use: affinity mask and cgroup (v1, v2) quota, at least 1. `root` goes before the paths of
// /proc and /sys.
uint32_t usableCpus(const char *root = "");

// Bytes of a thread's stack so that `needed` bytes are left for its function.
size_t stackBytes(size_t needed);

using ThreadHandle = uintptr_t;
// `function(argument)` on a thread of its own, with all signals blocked, on the stack given (64-byte aligned).
bool startThread(ThreadHandle *thread, void *stack, size_t stackBytes, void *(*function)(void *), void *argument);
// Touching the page, of allocatePages(), is an error from now on.
void forbidPage(void *page, size_t size);
void joinThread(ThreadHandle thread);

// Sleeps while `*word == value`; may return early.
void sleepWhile(const uint32_t *word, uint32_t value);
void wakeAll(const uint32_t *word);

} // namespace sinter::platform
