// Linux: mapping, pages, threads and futexes. Uses libc only where the kernel interface needs it (threads); nothing
// here keeps state. Pages are of 4, 16 or 64 KiB, as the machine has them, while sections of packages start at multiples
// of 4 KiB: what is mapped may start inside a page, and code that does is copied, since its page holds other things too.

#include "runtime/platform.h"

#include "runtime/cpu_features.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" __attribute__((weak)) void __sanitizer_report_error_summary(const char *summary);

namespace sinter::platform {

namespace {
constexpr size_t kHugePage = size_t(2) << 20;

size_t roundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

size_t pageBytes() {
  long bytes = sysconf(_SC_PAGESIZE);
  return bytes > 0 ? size_t(bytes) : 4096;
}

// From the start of the page that holds an address to the address.
size_t inPage(const uint8_t *data) { return reinterpret_cast<size_t>(data) % pageBytes(); }

void *mapAnonymous(size_t size, int protection) {
  void *pages = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}
} // namespace

const char *mapFile(const char *path, uint64_t offset, const uint8_t **data, size_t *size) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return errno == ENOENT ? "no such file" : errno == EACCES ? "no permission to read it" : "cannot be opened";
  struct stat info;
  const char *problem = nullptr;
  void *pages = MAP_FAILED;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
    problem = "not a regular file";
  else if (info.st_size == 0)
    problem = "the file is empty";
  else if (uint64_t(info.st_size) <= offset || uint64_t(info.st_size) - offset < *size)
    problem = "shorter than what should be mapped of it";
  else if (!*size)
    *size = size_t(uint64_t(info.st_size) - offset);
  const size_t before = size_t(offset % pageBytes());
  if (!problem &&
      (pages = mmap(nullptr, before + *size, PROT_READ, MAP_PRIVATE, file, off_t(offset - before))) == MAP_FAILED)
    problem = "cannot be mapped";
  close(file);
  if (problem)
    return problem;
  *data = static_cast<const uint8_t *>(pages) + before;
  return nullptr;
}

void unmapFile(const uint8_t *data, size_t size) {
  munmap(const_cast<uint8_t *>(data) - inPage(data), size + inPage(data));
}

void adviseWeights(const uint8_t *data, size_t size) {
  // Advice, so failures do not matter: start reading ahead, and let the page cache use huge pages if it can.
  void *pages = const_cast<uint8_t *>(data) - inPage(data);
  size += inPage(data);
  madvise(pages, size, MADV_WILLNEED);
  madvise(pages, size, MADV_HUGEPAGE);
}

void adviseUnused(const uint8_t *data, size_t size) { madvise(const_cast<uint8_t *>(data), size, MADV_DONTNEED); }

bool makeExecutable(const uint8_t *data, size_t size) {
  return inPage(data) == 0 && mprotect(const_cast<uint8_t *>(data), size, PROT_READ | PROT_EXEC) == 0;
}

const uint8_t *copyExecutable(const uint8_t *data, size_t size) {
  void *pages = mapAnonymous(size, PROT_READ | PROT_WRITE);
  if (!pages)
    return nullptr;
  memcpy(pages, data, size);
  runtime::flushInstructions(static_cast<const uint8_t *>(pages), size);
  if (mprotect(pages, size, PROT_READ | PROT_EXEC) == 0)
    return static_cast<const uint8_t *>(pages);
  munmap(pages, size);
  return nullptr;
}

void freeExecutable(const uint8_t *data, size_t size) { munmap(const_cast<uint8_t *>(data), size); }

void *allocatePages(size_t size) {
  if (size > SIZE_MAX / 2)
    return nullptr;
  size = roundUp(size, pageBytes());
  bool huge = size >= 2 * kHugePage;
  size_t reserved = huge ? size + kHugePage : size;
  char *pages = static_cast<char *>(mapAnonymous(reserved, PROT_READ | PROT_WRITE));
  if (!pages)
    return nullptr;
  if (huge) {
    // Cut the reservation down to `size` bytes that start at a huge page. What is left past the last whole huge page
    // stays in small pages, so that no more is resident than was asked for.
    char *start = reinterpret_cast<char *>(roundUp(reinterpret_cast<size_t>(pages), kHugePage));
    if (start != pages)
      munmap(pages, size_t(start - pages));
    size_t tail = size_t(pages + reserved - (start + size));
    if (tail)
      munmap(start + size, tail);
    pages = start;
    madvise(pages, size, MADV_HUGEPAGE);
  }
  const size_t page = pageBytes();
  for (size_t offset = 0; offset < size; offset += page)
    *const_cast<volatile char *>(pages + offset) = 0;
  return pages;
}

void freePages(void *data, size_t size) { munmap(data, roundUp(size, pageBytes())); }

const char *environment(const char *name) { return getenv(name); }

uint64_t nanoseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1000000000 + uint64_t(now.tv_nsec);
}

size_t stackBytes(size_t needed) {
  // libc's own part, with room for thread-local storage of the process, and for the runtime's frames.
  // Hosts that are built with a sanitizer keep records of their own there, and refuse smaller stacks.
  const size_t kOwnFrames = size_t(__sanitizer_report_error_summary ? 256 : 64) << 10;
  long least = sysconf(_SC_THREAD_STACK_MIN);
  return roundUp(needed + kOwnFrames + (least > 0 ? size_t(least) : size_t(16) << 10), pageBytes());
}

void forbidPage(void *page, size_t size) {
  if (size % pageBytes() == 0) // larger pages would take what lies behind with them
    mprotect(page, size, PROT_NONE);
}

bool startThread(ThreadHandle *thread, void *stack, size_t stackBytes, void *(*function)(void *), void *argument) {
  static_assert(sizeof(pthread_t) <= sizeof(ThreadHandle), "a handle holds a pthread_t");
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return false;
  // A thread inherits the mask of its creator: the host's signal handlers never run on our small stacks.
  sigset_t all, before;
  sigfillset(&all);
  pthread_t handle;
  bool started = false;
  if (pthread_attr_setstack(&attributes, stack, stackBytes) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0) {
    started = pthread_create(&handle, &attributes, function, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  pthread_attr_destroy(&attributes);
  if (started)
    *thread = ThreadHandle(handle);
  return started;
}

void joinThread(ThreadHandle thread) { pthread_join(pthread_t(thread), nullptr); }

void sleepWhile(const uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wakeAll(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }

} // namespace sinter::platform
