// What a chat template does by itself, found by rendering small conversations with marked words
// and looking where the marks come out. Private to the chat library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/chat/chat_values.h"
#include "service/chat/message.h"
#include "service/template/template.h"

namespace notso {

// Where a template looks for tools.
enum class ToolSlot : std::uint8_t {
  kNone,    // nowhere
  kXml,     // in `xml_tools`, as {name, description, parameters}
  kOpenAi,  // in `tools`, as OpenAI writes them
};

// The places for tools of one template.
struct ToolTraits {
  ToolSlot json = ToolSlot::kNone;
  bool python = false;  // `python_tools`
};

// `mark` is a word that occurs nowhere else. A template that refuses a probe has no such place.
[[nodiscard]] ToolTraits find_tool_traits(const jinja::Template& chat, const std::string& mark);

// What happens to a past assistant turn under this system text (none: no system message) and
// `thinking`.
[[nodiscard]] AssistantTraits find_assistant_traits(const jinja::Template& chat,
                                                    const std::string& mark,
                                                    std::optional<std::string_view> system,
                                                    std::optional<bool> thinking);

// True if `text` ends with the end of a block of thought, spaces aside.
[[nodiscard]] bool ends_closed_thinking(std::string_view text);

}  // namespace notso
