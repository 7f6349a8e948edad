// Conversations and tools from JSON as OpenAI's chat API writes them. Everything is bounded, and an
// error names the field that is wrong.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"

namespace notso {

// Bounds on one conversation, and what it may hold.
struct ContentLimits {
  std::size_t messages_max = 4096;
  std::size_t parts_max = 1024;      // of one message's content
  std::size_t tool_calls_max = 128;  // of one message
  std::size_t tools_max = 128;
  std::size_t text_bytes_max = std::size_t{4} << 20U;  // of one string
  // Takes `tokens`, the ids of an assistant's turn. Only for JSON of our own: ids are control.
  bool allow_tokens = false;
};

// The conversation in `text`: an array of messages, or an object that has one as `messages`.
// Roles are system, developer (the same), user, assistant and tool; content is a string, null, or
// parts of type text, which are joined.
[[nodiscard]] Result<std::vector<Message>> parse_messages(std::string_view text,
                                                          const ContentLimits& limits = {});

// The same from parsed JSON: the array itself.
[[nodiscard]] Result<std::vector<Message>> messages_from_json(const boost::json::value& messages,
                                                              const ContentLimits& limits = {});

// The tools in `text`: an array of {"type": "function", "function": {...}} or of the functions
// themselves, or an object that has one as `tools`.
[[nodiscard]] Result<std::vector<Tool>> parse_tools(std::string_view text,
                                                    const ContentLimits& limits = {});

// The same from parsed JSON: the array itself.
[[nodiscard]] Result<std::vector<Tool>> tools_from_json(const boost::json::value& tools,
                                                        const ContentLimits& limits = {});

// Arguments that came as a value, in the form that models write: a space after ',' and ':', and
// decimals without a needless exponent.
[[nodiscard]] std::string arguments_text(const boost::json::object& arguments);

// Whether a function may be called so: 1 to 64 letters, digits, '_', '-' or '.'.
[[nodiscard]] bool is_function_name(std::string_view name);

}  // namespace notso
