// A download on stderr: a bar that redraws itself on a terminal, a line now and then in a log.
#pragma once

#include <chrono>
#include <string>

#include "service/models/download.h"

namespace notso {

// What a line says of a download: part, bytes, rate, time left, or why it waits.
[[nodiscard]] std::string download_line(const DownloadProgress& progress, bool with_bar);

// Shows one download. The line ends with the object.
class DownloadView {
 public:
  // `label` stands in front of every line.
  explicit DownloadView(std::string label);
  DownloadView(const DownloadView&) = delete;
  DownloadView& operator=(const DownloadView&) = delete;
  ~DownloadView();

  // Shows where the download is, if it is time for that.
  void show(const DownloadProgress& progress);

 private:
  std::string label_;
  bool terminal_;
  bool open_ = false;  // a line without its end is on the terminal
  DownloadProgress::Phase phase_ = DownloadProgress::Phase::kDone;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace notso
