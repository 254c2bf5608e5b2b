// How many CPUs this process may use: the affinity mask, cut by the CPU quota of its cgroups. The quota of every
// ancestor counts, and inside a container the paths of /proc/self/cgroup often lie outside of what is mounted, so each
// path is walked up to the mount point. Any file that is missing or odd limits nothing.

#include "runtime/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr size_t kPathBytes = 512;

// Reads a small file as text; false if it cannot be read.
bool readText(const char *path, char *text, size_t capacity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  ssize_t count = read(file, text, capacity - 1);
  close(file);
  text[count > 0 ? count : 0] = 0;
  return count > 0;
}

bool readNumber(const char *folder, const char *name, long long *number) {
  char path[kPathBytes + 64], text[64];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  if (!readText(path, text, sizeof(text)))
    return false;
  *number = strtoll(text, nullptr, 10);
  return true;
}

void limit(uint32_t *cpus, long long quota, long long period) {
  if (quota <= 0 || period <= 0)
    return;
  long long allowed = (quota + period - 1) / period;
  if (allowed < *cpus)
    *cpus = uint32_t(allowed);
}

// cgroup v2: "max 100000" or "150000 100000".
void limitByV2(uint32_t *cpus, const char *folder) {
  char path[kPathBytes + 64], text[64];
  snprintf(path, sizeof(path), "%s/cpu.max", folder);
  if (!readText(path, text, sizeof(text)) || text[0] == 'm')
    return;
  char *end;
  long long quota = strtoll(text, &end, 10);
  limit(cpus, quota, strtoll(end, nullptr, 10));
}

void limitByV1(uint32_t *cpus, const char *folder) {
  long long quota, period;
  if (readNumber(folder, "cpu.cfs_quota_us", &quota) && readNumber(folder, "cpu.cfs_period_us", &period))
    limit(cpus, quota, period);
}

void limitByAncestors(uint32_t *cpus, const char *root, const char *mount, const char *path,
                      void (*limitBy)(uint32_t *cpus, const char *folder)) {
  char folder[kPathBytes];
  int mountLength = snprintf(folder, sizeof(folder), "%s%s", root, mount);
  int length = snprintf(folder, sizeof(folder), "%s%s%s", root, mount, path);
  if (length < 0 || size_t(length) >= sizeof(folder))
    return;
  for (;;) {
    limitBy(cpus, folder);
    char *slash = strrchr(folder, '/');
    if (!slash || slash - folder < mountLength)
      return;
    *slash = 0;
  }
}

// Whether the comma-separated list [names, end) has "cpu".
bool namesCpu(const char *names, const char *end) {
  for (const char *name = names; name < end;) {
    const char *comma = static_cast<const char *>(memchr(name, ',', size_t(end - name)));
    const char *stop = comma ? comma : end;
    if (stop - name == 3 && memcmp(name, "cpu", 3) == 0)
      return true;
    name = stop + 1;
  }
  return false;
}

uint32_t affinityCpus() {
  unsigned long mask[8192 / (8 * sizeof(unsigned long))];
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
  uint32_t count = 0;
  for (long i = 0; i < bytes / long(sizeof(mask[0])); ++i)
    count += uint32_t(__builtin_popcountl(mask[i]));
  return count ? count : 1;
}

} // namespace

uint32_t sinter::platform::usableCpus(const char *root) {
  uint32_t cpus = affinityCpus();
  char path[kPathBytes], text[4096];
  snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
  if (!readText(path, text, sizeof(text)))
    return cpus;
  // Lines "hierarchy:controllers:path"; version 2 has the hierarchy 0 and no controllers.
  for (char *line = text; *line;) {
    char *end = line + strcspn(line, "\n");
    char *next = *end ? end + 1 : end;
    *end = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : nullptr;
    if (group) {
      if (strncmp(line, "0::", 3) == 0)
        limitByAncestors(&cpus, root, "/sys/fs/cgroup", group + 1, limitByV2);
      else if (namesCpu(controllers + 1, group)) {
        limitByAncestors(&cpus, root, "/sys/fs/cgroup/cpu", group + 1, limitByV1);
        limitByAncestors(&cpus, root, "/sys/fs/cgroup/cpu,cpuacct", group + 1, limitByV1);
      }
    }
    line = next;
  }
  return cpus;
}
