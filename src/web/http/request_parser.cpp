#include "web/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/none.hpp>
#include <charconv>
#include <limits>
#include <utility>

#include "web/http/text.h"

namespace notso::http {

namespace beast_http = boost::beast::http;
using ErrorOfBeast = boost::beast::error_code;

namespace {

// Bytes of a chunk's size line: more digits than any body may have.
constexpr std::size_t kSizeDigitsMax = 15;

// Whether something that ends at `end` is over its limit; where its end has not come, `bytes` have,
// and the last `end_bytes` of them may be the beginning of the end.
bool is_over(std::size_t end, std::size_t bytes, std::size_t end_bytes, std::size_t bytes_max) {
  return end == std::string_view::npos ? bytes > bytes_max + end_bytes : end > bytes_max;
}

}  // namespace

RequestParser::RequestParser(const Limits& limits)
    : limits_(limits), body_bytes_max_(limits.body_bytes_max) {}

void RequestParser::refuse(int status, std::string message) {
  state_ = State::kRefused;
  refusal_ = {status, std::move(message)};
  body_.clear();
}

std::size_t RequestParser::feed(std::string_view bytes) {
  if (state_ == State::kHead) return feed_head(bytes);
  if (state_ != State::kBody) return 0;
  if (!head_.content_length) return feed_chunks(bytes);
  const std::size_t used = add_to_body(bytes);
  if (remaining_ == 0) state_ = State::kDone;
  return used;
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  // Some clients end a body with a line end that is not part of it.
  if (bytes.starts_with("\r\n")) {
    searched_ = 0;
    return 2;
  }
  const std::size_t end = bytes.find("\r\n\r\n", searched_ < 3 ? 0 : searched_ - 3);
  const std::size_t line = bytes.find("\r\n");
  // The method and the version take less than 32 bytes of the request line.
  if (is_over(line, bytes.size(), 1, limits_.target_bytes_max + 32)) {
    refuse(414, "The request line is too long.");
    return 0;
  }
  if (is_over(end, bytes.size(), 3, limits_.header_bytes_max)) {
    refuse(431, "The headers are over " + std::to_string(limits_.header_bytes_max) + " bytes.");
    return 0;
  }
  if (end == std::string_view::npos) {
    searched_ = bytes.size();
    return 0;
  }
  const std::string_view head = bytes.substr(0, end + 4);
  if (check_lines(head) && read_head(head) && check_framing()) {
    state_ = head_.has_body ? State::kBody : State::kDone;
    remaining_ = head_.content_length.value_or(0);
  }
  return state_ == State::kRefused ? 0 : head.size();
}

bool RequestParser::check_lines(std::string_view head) {
  std::size_t lines = 0;
  for (std::size_t i = 0; i < head.size(); ++i) {
    const auto byte = static_cast<unsigned char>(head[i]);
    if (head[i] == '\r') {
      if (i + 1 == head.size() || head[i + 1] != '\n') {
        refuse(400, "A header has a carriage return that ends no line.");
        return false;
      }
      ++i;
      ++lines;
      const char next = i + 1 < head.size() ? head[i + 1] : '\r';
      if (next == ' ' || next == '\t') {
        refuse(400, "A header goes on over the end of its line.");
        return false;
      }
    } else if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
      refuse(400, "A header has a control character.");
      return false;
    }
  }
  // The request line and the empty line are no headers.
  if (lines > limits_.headers_max + 2) {
    refuse(431, "There are over " + std::to_string(limits_.headers_max) + " headers.");
    return false;
  }
  return true;
}

bool RequestParser::read_head(std::string_view head) {
  beast_http::request_parser<beast_http::empty_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  parser.eager(false);
  ErrorOfBeast error;
  const std::size_t used = parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error || used != head.size() || !parser.is_header_done()) {
    const bool version = error == beast_http::error::bad_version;
    refuse(400, version ? "The request is not HTTP/1.1 or HTTP/1.0."
                        : "The request cannot be read: " + error.message() + ".");
    return false;
  }
  const auto& message = parser.get();
  head_.method = std::string(message.method_string());
  head_.target = std::string(message.target());
  head_.http11 = message.version() == 11;
  head_.keep_alive = head_.http11 && parser.keep_alive();
  for (const auto& field : message.base()) {
    head_.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  const bool named = std::all_of(head_.method.begin(), head_.method.end(),
                                 [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!named || head_.method.size() > 16) {
    refuse(400, "The method is not one of HTTP's.");
    return false;
  }
  if (head_.target.size() > limits_.target_bytes_max) {
    refuse(414, "The target is over " + std::to_string(limits_.target_bytes_max) + " bytes.");
    return false;
  }
  return true;
}

bool RequestParser::read_framing_field(const Field& field) {
  if (same_name(field.name, "content-length")) {
    const bool digits = !field.value.empty() && field.value.size() <= 18 &&
                        field.value.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      refuse(400, "Content-Length is not a number.");
      return false;
    }
    head_.content_length = std::stoull(field.value);
  } else if (same_name(field.name, "transfer-encoding")) {
    if (!same_name(field.value, "chunked") || !head_.http11) {
      refuse(400, "Transfer-Encoding is not 'chunked'.");
      return false;
    }
  } else if (same_name(field.name, "expect")) {
    if (!same_name(field.value, "100-continue")) {
      refuse(417, "Expect is not '100-continue'.");
      return false;
    }
    head_.expects_continue = head_.http11;
  }
  return true;
}

bool RequestParser::check_framing() {
  const auto count = [&](std::string_view name) {
    return std::count_if(head_.headers.begin(), head_.headers.end(),
                         [&](const Field& field) { return same_name(field.name, name); });
  };
  const auto encodings = count("transfer-encoding");
  if (count("content-length") + encodings > 1) {
    refuse(400, "The body's length is given more than once.");
    return false;
  }
  const auto hosts = count("host");
  if (hosts > 1 || (hosts == 0 && head_.http11)) {
    refuse(400, "There must be one Host header.");
    return false;
  }
  for (const Field& field : head_.headers) {
    if (!read_framing_field(field)) return false;
  }
  head_.has_body = encodings > 0 || head_.content_length.value_or(0) > 0;
  return true;
}

void RequestParser::limit_body(std::size_t bytes_max) {
  body_bytes_max_ = bytes_max;
  if (state_ != State::kBody || head_.content_length.value_or(0) <= bytes_max) return;
  refuse(413, "The body is over " + std::to_string(bytes_max) + " bytes.");
}

std::size_t RequestParser::add_to_body(std::string_view bytes) {
  const std::string_view part =
      bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size())));
  if (part.size() > body_bytes_max_ - std::min(body_bytes_max_, body_.size())) {
    refuse(413, "The body is over " + std::to_string(body_bytes_max_) + " bytes.");
    return 0;
  }
  body_ += part;
  remaining_ -= part.size();
  return part.size();
}

std::size_t RequestParser::feed_chunks(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::kBody) {
    const std::string_view rest = bytes.substr(used);
    std::size_t taken = 0;
    switch (chunk_) {
      case Chunk::kSize:
        taken = feed_chunk_size(rest);
        break;
      case Chunk::kData:
        taken = add_to_body(rest);
        if (remaining_ == 0) chunk_ = Chunk::kDataEnd;
        break;
      case Chunk::kDataEnd:
        if (rest.size() < 2) return used;
        if (!rest.starts_with("\r\n")) refuse(400, "A chunk is longer than its size.");
        taken = 2;
        chunk_ = Chunk::kSize;
        break;
      case Chunk::kTrailer:
        taken = feed_trailer(rest);
        break;
    }
    if (taken == 0) break;
    used += taken;
  }
  return used;
}

std::size_t RequestParser::feed_chunk_size(std::string_view bytes) {
  const std::size_t digits =
      std::min(bytes.find_first_not_of("0123456789abcdefABCDEF"), bytes.size());
  const std::string_view end = bytes.substr(digits, 2);
  const bool complete = end == "\r\n";
  const bool hopeful = end.empty() || end == "\r";
  if (digits > kSizeDigitsMax || (!complete && !hopeful) || (digits == 0 && !end.empty())) {
    refuse(400, "A chunk's size is not a hexadecimal number by itself.");
    return 0;
  }
  if (!complete) return 0;
  std::from_chars(bytes.data(), bytes.data() + digits, remaining_, 16);
  if (remaining_ > body_bytes_max_) {
    refuse(413, "The body is over " + std::to_string(body_bytes_max_) + " bytes.");
    return 0;
  }
  chunk_ = remaining_ > 0 ? Chunk::kData : Chunk::kTrailer;
  return digits + 2;
}

std::size_t RequestParser::feed_trailer(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  const std::size_t room =
      limits_.header_bytes_max - std::min(trailer_bytes_, limits_.header_bytes_max);
  if (is_over(end, bytes.size(), 1, room)) {
    refuse(431, "The trailer is over " + std::to_string(limits_.header_bytes_max) + " bytes.");
    return 0;
  }
  if (end == std::string_view::npos) return 0;
  if (end == 0) {
    state_ = State::kDone;
    return 2;
  }
  const std::string_view line = bytes.substr(0, end);
  const std::size_t colon = line.find(':');
  const bool control = std::any_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  if (colon == 0 || colon == std::string_view::npos || line[0] == ' ' || line[0] == '\t' ||
      control) {
    refuse(400, "A line of the trailer is not a header.");
    return 0;
  }
  trailer_bytes_ += end + 2;
  return end + 2;
}

}  // namespace notso::http
