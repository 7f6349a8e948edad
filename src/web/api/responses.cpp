#include "web/api/responses.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <utility>

#include "service/chat/content.h"
#include "web/api/openai_chat.h"
#include "web/api/sampling_fields.h"
#include "web/api/text_parts.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

// Tools stand here without the "function" that chat completions put around them.
void read_tools(Fields& fields, std::vector<Tool>& tools) {
  const json::array* list = fields.array("tools", ContentLimits().tools_max);
  if (list == nullptr) return;
  json::array functions;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    const json::object* object = (*list)[i].if_object();
    if (object == nullptr) {
      fields.refuse(place, "must be an object");
      return;
    }
    Fields tool(*object, place);
    std::string type;
    tool.string("type", 64, type);
    if (type != "function") {
      tool.refuse("type", "is not \"function\", the only type of tool", ErrorCode::kUnsupported);
    }
    if (tool.error()) fields.refuse(*tool.error());
    json::object function = *object;
    function.erase("type");
    functions.push_back(std::move(function));
  }
  if (fields.error()) return;
  auto read = tools_from_json(json::value(std::move(functions)));
  if (read) {
    tools = std::move(*read);
  } else {
    fields.refuse("tools", std::move(read.error()));
  }
}

void read_reasoning(Fields& fields, ChatRequest& request) {
  const json::object* object = fields.object("reasoning");
  if (object == nullptr) return;
  Fields reasoning(*object, "reasoning");
  std::string name;
  reasoning.string("effort", 64, name);
  if (const auto effort = effort_named(name)) {
    request.prompt_options.thinking = effort->thinking;
    request.answer.thinking_budget = effort->budget;
  } else if (reasoning.has("effort")) {
    reasoning.refuse("effort", "must be none, minimal, low, medium, high or xhigh");
  }
  if (reasoning.error()) fields.refuse(*reasoning.error());
}

void read_text_format(Fields& text, std::optional<GrammarSource>& format) {
  const json::object* object = text.object("format");
  if (object == nullptr) return;
  Fields inner(*object, text.name_of("format"));
  std::string type;
  inner.string("type", 64, type);
  if (type == "json_object") {
    format = GrammarSource{GrammarSource::Kind::kJsonObject, {}};
  } else if (type == "json_schema") {
    if (!inner.has("schema")) inner.refuse("schema", "is missing");
    read_schema(inner, "schema", format);
  } else if (type != "text") {
    inner.refuse("type", "must be text, json_object or json_schema");
  }
  if (inner.error()) text.refuse(*inner.error());
}

// text.format, or what other servers have for it on the top level.
void read_format(Fields& fields, std::optional<GrammarSource>& format) {
  if (const json::object* object = fields.object("text")) {
    Fields text(*object, "text");
    read_text_format(text, format);
    if (text.error()) fields.refuse(*text.error());
  }
  if (!format) read_response_format(fields, format);
}

// Log-probabilities come where they are asked for by name, and top_logprobs says of how many.
void read_logprobs(Fields& fields, std::optional<int>& top_logprobs) {
  std::vector<std::string> include;
  fields.strings("include", 64, 256, include);
  int top = 0;
  fields.integer("top_logprobs", 0, 20, top);
  for (const std::string& name : include) {
    if (name == "message.output_text.logprobs") top_logprobs = top;
  }
}

// What would change the answer's meaning if it were passed over in silence.
void refuse_unsupported(Fields& fields) {
  for (const std::string_view key : {"conversation", "prompt"}) {
    if (!fields.has(key)) continue;
    fields.refuse(key, "is not kept by this server; use previous_response_id",
                  ErrorCode::kUnsupported);
  }
  bool background = false;
  fields.boolean("background", background);
  if (background) {
    fields.refuse("background", "is not supported: wait for the answer, or stream it",
                  ErrorCode::kUnsupported);
  }
}

// As other servers limit it: kept and given back as it is, it may not be a store of its own.
void check_metadata(Fields& fields) {
  constexpr std::size_t kPairsMax = 16;
  constexpr std::size_t kKeyBytesMax = 64;
  constexpr std::size_t kValueBytesMax = 512;
  const json::object* metadata = fields.object("metadata");
  if (metadata == nullptr) return;
  if (metadata->size() > kPairsMax) {
    return fields.refuse(
        "metadata", fmt::format("has {} entries; the limit is {}", metadata->size(), kPairsMax));
  }
  for (const auto& pair : *metadata) {
    if (pair.key().size() > kKeyBytesMax || !pair.value().is_string() ||
        pair.value().get_string().size() > kValueBytesMax) {
      return fields.refuse("metadata", fmt::format("may have names of {} bytes, and texts of {}",
                                                   kKeyBytesMax, kValueBytesMax));
    }
  }
}

// The decimal that the setting was written as, rather than what 32 bits make of it.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

// `truncation` is always "disabled": nothing is ever cut in silence.
json::object echo_of(const json::object& body, const ResponseCall& call) {
  const auto given = [&body](std::string_view key, const json::value& otherwise) {
    const json::value* value = body.if_contains(key);
    return value == nullptr || value->is_null() ? otherwise : *value;
  };
  const AnswerOptions& answer = call.request.answer;
  json::object echo;
  echo["instructions"] = given("instructions", nullptr);
  echo["max_output_tokens"] = given("max_output_tokens", nullptr);
  echo["metadata"] = given("metadata", json::object());
  echo["parallel_tool_calls"] = answer.parallel_tool_calls;
  echo["previous_response_id"] = given("previous_response_id", nullptr);
  echo["reasoning"] = given("reasoning", json::object{{"effort", nullptr}, {"summary", nullptr}});
  echo["store"] = call.store;
  echo["temperature"] = given("temperature", shortest(answer.sampling.temperature));
  echo["text"] = given("text", json::object{{"format", {{"type", "text"}}}});
  echo["tool_choice"] = given("tool_choice", "auto");
  echo["tools"] = given("tools", json::array());
  echo["top_logprobs"] = call.request.top_logprobs.value_or(0);
  echo["top_p"] = given("top_p", shortest(answer.sampling.top_p));
  echo["truncation"] = "disabled";
  echo["background"] = false;
  echo["service_tier"] = "default";
  return echo;
}

}  // namespace

ApiResult<ResponseCall> read_response_call(const json::object& body, const ApiContext& context) {
  Fields fields(body);
  ResponseCall call;
  AnswerOptions& answer = call.request.answer;
  fields.string("model", 1024, call.model);
  fields.string("previous_response_id", 128, call.previous_id);
  fields.string("instructions", kTextBytesMax, call.instructions);
  read_response_input(fields, call.input);
  refuse_unsupported(fields);
  read_tools(fields, call.request.prompt_options.tools);
  if (fields.has("tool_choice")) read_tool_choice(fields, answer.tool_choice);
  fields.boolean("parallel_tool_calls", answer.parallel_tool_calls);
  read_reasoning(fields, call.request);
  answer.sampling = context.sampling;
  read_sampling(fields, answer.sampling);
  read_stop(fields, answer.stop);
  fields.integer("max_output_tokens", 1, kInt32Max, answer.max_tokens);
  read_format(fields, answer.response_format);
  read_logprobs(fields, call.request.top_logprobs);
  check_metadata(fields);
  fields.boolean("stream", call.stream);
  fields.boolean("store", call.store);
  if (fields.error()) return tl::unexpected(*fields.error());
  call.store = call.store && context.store != nullptr;
  answer.call_id_prefix = random_id("call_");
  call.echo = std::make_shared<const json::object>(echo_of(body, call));
  return call;
}

}  // namespace notso::api
