// Reads one request from bytes, strictly: what two readers could understand in two ways is refused.
// Beast does the grammar of the head; around it stand checks that it leaves to its users: line ends
// and control characters as they came, one Host, one way to tell the body's length, limits on the
// target and the headers. A body has a known length or comes in chunks:
//
//   size in hexadecimal CRLF, that many bytes, CRLF; again and again;
//   "0" CRLF, trailer lines (read and dropped), an empty line
//
// with no chunk extensions, which nobody sends but to confuse. Does no input or output itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "web/http/limits.h"
#include "web/http/message.h"

namespace notso::http {

// The head of a request, understood.
struct RequestHead {
  std::string method;
  std::string target;
  bool http11 = true;
  bool keep_alive = true;
  bool expects_continue = false;  // waits for "100 Continue" before it sends the body
  std::optional<std::uint64_t> content_length;
  bool has_body = false;
  std::vector<Field> headers;
};

// Why a request is refused, and with which status. The connection cannot be used after it.
struct Refusal {
  int status = 400;
  std::string message;
};

// One request, from its first byte to its last.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits);

  // How far the request has been read.
  enum class State { kHead, kBody, kDone, kRefused };
  [[nodiscard]] State state() const { return state_; }

  // Takes what has come and returns how much of it was used; what was not must be given again with
  // more behind it. Stops between head and body, and at the end of the request.
  std::size_t feed(std::string_view bytes);

  // In all states but kHead and kRefused.
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] RequestHead& head() { return head_; }
  // In kRefused.
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

  // Bounds the body, before any of it is fed; refuses at once where its length is known.
  void limit_body(std::size_t bytes_max);
  // The body, in kDone.
  std::string take_body() { return std::move(body_); }

 private:
  // Where the next byte of a chunked body is.
  enum class Chunk { kSize, kData, kDataEnd, kTrailer };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_chunks(std::string_view bytes);
  std::size_t feed_chunk_size(std::string_view bytes);
  std::size_t feed_trailer(std::string_view bytes);
  std::size_t add_to_body(std::string_view bytes);
  bool check_lines(std::string_view head);
  bool read_head(std::string_view head);
  bool check_framing();
  bool read_framing_field(const Field& field);
  void refuse(int status, std::string message);

  Limits limits_;
  std::size_t body_bytes_max_;
  std::size_t searched_ = 0;  // bytes of the head that have no end in them
  State state_ = State::kHead;
  RequestHead head_;
  Refusal refusal_;
  std::string body_;
  Chunk chunk_ = Chunk::kSize;
  std::uint64_t remaining_ = 0;  // bytes of the body, or of the chunk, that are to come
  std::size_t trailer_bytes_ = 0;
};

}  // namespace notso::http
