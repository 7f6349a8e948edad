// Downloads one file so that it is either whole and checked under its final name or not there at
// all: several ranges at once, resumed after any interruption, retried with growing pauses, checked
// by SHA-256, and cancellable.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "service/models/part_file.h"
#include "service/models/remote_file.h"

namespace notso {

// How far a download is.
struct DownloadProgress {
  enum class Phase { kAsking, kDownloading, kWaiting, kChecking, kDone };
  Phase phase = Phase::kAsking;
  std::uint64_t done = 0;
  std::uint64_t total = 0;    // 0: unknown
  std::uint64_t resumed = 0;  // of `done`: there from an earlier attempt
  double bytes_per_s = 0;     // over the last seconds
  std::optional<double> seconds_left;
  std::string note;  // kWaiting: why, and for how long
};

// What to download, where to, and how.
struct DownloadRequest {
  std::string url;
  std::string path;         // final; the folder must exist
  std::string sha256;       // expected; "": what the server says, if it does
  std::uint64_t bytes = 0;  // expected; 0: unknown
  TokenRule token;
  TransferOptions transfer;
  int connections = 4;
  std::uint64_t piece_bytes = std::uint64_t{32} << 20U;
  int attempts = 8;  // in a row without progress
  std::chrono::milliseconds first_pause{500};
  std::chrono::milliseconds longest_pause{30'000};
  std::chrono::milliseconds save_interval{2'000};
  std::uint64_t spare_bytes = std::uint64_t{64} << 20U;  // left free on the disk
  DiskCalls disk = DiskCalls::real();
  std::function<void(const DownloadProgress&)> progress;  // at most ten times a second and a phase
  // Looks at the whole file before it gets its name; an error discards it.
  std::function<Status(const std::string& path)> accept;
  std::stop_token stop;
};

// What was downloaded.
struct DownloadReport {
  std::string sha256;     // of the file as it is
  bool verified = false;  // it was compared with a checksum that was known before
  std::uint64_t bytes = 0;
  std::uint64_t resumed = 0;  // bytes that were there from an earlier attempt
};

// Downloads. On an error that another attempt may mend, what has come stays on disk for it.
[[nodiscard]] Result<DownloadReport> download(const DownloadRequest& request);

}  // namespace notso
