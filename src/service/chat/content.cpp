#include "service/chat/content.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 64;
constexpr std::size_t kNameBytesMax = 64;

tl::unexpected<Error> wrong(const std::string& field, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} {}", field, what));
}

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

// The member, or nullptr where it is missing or null.
const json::value* member(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// The shortest decimals that read back as the same number, with a point or an exponent.
void append_double(double value, std::string& out) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

// The depth of `value` is bounded by the parser.
void append_value(const json::value& value, std::string& out) {
  if (value.is_double()) {
    append_double(value.get_double(), out);
  } else if (value.is_array()) {
    std::string_view before = "[";
    for (const json::value& item : value.get_array()) {
      out += std::exchange(before, ", ");
      append_value(item, out);
    }
    out += value.get_array().empty() ? "[]" : "]";
  } else if (value.is_object()) {
    std::string_view before = "{";
    for (const auto& member : value.get_object()) {
      out += std::exchange(before, ", ");
      out += json::serialize(json::string(member.key()));
      out += ": ";
      append_value(member.value(), out);
    }
    out += value.get_object().empty() ? "{}" : "}";
  } else {
    out += json::serialize(value);
  }
}

// Reads the fields of one conversation.
class Reader {
 public:
  explicit Reader(const ContentLimits& limits) : limits_(limits) {}

  [[nodiscard]] Result<Message> message(const json::value& value, const std::string& field) const;
  [[nodiscard]] Result<Tool> tool(const json::value& value, const std::string& field) const;

 private:
  [[nodiscard]] Result<std::string> string(const json::value& value,
                                           const std::string& field) const;
  // "" where the member is missing or null.
  [[nodiscard]] Result<std::string> optional_string(const json::object& object,
                                                    std::string_view key,
                                                    const std::string& field) const;
  [[nodiscard]] Result<std::string> content(const json::value& value,
                                            const std::string& field) const;
  [[nodiscard]] Result<ToolCall> call(const json::value& value, const std::string& field) const;
  [[nodiscard]] Result<std::string> name(const json::object& object,
                                         const std::string& field) const;
  [[nodiscard]] Status assistant(const json::object& object, const std::string& field,
                                 Message& message) const;
  [[nodiscard]] Status tokens(const json::object& object, const std::string& field,
                              Message& message) const;

  const ContentLimits& limits_;
};

Result<std::string> Reader::string(const json::value& value, const std::string& field) const {
  if (!value.is_string()) {
    return wrong(field, fmt::format("must be a string, not {}", kind_name(value)));
  }
  const json::string& text = value.get_string();
  if (text.size() <= limits_.text_bytes_max) return std::string(text);
  return fail(ErrorCode::kResourceExhausted, fmt::format("{} has {} bytes; the limit is {}", field,
                                                         text.size(), limits_.text_bytes_max));
}

Result<std::string> Reader::optional_string(const json::object& object, std::string_view key,
                                            const std::string& field) const {
  const json::value* value = member(object, key);
  if (value == nullptr) return std::string();
  return string(*value, fmt::format("{}.{}", field, key));
}

Result<std::string> Reader::content(const json::value& value, const std::string& field) const {
  if (value.is_string()) return string(value, field);
  if (!value.is_array()) {
    return wrong(field, fmt::format("must be a string or an array of parts of type text, not {}",
                                    kind_name(value)));
  }
  const json::array& parts = value.get_array();
  if (parts.size() > limits_.parts_max) {
    return wrong(field,
                 fmt::format("has {} parts; the limit is {}", parts.size(), limits_.parts_max));
  }
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", field, i);
    const json::object* part = parts[i].if_object();
    if (part == nullptr) return wrong(place, "must be an object with the fields type and text");
    auto type = optional_string(*part, "type", place);
    if (!type) return pass_on(type);
    if (*type != "text") {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}.type is not \"text\": this model reads only text", place));
    }
    const json::value* text = member(*part, "text");
    if (text == nullptr) return wrong(place + ".text", "is missing");
    auto piece = string(*text, place + ".text");
    if (!piece) return pass_on(piece);
    out += *piece;
  }
  return out;
}

Result<std::string> Reader::name(const json::object& object, const std::string& field) const {
  const json::value* value = member(object, "name");
  if (value == nullptr) return wrong(field + ".name", "is missing");
  auto text = string(*value, field + ".name");
  if (!text) return text;
  if (is_function_name(*text)) return text;
  return wrong(field + ".name",
               fmt::format("must have 1 to {} letters, digits, '_', '-' or '.'", kNameBytesMax));
}

Result<ToolCall> Reader::call(const json::value& value, const std::string& field) const {
  const json::object* object = value.if_object();
  if (object == nullptr) return wrong(field, "must be an object");
  const json::value* inner = member(*object, "function");
  const json::object* function = inner == nullptr ? nullptr : inner->if_object();
  if (function == nullptr) {
    return wrong(field + ".function", "must be an object with the fields name and arguments");
  }
  auto id = optional_string(*object, "id", field);
  if (!id) return pass_on(id);
  auto called = name(*function, field + ".function");
  if (!called) return pass_on(called);
  ToolCall out{std::move(*id), std::move(*called), {}};
  const json::value* arguments = member(*function, "arguments");
  if (arguments != nullptr && arguments->is_object()) {
    out.arguments = arguments_text(arguments->get_object());
  } else if (arguments != nullptr) {
    auto text = string(*arguments, field + ".function.arguments");
    if (!text) return pass_on(text);
    out.arguments = std::move(*text);
  }
  return out;
}

Status Reader::tokens(const json::object& object, const std::string& field,
                      Message& message) const {
  const json::value* value = member(object, "tokens");
  if (value == nullptr || !limits_.allow_tokens) return {};
  const json::array* ids = value->if_array();
  if (ids == nullptr) return wrong(field + ".tokens", "must be an array of token ids");
  for (const json::value& id : *ids) {
    boost::system::error_code error;
    message.tokens.push_back(id.to_number<std::int32_t>(error));
    if (error) return wrong(field + ".tokens", "must be an array of token ids");
  }
  return {};
}

// What only an assistant's message has.
Status Reader::assistant(const json::object& object, const std::string& field,
                         Message& message) const {
  const bool short_name = member(object, "reasoning_content") == nullptr;
  auto reasoning = optional_string(object, short_name ? "reasoning" : "reasoning_content", field);
  if (!reasoning) return pass_on(reasoning);
  message.reasoning = std::move(*reasoning);
  if (const json::value* calls = member(object, "tool_calls"); calls != nullptr) {
    const json::array* list = calls->if_array();
    if (list == nullptr) return wrong(field + ".tool_calls", "must be an array");
    if (list->size() > limits_.tool_calls_max) {
      return wrong(field + ".tool_calls", fmt::format("has {} entries; the limit is {}",
                                                      list->size(), limits_.tool_calls_max));
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
      auto read = call((*list)[i], fmt::format("{}.tool_calls[{}]", field, i));
      if (!read) return pass_on(read);
      message.tool_calls.push_back(std::move(*read));
    }
  }
  return tokens(object, field, message);
}

std::optional<Role> role_named(std::string_view name) {
  if (name == "system" || name == "developer") return Role::kSystem;
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  if (name == "tool") return Role::kTool;
  return std::nullopt;
}

Result<Message> Reader::message(const json::value& value, const std::string& field) const {
  const json::object* object = value.if_object();
  if (object == nullptr) return wrong(field, "must be an object with the fields role and content");
  const json::value* role_value = member(*object, "role");
  if (role_value == nullptr) return wrong(field + ".role", "is missing");
  auto role_text = string(*role_value, field + ".role");
  if (!role_text) return pass_on(role_text);
  const auto role = role_named(*role_text);
  if (!role) {
    return wrong(field + ".role", "must be system, developer, user, assistant or tool");
  }
  Message out;
  out.role = *role;
  if (out.role == Role::kAssistant) {
    if (auto read = assistant(*object, field, out); !read) return pass_on(read);
  }
  if (const json::value* body = member(*object, "content"); body != nullptr) {
    auto text = content(*body, field + ".content");
    if (!text) return pass_on(text);
    out.content = std::move(*text);
  } else if (out.tool_calls.empty() && out.tokens.empty()) {
    return wrong(field + ".content", "is missing");
  }
  if (out.role != Role::kTool) return out;
  auto id = optional_string(*object, "tool_call_id", field);
  if (!id) return pass_on(id);
  auto tool_name = optional_string(*object, "name", field);
  if (!tool_name) return pass_on(tool_name);
  out.tool_call_id = std::move(*id);
  out.name = std::move(*tool_name);
  return out;
}

Result<Tool> Reader::tool(const json::value& value, const std::string& field) const {
  const json::object* object = value.if_object();
  if (object == nullptr) return wrong(field, "must be an object");
  std::string place = field;
  if (const json::value* type = member(*object, "type"); type != nullptr) {
    if (!type->is_string() || type->get_string() != "function") {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}.type is not \"function\", the only type of tool", field));
    }
    const json::value* inner = member(*object, "function");
    place += ".function";
    object = inner == nullptr ? nullptr : inner->if_object();
    if (object == nullptr) return wrong(place, "must be an object with a name");
  }
  auto tool_name = name(*object, place);
  if (!tool_name) return pass_on(tool_name);
  auto description = optional_string(*object, "description", place);
  if (!description) return pass_on(description);
  Tool out{std::move(*tool_name), std::move(*description), {}};
  if (const json::value* parameters = member(*object, "parameters"); parameters != nullptr) {
    if (!parameters->is_object()) {
      return wrong(place + ".parameters", "must be an object: the JSON schema of the arguments");
    }
    out.parameters = json::serialize(*parameters);
  }
  return out;
}

Result<json::value> parse_json(std::string_view text, std::string_view key) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::stream_parser parser({}, options);
  const std::size_t at = parser.write_some(text.data(), text.size(), error);
  const bool rest = text.find_first_not_of(" \t\r\n", at) != std::string_view::npos;
  if (!error && !rest) parser.finish(error);
  if (error || rest) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the JSON of {} is malformed in line {}: {}", key, line,
                            rest && !error ? "there is text after its end" : error.message()));
  }
  json::value root = parser.release();
  if (!root.is_object()) return root;
  if (const json::value* inner = member(root.get_object(), key)) return json::value(*inner);
  return wrong(std::string(key), "is missing");
}

}  // namespace

Result<std::vector<Message>> messages_from_json(const json::value& messages,
                                                const ContentLimits& limits) {
  const json::array* list = messages.if_array();
  if (list == nullptr) return wrong("messages", "must be an array");
  if (list->empty()) return wrong("messages", "is empty: give at least one message");
  if (list->size() > limits.messages_max) {
    return wrong("messages",
                 fmt::format("has {} entries; the limit is {}", list->size(), limits.messages_max));
  }
  const Reader reader(limits);
  std::vector<Message> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto message = reader.message((*list)[i], fmt::format("messages[{}]", i));
    if (!message) return pass_on(message);
    out.push_back(std::move(*message));
  }
  return out;
}

Result<std::vector<Tool>> tools_from_json(const json::value& tools, const ContentLimits& limits) {
  const json::array* list = tools.if_array();
  if (list == nullptr) return wrong("tools", "must be an array");
  if (list->size() > limits.tools_max) {
    return wrong("tools",
                 fmt::format("has {} entries; the limit is {}", list->size(), limits.tools_max));
  }
  const Reader reader(limits);
  std::vector<Tool> out;
  std::set<std::string> names;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto tool = reader.tool((*list)[i], fmt::format("tools[{}]", i));
    if (!tool) return pass_on(tool);
    if (!names.insert(tool->name).second) {
      return wrong(fmt::format("tools[{}].function.name", i), "is the name of an earlier tool");
    }
    out.push_back(std::move(*tool));
  }
  return out;
}

std::string arguments_text(const json::object& arguments) {
  std::string out;
  append_value(arguments, out);
  return out;
}

bool is_function_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

Result<std::vector<Message>> parse_messages(std::string_view text, const ContentLimits& limits) {
  auto root = parse_json(text, "messages");
  if (!root) return pass_on(root);
  return messages_from_json(*root, limits);
}

Result<std::vector<Tool>> parse_tools(std::string_view text, const ContentLimits& limits) {
  auto root = parse_json(text, "tools");
  if (!root) return pass_on(root);
  return tools_from_json(*root, limits);
}

}  // namespace notso
