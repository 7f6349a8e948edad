// Conversations as files, and back.
//
//   {"format": "notso-conversation", "version": 1,
//    "title": "...", "title_by_user": false, "settings": "...", "created_ms": 0,
//    "leaf": 3,                       the message that the shown path ends with; 0: none
//    "messages": [{"id": 1, "parent": 0, "role": "user", "state": "done", "finish": "stop",
//      "content": "...", "created_ms": 0, ...}]}
//
// Messages are numbered from 1, parents before their children. Members that are empty are left out:
// reasoning, tool_calls, tool_call_id, name, error, usage, model, followups. Token ids are not part
// of it: they are control, and a file may come from anybody; an imported conversation is read from
// its text again. Nor are client keys, which are about one sending. An answer that was being
// written is imported as stopped.

#include <boost/json.hpp>
#include <fmt/format.h>
#include <unordered_map>
#include <utility>

#include "service/store/message_json.h"
#include "service/store/store_tables.h"
#include "service/store/store_text.h"

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::string_view kFormat = "notso-conversation";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kJsonDepthMax = 16;
constexpr std::int64_t kTimeMsMax = 253'402'300'799'999;  // the end of the year 9999

const std::vector<std::string_view> kRoles = {"system", "user", "assistant", "tool"};
const std::vector<std::string_view> kStates = {"done", "running", "stopped", "failed"};
const std::vector<std::string_view> kFinishes = {"stop",      "length",  "tool_calls",
                                                 "cancelled", "timeout", "error"};

template <class Enum>
std::string_view name_of(const std::vector<std::string_view>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

void put_text(json::object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

json::object to_json(const StoredMessage& stored, std::int64_t id, std::int64_t parent) {
  const Message& message = stored.message;
  json::object out{{"id", id},
                   {"parent", parent},
                   {"role", name_of(kRoles, message.role)},
                   {"state", name_of(kStates, stored.state)},
                   {"finish", name_of(kFinishes, stored.finish)},
                   {"content", message.content},
                   {"created_ms", stored.created_ms}};
  put_text(out, "reasoning", message.reasoning);
  if (!message.tool_calls.empty()) out["tool_calls"] = calls_to_json(message.tool_calls);
  put_text(out, "tool_call_id", message.tool_call_id);
  put_text(out, "name", message.name);
  put_text(out, "error", stored.error);
  if (stored.usage.prompt_tokens > 0) out["usage"] = usage_to_json(stored.usage);
  put_text(out, "model", stored.model);
  if (!stored.followups.empty()) out["followups"] = texts_to_json(stored.followups);
  return out;
}

// One message; its ids are still those of the file.
Result<StoredMessage> from_json(const json::value& value, const std::string& field,
                                std::int64_t messages_max) {
  JsonFields fields(value, field);
  StoredMessage out;
  out.id = fields.integer("id", 1, messages_max);
  out.parent_id = fields.integer("parent", 0, messages_max);
  out.message.role = static_cast<Role>(fields.one_of("role", kRoles));
  out.state = static_cast<MessageState>(fields.one_of("state", kStates));
  if (out.state == MessageState::kRunning) out.state = MessageState::kStopped;
  out.finish = static_cast<FinishReason>(fields.one_of("finish", kFinishes));
  out.message.content = fields.text("content");
  out.created_ms = fields.integer("created_ms", 0, kTimeMsMax);
  out.message.reasoning = fields.text("reasoning");
  if (const json::array* calls = fields.array("tool_calls"); calls != nullptr) {
    auto read = calls_from_json(*calls, fields.name_of("tool_calls"));
    if (!read) return pass_on(read);
    out.message.tool_calls = std::move(*read);
  }
  out.message.tool_call_id = fields.text("tool_call_id");
  out.message.name = fields.text("name");
  out.error = fields.text("error");
  if (const json::value* usage = fields.member("usage"); usage != nullptr) {
    auto read = usage_from_json(*usage, fields.name_of("usage"));
    if (!read) return pass_on(read);
    out.usage = *read;
  }
  out.model = fields.text("model");
  if (const json::array* texts = fields.array("followups"); texts != nullptr) {
    auto read = texts_from_json(*texts, fields.name_of("followups"));
    if (!read) return pass_on(read);
    out.followups = std::move(*read);
  }
  if (!fields.status()) return tl::unexpected(fields.status().error());
  return out;
}

Result<json::value> parse_file(const std::string& text) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::value file = json::parse(text, error, {}, options);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the conversation is not JSON: {}", error.message()));
  }
  JsonFields fields(file, "");
  const std::string format = fields.text("format");
  if (!fields.status() || format != kFormat) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("this is no exported conversation: \"format\" is not \"{}\"", kFormat));
  }
  const std::int64_t version = fields.integer("version", 1, kTimeMsMax);
  if (!fields.status()) return tl::unexpected(fields.status().error());
  if (version <= kVersion) return file;
  return fail(ErrorCode::kUnsupported,
              fmt::format("the conversation was exported by a newer notso (version {}, this one "
                          "reads {}): update notso",
                          version, kVersion));
}

}  // namespace

Result<std::string> StoreTables::export_json(const std::string& owner, const SessionId& id) {
  auto whole = get_whole(owner, id);
  if (!whole) return pass_on(whole);
  std::unordered_map<std::int64_t, std::int64_t> numbers = {{0, 0}};
  const auto number_of = [&](std::int64_t message_id) {
    const auto found = numbers.find(message_id);
    return found == numbers.end() ? std::int64_t{0} : found->second;
  };
  json::array list;
  for (const StoredMessage& message : whole->messages) {
    const auto number = static_cast<std::int64_t>(numbers.size());
    list.push_back(to_json(message, number, number_of(message.parent_id)));
    numbers[message.id] = number;
  }
  return json::serialize(json::object{{"format", kFormat},
                                      {"version", kVersion},
                                      {"title", whole->conversation.title},
                                      {"title_by_user", whole->conversation.title_by_user},
                                      {"settings", whole->conversation.settings},
                                      {"created_ms", whole->conversation.created_ms},
                                      {"leaf", number_of(whole->conversation.leaf_id)},
                                      {"messages", std::move(list)}});
}

Result<Conversation> StoreTables::import_json(const std::string& owner, const std::string& text) {
  auto fits = check_size("the conversation", text.size(), limits.import_bytes_max);
  if (!fits) return pass_on(fits);
  auto file = parse_file(text);
  if (!file) return pass_on(file);
  JsonFields fields(*file, "");
  const std::string title = fields.text("title");
  const std::string settings = fields.text("settings");
  const bool by_user = fields.boolean("title_by_user");
  const std::int64_t created_ms = fields.integer("created_ms", 0, kTimeMsMax);
  const std::int64_t leaf = fields.integer("leaf", 0, limits.messages_max);
  const json::array* list = fields.array("messages");
  if (!fields.status()) return tl::unexpected(fields.status().error());
  const std::size_t count = list == nullptr ? 0 : list->size();
  if (count > static_cast<std::size_t>(limits.messages_max)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("messages has {} entries; at most {} are taken", count, limits.messages_max));
  }
  auto conversation = create(owner, title, settings);
  if (!conversation) return conversation;
  auto key = key_of(owner, conversation->id);
  if (!key) return pass_on(key);
  std::unordered_map<std::int64_t, std::int64_t> ids = {{0, 0}};
  for (std::size_t i = 0; i < count; ++i) {
    if (auto done = import_message(*key, (*list)[i], i, ids); !done) return pass_on(done);
  }
  if (ids.count(leaf) == 0) {
    return fail(ErrorCode::kInvalidArgument, "leaf is not the id of a message");
  }
  auto done = database.run(
      "UPDATE conversation SET leaf_id = ?, created_ms = ?, title_by_user = ?, message_count = ?"
      " WHERE key = ?",
      ids[leaf], created_ms, std::int64_t{by_user}, static_cast<std::int64_t>(count), *key);
  if (!done) return pass_on(done);
  return get(owner, conversation->id);
}

Status StoreTables::import_message(std::int64_t key, const boost::json::value& value,
                                   std::size_t index,
                                   std::unordered_map<std::int64_t, std::int64_t>& ids) {
  const std::string field = fmt::format("messages[{}]", index);
  auto message = from_json(value, field, limits.messages_max);
  if (!message) return pass_on(message);
  const std::int64_t number = message->id;
  const auto parent = ids.find(message->parent_id);
  if (ids.count(number) != 0 || parent == ids.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must have an id of its own and the id of an earlier message as its "
                            "parent, or 0",
                            field));
  }
  message->parent_id = parent->second;
  auto id = insert_message(key, *message);
  if (!id) return fail(id.error().code, fmt::format("{}: {}", field, id.error().message));
  ids[number] = *id;
  return {};
}

}  // namespace notso
