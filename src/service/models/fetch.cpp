#include "service/models/fetch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "service/models/address.h"

namespace notso {
namespace {

// What must come over one connection for its failure not to count towards giving up.
constexpr std::uint64_t kProgressBytes = std::uint64_t{64} << 10U;

constexpr std::chrono::milliseconds kLongestPoll{200};

bool strong(const std::string& etag) { return !etag.empty() && etag.front() == '"'; }

// Whether an answer is about another version than `validator`'s.
bool other_version(const ResponseHead& head, const std::string& validator) {
  return strong(validator) && strong(head.etag) && head.etag != validator;
}

}  // namespace

std::optional<std::chrono::milliseconds> Retries::failed(std::uint64_t wait_s) {
  if (++failures_ >= request_.attempts) return std::nullopt;
  auto pause = request_.first_pause;
  for (int i = 1; i < failures_ && pause < request_.longest_pause; ++i) pause *= 2;
  pause = std::min(pause, request_.longest_pause);
  return std::max(pause, std::chrono::milliseconds(wait_s * 1000));
}

void pause_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

Fetch::Fetch(const DownloadRequest& request, const RemoteFile& remote, PartFile& part,
             ProgressMeter& meter, Retries& retries)
    : request_(request),
      remote_(remote),
      part_(part),
      meter_(meter),
      retries_(retries),
      transfers_(request.transfer, request.stop),
      width_(remote.ranges ? static_cast<std::size_t>(std::clamp(request.connections, 1, 16)) : 1),
      saved_(Clock::now()) {
  slots_.resize(width_);
}

Result<Fetch::End> Fetch::run() {
  meter_.enter(DownloadProgress::Phase::kDownloading);
  while (!complete()) {
    if (request_.stop.stop_requested()) {
      fatal_ = Error{ErrorCode::kCancelled,
                     "the download was cancelled; the same again goes on where it stopped"};
    }
    if (!fatal_ && !end_) {
      if (Status started = start_idle(); !started) fatal_ = started.error();
    }
    if (fatal_ || end_) break;
    for (const TransferEnd& end : transfers_.poll(kLongestPoll)) handle(end);
    if (meter_.phase() == DownloadProgress::Phase::kDownloading) meter_.update(part_.done_bytes());
    save_now_and_then();
  }
  transfers_.abandon_all();
  // Without a state the next attempt merely fetches more, so this is no error of its own.
  static_cast<void>(part_.save_state());
  if (fatal_) return tl::unexpected(*fatal_);
  return end_.value_or(End::kComplete);
}

bool Fetch::complete() {
  return std::all_of(part_.pieces().begin(), part_.pieces().end(),
                     [](const Piece& piece) { return piece.complete(); });
}

std::optional<std::size_t> Fetch::next_piece() const {
  for (std::size_t i = 0; i < part_.pieces().size(); ++i) {
    if (part_.pieces()[i].complete()) continue;
    const bool taken = std::any_of(slots_.begin(), slots_.end(),
                                   [i](const Slot& slot) { return slot.busy && slot.piece == i; });
    if (!taken) return i;
  }
  return std::nullopt;
}

Status Fetch::start_idle() {
  if (Clock::now() < not_before_) return {};
  const auto busy = [this] {
    return static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy; }));
  };
  for (std::size_t id = 0; id < slots_.size() && busy() < width_; ++id) {
    if (slots_[id].busy) continue;
    const auto piece = next_piece();
    if (!piece) return {};
    if (Status started = start(static_cast<int>(id), *piece); !started) return started;
  }
  if (meter_.phase() == DownloadProgress::Phase::kWaiting) {
    meter_.enter(DownloadProgress::Phase::kDownloading);
  }
  return {};
}

Status Fetch::start(int id, std::size_t index) {
  Slot& slot = slots_[static_cast<std::size_t>(id)];
  // A server that cannot begin in the middle begins again.
  if (!remote_.ranges) {
    if (Status fresh = part_.reset(); !fresh) return fresh;
  }
  const Piece& piece = part_.pieces()[index];
  slot = {true, index, piece.done, {}, {}};
  TransferRequest transfer;
  transfer.url = remote_.url;
  transfer.token = remote_.token;
  if (remote_.ranges) {
    transfer.range = {piece.first + piece.done, piece.end - 1};
    transfer.if_range = remote_.validator;
  }
  transfer.on_head = [this, &slot](const ResponseHead& head) { return judge_head(slot, head); };
  transfer.on_body = [this, &slot](std::span<const std::byte> data) {
    return take_body(slot, data);
  };
  return transfers_.start(id, std::move(transfer));
}

bool Fetch::judge_head(Slot& slot, const ResponseHead& head) {
  const Piece& piece = part_.pieces()[slot.piece];
  const auto bytes = remote_.bytes;
  if (remote_.ranges && head.status == 206) {
    const bool right_place = head.range_first == piece.first + piece.done;
    const bool right_file = !head.range_total || head.range_total == bytes;
    if (!right_place || !right_file || other_version(head, remote_.validator)) {
      slot.end = End::kChanged;
      return false;
    }
    const std::uint64_t asked = piece.end - piece.first - piece.done;
    if (head.content_bytes.value_or(asked) == asked) return true;
    slot.problem = RemoteProblem{
        {ErrorCode::kDataLoss, shown_address(request_.url) + ": the server announces " +
                                   std::to_string(*head.content_bytes) + " bytes where " +
                                   std::to_string(asked) + " were asked for"},
        true,
        0};
  } else if (!remote_.ranges && head.status == 200) {
    if (!bytes || !head.content_bytes || head.content_bytes == bytes) return true;
    slot.end = End::kChanged;
  } else if (head.status < 300 || head.status == 412 || head.status == 416) {
    slot.end = End::kChanged;
  } else {
    slot.problem = problem_of_status(head, remote_.url, !remote_.token.empty());
    // Addresses behind a redirect are often good for an hour only.
    const bool moved = head.status < 400 || head.status == 401 || head.status == 403 ||
                       head.status == 404 || head.status == 410;
    if (moved) slot.end = End::kAskAgain;
  }
  return false;
}

bool Fetch::take_body(Slot& slot, std::span<const std::byte> data) {
  Piece& piece = part_.pieces()[slot.piece];
  if (data.size() > piece.end - piece.first - piece.done) {
    slot.problem =
        RemoteProblem{{ErrorCode::kDataLoss,
                       shown_address(request_.url) + ": the server sends more than it announced"},
                      true,
                      0};
    return false;
  }
  if (Status written = part_.write(piece, data); !written) {
    slot.problem = RemoteProblem{written.error(), false, 0};
    return false;
  }
  meter_.update(part_.done_bytes());
  return true;
}

void Fetch::handle(const TransferEnd& end) {
  Slot& slot = slots_[static_cast<std::size_t>(end.id)];
  slot.busy = false;
  Piece& piece = part_.pieces()[slot.piece];
  if (slot.end) {
    end_ = slot.end;
  } else if (slot.problem) {
    retry(slot, *slot.problem);
  } else if (end.kind == TransferEnd::Kind::kComplete) {
    if (!remote_.bytes) piece.end = piece.first + piece.done;
    if (piece.complete()) {
      retries_.forgive();
    } else {
      retry(slot, {{ErrorCode::kUnavailable,
                    shown_address(request_.url) + ": the server stopped too early"},
                   true,
                   0});
    }
  } else {
    retry(slot, {{ErrorCode::kUnavailable, shown_address(request_.url) + ": " + end.problem},
                 !end.lasting,
                 0});
  }
}

void Fetch::retry(Slot& slot, const RemoteProblem& problem) {
  if (!problem.again) {
    fatal_ = problem.error;
    return;
  }
  const std::uint64_t came = part_.pieces()[slot.piece].done - slot.done_before;
  // Without ranges every attempt begins at the front, and what came is no progress.
  if (remote_.ranges && came >= kProgressBytes) retries_.forgive();
  if (came == 0 && width_ > 1) --width_;
  // Connections that break together are one failure.
  if (Clock::now() < not_before_) return;
  const auto pause = retries_.failed(problem.wait_s);
  if (!pause) {
    fatal_ = problem.error;
    fatal_->message += "; " + std::to_string(request_.attempts) +
                       " attempts failed, the same again goes on where it stopped";
    return;
  }
  not_before_ = Clock::now() + *pause;
  meter_.enter(DownloadProgress::Phase::kWaiting, problem.error.message);
}

void Fetch::save_now_and_then() {
  if (Clock::now() - saved_ < request_.save_interval) return;
  saved_ = Clock::now();
  static_cast<void>(part_.save_state());
}

}  // namespace notso
