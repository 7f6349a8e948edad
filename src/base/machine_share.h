// What of the machine this process may use: cores and memory, within its affinity and its control
// groups (containers, systemd's limits).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace notso {

// Physical cores that this process may run on, at most as many as its quota of processor time
// rounds up to; at least 1.
[[nodiscard]] int physical_core_count();

// The same for the processors numbered `cpus`, as the files below `root` tell.
[[nodiscard]] int physical_core_count(std::span<const int> cpus, const std::string& root);

// What the control groups leave this process to allocate; none where nothing limits it.
[[nodiscard]] std::optional<std::size_t> group_memory_left(const std::string& root = "");

}  // namespace notso
