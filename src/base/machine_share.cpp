#include "base/machine_share.h"

#include <algorithm>
#include <fstream>
#include <sched.h>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace notso {
namespace {

// The first number of a file; none if there is no file or it holds a word ("max").
std::optional<std::size_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::size_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// The process's control group and those around it, as folders (version 2). Inside a container the
// innermost is the root of what is mounted there.
std::vector<std::string> group_folders(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> folders = {mount};
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("0::/", 0) != 0) continue;
    std::string path = line.substr(3);
    for (; path.size() > 1; path.resize(path.rfind('/'))) folders.push_back(mount + path);
  }
  return folders;
}

// A name that the threads of one core share: core numbers alone count anew in each cluster of some
// processors.
std::string core_name(const std::string& root, int cpu) {
  const std::string folder =
      root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
  std::string name;
  for (const char* file : {"core_cpus_list", "thread_siblings_list"}) {
    if (std::getline(std::ifstream(folder + file), name) && !name.empty()) return name;
  }
  return "cpu " + std::to_string(cpu);
}

// Cores that the quotas of processor time amount to, rounded up; none where there is no quota.
std::optional<int> quota_cores(const std::string& root) {
  std::optional<int> least;
  for (const std::string& folder : group_folders(root)) {
    std::ifstream file(folder + "/cpu.max");
    std::int64_t quota = 0;
    std::int64_t period = 0;
    if (!(file >> quota >> period) || quota <= 0 || period <= 0) continue;
    const auto cores =
        static_cast<int>(std::clamp<std::int64_t>((quota + period - 1) / period, 1, CPU_SETSIZE));
    least = std::min(least.value_or(cores), cores);
  }
  return least;
}

}  // namespace

int physical_core_count(std::span<const int> cpus, const std::string& root) {
  std::set<std::string> names;
  for (const int cpu : cpus) names.insert(core_name(root, cpu));
  const int cores = std::max(static_cast<int>(names.size()), 1);
  return std::min(cores, quota_cores(root).value_or(cores));
}

int physical_core_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
    }
  } else {
    for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) {
      cpus.push_back(static_cast<int>(cpu));
    }
  }
  return physical_core_count(cpus, "");
}

std::optional<std::size_t> group_memory_left(const std::string& root) {
  std::optional<std::size_t> least;
  for (const std::string& folder : group_folders(root)) {
    const std::optional<std::size_t> limit = number_in(folder + "/memory.max");
    if (!limit) continue;
    const std::size_t used = number_in(folder + "/memory.current").value_or(0);
    const std::size_t left = *limit - std::min(used, *limit);
    least = std::min(least.value_or(left), left);
  }
  return least;
}

}  // namespace notso
