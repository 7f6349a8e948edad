// The trees of messages.

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

#include "service/store/message_json.h"
#include "service/store/store_tables.h"
#include "service/store/store_text.h"

namespace notso {
namespace {

#define MESSAGE_COLUMNS                                                                     \
  "id, parent_id, role, state, finish, content, reasoning, tool_calls, tool_call_id, name," \
  " tokens, error, usage, model, created_ms, client_key, followups"

template <class Enum>
Result<Enum> read_enum(const SqliteQuery& row, int column, Enum last) {
  const std::int64_t value = row.integer(column);
  if (value >= 0 && value <= static_cast<std::int64_t>(last)) return static_cast<Enum>(value);
  return fail(ErrorCode::kDataLoss, "a stored message's role or state is damaged");
}

Result<StoredMessage> read_message(const SqliteQuery& row) {
  StoredMessage out;
  out.id = row.integer(0);
  out.parent_id = row.integer(1);
  auto role = read_enum(row, 2, Role::kTool);
  if (!role) return pass_on(role);
  auto state = read_enum(row, 3, MessageState::kFailed);
  if (!state) return pass_on(state);
  auto finish = read_enum(row, 4, FinishReason::kError);
  if (!finish) return pass_on(finish);
  auto calls = calls_from_text(row.text(7));
  if (!calls) return pass_on(calls);
  auto tokens = tokens_from_bytes(row.text(10));
  if (!tokens) return pass_on(tokens);
  auto usage = usage_from_text(row.text(12));
  if (!usage) return pass_on(usage);
  auto followups = texts_from_text(row.text(16));
  if (!followups) return pass_on(followups);
  out.message = {*role,       row.text(5), row.text(6),       std::move(*calls),
                 row.text(8), row.text(9), std::move(*tokens)};
  out.state = *state;
  out.finish = *finish;
  out.error = row.text(11);
  out.usage = *usage;
  out.model = row.text(13);
  out.created_ms = row.integer(14);
  out.client_key = row.text(15);
  out.followups = std::move(*followups);
  return out;
}

Result<std::vector<StoredMessage>> read_messages(SqliteQuery& query) {
  std::vector<StoredMessage> out;
  while (query.next()) {
    auto message = read_message(query);
    if (!message) return pass_on(message);
    out.push_back(std::move(*message));
  }
  if (!query.status()) return tl::unexpected(query.status().error());
  return out;
}

Status check_message(const StoredMessage& stored, const StoreLimits& limits) {
  const Message& message = stored.message;
  std::size_t bytes = message.content.size() + message.reasoning.size() + message.name.size() +
                      message.tool_call_id.size() + stored.error.size() + stored.model.size();
  for (const ToolCall& call : message.tool_calls) {
    bytes += call.id.size() + call.name.size() + call.arguments.size();
  }
  for (const std::string& text : stored.followups) bytes += text.size();
  auto fits = check_size("the message", bytes, limits.message_bytes_max);
  if (fits) {
    fits = check_size("the message's client_key", stored.client_key.size(),
                      limits.client_key_bytes_max);
  }
  if (!fits) return fits;
  if (message.tokens.size() <= limits.tokens_max) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("the message has {} token ids; at most {} are kept",
                          message.tokens.size(), limits.tokens_max));
}

tl::unexpected<Error> no_message() {
  return fail(ErrorCode::kNotFound, "the conversation has no such message");
}

constexpr std::string_view kOneMessage =
    "SELECT " MESSAGE_COLUMNS " FROM message WHERE id = ? AND conversation = ?";

}  // namespace

Result<std::int64_t> StoreTables::insert_message(std::int64_t key, const StoredMessage& stored) {
  if (auto fits = check_message(stored, limits); !fits) return pass_on(fits);
  const Message& message = stored.message;
  auto done = database.run(
      "INSERT INTO message(conversation, parent_id, role, state, finish, content, reasoning,"
      " tool_calls, tool_call_id, name, tokens, error, usage, model, created_ms, client_key,"
      " followups) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), ?)",
      key, stored.parent_id, static_cast<std::int64_t>(message.role),
      static_cast<std::int64_t>(stored.state), static_cast<std::int64_t>(stored.finish),
      clean_text(message.content), clean_text(message.reasoning), calls_to_text(message.tool_calls),
      clean_text(message.tool_call_id), clean_text(message.name),
      SqliteBlob{tokens_to_bytes(message.tokens)}, clean_text(stored.error),
      usage_to_text(stored.usage), clean_text(stored.model), stored.created_ms,
      clean_text(stored.client_key), texts_to_text(stored.followups));
  if (!done) return pass_on(done);
  return database.last_row();
}

Result<StoredMessage> StoreTables::append(const std::string& owner, const SessionId& id,
                                          const StoredMessage& message) {
  auto conversation = get(owner, id);
  if (!conversation) return pass_on(conversation);
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  if (!message.client_key.empty()) {
    SqliteQuery query = database.query("SELECT " MESSAGE_COLUMNS
                                       " FROM message WHERE conversation = ? AND client_key = ?",
                                       *key, clean_text(message.client_key));
    if (query.next()) return read_message(query);
    if (!query.status()) return tl::unexpected(query.status().error());
  }
  if (conversation->deleted_ms != 0) {
    return fail(ErrorCode::kNotFound, "the conversation is deleted: take that back first");
  }
  if (conversation->message_count >= limits.messages_max) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the conversation has {} messages, which is the most: begin another",
                            conversation->message_count));
  }
  if (message.parent_id != 0) {
    SqliteQuery query = database.query("SELECT id FROM message WHERE id = ? AND conversation = ?",
                                       message.parent_id, *key);
    const bool known = query.next();
    if (!query.status()) return tl::unexpected(query.status().error());
    if (!known) return no_message();
  }
  auto now = next_update_ms();
  if (!now) return pass_on(now);
  StoredMessage stamped = message;
  if (stamped.created_ms == 0) stamped.created_ms = unix_ms();
  auto message_id = insert_message(*key, stamped);
  if (!message_id) return pass_on(message_id);
  auto done = database.run(
      "UPDATE conversation SET leaf_id = ?, updated_ms = ?, message_count = message_count + 1"
      " WHERE key = ?",
      *message_id, *now, *key);
  if (!done) return pass_on(done);
  SqliteQuery query = database.query(kOneMessage, *message_id, *key);
  if (query.next()) return read_message(query);
  if (!query.status()) return tl::unexpected(query.status().error());
  return no_message();
}

Status StoreTables::update(const std::string& owner, const SessionId& id,
                           const StoredMessage& stored) {
  if (auto fits = check_message(stored, limits); !fits) return fits;
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  const Message& message = stored.message;
  auto done = database.run(
      "UPDATE message SET state = ?, finish = ?, content = ?, reasoning = ?, tool_calls = ?,"
      " tool_call_id = ?, name = ?, tokens = ?, error = ?, usage = ?, model = ?, followups = ?"
      " WHERE id = ? AND conversation = ?",
      static_cast<std::int64_t>(stored.state), static_cast<std::int64_t>(stored.finish),
      clean_text(message.content), clean_text(message.reasoning), calls_to_text(message.tool_calls),
      clean_text(message.tool_call_id), clean_text(message.name),
      SqliteBlob{tokens_to_bytes(message.tokens)}, clean_text(stored.error),
      usage_to_text(stored.usage), clean_text(stored.model), texts_to_text(stored.followups),
      stored.id, *key);
  if (done && database.changes() == 0) return no_message();
  return done;
}

Result<std::vector<StoredMessage>> StoreTables::path(const std::string& owner, const SessionId& id,
                                                     std::int64_t leaf_id) {
  auto conversation = get(owner, id);
  if (!conversation) return pass_on(conversation);
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  std::vector<StoredMessage> out;
  // Parents have lower ids than their children, so this ends whatever the rows say.
  std::int64_t next = leaf_id != 0 ? leaf_id : conversation->leaf_id;
  while (next != 0) {
    SqliteQuery query = database.query(kOneMessage, next, *key);
    if (!query.next()) {
      if (!query.status()) return tl::unexpected(query.status().error());
      return no_message();
    }
    auto message = read_message(query);
    if (!message) return pass_on(message);
    if (message->parent_id >= message->id) {
      return fail(ErrorCode::kDataLoss, "a stored message's parent is damaged");
    }
    next = message->parent_id;
    out.push_back(std::move(*message));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Result<std::vector<StoredMessage>> StoreTables::messages(const std::string& owner,
                                                         const SessionId& id) {
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  SqliteQuery query = database.query(
      "SELECT " MESSAGE_COLUMNS " FROM message WHERE conversation = ? ORDER BY id", *key);
  return read_messages(query);
}

Result<std::vector<std::int64_t>> StoreTables::siblings(const std::string& owner,
                                                        const SessionId& id,
                                                        std::int64_t message_id) {
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  std::vector<std::int64_t> out;
  SqliteQuery query = database.query(
      "SELECT id FROM message WHERE conversation = ?1 AND parent_id ="
      " (SELECT parent_id FROM message WHERE id = ?2 AND conversation = ?1) ORDER BY id",
      *key, message_id);
  while (query.next()) out.push_back(query.integer(0));
  if (!query.status()) return tl::unexpected(query.status().error());
  if (out.empty()) return no_message();
  return out;
}

Result<std::vector<RunningMessage>> StoreTables::running() {
  std::vector<RunningMessage> out;
  SqliteQuery query = database.query(
      "SELECT c.owner, c.id, m.id FROM message m JOIN conversation c ON c.key = m.conversation"
      " WHERE m.state = 1 ORDER BY m.id");
  while (query.next()) out.push_back({query.text(0), query.text(1), query.integer(2)});
  if (!query.status()) return tl::unexpected(query.status().error());
  return out;
}

}  // namespace notso
