// What an engine counts: for metrics, status pages and tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace notso {

// Counts of values by size: bucket i holds those up to bounds[i], the last one all above.
struct Histogram {
  static constexpr std::array<double, 16> kBounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
  std::array<std::uint64_t, kBounds.size() + 1> counts = {};
  std::uint64_t total = 0;
  double sum = 0;

  // Counts one value.
  void add(double value);
  // The bound under which a part (0..1) of the values lies, interpolated; 0 when there are none.
  [[nodiscard]] double quantile(double part) const;
};

// Everything since the engine's start, and how it stands now.
struct EngineStats {
  // Requests.
  std::uint64_t submitted = 0;
  std::uint64_t refused = 0;
  std::uint64_t done = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t failed = 0;
  std::int32_t waiting = 0;
  std::int32_t running = 0;
  std::int32_t background_waiting = 0;  // of those
  std::int32_t background_running = 0;
  // Tokens.
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t sampled_tokens = 0;
  std::uint64_t draft_tokens = 0;
  std::uint64_t accepted_tokens = 0;
  // Steps.
  std::uint64_t steps = 0;
  std::uint64_t step_rows = 0;
  double busy_s = 0;
  // Pages.
  std::size_t page_bytes = 0;
  std::size_t pages_max = 0;
  std::size_t pages_used = 0;    // by running requests
  std::size_t pages_cached = 0;  // by nobody, kept for their prefix
  std::uint64_t pages_evicted = 0;
  std::uint64_t pages_stored = 0;    // written to disk
  std::uint64_t pages_restored = 0;  // read back
  // Seconds.
  Histogram queue_s;
  Histogram first_token_s;
  Histogram between_tokens_s;
  Histogram step_s;
};

}  // namespace notso
