// Answers as Anthropic's messages: see anthropic.h.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "web/api/anthropic.h"
#include "web/api/openai_chat.h"

namespace notso::api {
namespace {

namespace json = boost::json;

using Kind = AnswerPart::Kind;

constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

std::string_view error_name(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

// There is nothing to sign: a thought that comes back is believed as any other text is.
json::object thinking_block(std::string_view text) {
  return {{"type", "thinking"}, {"thinking", text}, {"signature", ""}};
}

json::object text_block(std::string_view text) {
  return {{"type", "text"}, {"text", text}, {"citations", nullptr}};
}

json::object call_block(const ToolCall& call, json::value input) {
  json::object block{{"type", "tool_use"}, {"id", call.id}, {"name", call.name}};
  block["input"] = std::move(input);
  return block;
}

// What a grammar has written is JSON; were it not, an empty object stands for it.
json::value input_of(const ToolCall& call) {
  auto input = parse_object(call.arguments);
  if (!input) return json::object();
  return std::move(*input);
}

// Tokens from the cache count apart, as Anthropic counts them.
json::object usage_of(std::int64_t prompt, std::int64_t cached, std::int64_t written) {
  return {{"input_tokens", prompt - cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", written}};
}

json::object usage_of(const Usage& usage) {
  json::object object = usage_of(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens);
  object["output_tokens_details"] = {{"thinking_tokens", usage.thinking_tokens}};
  return object;
}

json::object message_object(const MessagesHead& head, json::array content) {
  json::object object{{"id", head.id}, {"type", "message"}, {"role", "assistant"}};
  object["model"] = head.model;
  object["content"] = std::move(content);
  return object;
}

// Sets why the answer ended.
void set_stop(json::object& object, const Finished& finished, const MessagesCall& call,
              const Tokenizer& tokenizer) {
  const std::string_view name = finish_name(finished.reason);
  const std::string stop =
      name == "stop" ? found_stop(tokenizer, finished.message.tokens, call.request.answer.stop)
                     : "";
  object["stop_reason"] = "end_turn";
  object["stop_sequence"] = nullptr;
  if (name == "length") object["stop_reason"] = "max_tokens";
  if (name == "tool_calls") object["stop_reason"] = "tool_use";
  if (stop.empty()) return;
  object["stop_reason"] = "stop_sequence";
  object["stop_sequence"] = stop;
}

void write(std::string_view type, json::object members, std::string& out) {
  json::object event{{"type", type}};
  for (auto& member : members) event[member.key()] = std::move(member.value());
  out += fmt::format("event: {}\ndata: {}\n\n", type, json::serialize(event));
}

}  // namespace

std::string messages_error_body(int status, const ApiError& error) {
  json::object inner{{"type", error_name(status)}, {"message", error.message}};
  json::object outer{{"type", "error"}};
  outer["error"] = std::move(inner);
  return json::serialize(outer);
}

// The answer ended with the token that completed a stop string: of those that end inside it, the
// one that is complete first, and of several that are so at once, the longest.
std::string found_stop(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens,
                       const std::vector<std::string>& stop) {
  if (tokens.empty() || stop.empty()) return "";
  const std::string last(tokenizer.token_bytes(tokens.back(), false));
  const std::string text = tokenizer.decode(tokens, false);
  for (std::size_t end = text.size() - last.size() + 1; end <= text.size(); ++end) {
    const std::string_view before = std::string_view(text).substr(0, end);
    const std::string* found = nullptr;
    for (const std::string& one : stop) {
      if (before.ends_with(one) && (found == nullptr || one.size() > found->size())) found = &one;
    }
    if (found != nullptr) return *found;
  }
  return "";
}

std::string message_body(const MessagesHead& head, const MessagesCall& call,
                         const Finished& finished, const Tokenizer& tokenizer) {
  const Message& message = finished.message;
  json::array content;
  if (!message.reasoning.empty()) content.push_back(thinking_block(message.reasoning));
  if (!message.content.empty()) content.push_back(text_block(message.content));
  for (const ToolCall& made : message.tool_calls) {
    content.push_back(call_block(made, input_of(made)));
  }
  json::object object = message_object(head, std::move(content));
  set_stop(object, finished, call, tokenizer);
  object["usage"] = usage_of(finished.usage);
  return json::serialize(object);
}

MessageEvents::MessageEvents(MessagesHead head, const MessagesCall& call, std::size_t prompt_tokens,
                             const Tokenizer& tokenizer)
    : head_(std::move(head)), call_(call), prompt_tokens_(prompt_tokens), tokenizer_(tokenizer) {}

std::string_view MessageEvents::content_type() const { return "text/event-stream; charset=utf-8"; }

std::string_view MessageEvents::keep_alive() const { return kPing; }

void MessageEvents::begin(std::string& out) {
  json::object message = message_object(head_, {});
  message["stop_reason"] = nullptr;
  message["stop_sequence"] = nullptr;
  message["usage"] = usage_of(static_cast<std::int64_t>(prompt_tokens_), 0, 0);
  write("message_start", {{"message", std::move(message)}}, out);
  out += kPing;
}

void MessageEvents::add(const AnswerPiece& piece, std::string& out) {
  parts_.add(piece.events, *this, out);
  if (!piece.report) return;
  const auto& finished = std::get<Finished>(piece.events.back());
  json::object delta;
  set_stop(delta, finished, call_, tokenizer_);
  json::object members;
  members["delta"] = std::move(delta);
  members["usage"] = usage_of(finished.usage);
  write("message_delta", std::move(members), out);
}

void MessageEvents::begin_part(const AnswerPart& part, std::string& out) {
  json::object members{{"index", blocks_++}};
  switch (part.kind) {
    case Kind::kThinking:
      members["content_block"] = thinking_block("");
      break;
    case Kind::kContent:
      members["content_block"] = text_block("");
      break;
    case Kind::kCall:
      members["content_block"] = call_block(part.call, json::object());
  }
  write("content_block_start", std::move(members), out);
}

void MessageEvents::add_to_part(const AnswerPart& part, std::string_view text, std::string& out) {
  json::object delta;
  switch (part.kind) {
    case Kind::kThinking:
      delta = {{"type", "thinking_delta"}, {"thinking", text}};
      break;
    case Kind::kContent:
      delta = {{"type", "text_delta"}, {"text", text}};
      break;
    case Kind::kCall:
      delta = {{"type", "input_json_delta"}, {"partial_json", text}};
  }
  json::object members{{"index", blocks_ - 1}};
  members["delta"] = std::move(delta);
  write("content_block_delta", std::move(members), out);
}

void MessageEvents::end_part(const AnswerPart&, std::string& out) {
  write("content_block_stop", {{"index", blocks_ - 1}}, out);
}

void MessageEvents::fail(const ApiError& error, std::string& out) {
  failed_ = true;
  out += fmt::format("event: error\ndata: {}\n\n", messages_error_body(http_status(error), error));
}

void MessageEvents::end(std::string& out) {
  if (!failed_) write("message_stop", {}, out);
}

}  // namespace notso::api
