#include "service/turns/turn_prompt.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "service/chat/builtin_tools.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::int32_t kFollowupTokensMax = 160;
constexpr std::int32_t kTitleTokensMax = 40;
constexpr std::size_t kFollowups = 3;

constexpr const char* kFollowupsAsk =
    "Suggest three short messages that I might send next in this conversation, in its language, "
    "each at most ten words. Answer with a JSON array of three strings.";
constexpr const char* kFollowupsSchema =
    R"({"type":"array","minItems":3,"maxItems":3,)"
    R"("items":{"type":"string","minLength":1,"maxLength":100}})";
constexpr const char* kTitleAsk =
    "Give this conversation a title of at most six words, in its language, without quotation "
    "marks. "
    "Answer with a JSON string.";
constexpr const char* kTitleSchema = R"({"type":"string","minLength":1,"maxLength":60})";

std::uint64_t seed_of(std::int64_t answer_id) {
  std::uint64_t z = static_cast<std::uint64_t>(answer_id) + 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

// Thinking and tools as the answer had them, so that the request begins with the tokens that are
// cached; but it may do neither.
ChatRequest side_request(std::span<const StoredMessage> path, const TurnSettings& settings,
                         const std::string& model, const char* ask, const char* schema,
                         std::int32_t tokens_max) {
  ChatRequest out;
  out.messages = history_of(path, settings, model);
  Message question;
  question.content = ask;
  out.messages.push_back(std::move(question));
  out.prompt_options.thinking = settings.thinking;
  if (settings.tools) out.prompt_options.tools = builtin_tools();
  out.answer.tool_choice.kind = ToolChoice::Kind::kNone;
  out.answer.thinking_budget = 0;
  out.answer.sampling.temperature = 0;
  out.answer.max_tokens = tokens_max;
  out.answer.response_format = GrammarSource{GrammarSource::Kind::kJsonSchema, schema};
  out.priority = Priority::kBackground;
  return out;
}

// One line without blanks around it.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

std::vector<Message> history_of(std::span<const StoredMessage> path, const TurnSettings& settings,
                                const std::string& model) {
  std::vector<Message> out;
  if (!settings.system.empty()) {
    out.emplace_back().role = Role::kSystem;
    out.back().content = settings.system;
  }
  const auto is_reset = [](const StoredMessage& stored) {
    return stored.message.role == Role::kSystem && stored.message.name == kResetName;
  };
  const auto last = std::find_if(path.rbegin(), path.rend(), is_reset);
  for (auto at = last.base(); at != path.end(); ++at) {
    const Message& message = at->message;
    const bool is_empty = message.content.empty() && message.tool_calls.empty();
    if (message.role == Role::kAssistant && is_empty) continue;  // failed before it began
    out.push_back(message);
    if (at->model != model) out.back().tokens.clear();
  }
  return out;
}

ChatRequest answer_request(std::span<const StoredMessage> path, const TurnSettings& settings,
                           const std::string& model, std::int64_t answer_id, bool may_call) {
  ChatRequest out;
  out.messages = history_of(path, settings, model);
  out.prompt_options.thinking = settings.thinking;
  if (settings.tools) out.prompt_options.tools = builtin_tools();
  if (!may_call) out.answer.tool_choice.kind = ToolChoice::Kind::kNone;
  out.answer.sampling.temperature = settings.temperature;
  out.answer.sampling.top_p = settings.top_p;
  out.answer.sampling.seed = seed_of(answer_id);
  out.answer.max_tokens = settings.max_tokens;
  // Calls of one conversation must not share their ids.
  out.answer.call_id_prefix = "call_" + std::to_string(answer_id) + "_";
  return out;
}

ChatRequest followups_request(std::span<const StoredMessage> path, const TurnSettings& settings,
                              const std::string& model) {
  return side_request(path, settings, model, kFollowupsAsk, kFollowupsSchema, kFollowupTokensMax);
}

ChatRequest title_request(std::span<const StoredMessage> path, const TurnSettings& settings,
                          const std::string& model) {
  return side_request(path, settings, model, kTitleAsk, kTitleSchema, kTitleTokensMax);
}

std::vector<std::string> read_followups(const std::string& text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  std::vector<std::string> out;
  if (error || !value.is_array()) return out;
  for (const json::value& item : value.get_array()) {
    if (!item.is_string() || out.size() == kFollowups) continue;
    std::string line = one_line(std::string(item.get_string()));
    if (!line.empty() && std::find(out.begin(), out.end(), line) == out.end()) {
      out.push_back(std::move(line));
    }
  }
  return out;
}

std::string read_title(const std::string& text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_string()) return {};
  return one_line(std::string(value.get_string()));
}

}  // namespace notso
