#include "service/chat/template_traits.h"

#include <utility>

namespace notso {
namespace {

using jinja::Dict;
using jinja::Value;

// The output for these messages; empty when the template refuses them.
std::string rendered(const jinja::Template& chat, std::vector<Value> messages, Dict context) {
  context.set("messages", Value::list(std::move(messages)));
  context.set("add_generation_prompt", Value::boolean(false));
  const auto output = chat.render(Value::dict(std::move(context)));
  return output ? output->text() : std::string();
}

bool shows_tools(const jinja::Template& chat, const std::string& mark, std::string_view variable,
                 bool wrapped) {
  const Tool tool{mark, "a tool", ""};
  const auto tools = tools_value({&tool, 1}, wrapped);
  if (!tools) return false;
  Dict context;
  context.set(variable, *tools);
  const std::string text =
      rendered(chat, {plain_message("user", Value::trusted("hello"))}, std::move(context));
  return text.find(mark) != std::string::npos;
}

}  // namespace

ToolTraits find_tool_traits(const jinja::Template& chat, const std::string& mark) {
  ToolTraits traits;
  if (shows_tools(chat, mark, "xml_tools", false)) {
    traits.json = ToolSlot::kXml;
  } else if (shows_tools(chat, mark, "tools", true)) {
    traits.json = ToolSlot::kOpenAi;
  }
  traits.python = shows_tools(chat, mark, "python_tools", false);
  return traits;
}

AssistantTraits find_assistant_traits(const jinja::Template& chat, const std::string& mark,
                                      std::optional<std::string_view> system,
                                      std::optional<bool> thinking) {
  const auto probe = [&](const Message& turn, const AssistantTraits& passed) {
    Dict context;
    if (thinking) context.set("enable_thinking", Value::boolean(*thinking));
    std::vector<Value> messages;
    if (system) messages.push_back(plain_message("system", Value::string(*system)));
    messages.push_back(plain_message("user", Value::trusted("hello")));
    messages.push_back(message_value(turn, ToolStyle::kJson, passed));
    return rendered(chat, std::move(messages), std::move(context));
  };
  const std::string content = mark + "-content";
  const std::string reasoning = mark + "-reasoning";
  const std::string name = mark + "-name";
  Message turn;
  turn.role = Role::kAssistant;
  turn.content = content;
  AssistantTraits traits;
  const std::string plain = probe(turn, {});
  if (const std::size_t at = plain.find(content); at != std::string::npos) {
    traits.closes_thinking = ends_closed_thinking(std::string_view(plain).substr(0, at));
  }
  turn.reasoning = reasoning;
  traits.renders_reasoning = probe(turn, {false, true, false}).find(reasoning) != std::string::npos;
  turn.reasoning.clear();
  turn.tool_calls.push_back({"call_1", name, "{}"});
  traits.renders_calls = probe(turn, {false, false, true}).find(name) != std::string::npos;
  return traits;
}

bool ends_closed_thinking(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && text.substr(0, last + 1).ends_with("</think>");
}

}  // namespace notso
