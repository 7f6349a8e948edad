#include "web/api/openai_chat.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "service/chat/content.h"
#include "web/api/sampling_fields.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

// What is asked of thinking, by OpenAI's reasoning_effort and by the template's own switch, which
// counts where both are there.
void read_thinking(Fields& fields, ChatRequest& request) {
  if (std::string effort; fields.has("reasoning_effort")) {
    fields.string("reasoning_effort", 64, effort);
    const auto named = effort_named(effort);
    if (named) {
      request.prompt_options.thinking = named->thinking;
      request.answer.thinking_budget = named->budget;
    } else {
      fields.refuse("reasoning_effort", "must be none, minimal, low, medium, high or xhigh");
    }
  }
  if (const json::object* kwargs = fields.object("chat_template_kwargs")) {
    Fields inner(*kwargs, fields.name_of("chat_template_kwargs"));
    inner.boolean("enable_thinking", request.prompt_options.thinking);
    if (inner.error()) fields.refuse(*inner.error());
  }
  if (fields.has("thinking_budget")) {
    std::int32_t budget = 0;
    fields.integer("thinking_budget", 0, kInt32Max, budget);
    request.answer.thinking_budget = budget;
  }
}

void read_logprobs(Fields& fields, ChatRequest& request) {
  bool wanted = false;
  fields.boolean("logprobs", wanted);
  int top = 0;
  fields.integer("top_logprobs", 0, 20, top);
  if (wanted) {
    request.top_logprobs = top;
  } else if (top > 0) {
    fields.refuse("top_logprobs", "needs logprobs: true");
  }
}

// What would change the answer's meaning if it were passed over in silence.
void refuse_unsupported(Fields& fields) {
  if (fields.has("functions") || fields.has("function_call")) {
    fields.refuse(fields.has("functions") ? "functions" : "function_call",
                  "is not supported any more; use tools and tool_choice", ErrorCode::kUnsupported);
  }
  if (fields.has("audio")) {
    fields.refuse("audio", "is not supported: this model writes only text",
                  ErrorCode::kUnsupported);
  }
}

void read_conversation(Fields& fields, ChatRequest& request) {
  if (const json::value* messages = fields.find("messages")) {
    auto read = messages_from_json(*messages);
    if (read) {
      request.messages = std::move(*read);
    } else {
      fields.refuse("messages", std::move(read.error()));
    }
  } else {
    fields.refuse("messages", "is missing");
  }
  if (const json::array* tools = fields.array("tools", ContentLimits().tools_max)) {
    auto read = tools_from_json(json::value(*tools));
    if (read) {
      request.prompt_options.tools = std::move(*read);
    } else {
      fields.refuse("tools", std::move(read.error()));
    }
  }
  read_thinking(fields, request);
}

}  // namespace

void read_tool_choice(Fields& fields, ToolChoice& choice) {
  const json::value* value = fields.find("tool_choice");
  if (value == nullptr) return;
  std::string word;
  if (value->is_string()) {
    fields.string("tool_choice", 64, word);
  } else if (const json::object* object = fields.object("tool_choice")) {
    Fields named(*object, fields.name_of("tool_choice"));
    named.string("type", 64, word);
    // {"type": "function", "function": {"name": ...}}, or the name beside the type.
    const json::object* function = named.object("function");
    Fields inner(function == nullptr ? *object : *function,
                 function == nullptr ? fields.name_of("tool_choice") : named.name_of("function"));
    inner.string("name", 64, choice.name);
    if (word == "function" && choice.name.empty()) inner.refuse("name", "is missing");
    if (named.error()) fields.refuse(*named.error());
    if (inner.error()) fields.refuse(*inner.error());
  }
  if (word == "none") {
    choice.kind = ToolChoice::Kind::kNone;
  } else if (word == "auto") {
    choice.kind = ToolChoice::Kind::kAuto;
  } else if (word == "required") {
    choice.kind = ToolChoice::Kind::kRequired;
  } else if (word == "function") {
    choice.kind = ToolChoice::Kind::kNamed;
  } else {
    fields.refuse("tool_choice",
                  "must be none, auto, required or {\"type\": \"function\", \"function\": "
                  "{\"name\": ...}}");
  }
}

ApiResult<ChatRequest> read_conversation(const json::object& body) {
  Fields fields(body);
  ChatRequest request;
  read_conversation(fields, request);
  if (fields.error()) return tl::unexpected(*fields.error());
  return request;
}

ApiResult<ChatCall> read_chat_call(const json::object& body, const ApiContext& context) {
  Fields fields(body);
  ChatCall call;
  fields.string("model", 1024, call.model);
  ChatRequest& request = call.request;
  AnswerOptions& answer = request.answer;
  read_conversation(fields, request);
  refuse_unsupported(fields);
  read_tool_choice(fields, answer.tool_choice);
  fields.boolean("parallel_tool_calls", answer.parallel_tool_calls);
  answer.sampling = context.sampling;
  read_sampling(fields, answer.sampling);
  read_stop(fields, answer.stop);
  read_max_tokens(fields, 1, answer.max_tokens);
  read_response_format(fields, answer.response_format);
  read_logprobs(fields, request);
  fields.integer("n", 1, context.choices_max, call.choices);
  fields.boolean("stream", call.stream);
  if (const json::object* options = fields.object("stream_options")) {
    Fields inner(*options, "stream_options");
    inner.boolean("include_usage", call.include_usage);
    if (inner.error()) fields.refuse(*inner.error());
  }
  if (fields.error()) return tl::unexpected(*fields.error());
  return call;
}

std::vector<ChatRequest> choices_of(const ChatCall& call) {
  std::vector<ChatRequest> requests(static_cast<std::size_t>(call.choices), call.request);
  std::uint64_t seed = call.request.answer.sampling.seed;
  for (ChatRequest& request : requests) {
    request.answer.sampling.seed = seed++;
    request.answer.call_id_prefix = random_id("call_");
  }
  return requests;
}

AnswerHead answer_head(std::string_view id_prefix, const ChatModelInfo& info) {
  return {random_id(id_prefix), unix_now_s(), info.name, system_fingerprint(info)};
}

json::object head_object(const AnswerHead& head, std::string_view kind) {
  json::object object;
  object["id"] = head.id;
  object["object"] = kind;
  object["created"] = head.created_unix_s;
  object["model"] = head.model;
  object["system_fingerprint"] = head.fingerprint;
  return object;
}

// An answer that ran out of its time is cut like one that ran out of tokens: what there is of it is
// good, and it could go on.
std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kLength:
    case FinishReason::kTimeout:
      return "length";
    case FinishReason::kToolCalls:
      return "tool_calls";
    default:
      return "stop";
  }
}

json::object usage_object(std::span<const Usage> choices, std::size_t per_prompt) {
  std::int64_t read = 0;
  std::int64_t cached = 0;
  std::int64_t written = 0;
  std::int64_t thought = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    read += i % per_prompt == 0 ? choices[i].prompt_tokens : 0;
    cached += i % per_prompt == 0 ? choices[i].cached_tokens : 0;
    written += choices[i].completion_tokens;
    thought += choices[i].thinking_tokens;
  }
  json::object object;
  object["prompt_tokens"] = read;
  object["completion_tokens"] = written;
  object["total_tokens"] = read + written;
  object["prompt_tokens_details"] = {{"cached_tokens", cached}};
  object["completion_tokens_details"] = {{"reasoning_tokens", thought}};
  return object;
}

}  // namespace notso::api
