#include "service/models/progress_meter.h"

#include <utility>

namespace notso {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::chrono::seconds kWindow{6};

}  // namespace

ProgressMeter::ProgressMeter(std::function<void(const DownloadProgress&)> listener)
    : listener_(std::move(listener)) {}

void ProgressMeter::enter(DownloadProgress::Phase phase, std::string note) {
  now_.phase = phase;
  now_.note = std::move(note);
  tell();
}

void ProgressMeter::begin(std::uint64_t done, std::uint64_t total) {
  now_.done = done;
  now_.total = total;
  now_.resumed = done;
  now_.bytes_per_s = 0;
  now_.seconds_left.reset();
  samples_.assign(1, {Clock::now(), done});
}

void ProgressMeter::update(std::uint64_t done) {
  const auto time = Clock::now();
  now_.done = done;
  if (time - told_ < kInterval) return;
  // A download that started over has fewer bytes than before; its rate begins anew.
  if (!samples_.empty() && done < samples_.back().done) samples_.clear();
  samples_.push_back({time, done});
  while (samples_.size() > 2 && time - samples_.front().time > kWindow) samples_.pop_front();
  const Sample& first = samples_.front();
  const double seconds = std::chrono::duration<double>(time - first.time).count();
  now_.bytes_per_s = seconds > 0 ? static_cast<double>(done - first.done) / seconds : 0;
  now_.seconds_left.reset();
  if (now_.bytes_per_s > 0 && now_.total > done) {
    now_.seconds_left = static_cast<double>(now_.total - done) / now_.bytes_per_s;
  }
  tell();
}

void ProgressMeter::tell() {
  told_ = Clock::now();
  if (listener_) listener_(now_);
}

}  // namespace notso
