// Answers as OpenAI's Responses: see responses.h.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "web/api/openai_chat.h"
#include "web/api/responses.h"

namespace notso::api {
namespace {

namespace json = boost::json;

using Kind = AnswerPart::Kind;

std::string call_item_id(const ToolCall& call) { return "fc_" + call.id; }
// Text may come before a call and after it, thoughts before text and after it: in a stream those
// are two items.
std::string item_id(std::string_view prefix, const ResponseHead& head, std::size_t number) {
  if (number <= 1) return fmt::format("{}{}", prefix, head.id);
  return fmt::format("{}{}_{}", prefix, head.id, number);
}
std::string reasoning_id(const ResponseHead& head, std::size_t number = 1) {
  return item_id("rs_", head, number);
}
std::string message_id(const ResponseHead& head, std::size_t number = 1) {
  return item_id("msg_", head, number);
}

json::object text_part(std::string_view text, json::array logprobs) {
  json::object part{{"type", "output_text"}, {"text", text}};
  part["annotations"] = json::array();
  part["logprobs"] = std::move(logprobs);
  return part;
}

json::object reasoning_part(std::string_view text) {
  return {{"type", "reasoning_text"}, {"text", text}};
}

json::object reasoning_item(const std::string& id, std::string_view status, json::array content) {
  json::object item{{"id", id}, {"type", "reasoning"}, {"status", status}};
  item["summary"] = json::array();
  item["content"] = std::move(content);
  return item;
}

json::object message_item(const std::string& id, std::string_view status, json::array content) {
  json::object item{{"id", id}, {"type", "message"}, {"status", status}, {"role", "assistant"}};
  item["content"] = std::move(content);
  return item;
}

json::object call_item(const ToolCall& call, std::string_view status, std::string_view arguments) {
  return {{"id", call_item_id(call)}, {"type", "function_call"}, {"status", status},
          {"call_id", call.id},       {"name", call.name},       {"arguments", arguments}};
}

json::object usage_of(const Usage& usage) {
  json::object object;
  object["input_tokens"] = usage.prompt_tokens;
  object["input_tokens_details"] = {{"cached_tokens", usage.cached_tokens}};
  object["output_tokens"] = usage.completion_tokens;
  object["output_tokens_details"] = {{"reasoning_tokens", usage.thinking_tokens}};
  object["total_tokens"] = usage.prompt_tokens + usage.completion_tokens;
  return object;
}

// A response that has only begun.
json::object begun(const ResponseHead& head, const ResponseCall& call, std::string_view status) {
  json::object object;
  object["id"] = head.id;
  object["object"] = "response";
  object["created_at"] = head.created_unix_s;
  object["status"] = status;
  object["error"] = nullptr;
  object["incomplete_details"] = nullptr;
  object["model"] = head.model;
  object["output"] = json::array();
  object["usage"] = nullptr;
  for (const auto& member : *call.echo) object[member.key()] = member.value();
  return object;
}

bool is_cut(const Finished& finished) { return finish_name(finished.reason) == "length"; }

}  // namespace

// The id of a response is all that it takes to read it: more random bits than other ids have.
ResponseHead response_head(const ChatModelInfo& info) {
  return {fmt::format("{}{:016x}", random_id("resp_"), random_bits()), unix_now_s(), info.name};
}

std::string response_body(const ResponseHead& head, const ResponseCall& call,
                          const Finished& finished, const std::vector<TokenLogprobs>& logprobs,
                          const Tokenizer& tokenizer) {
  const Message& message = finished.message;
  const std::string_view status = is_cut(finished) ? "incomplete" : "completed";
  json::array output;
  if (!message.reasoning.empty()) {
    output.push_back(
        reasoning_item(reasoning_id(head), "completed", {reasoning_part(message.reasoning)}));
  }
  if (!message.content.empty()) {
    json::array content;
    content.push_back(text_part(message.content, logprobs_array(logprobs, tokenizer)));
    output.push_back(message_item(message_id(head), status, std::move(content)));
  }
  for (const ToolCall& made : message.tool_calls) {
    output.push_back(call_item(made, "completed", made.arguments));
  }
  json::object object = begun(head, call, status);
  if (is_cut(finished)) object["incomplete_details"] = {{"reason", "max_output_tokens"}};
  object["output"] = std::move(output);
  object["usage"] = usage_of(finished.usage);
  return json::serialize(object);
}

ResponseEvents::ResponseEvents(ResponseHead head, const ResponseCall& call,
                               const Tokenizer& tokenizer)
    : head_(std::move(head)), call_(call), tokenizer_(tokenizer) {}

std::string_view ResponseEvents::content_type() const { return "text/event-stream; charset=utf-8"; }

std::string_view ResponseEvents::keep_alive() const { return ": keep-alive\n\n"; }

void ResponseEvents::write(std::string_view type, json::object members, std::string& out) {
  json::object event{{"type", type}, {"sequence_number", sequence_++}};
  for (auto& member : members) event[member.key()] = std::move(member.value());
  out += fmt::format("event: {}\ndata: {}\n\n", type, json::serialize(event));
}

void ResponseEvents::begin(std::string& out) {
  const json::object response = begun(head_, call_, "in_progress");
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    write(type, {{"response", response}}, out);
  }
}

void ResponseEvents::add(const AnswerPiece& piece, std::string& out) {
  for (const TokenLogprobs& token : piece.logprobs) {
    if (token.part == TokenPart::kContent) logprobs_.push_back(token);
  }
  if (piece.report) finished_ = std::get<Finished>(piece.events.back());
  parts_.add(piece.events, *this, out);
  if (finished_) body_ = response_body(head_, call_, *finished_, logprobs_, tokenizer_);
}

// Where in the response a part stands.
json::object ResponseEvents::place(const AnswerPart& part) const {
  json::object members{{"output_index", items_ - 1}};
  if (part.kind == Kind::kCall) {
    members["item_id"] = call_item_id(part.call);
  } else {
    members["item_id"] = part.kind == Kind::kThinking ? reasoning_id(head_, thoughts_)
                                                      : message_id(head_, messages_);
    members["content_index"] = 0;
  }
  return members;
}

void ResponseEvents::begin_part(const AnswerPart& part, std::string& out) {
  json::object added{{"output_index", items_++}};
  if (part.kind == Kind::kCall) {
    added["item"] = call_item(part.call, "in_progress", "");
    write("response.output_item.added", std::move(added), out);
    return;
  }
  const bool thinking = part.kind == Kind::kThinking;
  ++(thinking ? thoughts_ : messages_);
  logprobs_begin_ = logprobs_told_;
  json::object begun_part = place(part);
  const std::string id(begun_part.at("item_id").as_string());
  added["item"] =
      thinking ? reasoning_item(id, "in_progress", {}) : message_item(id, "in_progress", {});
  write("response.output_item.added", std::move(added), out);
  begun_part["part"] = thinking ? reasoning_part("") : text_part("", {});
  write("response.content_part.added", std::move(begun_part), out);
}

void ResponseEvents::add_to_part(const AnswerPart& part, std::string_view text, std::string& out) {
  json::object members = place(part);
  members["delta"] = text;
  switch (part.kind) {
    case Kind::kThinking:
      write("response.reasoning_text.delta", std::move(members), out);
      break;
    case Kind::kCall:
      write("response.function_call_arguments.delta", std::move(members), out);
      break;
    case Kind::kContent:
      members["logprobs"] =
          logprobs_array(std::span(logprobs_).subspan(logprobs_told_), tokenizer_);
      logprobs_told_ = logprobs_.size();
      write("response.output_text.delta", std::move(members), out);
  }
}

void ResponseEvents::end_part(const AnswerPart& part, std::string& out) {
  json::object item;
  if (part.kind == Kind::kCall) {
    json::object done = place(part);
    done["name"] = part.call.name;
    done["arguments"] = part.text;
    write("response.function_call_arguments.done", std::move(done), out);
    item = call_item(part.call, part.dropped ? "incomplete" : "completed", part.text);
  } else {
    item = end_text(part, out);
  }
  json::object item_done{{"output_index", items_ - 1}};
  item_done["item"] = std::move(item);
  write("response.output_item.done", std::move(item_done), out);
}

json::object ResponseEvents::end_text(const AnswerPart& part, std::string& out) {
  const bool thinking = part.kind == Kind::kThinking;
  json::object done = place(part);
  const std::string id(done.at("item_id").as_string());
  json::object whole = reasoning_part(part.text);
  json::object part_done = done;
  done["text"] = part.text;
  if (!thinking) {
    json::array logprobs =
        logprobs_array(std::span(logprobs_).subspan(logprobs_begin_), tokenizer_);
    done["logprobs"] = logprobs;
    whole = text_part(part.text, std::move(logprobs));
  }
  part_done["part"] = whole;
  write(thinking ? "response.reasoning_text.done" : "response.output_text.done", std::move(done),
        out);
  write("response.content_part.done", std::move(part_done), out);
  json::array content;
  content.push_back(std::move(whole));
  if (thinking) return reasoning_item(id, "completed", std::move(content));
  const bool cut = finished_ && is_cut(*finished_);
  return message_item(id, cut ? "incomplete" : "completed", std::move(content));
}

void ResponseEvents::fail(const ApiError& error, std::string& out) {
  failed_ = true;
  json::object response = begun(head_, call_, "failed");
  response["error"] = {{"code", "server_error"}, {"message", error.message}};
  write("response.failed", {{"response", std::move(response)}}, out);
}

void ResponseEvents::end(std::string& out) {
  if (failed_ || !finished_) return;
  const std::string_view type = is_cut(*finished_) ? "response.incomplete" : "response.completed";
  out += fmt::format(
      "event: {0}\ndata: {{\"type\":\"{0}\",\"sequence_number\":{1},\"response\":{2}}}\n\n", type,
      sequence_++, body_);
}

}  // namespace notso::api
