// How much memory there is for KV pages: what the system calls available, within the limit of the
// control group (containers), halved, since weights, page cache and other programs want some too.

#include <algorithm>
#include <fstream>
#include <string>

#include "base/machine_share.h"
#include "service/engine/engine.h"

namespace notso {
namespace {

constexpr std::size_t kFallbackBytes = std::size_t{1} << 30U;
constexpr std::size_t kLeastBytes = std::size_t{64} << 20U;

std::optional<std::size_t> system_available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::size_t kilobytes = 0;
  std::string unit;
  while (file >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    std::getline(file, unit);
  }
  return std::nullopt;
}

}  // namespace

std::size_t available_memory_bytes() {
  const std::size_t bytes = system_available_bytes().value_or(2 * kFallbackBytes);
  return std::min(bytes, group_memory_left().value_or(bytes));
}

std::size_t default_kv_bytes_max() { return std::max(available_memory_bytes() / 2, kLeastBytes); }

}  // namespace notso
