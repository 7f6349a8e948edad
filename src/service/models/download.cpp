// A download is rounds of: ask the server what it has, take up or begin the part file, fetch what
// is missing, check. A round ends early when the file on the server changed or its signed address
// expired; then the next one asks again.
#include "service/models/download.h"

#include <algorithm>
#include <filesystem>

#include "base/bytes_text.h"
#include "service/models/address.h"
#include "service/models/fetch.h"
#include "service/models/lower_case.h"
#include "service/models/progress_meter.h"
#include "service/models/sha256.h"

namespace notso {
namespace {

constexpr std::uint64_t kLeastPiece = std::uint64_t{1} << 20U;

// One call of download().
class Download {
 public:
  Download(const DownloadRequest& request, PartFile part)
      : request_(request),
        expected_(lower_case(request.sha256)),
        part_(std::move(part)),
        meter_(request.progress),
        retries_(request) {}

  Result<DownloadReport> run() {
    while (true) {
      Result<RemoteFile> remote = ask();
      if (!remote) return pass_on(remote);
      if (Status ready = prepare(*remote); !ready) return pass_on(ready);
      auto end = Fetch(request_, *remote, part_, meter_, retries_).run();
      if (!end) return pass_on(end);
      if (*end == Fetch::End::kComplete) {
        auto checked = check(*remote);
        if (!checked) return pass_on(checked);
        if (checked->has_value()) return **checked;
        continue;
      }
      if (*end == Fetch::End::kChanged) {
        if (Status dropped = part_.reset(); !dropped) return pass_on(dropped);
        started_over_ = true;
        // The same version again: then it is the ranges that this server does not mean.
        one_stream_ = changed_identity_ == remote->identity();
        changed_identity_ = remote->identity();
      }
      const auto pause = retries_.failed(0);
      if (!pause) {
        return fail(ErrorCode::kUnavailable,
                    shown_address(request_.url) +
                        ": the server has another file, or another address for it, at "
                        "every attempt; try again later");
      }
      pause_for(*pause, request_.stop);
    }
  }

 private:
  // Asks the server, again after failures that may pass.
  Result<RemoteFile> ask() {
    while (true) {
      meter_.enter(DownloadProgress::Phase::kAsking);
      auto found = find_remote_file(request_.url, request_.token, request_.transfer, request_.stop);
      if (found) return judge(std::move(*found));
      if (!found.error().again) return tl::unexpected(found.error().error);
      const auto pause = retries_.failed(found.error().wait_s);
      if (!pause) return tl::unexpected(found.error().error);
      meter_.enter(DownloadProgress::Phase::kWaiting, found.error().error.message);
      pause_for(*pause, request_.stop);
    }
  }

  // Compares what the server has with what is wanted, before anything is fetched.
  Result<RemoteFile> judge(RemoteFile remote) {
    if (request_.bytes != 0 && remote.bytes && *remote.bytes != request_.bytes) {
      return fail(ErrorCode::kDataLoss, shown_address(request_.url) + ": the file there has " +
                                            std::to_string(*remote.bytes) + " bytes, not " +
                                            std::to_string(request_.bytes) +
                                            " as it should; use another mirror");
    }
    if (!expected_.empty() && !remote.sha256.empty() && remote.sha256 != expected_) {
      return fail(ErrorCode::kDataLoss,
                  shown_address(request_.url) + ": the server's file has the SHA-256 " +
                      remote.sha256 + ", not " + expected_ + " as it should; use another mirror");
    }
    if (!expected_.empty()) remote.sha256 = expected_;
    // Where nothing tells versions apart, pieces of two might be mixed.
    if (remote.identity().empty() || one_stream_ || !remote.bytes) remote.ranges = false;
    return remote;
  }

  Status prepare(const RemoteFile& remote) {
    if (!remote.bytes) {
      if (Status begun = part_.begin_unknown(); !begun) return begun;
    } else {
      const std::uint64_t piece =
          remote.ranges ? std::min(request_.piece_bytes, std::max(kLeastPiece, *remote.bytes / 16))
                        : *remote.bytes;
      auto begun = part_.begin(remote.ranges ? remote.identity() : "", *remote.bytes, piece);
      if (!begun) return pass_on(begun);
      resumed_ = *begun;
    }
    meter_.begin(resumed_, remote.bytes.value_or(0));
    return check_space(remote.bytes.value_or(0) - resumed_);
  }

  Status check_space(std::uint64_t missing) const {
    const std::filesystem::path parent = std::filesystem::path(request_.path).parent_path();
    const std::string folder = parent.empty() ? "." : parent.string();
    const std::uint64_t free = request_.disk.free_bytes(folder);
    if (missing == 0 || free >= missing + request_.spare_bytes) return {};
    return fail(ErrorCode::kResourceExhausted,
                "not enough room in '" + folder + "': " + bytes_text(missing) +
                    " are still to come and " + bytes_text(request_.spare_bytes) +
                    " should stay free, but only " + bytes_text(free) +
                    " are; make room, or set NOTSO_HOME to a folder on a larger disk");
  }

  // Checks the whole file and gives it its name. Empty: it must be fetched once more.
  Result<std::optional<DownloadReport>> check(const RemoteFile& remote) {
    DownloadReport report;
    report.bytes = part_.done_bytes();
    report.resumed = resumed_;
    meter_.begin(0, report.bytes);
    meter_.enter(DownloadProgress::Phase::kChecking);
    auto digest = part_.digest([this](std::uint64_t read) {
      meter_.update(read);
      return !request_.stop.stop_requested();
    });
    if (!digest) return pass_on(digest);
    report.sha256 = *digest;
    report.verified = !remote.sha256.empty();
    if (report.verified && *digest != remote.sha256) {
      // What an earlier attempt left may be what is wrong.
      const bool once_more = resumed_ > 0 && !started_over_;
      started_over_ = true;
      if (Status dropped = part_.reset(); !dropped) return pass_on(dropped);
      if (once_more) return std::optional<DownloadReport>();
      part_.remove();
      return fail(ErrorCode::kDataLoss,
                  shown_address(request_.url) + ": what came has the SHA-256 " + *digest +
                      ", not " + remote.sha256 +
                      "; it was thrown away. Try again, or use another mirror");
    }
    if (request_.accept) {
      if (Status accepted = request_.accept(part_.path()); !accepted) {
        part_.remove();
        return pass_on(accepted);
      }
    }
    if (Status named = part_.finish(); !named) return pass_on(named);
    meter_.enter(DownloadProgress::Phase::kDone);
    return std::optional(report);
  }

  const DownloadRequest& request_;
  std::string expected_;
  PartFile part_;
  ProgressMeter meter_;
  Retries retries_;
  std::uint64_t resumed_ = 0;
  std::string changed_identity_ = "none";
  bool one_stream_ = false;
  bool started_over_ = false;
};

}  // namespace

Result<DownloadReport> download(const DownloadRequest& request) {
  if (!request.sha256.empty() && !is_sha256(request.sha256)) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + request.sha256 + "' is not a SHA-256; it has 64 hexadecimal digits");
  }
  auto part = PartFile::open(request.path, request.disk);
  if (!part) return pass_on(part);
  return Download(request, std::move(*part)).run();
}

}  // namespace notso
