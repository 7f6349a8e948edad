// Messages and tools as the values that chat templates read. Private to the chat library.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"
#include "service/template/value.h"

namespace notso {

// What a template does by itself with an assistant's turn in the mode at hand; what it does not
// do is put into the content, as the model wrote it.
struct AssistantTraits {
  bool closes_thinking = false;    // writes an empty block of thought before the content
  bool renders_reasoning = false;  // prints message.reasoning_content
  bool renders_calls = false;      // prints message.tool_calls
};

// JSON text as a template value; its strings are data. An error names `what`.
[[nodiscard]] Result<jinja::Value> value_of_json(std::string_view text, const std::string& what);

// The tools as {name, description, parameters}, each inside {"type": "function", "function": ...}
// if `wrapped`.
[[nodiscard]] Result<jinja::Value> tools_value(std::span<const Tool> tools, bool wrapped);

// A message with one string of content.
[[nodiscard]] jinja::Value plain_message(std::string_view role, jinja::Value content);

// A message of any role. Tags around thought and calls are trusted; what is in them is not.
[[nodiscard]] jinja::Value message_value(const Message& message, ToolStyle style,
                                         const AssistantTraits& traits);

}  // namespace notso
