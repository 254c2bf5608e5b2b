// The CPU quota of cgroups, read from a made-up file system.

#include "runtime/platform.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sched.h>
#include <unistd.h>

namespace {

class UsableCpus : public testing::Test {
protected:
  void SetUp() override { root = testing::TempDir() + std::to_string(getpid()) + "-cpus"; }
  void TearDown() override { std::filesystem::remove_all(root); }
  void put(const std::string &path, const std::string &text) {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  uint32_t cpus() const { return sinter::platform::usableCpus(root.c_str()); }

  std::string root;
};

uint32_t affinity() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof(set), &set);
  return uint32_t(CPU_COUNT(&set));
}

} // namespace

TEST_F(UsableCpus, WithoutCgroupsTheAffinityMask) { EXPECT_EQ(cpus(), affinity()); }

TEST_F(UsableCpus, QuotaOfVersion2) {
  put("/proc/self/cgroup", "0::/box/inner\n");
  put("/sys/fs/cgroup/box/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), affinity());
  put("/sys/fs/cgroup/box/cpu.max", "100000 100000\n"); // an ancestor's counts
  EXPECT_EQ(cpus(), 1u);
  put("/sys/fs/cgroup/box/cpu.max", "20000 100000\n"); // a fifth of a CPU is still a thread
  EXPECT_EQ(cpus(), 1u);
}

// In a container the path is that of the host, and only the mount's root is there.
TEST_F(UsableCpus, QuotaAtTheMountPoint) {
  put("/proc/self/cgroup", "0::/../../kubepods/pod1\n");
  put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1u);
}

TEST_F(UsableCpus, QuotaOfVersion1) {
  put("/proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n2:cpuset:/\n");
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), affinity());
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "90000\n");
  EXPECT_EQ(cpus(), 1u);
}

TEST_F(UsableCpus, OddFilesLimitNothing) {
  put("/proc/self/cgroup", "nonsense\n0:\n::\n0::/" + std::string(3000, 'x') + "\n7:cpu:/y");
  put("/sys/fs/cgroup/cpu.max", "");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "many");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "0");
  EXPECT_EQ(cpus(), affinity());
}
