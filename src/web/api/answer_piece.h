// What comes from running answers, and what makes a stream of it: the ground that the formats of
// all APIs stand on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/chat/chat_service.h"
#include "web/api/error_status.h"

namespace notso::api {

// What one or more tokens of an answer, or of its prompt, brought.
struct AnswerPiece {
  std::size_t choice = 0;               // which of the answers that run together
  std::vector<TokenLogprobs> logprobs;  // of its tokens, where they were asked for
  std::vector<ChatEvent> events;        // may be none; the last one of an answer is Finished
  std::optional<RequestReport> report;  // comes with Finished
};

// A whole answer.
struct Answer {
  Finished finished;
  RequestReport report;
  std::vector<TokenLogprobs> logprobs;
  std::vector<std::string> warnings;
};

// Why an answer that ended so is none to be given: the engine failed or stops, or its time was over
// before the first token. One that was cut later is given, as too long.
[[nodiscard]] std::optional<ApiError> failure_of(const Finished& finished,
                                                 const RequestReport& report);

// Writes answers as the bytes of a stream.
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;

  [[nodiscard]] virtual std::string_view content_type() const = 0;
  // What shows a silent stream to be alive; "": nothing does.
  [[nodiscard]] virtual std::string_view keep_alive() const = 0;
  // Before anything else.
  virtual void begin(std::string& out) = 0;
  // The next piece of one of the answers; never one that failed.
  virtual void add(const AnswerPiece& piece, std::string& out) = 0;
  // An answer has failed: nothing but end() follows.
  virtual void fail(const ApiError& error, std::string& out) = 0;
  virtual void end(std::string& out) = 0;
};

}  // namespace notso::api
