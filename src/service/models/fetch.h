// The middle of a download: the missing pieces of one version of a remote file, over several
// connections, with retries.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/models/download.h"
#include "service/models/progress_meter.h"
#include "service/models/transfer.h"

namespace notso {

// How often to try again, and when. Progress forgives earlier failures.
class Retries {
 public:
  explicit Retries(const DownloadRequest& request) : request_(request) {}

  // Something came.
  void forgive() { failures_ = 0; }

  // Notes a failure: the pause before the next attempt, at least `wait_s` seconds if the server
  // asked for them, or nothing when the attempts are used up.
  [[nodiscard]] std::optional<std::chrono::milliseconds> failed(std::uint64_t wait_s);

 private:
  const DownloadRequest& request_;
  int failures_ = 0;
};

// One run over the pieces. The referenced objects must outlive it.
class Fetch {
 public:
  // Why it came to an end without an error: all is there, the file on the server is another one
  // now, or its address no longer works and must be asked for again.
  enum class End { kComplete, kChanged, kAskAgain };

  // `remote` is what the server said just now; `part` has begun with it.
  Fetch(const DownloadRequest& request, const RemoteFile& remote, PartFile& part,
        ProgressMeter& meter, Retries& retries);

  // Fetches until one of these ends. The state of `part` is on disk then.
  [[nodiscard]] Result<End> run();

 private:
  using Clock = std::chrono::steady_clock;
  // One connection's work.
  struct Slot {
    bool busy = false;
    std::size_t piece = 0;
    std::uint64_t done_before = 0;
    std::optional<RemoteProblem> problem;  // found by a callback
    std::optional<End> end;                // found by a callback
  };

  Status start_idle();
  Status start(int id, std::size_t piece);
  [[nodiscard]] std::optional<std::size_t> next_piece() const;
  bool judge_head(Slot& slot, const ResponseHead& head);
  bool take_body(Slot& slot, std::span<const std::byte> data);
  void handle(const TransferEnd& end);
  void retry(Slot& slot, const RemoteProblem& problem);
  void save_now_and_then();
  [[nodiscard]] bool complete();

  const DownloadRequest& request_;
  const RemoteFile& remote_;
  PartFile& part_;
  ProgressMeter& meter_;
  Retries& retries_;
  Transfers transfers_;
  std::vector<Slot> slots_;
  std::size_t width_;  // connections in use; shrinks where a server takes fewer
  Clock::time_point not_before_;
  Clock::time_point saved_;
  std::optional<Error> fatal_;
  std::optional<End> end_;
};

// Sleeps, unless the download is cancelled.
void pause_for(std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace notso
