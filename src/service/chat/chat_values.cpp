#include "service/chat/chat_values.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace notso {
namespace {

namespace json = boost::json;
using jinja::Dict;
using jinja::Value;

constexpr std::size_t kJsonDepthMax = 64;

// The depth of `value` is bounded by the parser.
Value to_value(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return Value::none();
    case json::kind::bool_:
      return Value::boolean(value.get_bool());
    case json::kind::int64:
      return Value::integer(value.get_int64());
    case json::kind::uint64:
      return Value::number(static_cast<double>(value.get_uint64()));
    case json::kind::double_:
      return Value::number(value.get_double());
    case json::kind::string:
      return Value::string(std::string_view(value.get_string()));
    case json::kind::array: {
      std::vector<Value> items;
      for (const json::value& item : value.get_array()) items.push_back(to_value(item));
      return Value::list(std::move(items));
    }
    case json::kind::object: {
      Dict entries;
      for (const auto& [key, item] : value.get_object()) {
        entries.set(std::string_view(key), to_value(item));
      }
      return Value::dict(std::move(entries));
    }
  }
  return Value::none();
}

// How the code of a <code> block is called in a message.
constexpr std::string_view kPythonName = "python";

// Each tag has a line of its own, as the model writes it; those two newlines are not in the
// message.
void append_block(jinja::TextBuilder& out, std::string_view open, std::string_view inside,
                  std::string_view close) {
  out.append(open, true);
  out.append("\n", true);
  out.append(inside, false);
  out.append("\n", true);
  out.append(close, true);
}

std::string call_json(const ToolCall& call) {
  return fmt::format(R"({{"name": {}, "arguments": {}}})", json::serialize(json::string(call.name)),
                     call.arguments.empty() ? "{}" : call.arguments);
}

Value assistant_content(const Message& message, ToolStyle style, const AssistantTraits& traits) {
  jinja::TextBuilder out;
  if (!message.reasoning.empty() && !traits.closes_thinking && !traits.renders_reasoning) {
    append_block(out, "<think>", message.reasoning, "</think>");
    out.append("\n", true);
  }
  out.append(message.content, false);
  if (!traits.renders_calls) {
    for (const ToolCall& call : message.tool_calls) {
      if (!message.content.empty() || &call != message.tool_calls.data()) out.append("\n", true);
      if (style == ToolStyle::kPython && call.name == kPythonName) {
        append_block(out, "<code>", call.arguments, "</code>");
      } else {
        append_block(out, "<tool_call>", call_json(call), "</tool_call>");
      }
    }
  }
  return Value::text(out.finish());
}

// As OpenAI writes calls, but with the arguments as a value, which is what templates expect.
Value calls_value(const Message& message) {
  std::vector<Value> calls;
  for (const ToolCall& call : message.tool_calls) {
    auto arguments = value_of_json(call.arguments.empty() ? "{}" : call.arguments, "arguments");
    Dict function;
    function.set("name", Value::string(call.name));
    function.set("arguments", arguments ? *arguments : Value::string(call.arguments));
    Dict entry;
    entry.set("id", Value::string(call.id));
    entry.set("type", Value::trusted("function"));
    entry.set("function", Value::dict(std::move(function)));
    calls.push_back(Value::dict(std::move(entry)));
  }
  return Value::list(std::move(calls));
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

}  // namespace

Result<Value> value_of_json(std::string_view text, const std::string& what) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  const json::value value = json::parse(text, error, {}, options);
  if (!error) return to_value(value);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is not JSON: {}", what, error.message()));
}

Result<Value> tools_value(std::span<const Tool> tools, bool wrapped) {
  std::vector<Value> items;
  for (const Tool& tool : tools) {
    auto parameters = value_of_json(
        tool.parameters.empty() ? R"({"type": "object", "properties": {}})" : tool.parameters,
        fmt::format("the schema of the tool '{}'", tool.name));
    if (!parameters) return pass_on(parameters);
    Dict function;
    function.set("name", Value::string(tool.name));
    if (!tool.description.empty()) function.set("description", Value::string(tool.description));
    function.set("parameters", std::move(*parameters));
    Value item = Value::dict(std::move(function));
    if (wrapped) {
      Dict outer;
      outer.set("type", Value::trusted("function"));
      outer.set("function", std::move(item));
      item = Value::dict(std::move(outer));
    }
    items.push_back(std::move(item));
  }
  return Value::list(std::move(items));
}

Value plain_message(std::string_view role, Value content) {
  Dict dict;
  dict.set("role", Value::trusted(role));
  dict.set("content", std::move(content));
  return Value::dict(std::move(dict));
}

Value message_value(const Message& message, ToolStyle style, const AssistantTraits& traits) {
  Dict dict;
  dict.set("role", Value::trusted(role_name(message.role)));
  if (message.role == Role::kAssistant) {
    dict.set("content", assistant_content(message, style, traits));
    if (traits.renders_reasoning && !message.reasoning.empty()) {
      dict.set("reasoning_content", Value::string(message.reasoning));
    }
    if (traits.renders_calls && !message.tool_calls.empty()) {
      dict.set("tool_calls", calls_value(message));
    }
  } else {
    dict.set("content", Value::string(message.content));
  }
  if (!message.tool_call_id.empty()) {
    dict.set("tool_call_id", Value::string(message.tool_call_id));
  }
  if (!message.name.empty()) dict.set("name", Value::string(message.name));
  return Value::dict(std::move(dict));
}

}  // namespace notso
