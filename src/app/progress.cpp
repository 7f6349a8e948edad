#include "app/progress.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace notso {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kQuietSeconds = 0.25;  // shorter work shows nothing
constexpr double kRedrawSeconds = 0.1;  // on a terminal
constexpr double kLineSeconds = 5.0;    // elsewhere
constexpr std::size_t kBarWidth = 24;

// "1.91 GB" for bytes, "326 tensors" for anything else.
std::string amount(double value, const std::string& unit) {
  char text[64];
  if (unit != "B") {
    std::snprintf(text, sizeof text, "%.0f %s", value, unit.c_str());
  } else if (value >= 1e9) {
    std::snprintf(text, sizeof text, "%.2f GB", value / 1e9);
  } else {
    std::snprintf(text, sizeof text, "%.0f MB", value / 1e6);
  }
  return text;
}

}  // namespace

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_),
      terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (!shown_) return;
  draw(done_, total_, Seconds(std::chrono::steady_clock::now() - start_).count(), true);
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
  const auto now = std::chrono::steady_clock::now();
  const double pause = terminal_ ? (shown_ ? kRedrawSeconds : kQuietSeconds) : kLineSeconds;
  if (Seconds(now - drawn_).count() < pause) return;
  drawn_ = now;
  shown_ = true;
  draw(done, total, Seconds(now - start_).count(), false);
}

void ProgressBar::draw(std::uint64_t done, std::uint64_t total, double seconds, bool last) {
  const auto units = static_cast<double>(done);
  const double all = std::max(static_cast<double>(total), 1.0);
  const double part = std::min(units / all, 1.0);
  const double rate = units / std::max(seconds, 1e-3);
  std::string line = label_ + "  ";
  if (terminal_) {
    const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
    line += '[';
    line.append(filled, '#').append(kBarWidth - filled, '.').append("] ");
  }
  char text[64];
  std::snprintf(text, sizeof text, "%3.0f%%  ", part * 100.0);
  line += text + amount(units, unit_) + "  " + amount(rate, unit_) + "/s";
  if (!last && rate > 0) {
    std::snprintf(text, sizeof text, "  %.0f s left", (all - units) / rate);
    line += text;
  }
  if (terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s%s", line.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

}  // namespace notso
