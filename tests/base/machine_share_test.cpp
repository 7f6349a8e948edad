// The files below are as the kernel writes them: on a laptop, on an ARM board with two clusters,
// and for control groups of version 2.
#include "base/machine_share.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace notso {
namespace {

class MachineShare : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write_siblings(int cpu, const std::string& file, const std::string& list) const {
    write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + file, list + "\n");
  }

  const std::string root_ = ::testing::TempDir() + "machine-" + std::to_string(getpid());
  const std::array<int, 4> four_ = {0, 1, 2, 3};
};

TEST_F(MachineShare, CountsCoresOnceForAllTheirThreads) {
  for (const int cpu : four_) write_siblings(cpu, "core_cpus_list", cpu % 2 == 0 ? "0,2" : "1,3");
  EXPECT_EQ(physical_core_count(four_, root_), 2);
  EXPECT_EQ(physical_core_count(std::array{1, 3}, root_), 1);
}

TEST_F(MachineShare, CountsTheCoresOfEveryCluster) {
  for (const int cpu : four_) {
    write_siblings(cpu, "physical_package_id", "0");
    write_siblings(cpu, "core_id", std::to_string(cpu % 2));
    write_siblings(cpu, "thread_siblings_list", std::to_string(cpu));
  }
  EXPECT_EQ(physical_core_count(four_, root_), 4);
}

TEST_F(MachineShare, CountsProcessorsWhereNothingIsSaidOfCores) {
  EXPECT_EQ(physical_core_count(four_, root_), 4);
  EXPECT_EQ(physical_core_count({}, root_), 1);
}

TEST_F(MachineShare, EndsWithTheQuotaOfAnyGroupAroundIt) {
  write("/proc/self/cgroup", "0::/system.slice/notso.service\n");
  write("/sys/fs/cgroup/system.slice/notso.service/cpu.max", "max 100000\n");
  EXPECT_EQ(physical_core_count(four_, root_), 4);
  write("/sys/fs/cgroup/system.slice/cpu.max", "250000 100000\n");
  EXPECT_EQ(physical_core_count(four_, root_), 3);
  write("/sys/fs/cgroup/system.slice/notso.service/cpu.max", "50000 100000\n");
  EXPECT_EQ(physical_core_count(four_, root_), 1);
}

TEST_F(MachineShare, LeavesTheMemoryOfTheTightestGroup) {
  EXPECT_EQ(group_memory_left(root_), std::nullopt);
  write("/proc/self/cgroup", "0::/user.slice/app\n");
  write("/sys/fs/cgroup/memory.max", "max\n");
  write("/sys/fs/cgroup/user.slice/memory.max", "5000\n");
  write("/sys/fs/cgroup/user.slice/memory.current", "1000\n");
  EXPECT_EQ(group_memory_left(root_), 4000U);
  write("/sys/fs/cgroup/user.slice/app/memory.max", "3000\n");
  write("/sys/fs/cgroup/user.slice/app/memory.current", "4000\n");
  EXPECT_EQ(group_memory_left(root_), 0U);
}

TEST_F(MachineShare, IsAtLeastOneCoreHere) { EXPECT_GE(physical_core_count(), 1); }

}  // namespace
}  // namespace notso
