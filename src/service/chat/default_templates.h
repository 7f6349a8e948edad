// The templates that we bring ourselves: a chat template for files that have none, and the text
// that offers tools where a file's chat template has no place for them.
#pragma once

#include <string_view>

namespace notso {

// A chat template in SmolLM3's ChatML format: a system turn with date and reasoning mode, both
// modes, tool results as user turns. It leaves the offer of tools to tools_template().
[[nodiscard]] std::string_view default_chat_template();

// The offer of tools: `xml_tools` as signatures to be called in <tool_call>, `python_tools` as
// functions to be called in <code>. Its tags are literals, so they become control tokens.
[[nodiscard]] std::string_view tools_template();

}  // namespace notso
