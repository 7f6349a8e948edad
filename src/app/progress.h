// Progress of long work on stderr: a bar that redraws itself on a terminal, a line every few
// seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace notso {

// One piece of long work. Call update as often as you like; drawing is rate limited. Nothing is
// drawn for work that ends within a quarter of a second.
class ProgressBar {
 public:
  // `label` says what is being done ("packing weights"); `unit` is "B" for bytes (shown as MB, GB)
  // or a plain noun.
  ProgressBar(std::string label, std::string unit);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  // `done` of `total` units; draws rate and time left.
  void update(std::uint64_t done, std::uint64_t total);

 private:
  void draw(std::uint64_t done, std::uint64_t total, double seconds, bool last);

  std::string label_;
  std::string unit_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  bool terminal_ = false;
  bool shown_ = false;
};

}  // namespace notso
