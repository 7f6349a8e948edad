// OpenAI's chat completions: from the request's JSON to what the chat service is asked, and from
// answers back to JSON, whole or in chunks. Knows no connection.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "service/chat/chat_service.h"
#include "web/api/answer_piece.h"
#include "web/api/api_context.h"
#include "web/api/error_status.h"
#include "web/api/json_fields.h"

namespace notso::api {

// What POST /v1/chat/completions asks for.
struct ChatCall {
  std::string model;    // as asked
  ChatRequest request;  // of the first choice
  std::int32_t choices = 1;
  bool stream = false;
  bool include_usage = false;
};

// Reads the request.
[[nodiscard]] ApiResult<ChatCall> read_chat_call(const boost::json::object& body,
                                                 const ApiContext& context);

// What the messages, the tools and the mode of thinking are: the part of a request that a prompt
// depends on.
[[nodiscard]] ApiResult<ChatRequest> read_conversation(const boost::json::object& body);

// Reads tool_choice: a word, or an object that names a function.
void read_tool_choice(Fields& fields, ToolChoice& choice);

// One request for each choice: they differ in their seeds and in the ids of their calls.
[[nodiscard]] std::vector<ChatRequest> choices_of(const ChatCall& call);

// What all objects of one answer begin with.
struct AnswerHead {
  std::string id;
  std::int64_t created_unix_s = 0;
  std::string model;
  std::string fingerprint;
};
[[nodiscard]] AnswerHead answer_head(std::string_view id_prefix, const ChatModelInfo& info);

// The head as the first members of an object of this kind.
[[nodiscard]] boost::json::object head_object(const AnswerHead& head, std::string_view kind);

// "stop", "length" or "tool_calls".
[[nodiscard]] std::string_view finish_name(FinishReason reason);

// The counts of all choices together; each `per_prompt` of them are of one prompt, which counts
// once.
[[nodiscard]] boost::json::object usage_object(std::span<const Usage> choices,
                                               std::size_t per_prompt);

// The entries of logprobs.content: one for each of the tokens that are text of the answer.
[[nodiscard]] boost::json::array logprobs_array(std::span<const TokenLogprobs> tokens,
                                                const Tokenizer& tokenizer);

// The whole answer.
[[nodiscard]] std::string chat_completion(const AnswerHead& head, std::span<const Answer> answers,
                                          bool logprobs, const Tokenizer& tokenizer);

// The chunks of a streamed answer: Server-Sent Events, the last one "[DONE]".
class ChatChunks final : public StreamFormat {
 public:
  // `tokenizer` must outlive it.
  ChatChunks(AnswerHead head, const ChatCall& call, const Tokenizer& tokenizer);

  [[nodiscard]] std::string_view content_type() const override;
  [[nodiscard]] std::string_view keep_alive() const override;
  void begin(std::string& out) override;
  void add(const AnswerPiece& piece, std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void end(std::string& out) override;

 private:
  struct Choice {
    std::vector<TokenLogprobs> logprobs;  // of tokens whose text has not come yet
    Usage usage;
  };

  void write(std::size_t choice, boost::json::object delta, std::string_view finish,
             std::string& out);

  AnswerHead head_;
  bool logprobs_;
  bool include_usage_;
  const Tokenizer& tokenizer_;
  std::vector<Choice> choices_;
  std::vector<std::string> warnings_;
  bool failed_ = false;
};

}  // namespace notso::api
