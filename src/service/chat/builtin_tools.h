// The two tools that a chat may switch on: a calculator and a clock. They have no side effects, and
// no other tool is ever executed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "service/chat/message.h"

namespace notso {

// What the clock tool reads; a test sets both. Where unset, the system's clock and zone.
struct ToolClock {
  std::function<std::int64_t()> unix_s;                      // seconds since 1970, UTC
  std::function<std::int32_t(std::int64_t)> local_offset_s;  // local time less UTC, then
};

// The definitions of `calculator` and `clock`, as the model is offered them.
[[nodiscard]] std::vector<Tool> builtin_tools();

// The result of a call of a built-in tool, for a tool message; nothing if the name is no built-in's
// name. What is wrong with a call is said in the result ("error: ..."), so that the model can mend
// it.
[[nodiscard]] std::optional<std::string> run_builtin_tool(const ToolCall& call,
                                                          const ToolClock& clock = {});

}  // namespace notso
