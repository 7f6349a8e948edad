// The input of OpenAI's Responses as messages: see responses.h.
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "service/chat/content.h"
#include "web/api/responses.h"
#include "web/api/text_parts.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kTextTypes = {"input_text", "output_text", "text"};
constexpr std::array<std::string_view, 1> kReasoningTypes = {"reasoning_text"};
constexpr std::array<std::string_view, 1> kSummaryTypes = {"summary_text"};
constexpr std::size_t kNameBytesMax = 256;

// An answer comes back as several items, which are one message: its reasoning, then its text, then
// its calls. An item that cannot follow in that order begins the next message.
Message& assistant(std::vector<Message>& messages, bool fits) {
  if (messages.empty() || messages.back().role != Role::kAssistant || !fits) {
    messages.emplace_back().role = Role::kAssistant;
  }
  return messages.back();
}

bool only_thinks(const std::vector<Message>& messages) {
  return !messages.empty() && messages.back().content.empty() && messages.back().tool_calls.empty();
}

void read_message(Fields& item, std::vector<Message>& messages) {
  std::string role;
  std::string content;
  item.string("role", 64, role);
  if (!item.has("content")) item.refuse("content", "is missing");
  read_text(item, "content", kTextTypes, content);
  if (role == "assistant") {
    assistant(messages, only_thinks(messages)).content = std::move(content);
    return;
  }
  Message& message = messages.emplace_back();
  message.content = std::move(content);
  if (role == "system" || role == "developer") {
    message.role = Role::kSystem;
  } else if (role != "user") {
    item.refuse("role", "must be system, developer, user or assistant");
  }
}

// The thought itself, or where that was not kept, its summary.
void read_reasoning(Fields& item, std::vector<Message>& messages) {
  std::string text;
  if (item.has("content")) {
    read_text(item, "content", kReasoningTypes, text);
  } else {
    read_text(item, "summary", kSummaryTypes, text);
  }
  assistant(messages, false).reasoning = std::move(text);
}

void read_call(Fields& item, std::vector<Message>& messages) {
  ToolCall call;
  for (const std::string_view key : {"call_id", "name", "arguments"}) {
    if (!item.has(key)) item.refuse(key, "is missing");
  }
  item.string("call_id", kNameBytesMax, call.id);
  item.string("name", kNameBytesMax, call.name);
  if (!is_function_name(call.name)) {
    item.refuse("name", "must have 1 to 64 letters, digits, '_', '-' or '.'");
  }
  item.string("arguments", kTextBytesMax, call.arguments);
  Message& message = assistant(messages, true);
  message.tool_calls.push_back(std::move(call));
  if (message.tool_calls.size() > ContentLimits().tool_calls_max) {
    item.refuse("type", "is one function_call too many: at most 128 may follow each other");
  }
}

void read_result(Fields& item, std::vector<Message>& messages) {
  Message& message = messages.emplace_back();
  message.role = Role::kTool;
  if (!item.has("output")) item.refuse("output", "is missing");
  item.string("call_id", kNameBytesMax, message.tool_call_id);
  read_text(item, "output", kTextTypes, message.content);
}

void read_item(Fields& item, std::vector<Message>& messages) {
  std::string type = "message";
  item.string("type", 64, type);
  if (type == "message") {
    read_message(item, messages);
  } else if (type == "reasoning") {
    read_reasoning(item, messages);
  } else if (type == "function_call") {
    read_call(item, messages);
  } else if (type == "function_call_output") {
    read_result(item, messages);
  } else {
    item.refuse("type",
                "must be message, reasoning, function_call or function_call_output; other items "
                "are not supported",
                ErrorCode::kUnsupported);
  }
}

}  // namespace

void read_response_input(Fields& fields, std::vector<Message>& messages) {
  const json::value* input = fields.find("input");
  if (input == nullptr) {
    fields.refuse("input", "is missing");
    return;
  }
  if (input->is_string()) {
    fields.string("input", kTextBytesMax, messages.emplace_back().content);
    return;
  }
  if (!input->is_array()) {
    fields.refuse("input",
                  fmt::format("must be a string or an array of items, not {}", kind_name(*input)));
    return;
  }
  const json::array* items = fields.array("input", ContentLimits().messages_max);
  if (items == nullptr) return;
  if (items->empty()) fields.refuse("input", "is empty: give at least one item");
  for (std::size_t i = 0; i < items->size() && !fields.error(); ++i) {
    const std::string place = fmt::format("input[{}]", i);
    const json::object* object = (*items)[i].if_object();
    if (object == nullptr) {
      fields.refuse(place, "must be an object");
      return;
    }
    Fields item(*object, place);
    read_item(item, messages);
    if (item.error()) fields.refuse(*item.error());
  }
}

}  // namespace notso::api
