// The conversation of Anthropic's messages as ours: see anthropic.h.
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <utility>

#include "service/chat/content.h"
#include "web/api/anthropic.h"
#include "web/api/text_parts.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 1> kText = {"text"};
constexpr std::size_t kNameBytesMax = 256;

// Results of tools stand inside the user's turn; they are messages of their own here. Text that
// comes after one begins a message again.
Message& user(std::vector<Message>& messages, std::size_t first) {
  if (messages.size() == first || messages.back().role != Role::kUser) messages.emplace_back();
  return messages.back();
}

void read_result(Fields& block, std::vector<Message>& messages) {
  Message message;
  message.role = Role::kTool;
  bool is_error = false;
  if (!block.has("tool_use_id")) block.refuse("tool_use_id", "is missing");
  block.string("tool_use_id", kNameBytesMax, message.tool_call_id);
  read_text(block, "content", kText, message.content);
  block.boolean("is_error", is_error);
  // The model has no other way to hear of it.
  if (is_error) message.content.insert(0, "Error: ");
  messages.push_back(std::move(message));
}

void read_user_block(Fields& block, const std::string& type, std::size_t first,
                     std::vector<Message>& messages) {
  if (type == "tool_result") {
    read_result(block, messages);
    return;
  }
  if (type != "text") {
    block.refuse("type",
                 fmt::format("is '{}': a user's blocks are text and tool_result; this model reads "
                             "only text",
                             type),
                 ErrorCode::kUnsupported);
    return;
  }
  std::string text;
  if (!block.has("text")) block.refuse("text", "is missing");
  block.string("text", kTextBytesMax, text);
  user(messages, first).content += text;
}

void read_call(Fields& block, Message& message) {
  ToolCall call;
  for (const std::string_view key : {"id", "name", "input"}) {
    if (!block.has(key)) block.refuse(key, "is missing");
  }
  block.string("id", kNameBytesMax, call.id);
  block.string("name", kNameBytesMax, call.name);
  if (const json::object* input = block.object("input")) call.arguments = arguments_text(*input);
  message.tool_calls.push_back(std::move(call));
  if (message.tool_calls.size() > ContentLimits().tool_calls_max) {
    block.refuse("type", "is one tool_use too many: the limit is 128");
  }
}

void read_assistant_block(Fields& block, const std::string& type, Message& message) {
  std::string text;
  if (type == "text") {
    if (!block.has("text")) block.refuse("text", "is missing");
    block.string("text", kTextBytesMax, text);
    message.content += text;
  } else if (type == "thinking") {
    block.string("thinking", kTextBytesMax, text);
    message.reasoning += text;
  } else if (type == "tool_use") {
    read_call(block, message);
  } else if (type != "redacted_thinking") {
    block.refuse(
        "type", fmt::format("is '{}': an assistant's blocks are text, thinking and tool_use", type),
        ErrorCode::kUnsupported);
  }
}

void read_blocks(Fields& fields, const json::array& blocks, bool assistant,
                 std::vector<Message>& messages) {
  const std::size_t first = messages.size();
  if (assistant) messages.emplace_back().role = Role::kAssistant;
  if (blocks.empty()) fields.refuse("content", "is empty: give at least one block");
  for (std::size_t i = 0; i < blocks.size() && !fields.error(); ++i) {
    const std::string place = fmt::format("{}[{}]", fields.name_of("content"), i);
    const json::object* object = blocks[i].if_object();
    if (object == nullptr) {
      fields.refuse(ApiError(ErrorCode::kInvalidArgument, place, place + " must be an object"));
      return;
    }
    Fields block(*object, place);
    std::string type;
    block.string("type", 64, type);
    if (assistant) {
      read_assistant_block(block, type, messages.back());
    } else {
      read_user_block(block, type, first, messages);
    }
    if (block.error()) fields.refuse(*block.error());
  }
}

void read_message(Fields& fields, std::vector<Message>& messages) {
  std::string role;
  fields.string("role", 64, role);
  const bool assistant = role == "assistant";
  if (!assistant && role != "user" && role != "system") {
    fields.refuse("role", "must be user, assistant or system");
  }
  const json::value* content = fields.find("content");
  if (content == nullptr) fields.refuse("content", "is missing");
  if (fields.error()) return;
  if (content->is_array() && role != "system") {
    const json::array* blocks = fields.array("content", kTextPartsMax);
    if (blocks != nullptr) read_blocks(fields, *blocks, assistant, messages);
    return;
  }
  Message& message = messages.emplace_back();
  if (assistant) message.role = Role::kAssistant;
  if (role == "system") message.role = Role::kSystem;
  read_text(fields, "content", kText, message.content);
}

}  // namespace

void read_messages(Fields& fields, std::vector<Message>& messages) {
  if (fields.has("system")) {
    messages.emplace_back().role = Role::kSystem;
    read_text(fields, "system", kText, messages.back().content);
  }
  if (!fields.has("messages")) fields.refuse("messages", "is missing");
  const json::array* list = fields.array("messages", ContentLimits().messages_max);
  if (list == nullptr) return;
  if (list->empty()) fields.refuse("messages", "is empty: give at least one message");
  for (std::size_t i = 0; i < list->size() && !fields.error(); ++i) {
    const std::string place = fmt::format("messages[{}]", i);
    const json::object* object = (*list)[i].if_object();
    if (object == nullptr) {
      fields.refuse(place, "must be an object with the fields role and content");
      return;
    }
    Fields message(*object, place);
    read_message(message, messages);
    if (message.error()) fields.refuse(*message.error());
  }
  if (!fields.error() && messages.back().role == Role::kAssistant) {
    fields.refuse("messages", "ends with the assistant; to go on with its text is not supported",
                  ErrorCode::kUnsupported);
  }
}

}  // namespace notso::api
