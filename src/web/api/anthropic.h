// Anthropic's messages: from the request's JSON to what the chat service is asked, and from answers
// back to JSON, whole or as events. Knows no connection.
//
// A message is a list of blocks: thinking, text, tool_use. A stream tells of each block when it
// begins, grows and ends.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/chat/chat_service.h"
#include "web/api/answer_parts.h"
#include "web/api/answer_piece.h"
#include "web/api/api_context.h"
#include "web/api/json_fields.h"

namespace notso::api {

// What POST /v1/messages asks for.
struct MessagesCall {
  std::string model;  // as asked
  ChatRequest request;
  bool stream = false;
};

// Reads the request.
[[nodiscard]] ApiResult<MessagesCall> read_messages_call(const boost::json::object& body,
                                                         const ApiContext& context);

// The part of a request that a prompt depends on: what POST /v1/messages/count_tokens takes.
[[nodiscard]] ApiResult<MessagesCall> read_messages_prompt(const boost::json::object& body);

// Reads `system` and `messages`.
void read_messages(Fields& fields, std::vector<Message>& messages);

// Anthropic's shape of an error: {"type": "error", "error": {"type", "message"}}.
[[nodiscard]] std::string messages_error_body(int status, const ApiError& error);

// What all objects of one answer begin with.
struct MessagesHead {
  std::string id;
  std::string model;
};

// The stop string that ended an answer of these tokens; "" if none did.
[[nodiscard]] std::string found_stop(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens,
                                     const std::vector<std::string>& stop);

// The whole answer.
[[nodiscard]] std::string message_body(const MessagesHead& head, const MessagesCall& call,
                                       const Finished& finished, const Tokenizer& tokenizer);

// The events of a streamed answer.
class MessageEvents final : public StreamFormat, private PartWriter {
 public:
  // `call` and `tokenizer` must outlive it. `prompt_tokens` is the size of the prompt, which the
  // first event tells; how much of it was cached comes with the last counts.
  MessageEvents(MessagesHead head, const MessagesCall& call, std::size_t prompt_tokens,
                const Tokenizer& tokenizer);

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

  MessagesHead head_;
  const MessagesCall& call_;
  std::size_t prompt_tokens_;
  const Tokenizer& tokenizer_;
  AnswerParts parts_;
  std::int64_t blocks_ = 0;  // that have begun
  bool failed_ = false;
};

}  // namespace notso::api
