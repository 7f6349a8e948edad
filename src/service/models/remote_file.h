// What a server says about a file before any of it is taken: redirects followed by our rules, its
// length, its checksum, and whether it can be read in ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "service/models/transfer.h"

namespace notso {

// A file on a server, as found just now.
struct RemoteFile {
  std::string url;    // behind all redirects
  std::string token;  // that this address may see
  std::optional<std::uint64_t> bytes;
  std::string sha256;     // in lower case; "": the server does not say
  std::string validator;  // a strong ETag or a date, for If-Range; "": none
  bool ranges = false;

  // What tells one version of the file from another; "": nothing does.
  [[nodiscard]] std::string identity() const;
};

// Why a request did not work.
struct RemoteProblem {
  Error error;
  bool again = false;        // it may work later
  std::uint64_t wait_s = 0;  // what the server asks to wait
};

// Who may see the token: one origin.
struct TokenRule {
  std::string token;
  std::string origin;  // as origin_of gives it
};

// Asks for the file's first byte, following at most kMaxRedirects redirects.
[[nodiscard]] tl::expected<RemoteFile, RemoteProblem> find_remote_file(
    const std::string& url, const TokenRule& rule, const TransferOptions& options,
    const std::stop_token& stop);
inline constexpr int kMaxRedirects = 8;

// The problem that a status other than success stands for.
[[nodiscard]] RemoteProblem problem_of_status(const ResponseHead& head, const std::string& url,
                                              bool token_sent);

// The strong ETag or the date of an answer, for If-Range; "": neither.
[[nodiscard]] std::string validator_of(const ResponseHead& head);

}  // namespace notso
