#include "web/api/ollama.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <limits>
#include <utility>

#include "service/chat/content.h"
#include "web/api/sampling_fields.h"
#include "web/api/text_parts.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kWindowMax = 1048576;

void refuse_images(Fields& fields) {
  const json::array* images = fields.array("images", 1024);
  if (images == nullptr || images->empty()) return;
  fields.refuse("images", "are not supported: this model reads only text", ErrorCode::kUnsupported);
}

// What would change the answer's meaning if it were passed over in silence.
void refuse_unsupported(Fields& fields) {
  for (const std::string_view key : {"suffix", "template"}) {
    std::string text;
    fields.string(key, kTextBytesMax, text);
    if (text.empty()) continue;
    fields.refuse(key, "is not supported by this model", ErrorCode::kUnsupported);
  }
  const json::array* context = fields.array("context", std::size_t{1} << 20U);
  if (context == nullptr || context->empty()) return;
  fields.refuse("context", "is not supported; use /api/chat to go on with a conversation",
                ErrorCode::kUnsupported);
}

// `think` is a switch or an effort.
void read_think(Fields& fields, ChatRequest& request) {
  const json::value* value = fields.find("think");
  if (value == nullptr) return;
  if (!value->is_string()) {
    fields.boolean("think", request.prompt_options.thinking);
    return;
  }
  std::string name;
  fields.string("think", 64, name);
  if (const auto effort = effort_named(name)) {
    request.prompt_options.thinking = effort->thinking;
    request.answer.thinking_budget = effort->budget;
  } else {
    fields.refuse("think", "must be true, false, low, medium or high");
  }
}

// `format` is "json" or a JSON schema.
void read_format(Fields& fields, std::optional<GrammarSource>& format) {
  const json::value* value = fields.find("format");
  if (value == nullptr || !value->is_string()) {
    read_schema(fields, "format", format);
  } else if (value->get_string() == "json") {
    format = GrammarSource{GrammarSource::Kind::kJsonObject, {}};
  } else if (!value->get_string().empty()) {
    fields.refuse("format", "must be \"json\" or a JSON schema");
  }
  if (!format) read_response_format(fields, format);
}

// How much of the past the repetition penalty sees: for Ollama, 0 is nothing and -1 all of it.
void read_window(Fields& options, SamplingParams& sampling) {
  if (!options.has("repeat_last_n")) return;
  std::int32_t window = 0;
  options.integer("repeat_last_n", -1, kWindowMax, window);
  if (window == 0) sampling.repetition_penalty = 1;
  sampling.repetition_window = window < 0 ? 0 : window;
}

void read_options(Fields& fields, AnswerOptions& answer) {
  const json::object* object = fields.object("options");
  const json::object none;
  Fields options(object == nullptr ? none : *object, "options");
  read_sampling(options, answer.sampling);
  read_window(options, answer.sampling);
  read_stop(options, answer.stop);
  // -1 and -2 are "without end" and "until the context is full".
  options.integer("num_predict", -2, kInt32Max, answer.max_tokens);
  if (answer.max_tokens < 0) answer.max_tokens = 0;
  if (options.error()) fields.refuse(*options.error());
}

void read_logprobs(Fields& fields, ChatRequest& request) {
  bool wanted = false;
  int top = 0;
  fields.boolean("logprobs", wanted);
  fields.integer("top_logprobs", 0, 20, top);
  if (wanted) request.top_logprobs = top;
}

// What both requests have.
void read_common(Fields& fields, const ApiContext& context, OllamaCall& call) {
  fields.string("model", 1024, call.model);
  fields.boolean("stream", call.stream);
  AnswerOptions& answer = call.request.answer;
  answer.sampling = context.sampling;
  answer.call_id_prefix = random_id("call_");
  read_options(fields, answer);
  read_think(fields, call.request);
  read_format(fields, answer.response_format);
  read_logprobs(fields, call.request);
}

// The messages as OpenAI writes them, where Ollama has other words.
void read_messages(Fields& fields, std::vector<Message>& messages) {
  const json::array* list = fields.array("messages", ContentLimits().messages_max);
  if (list == nullptr || list->empty()) return;
  json::array renamed = *list;
  for (std::size_t i = 0; i < renamed.size(); ++i) {
    json::object* message = renamed[i].if_object();
    if (message == nullptr) continue;
    Fields inner(*message, fmt::format("messages[{}]", i));
    refuse_images(inner);
    if (inner.error()) {
      fields.refuse(*inner.error());
      return;
    }
    if (!inner.has("content")) (*message)["content"] = "";
    if (const json::value* thinking = inner.find("thinking")) {
      (*message)["reasoning_content"] = json::value(*thinking);
    }
    if (const json::value* tool = inner.find("tool_name")) (*message)["name"] = json::value(*tool);
  }
  auto read = messages_from_json(json::value(std::move(renamed)));
  if (read) {
    messages = std::move(*read);
  } else {
    fields.refuse("messages", std::move(read.error()));
  }
}

}  // namespace

ApiResult<OllamaCall> read_ollama_chat(const json::object& body, const ApiContext& context) {
  Fields fields(body);
  OllamaCall call;
  read_common(fields, context, call);
  read_messages(fields, call.request.messages);
  if (const json::array* tools = fields.array("tools", ContentLimits().tools_max)) {
    auto read = tools_from_json(json::value(*tools));
    if (read) {
      call.request.prompt_options.tools = std::move(*read);
    } else {
      fields.refuse("tools", std::move(read.error()));
    }
  }
  if (fields.error()) return tl::unexpected(*fields.error());
  return call;
}

ApiResult<OllamaCall> read_ollama_generate(const json::object& body, const ApiContext& context) {
  Fields fields(body);
  OllamaCall call;
  call.generate = true;
  read_common(fields, context, call);
  refuse_unsupported(fields);
  refuse_images(fields);
  std::string prompt;
  std::string system;
  bool raw = false;
  fields.string("prompt", kTextBytesMax, prompt);
  fields.string("system", kTextBytesMax, system);
  fields.boolean("raw", raw);
  if (fields.error()) return tl::unexpected(*fields.error());
  if (raw) {
    call.raw = std::move(prompt);
  } else if (!prompt.empty()) {
    std::vector<Message>& messages = call.request.messages;
    if (!system.empty()) {
      messages.emplace_back().role = Role::kSystem;
      messages.back().content = std::move(system);
    }
    messages.emplace_back().content = std::move(prompt);
  }
  return call;
}

std::string_view ollama_name(std::string_view name) {
  constexpr std::string_view kTag = ":latest";
  if (name.ends_with(kTag)) name.remove_suffix(kTag.size());
  return name;
}

}  // namespace notso::api
