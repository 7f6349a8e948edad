// A conversation as everybody above the model sees it: messages, tools, options, and the typed
// events of an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace notso {

// Who speaks.
enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };

// One call that the model made. `arguments` is JSON text exactly as the model wrote it (for Python
// tools, the code).
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;
};

// One message. `content` is plain text: content parts are joined before they get here.
struct Message {
  Role role = Role::kUser;
  std::string content;
  std::string reasoning;             // assistant: what it thought before answering
  std::vector<ToolCall> tool_calls;  // assistant: what it called
  std::string tool_call_id;          // tool: the call that this is the result of
  std::string name;                  // tool: the tool's name, where given
  std::vector<std::int32_t>
      tokens;  // assistant: the ids that were sampled, from the turn's start to its end token;
               // empty if the message did not come from this model
};

// A tool that the model may call.
struct Tool {
  std::string name;
  std::string description;
  std::string parameters;  // JSON Schema text of the arguments; "" takes any object
};

// How tools are offered and written: as XML-wrapped JSON (<tool_call>) or as Python in <code>.
enum class ToolStyle : std::uint8_t { kJson, kPython };

// Whether and what the model must call.
struct ToolChoice {
  enum class Kind : std::uint8_t { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;  // kNamed
};

// Everything that the prompt depends on besides the messages.
struct PromptOptions {
  std::optional<bool> thinking;  // unset: the template's own default (on), or /think, /no_think in
                                 // the system message
  std::vector<Tool> tools;
  ToolStyle tool_style = ToolStyle::kJson;
  bool add_generation_prompt = true;
};

// Why an answer ended.
enum class FinishReason : std::uint8_t { kStop, kLength, kToolCalls, kCancelled, kTimeout, kError };

// A piece of thought.
struct ThinkingDelta {
  std::string text;
};

// A piece of the answer.
struct ContentDelta {
  std::string text;
};

// A tool call begins (name and id are whole, arguments_delta may be empty), then its arguments
// stream.
struct ToolCallDelta {
  std::int32_t index = 0;
  std::string id;    // only in the first delta of a call
  std::string name;  // only in the first delta of a call
  std::string arguments_delta;
};

// Something the user should know and that does not end the answer: a malformed call that became
// text.
struct Warning {
  std::string text;
};

// Counts and times of one answer.
struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;  // of the prompt, reused from earlier turns
  std::int32_t completion_tokens = 0;
  std::int32_t thinking_tokens = 0;
  double prompt_s = 0;
  double first_token_s = 0;
  double completion_s = 0;
};

// The end; nothing follows it. `message` is the whole answer, token ids included.
struct Finished {
  FinishReason reason = FinishReason::kStop;
  Message message;
  Usage usage;
  std::string error;  // kError: what happened
};

// What an answer is made of, in order.
using ChatEvent = std::variant<ThinkingDelta, ContentDelta, ToolCallDelta, Warning, Finished>;

}  // namespace notso
