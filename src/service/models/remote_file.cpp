// The question is GET with "Range: bytes=0-0" rather than HEAD: signed addresses of object stores
// allow GET alone, and the answer shows at once whether ranges work.
#include "service/models/remote_file.h"

#include <algorithm>

#include "service/models/address.h"
#include "service/models/lower_case.h"
#include "service/models/sha256.h"

namespace notso {
namespace {

RemoteProblem lasting(ErrorCode code, std::string message) {
  return {{code, std::move(message)}, false, 0};
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string without_quotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

// A hub's checksum of the file behind the redirect. Only a SHA-256 counts: for small files the same
// header has git's hash.
void take_linked(RemoteFile& file, const ResponseHead& head) {
  const std::string etag = without_quotes(head.linked_etag);
  // The first to speak is the hub itself.
  if (!is_sha256(etag) || !file.sha256.empty()) return;
  file.sha256 = lower_case(etag);
  if (head.linked_bytes) file.bytes = head.linked_bytes;
}

// Reads the head of an answer that is no redirect.
tl::expected<void, RemoteProblem> take_answer(RemoteFile& file, const ResponseHead& head,
                                              const std::string& origin_url) {
  if (head.status != 200 && head.status != 206 && head.status != 416) {
    return tl::unexpected(problem_of_status(head, origin_url, !file.token.empty()));
  }
  const std::optional<std::uint64_t> promised = file.bytes;
  file.ranges = head.status == 206 && head.range_total.has_value();
  if (head.status == 206) file.bytes = head.range_total;
  if (head.status == 200) file.bytes = head.content_bytes;
  if (head.status == 416 || file.bytes == 0U) {
    return tl::unexpected(lasting(ErrorCode::kDataLoss, shown_address(origin_url) +
                                                            ": the file there is empty; check the "
                                                            "address"));
  }
  if (promised && file.bytes && *promised != *file.bytes) {
    return tl::unexpected(
        lasting(ErrorCode::kDataLoss,
                shown_address(origin_url) + ": the hub says that the file has " +
                    std::to_string(*promised) + " bytes, but the server that has it says " +
                    std::to_string(*file.bytes) + "; try again later or use another mirror"));
  }
  if (!file.bytes) file.bytes = promised;
  take_linked(file, head);
  file.validator = validator_of(head);
  return {};
}

// One request of the chain; the head of its answer.
tl::expected<ResponseHead, RemoteProblem> ask(const std::string& url, const std::string& token,
                                              const TransferOptions& options,
                                              const std::stop_token& stop) {
  Transfers transfers(options, stop);
  ResponseHead head;
  TransferRequest request;
  request.url = url;
  request.token = token;
  request.range = {0, 0};
  request.on_head = [&head](const ResponseHead& got) {
    head = got;
    return false;
  };
  request.on_body = [](std::span<const std::byte>) { return false; };
  if (Status started = transfers.start(0, std::move(request)); !started) {
    return tl::unexpected(RemoteProblem{started.error(), false, 0});
  }
  while (!stop.stop_requested()) {
    const auto ends = transfers.poll(std::chrono::milliseconds(500));
    if (ends.empty()) continue;
    if (ends[0].kind != TransferEnd::Kind::kFailed) return head;
    return tl::unexpected(RemoteProblem{
        {ErrorCode::kUnavailable, shown_address(url) + ": " + ends[0].problem +
                                      "; check the network (proxies: HTTPS_PROXY) and the address"},
        !ends[0].lasting,
        0});
  }
  return tl::unexpected(lasting(ErrorCode::kCancelled, "the download was cancelled"));
}

}  // namespace

std::string RemoteFile::identity() const {
  if (!sha256.empty()) return "sha256:" + sha256;
  return validator.empty() ? "" : "validator:" + validator;
}

std::string validator_of(const ResponseHead& head) {
  if (!head.etag.empty() && head.etag.substr(0, 2) != "W/") return head.etag;
  return head.last_modified;
}

RemoteProblem problem_of_status(const ResponseHead& head, const std::string& url, bool token_sent) {
  const std::string what =
      shown_address(url) + ": the server answers " + std::to_string(head.status);
  constexpr std::uint64_t kLongestWait = 120;
  const std::uint64_t wait = std::min(head.retry_after_s.value_or(0), kLongestWait);
  if (head.status == 401 || head.status == 403) {
    return lasting(
        ErrorCode::kInvalidArgument,
        what + (token_sent ? ", so the token in HF_TOKEN may not read this file; make one that "
                             "may, and accept the model's terms on its page if it has any"
                           : ", so it wants a token; set HF_TOKEN to one that may read this "
                             "file"));
  }
  if (head.status == 404 || head.status == 410) {
    return lasting(ErrorCode::kNotFound,
                   what +
                       ", so there is no such file; check its name, or set HF_TOKEN if the "
                       "repository is private");
  }
  if (head.status == 408 || head.status == 429 || head.status >= 500) {
    return {{ErrorCode::kUnavailable, what + "; try again later"}, true, wait};
  }
  return lasting(ErrorCode::kUnavailable,
                 what + ", which is no file to download; check the address");
}

tl::expected<RemoteFile, RemoteProblem> find_remote_file(const std::string& url,
                                                         const TokenRule& rule,
                                                         const TransferOptions& options,
                                                         const std::stop_token& stop) {
  RemoteFile file;
  file.url = url;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    auto origin = origin_of(file.url);
    if (!origin) return tl::unexpected(RemoteProblem{origin.error(), false, 0});
    file.token = *origin == rule.origin ? rule.token : "";
    auto head = ask(file.url, file.token, options, stop);
    if (!head) return tl::unexpected(head.error());
    if (!is_redirect(head->status)) {
      if (auto taken = take_answer(file, *head, url); !taken) {
        return tl::unexpected(taken.error());
      }
      return file;
    }
    take_linked(file, *head);
    auto next = redirect_target(file.url, head->location);
    if (!next) {
      return tl::unexpected(
          lasting(next.error().code, shown_address(url) + ": " + next.error().message));
    }
    file.url = std::move(*next);
  }
  return tl::unexpected(lasting(
      ErrorCode::kUnavailable, shown_address(url) + ": more than " + std::to_string(kMaxRedirects) +
                                   " redirects one after the other; check the address"));
}

}  // namespace notso
