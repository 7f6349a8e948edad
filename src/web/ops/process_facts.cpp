// What /proc says about this process.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "web/ops/ops_status.h"

namespace notso::ops {
namespace {

std::string read_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Seconds since 1970 at which the system started.
double boot_unix_s() {
  std::istringstream lines(read_text("/proc/stat"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  // The command's name in parentheses may hold anything; fields are counted after it, from the
  // third.
  const std::string stat = read_text("/proc/self/stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 2, stat.size())));
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::string field;
  for (int number = 3; fields >> field && number <= 24; ++number) {
    if (number == 14 || number == 15) facts.cpu_s += std::stod(field) / ticks;
    if (number == 20) facts.threads = std::stoull(field);
    if (number == 22) facts.start_unix_s = boot_unix_s() + std::stod(field) / ticks;
    if (number == 23) facts.virtual_bytes = std::stoull(field);
    if (number == 24) {
      facts.resident_bytes = std::stoull(field) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }
  }
  std::error_code ignored;
  const std::filesystem::directory_iterator open_files("/proc/self/fd", ignored);
  facts.open_files = static_cast<std::uint64_t>(std::distance(open_files, {}));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.open_files_max = limit.rlim_cur;
  return facts;
}

}  // namespace notso::ops
