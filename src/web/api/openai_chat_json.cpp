// Answers as OpenAI's chat completions: see openai_chat.h.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "web/api/openai_chat.h"
#include "web/api/token_text.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnswer = "chat.completion";
constexpr std::string_view kChunk = "chat.completion.chunk";

json::object one_logprob(const TokenLogprob& entry, const Tokenizer& tokenizer) {
  json::object object;
  object["token"] = token_text(tokenizer, entry.token);
  object["logprob"] = entry.logprob;
  // A control token has a name, but writes nothing.
  if (tokenizer.kind(entry.token) == TokenKind::kControl) {
    object["bytes"] = nullptr;
    return object;
  }
  json::array numbers;
  for (const char byte : tokenizer.token_bytes(entry.token)) {
    numbers.emplace_back(static_cast<unsigned char>(byte));
  }
  object["bytes"] = std::move(numbers);
  return object;
}

json::object logprob_object(const TokenLogprobs& logprobs, const Tokenizer& tokenizer) {
  json::object object = one_logprob(logprobs.token, tokenizer);
  json::array top;
  for (const TokenLogprob& entry : logprobs.top) top.push_back(one_logprob(entry, tokenizer));
  object["top_logprobs"] = std::move(top);
  return object;
}

json::value logprobs_value(std::span<const TokenLogprobs> tokens, const Tokenizer& tokenizer) {
  json::array content = logprobs_array(tokens, tokenizer);
  return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
}

json::object call_object(const ToolCall& call) {
  json::object function{{"name", call.name}, {"arguments", call.arguments}};
  return {{"id", call.id}, {"type", "function"}, {"function", std::move(function)}};
}

json::object message_object(const Message& message) {
  json::object object{{"role", "assistant"}};
  if (message.content.empty() && !message.tool_calls.empty()) {
    object["content"] = nullptr;
  } else {
    object["content"] = message.content;
  }
  object["refusal"] = nullptr;
  if (!message.reasoning.empty()) object["reasoning_content"] = message.reasoning;
  if (message.tool_calls.empty()) return object;
  json::array calls;
  for (const ToolCall& call : message.tool_calls) calls.push_back(call_object(call));
  object["tool_calls"] = std::move(calls);
  return object;
}

void append_event(const json::object& object, std::string& out) {
  out += "data: ";
  out += json::serialize(object);
  out += "\n\n";
}

json::object call_delta(const ToolCallDelta& call) {
  json::object function;
  json::object entry{{"index", call.index}};
  if (!call.id.empty()) {
    entry["id"] = call.id;
    entry["type"] = "function";
    function["name"] = call.name;
  }
  function["arguments"] = call.arguments_delta;
  entry["function"] = std::move(function);
  return {{"tool_calls", json::array{std::move(entry)}}};
}

}  // namespace

json::array logprobs_array(std::span<const TokenLogprobs> tokens, const Tokenizer& tokenizer) {
  json::array list;
  for (const TokenLogprobs& token : tokens) {
    if (token.part == TokenPart::kContent) list.push_back(logprob_object(token, tokenizer));
  }
  return list;
}

std::string chat_completion(const AnswerHead& head, std::span<const Answer> answers, bool logprobs,
                            const Tokenizer& tokenizer) {
  json::array choices;
  json::array warnings;
  std::vector<Usage> usages;
  for (const Answer& answer : answers) {
    json::object choice{{"index", choices.size()}};
    choice["message"] = message_object(answer.finished.message);
    choice["logprobs"] = logprobs ? logprobs_value(answer.logprobs, tokenizer) : nullptr;
    choice["finish_reason"] = finish_name(answer.finished.reason);
    choices.push_back(std::move(choice));
    usages.push_back(answer.finished.usage);
    for (const std::string& warning : answer.warnings) warnings.emplace_back(warning);
  }
  json::object object = head_object(head, kAnswer);
  object["choices"] = std::move(choices);
  object["usage"] = usage_object(usages, usages.size());
  if (!warnings.empty()) object["warnings"] = std::move(warnings);
  return json::serialize(object);
}

ChatChunks::ChatChunks(AnswerHead head, const ChatCall& call, const Tokenizer& tokenizer)
    : head_(std::move(head)),
      logprobs_(call.request.top_logprobs.has_value()),
      include_usage_(call.include_usage),
      tokenizer_(tokenizer),
      choices_(static_cast<std::size_t>(call.choices)) {}

std::string_view ChatChunks::content_type() const { return "text/event-stream; charset=utf-8"; }

std::string_view ChatChunks::keep_alive() const { return ": keep-alive\n\n"; }

void ChatChunks::begin(std::string& out) {
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    write(i, {{"role", "assistant"}, {"content", ""}}, "", out);
  }
}

void ChatChunks::write(std::size_t choice, json::object delta, std::string_view finish,
                       std::string& out) {
  json::object entry{{"index", choice}};
  entry["delta"] = std::move(delta);
  std::vector<TokenLogprobs>& logprobs = choices_[choice].logprobs;
  entry["logprobs"] = logprobs.empty() ? nullptr : logprobs_value(logprobs, tokenizer_);
  logprobs.clear();
  entry["finish_reason"] = finish.empty() ? json::value(nullptr) : json::value(finish);
  json::object object = head_object(head_, kChunk);
  object["choices"] = json::array{std::move(entry)};
  if (include_usage_) object["usage"] = nullptr;
  append_event(object, out);
}

void ChatChunks::add(const AnswerPiece& piece, std::string& out) {
  Choice& choice = choices_[piece.choice];
  std::copy_if(piece.logprobs.begin(), piece.logprobs.end(), std::back_inserter(choice.logprobs),
               [](const TokenLogprobs& token) { return token.part == TokenPart::kContent; });
  for (const ChatEvent& event : piece.events) {
    if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) {
      write(piece.choice, {{"reasoning_content", thinking->text}}, "", out);
    } else if (const auto* content = std::get_if<ContentDelta>(&event)) {
      write(piece.choice, {{"content", content->text}}, "", out);
    } else if (const auto* call = std::get_if<ToolCallDelta>(&event)) {
      write(piece.choice, call_delta(*call), "", out);
    } else if (const auto* warning = std::get_if<Warning>(&event)) {
      warnings_.push_back(warning->text);
    } else if (const auto* end = std::get_if<Finished>(&event)) {
      choice.usage = end->usage;
      write(piece.choice, {}, finish_name(end->reason), out);
    }
  }
}

void ChatChunks::fail(const ApiError& error, std::string& out) {
  failed_ = true;
  out += "data: " + openai_error_body(http_status(error), error) + "\n\n";
}

void ChatChunks::end(std::string& out) {
  if (include_usage_ && !failed_) {
    std::vector<Usage> usages;
    for (const Choice& choice : choices_) usages.push_back(choice.usage);
    json::object object = head_object(head_, kChunk);
    object["choices"] = json::array();
    object["usage"] = usage_object(usages, usages.size());
    if (!warnings_.empty()) object["warnings"] = json::array(warnings_.begin(), warnings_.end());
    append_event(object, out);
  }
  out += "data: [DONE]\n\n";
}

}  // namespace notso::api
