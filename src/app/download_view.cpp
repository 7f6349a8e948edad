#include "app/download_view.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unistd.h>
#include <utility>

#include "app/chat_view.h"
#include "base/bytes_text.h"

namespace notso {
namespace {

using Phase = DownloadProgress::Phase;

constexpr std::size_t kBarWidth = 24;
constexpr std::chrono::seconds kLogInterval{10};

std::string time_text(double seconds) {
  if (!(seconds < 360'000)) return "more than 100 h";
  const auto whole = static_cast<long>(std::ceil(seconds));
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld s", whole);
  }
  return text;
}

std::string bar(double part) {
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
  std::string text(1, '[');
  text.append(filled, '#').append(kBarWidth - filled, '.').append("] ");
  return text;
}

}  // namespace

std::string download_line(const DownloadProgress& progress, bool with_bar) {
  if (progress.phase == Phase::kAsking) return "asking the server";
  if (progress.phase == Phase::kWaiting) return "waiting to try again: " + harmless(progress.note);
  std::string line;
  if (progress.total > 0) {
    const double part =
        std::min(static_cast<double>(progress.done) / static_cast<double>(progress.total), 1.0);
    if (with_bar) line += bar(part);
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f%%  ", std::floor(part * 100));
    line += percent;
  }
  if (progress.phase == Phase::kChecking) return line + "checking";
  line += bytes_text(progress.done);
  if (progress.total > 0) line += " of " + bytes_text(progress.total);
  if (progress.phase == Phase::kDone) return line;
  line += "  " + bytes_text(static_cast<std::uint64_t>(progress.bytes_per_s)) + "/s";
  if (progress.seconds_left) line += "  " + time_text(*progress.seconds_left) + " left";
  return line;
}

DownloadView::DownloadView(std::string label)
    : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) == 1) {}

DownloadView::~DownloadView() {
  if (open_) std::fputc('\n', stderr);
}

void DownloadView::show(const DownloadProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  const bool fresh = progress.phase != phase_;
  // Why there is a wait is longer than a terminal's line is wide, so it is not redrawn in place.
  const bool whole_line = !terminal_ || progress.phase == Phase::kWaiting;
  if (whole_line && !fresh && (terminal_ || now - shown_ < kLogInterval)) return;
  phase_ = progress.phase;
  shown_ = now;
  const std::string line = label_ + "  " + download_line(progress, terminal_);
  if (terminal_ && whole_line) {
    std::fprintf(stderr, "\r\x1b[K%s\n", line.c_str());
    open_ = false;
  } else if (terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

}  // namespace notso
