// HTTP requests, several at once on one thread: libcurl's multi interface behind a face that knows
// nothing of models. Redirects are not followed here; whoever asks decides about them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// What the headers of an answer say, as far as downloads need it. Texts are "" when missing.
struct ResponseHead {
  int status = 0;
  std::string location;
  std::string etag;
  std::string last_modified;
  std::string linked_etag;  // X-Linked-ETag: a hub's checksum of the file that it redirects to
  std::optional<std::uint64_t> linked_bytes;   // X-Linked-Size
  std::optional<std::uint64_t> content_bytes;  // Content-Length
  std::optional<std::uint64_t> range_first;    // Content-Range: bytes FIRST-last/TOTAL
  std::optional<std::uint64_t> range_total;
  std::optional<std::uint64_t> retry_after_s;  // Retry-After in seconds; dates are ignored
};

// Takes one header line ("ETag: ...", or the status line, which begins a new head).
void add_header_line(ResponseHead& head, std::string_view line);

// One GET request. The callbacks run inside Transfers::poll.
struct TransferRequest {
  std::string url;
  std::string token;                                             // for Authorization; "": none
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  // first and last byte
  std::string if_range;                                          // "": none
  std::function<bool(const ResponseHead& head)> on_head;         // false ends the transfer
  std::function<bool(std::span<const std::byte> body)> on_body;  // false ends the transfer
};

// How a transfer ended.
struct TransferEnd {
  enum class Kind { kComplete, kStopped, kFailed };
  int id = 0;
  Kind kind = Kind::kFailed;
  std::string problem;   // kFailed: what happened, in libcurl's words
  bool lasting = false;  // kFailed: the same again would fail the same way (TLS, a bad address)
};

// "libcurl/7.88.1 OpenSSL/3.0.22 ...": what runs underneath.
[[nodiscard]] std::string transfer_library();

// What all transfers have in common.
struct TransferOptions {
  std::string ca_file;     // further certificates; "": the system's
  int stall_seconds = 30;  // without a byte: the transfer failed
};

// A set of running transfers. Used from one thread.
class Transfers {
 public:
  // `stop` ends a poll at once when it is requested.
  Transfers(TransferOptions options, std::stop_token stop);
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;
  ~Transfers();

  // Starts a transfer; `id` comes back with its end. Ids of running transfers differ.
  [[nodiscard]] Status start(int id, TransferRequest request);

  // Ends all that run, without a word.
  void abandon_all();

  // Lets data flow until something ends, at most for `most`.
  [[nodiscard]] std::vector<TransferEnd> poll(std::chrono::milliseconds most);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
