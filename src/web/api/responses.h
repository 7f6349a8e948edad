// OpenAI's Responses: from the request's JSON to what the chat service is asked, and from answers
// back to JSON, whole or as events. Knows no connection and no store.
//
// An answer is a list of items: reasoning, a message, function calls. A stream tells of each item
// when it begins, grows and ends, and of the whole at its beginning and its end; all events are
// numbered.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/chat/chat_service.h"
#include "web/api/answer_parts.h"
#include "web/api/answer_piece.h"
#include "web/api/api_context.h"
#include "web/api/json_fields.h"

namespace notso::api {

// What POST /v1/responses asks for.
struct ResponseCall {
  std::string model;           // as asked
  std::string previous_id;     // of the response that this one goes on from
  std::string instructions;    // this response's system message, not passed on to the next
  std::vector<Message> input;  // what is new in the conversation
  ChatRequest request;         // its messages are still to be set
  bool stream = false;
  bool store = true;
  // The fields of a response that repeat the request.
  std::shared_ptr<const boost::json::object> echo;
};

// Reads the request.
[[nodiscard]] ApiResult<ResponseCall> read_response_call(const boost::json::object& body,
                                                         const ApiContext& context);

// Reads `input`: a text, or items of the types message, reasoning, function_call and
// function_call_output.
void read_response_input(Fields& fields, std::vector<Message>& messages);

// What all objects of one response begin with.
struct ResponseHead {
  std::string id;
  std::int64_t created_unix_s = 0;
  std::string model;
};
[[nodiscard]] ResponseHead response_head(const ChatModelInfo& info);

// The whole response, once its answer is there.
[[nodiscard]] std::string response_body(const ResponseHead& head, const ResponseCall& call,
                                        const Finished& finished,
                                        const std::vector<TokenLogprobs>& logprobs,
                                        const Tokenizer& tokenizer);

// The events of a streamed response.
class ResponseEvents final : public StreamFormat, private PartWriter {
 public:
  // `call` and `tokenizer` must outlive it.
  ResponseEvents(ResponseHead head, const ResponseCall& call, const Tokenizer& tokenizer);

  // The answer and the body of its response, once it has ended.
  [[nodiscard]] const std::optional<Finished>& finished() const { return finished_; }
  [[nodiscard]] const std::string& body() const { return body_; }

  [[nodiscard]] std::string_view content_type() const override;
  [[nodiscard]] std::string_view keep_alive() const override;
  void begin(std::string& out) override;
  void add(const AnswerPiece& piece, std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void end(std::string& out) override;

 private:
  void begin_part(const AnswerPart& part, std::string& out) override;
  void add_to_part(const AnswerPart& part, std::string_view text, std::string& out) override;
  void end_part(const AnswerPart& part, std::string& out) override;

  // Ends a part of text; gives its item.
  [[nodiscard]] boost::json::object end_text(const AnswerPart& part, std::string& out);
  [[nodiscard]] boost::json::object place(const AnswerPart& part) const;
  void write(std::string_view type, boost::json::object members, std::string& out);

  ResponseHead head_;
  const ResponseCall& call_;
  const Tokenizer& tokenizer_;
  AnswerParts parts_;
  std::vector<TokenLogprobs> logprobs_;  // of the content so far
  std::size_t logprobs_told_ = 0;        // how many of them are out
  std::size_t logprobs_begin_ = 0;       // where those of the part at hand begin
  std::size_t items_ = 0;                // that have begun
  std::size_t thoughts_ = 0;             // of them, items of reasoning
  std::size_t messages_ = 0;             // of them, messages
  std::int64_t sequence_ = 0;
  std::optional<Finished> finished_;
  std::string body_;
  bool failed_ = false;
};

}  // namespace notso::api
