#include "web/api/anthropic.h"

#include <array>
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

// A tool as OpenAI has it; `input_schema` is what is called parameters there.
ApiResult<json::object> function_of(const json::value& value, const std::string& place) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return tl::unexpected(
        ApiError(ErrorCode::kInvalidArgument, place, place + " must be an object"));
  }
  Fields tool(*object, place);
  std::string type = "custom";
  tool.string("type", 64, type);
  if (type != "custom") {
    tool.refuse("type", fmt::format("is '{}': only tools of your own are supported", type),
                ErrorCode::kUnsupported);
  }
  if (!tool.has("input_schema")) tool.refuse("input_schema", "is missing");
  const json::object* schema = tool.object("input_schema");
  if (tool.error()) return tl::unexpected(*tool.error());
  json::object function{{"parameters", *schema}};
  for (const std::string_view key : {"name", "description"}) {
    if (const json::value* member = tool.find(key)) function[key] = *member;
  }
  return function;
}

void read_tools(Fields& fields, std::vector<Tool>& tools) {
  const json::array* list = fields.array("tools", ContentLimits().tools_max);
  if (list == nullptr) return;
  json::array functions;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto function = function_of((*list)[i], fmt::format("tools[{}]", i));
    if (!function) {
      fields.refuse(std::move(function.error()));
      return;
    }
    functions.push_back(std::move(*function));
  }
  auto read = tools_from_json(json::value(std::move(functions)));
  if (read) {
    tools = std::move(*read);
  } else {
    fields.refuse("tools", std::move(read.error()));
  }
}

void read_choice(Fields& fields, AnswerOptions& answer) {
  const json::object* object = fields.object("tool_choice");
  if (object == nullptr) return;
  Fields choice(*object, "tool_choice");
  std::string type;
  bool one_call = false;
  choice.string("type", 64, type);
  choice.boolean("disable_parallel_tool_use", one_call);
  answer.parallel_tool_calls = !one_call;
  if (type == "any") {
    answer.tool_choice.kind = ToolChoice::Kind::kRequired;
  } else if (type == "none") {
    answer.tool_choice.kind = ToolChoice::Kind::kNone;
  } else if (type == "tool") {
    answer.tool_choice.kind = ToolChoice::Kind::kNamed;
    if (!choice.has("name")) choice.refuse("name", "is missing");
    choice.string("name", 64, answer.tool_choice.name);
  } else if (type != "auto") {
    choice.refuse("type", "must be auto, any, tool or none");
  }
  if (choice.error()) fields.refuse(*choice.error());
}

// Who does not ask for thinking gets none: that is what Anthropic's clients are made for.
void read_thinking(Fields& fields, ChatRequest& request) {
  request.prompt_options.thinking = false;
  const json::object* object = fields.object("thinking");
  if (object == nullptr) return;
  Fields thinking(*object, "thinking");
  std::string type;
  thinking.string("type", 64, type);
  request.prompt_options.thinking = type != "disabled";
  if (type == "enabled") {
    std::int32_t budget = 0;
    if (!thinking.has("budget_tokens")) thinking.refuse("budget_tokens", "is missing");
    thinking.integer("budget_tokens", 1, kInt32Max, budget);
    request.answer.thinking_budget = budget;
  } else if (type != "disabled" && type != "adaptive") {
    thinking.refuse("type", "must be enabled, disabled or adaptive");
  }
  if (thinking.error()) fields.refuse(*thinking.error());
}

// The effort is a budget where thinking is adaptive; the format is what the text must match.
void read_output_config(Fields& fields, ChatRequest& request) {
  const json::object* object = fields.object("output_config");
  if (object == nullptr) return;
  Fields config(*object, "output_config");
  std::string name;
  config.string("effort", 64, name);
  if (const auto effort = effort_named(name)) {
    if (!request.answer.thinking_budget) request.answer.thinking_budget = effort->budget;
  } else if (config.has("effort")) {
    config.refuse("effort", "must be low, medium, high, xhigh or max");
  }
  if (const json::object* inner = config.object("format")) {
    Fields format(*inner, config.name_of("format"));
    std::string type;
    format.string("type", 64, type);
    if (type != "json_schema") format.refuse("type", "must be json_schema");
    if (!format.has("schema")) format.refuse("schema", "is missing");
    read_schema(format, "schema", request.answer.response_format);
    if (format.error()) config.refuse(*format.error());
  }
  if (config.error()) fields.refuse(*config.error());
}

void read_prompt(Fields& fields, MessagesCall& call) {
  fields.string("model", 1024, call.model);
  read_messages(fields, call.request.messages);
  read_tools(fields, call.request.prompt_options.tools);
  read_thinking(fields, call.request);
}

}  // namespace

ApiResult<MessagesCall> read_messages_prompt(const json::object& body) {
  Fields fields(body);
  MessagesCall call;
  read_prompt(fields, call);
  if (fields.error()) return tl::unexpected(*fields.error());
  return call;
}

ApiResult<MessagesCall> read_messages_call(const json::object& body, const ApiContext& context) {
  Fields fields(body);
  MessagesCall call;
  AnswerOptions& answer = call.request.answer;
  read_prompt(fields, call);
  if (!fields.has("max_tokens")) fields.refuse("max_tokens", "is missing");
  fields.integer("max_tokens", 1, kInt32Max, answer.max_tokens);
  read_choice(fields, answer);
  answer.sampling = context.sampling;
  read_sampling(fields, answer.sampling);
  read_stop(fields, answer.stop, "stop_sequences");
  read_output_config(fields, call.request);
  if (!answer.response_format) read_response_format(fields, answer.response_format);
  fields.boolean("stream", call.stream);
  if (fields.error()) return tl::unexpected(*fields.error());
  answer.call_id_prefix = random_id("toolu_");
  return call;
}

}  // namespace notso::api
