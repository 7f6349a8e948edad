// Counts a download's bytes and tells its listener: how fast over the last seconds, and how long
// still. Rate limited, so that it may be called for every packet.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "service/models/download.h"

namespace notso {

// One download's progress.
class ProgressMeter {
 public:
  explicit ProgressMeter(std::function<void(const DownloadProgress&)> listener);

  // Enters a phase and tells of it at once. `note` says why, where there is a reason.
  void enter(DownloadProgress::Phase phase, std::string note = "");

  // Begins to count bytes of `total` (0: unknown), of which `done` are there already.
  void begin(std::uint64_t done, std::uint64_t total);

  // What is there now; tells the listener when it is time.
  void update(std::uint64_t done);

  [[nodiscard]] DownloadProgress::Phase phase() const { return now_.phase; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Sample {
    Clock::time_point time;
    std::uint64_t done;
  };
  void tell();

  std::function<void(const DownloadProgress&)> listener_;
  DownloadProgress now_;
  std::deque<Sample> samples_;
  Clock::time_point told_;
};

}  // namespace notso
