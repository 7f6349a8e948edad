// Conversations without their messages, and small values.

#include <algorithm>
#include <optional>
#include <string_view>

#include "service/store/store_tables.h"
#include "service/store/store_text.h"
#include "service/store/uuid.h"

namespace notso {
namespace {

#define CONVERSATION_COLUMNS                                                                \
  "id, owner, title, title_by_user, settings, leaf_id, created_ms, updated_ms, deleted_ms," \
  " message_count"

Conversation read_conversation(const SqliteQuery& row) {
  Conversation out;
  out.id = row.text(0);
  out.owner = row.text(1);
  out.title = row.text(2);
  out.title_by_user = row.integer(3) != 0;
  out.settings = row.text(4);
  out.leaf_id = row.integer(5);
  out.created_ms = row.integer(6);
  out.updated_ms = row.integer(7);
  out.deleted_ms = row.integer(8);
  out.message_count = row.integer(9);
  return out;
}

tl::unexpected<Error> no_conversation() {
  return fail(ErrorCode::kNotFound, "there is no such conversation");
}

// The outcome of a statement that had one conversation to change.
Status changed_one(SqliteDatabase& database, Status done) {
  if (done && database.changes() == 0) return no_conversation();
  return done;
}

std::vector<std::int64_t> integers(SqliteQuery& query) {
  std::vector<std::int64_t> out;
  while (query.next()) out.push_back(query.integer(0));
  return out;
}

}  // namespace

Result<std::int64_t> StoreTables::key_of(const std::string& owner, const SessionId& id) {
  SqliteQuery query =
      database.query("SELECT key FROM conversation WHERE id = ? AND owner = ?", id, owner);
  const std::int64_t key = query.next() ? query.integer(0) : 0;
  if (!query.status()) return tl::unexpected(query.status().error());
  if (key == 0) return no_conversation();
  return key;
}

Result<std::int64_t> StoreTables::next_update_ms() {
  SqliteQuery query = database.query("SELECT max(updated_ms) FROM conversation");
  const std::int64_t last = query.next() ? query.integer(0) : 0;
  if (!query.status()) return tl::unexpected(query.status().error());
  return std::max(unix_ms(), last + 1);
}

Result<Conversation> StoreTables::create(const std::string& owner, const std::string& title,
                                         const std::string& settings) {
  if (auto fits = check_size("the title", title.size(), limits.title_bytes_max); !fits) {
    return pass_on(fits);
  }
  auto fits = check_size("the conversation's settings", settings.size(), limits.settings_bytes_max);
  if (!fits) return pass_on(fits);
  auto now = next_update_ms();
  if (!now) return pass_on(now);
  auto id = new_secret_id(unix_ms());
  if (!id) return pass_on(id);
  auto done = database.run(
      "INSERT INTO conversation(id, owner, title, title_by_user, settings, leaf_id, created_ms,"
      " updated_ms, deleted_ms, message_count) VALUES (?, ?, ?, 0, ?, 0, ?, ?, 0, 0)",
      *id, owner, clean_text(title), clean_text(settings), unix_ms(), *now);
  if (!done) return pass_on(done);
  return get(owner, *id);
}

Result<Conversation> StoreTables::get(const std::string& owner, const SessionId& id) {
  SqliteQuery query = database.query(
      "SELECT " CONVERSATION_COLUMNS " FROM conversation WHERE id = ? AND owner = ?", id, owner);
  if (query.next()) return read_conversation(query);
  if (!query.status()) return tl::unexpected(query.status().error());
  return no_conversation();
}

Result<WholeConversation> StoreTables::get_whole(const std::string& owner, const SessionId& id) {
  auto conversation = get(owner, id);
  if (!conversation) return pass_on(conversation);
  auto all = messages(owner, id);
  if (!all) return pass_on(all);
  return WholeConversation{std::move(*conversation), std::move(*all)};
}

Result<std::vector<Conversation>> StoreTables::list(const std::string& owner,
                                                    std::int64_t before_ms, std::int32_t limit) {
  std::vector<Conversation> out;
  SqliteQuery query =
      database.query("SELECT " CONVERSATION_COLUMNS
                     " FROM conversation WHERE owner = ? AND deleted_ms = 0 AND updated_ms < ?"
                     " ORDER BY updated_ms DESC LIMIT ?",
                     owner, before_ms > 0 ? before_ms : INT64_MAX,
                     std::int64_t{std::clamp(limit, 0, limits.rows_max)});
  while (query.next()) out.push_back(read_conversation(query));
  if (!query.status()) return tl::unexpected(query.status().error());
  return out;
}

Status StoreTables::rename(const std::string& owner, const SessionId& id, const std::string& title,
                           bool by_user) {
  auto fits = check_size("the title", title.size(), limits.title_bytes_max);
  if (!fits) return fits;
  return changed_one(
      database,
      database.run(
          "UPDATE conversation SET title = ?, title_by_user = ? WHERE id = ? AND owner = ?",
          clean_text(title), std::int64_t{by_user}, id, owner));
}

Status StoreTables::set_settings(const std::string& owner, const SessionId& id,
                                 const std::string& settings) {
  auto fits = check_size("the conversation's settings", settings.size(), limits.settings_bytes_max);
  if (!fits) return fits;
  return changed_one(database,
                     database.run("UPDATE conversation SET settings = ? WHERE id = ? AND owner = ?",
                                  clean_text(settings), id, owner));
}

Status StoreTables::set_deleted(const std::string& owner, const SessionId& id, bool deleted) {
  return changed_one(
      database, database.run("UPDATE conversation SET deleted_ms = ? WHERE id = ? AND owner = ?",
                             deleted ? unix_ms() : std::int64_t{0}, id, owner));
}

Status StoreTables::set_leaf(const std::string& owner, const SessionId& id,
                             std::int64_t message_id) {
  auto key = key_of(owner, id);
  if (!key) return pass_on(key);
  if (message_id != 0) {
    SqliteQuery query = database.query("SELECT id FROM message WHERE id = ? AND conversation = ?",
                                       message_id, *key);
    const bool known = query.next();
    if (!query.status()) return query.status();
    if (!known) return fail(ErrorCode::kNotFound, "the conversation has no such message");
  }
  return database.run("UPDATE conversation SET leaf_id = ? WHERE key = ?", message_id, *key);
}

Status StoreTables::remove_conversation(std::int64_t key) {
  if (auto done = database.run("DELETE FROM message WHERE conversation = ?", key); !done) {
    return done;
  }
  return database.run("DELETE FROM conversation WHERE key = ?", key);
}

Result<std::int64_t> StoreTables::purge(std::int64_t deleted_before_ms,
                                        std::int64_t idle_before_ms) {
  std::vector<std::int64_t> keys;
  {
    SqliteQuery deleted = database.query(
        "SELECT key FROM conversation WHERE deleted_ms > 0 AND deleted_ms < ?", deleted_before_ms);
    keys = integers(deleted);
    if (!deleted.status()) return tl::unexpected(deleted.status().error());
    SqliteQuery idle =
        database.query("SELECT key FROM conversation WHERE updated_ms < ?", idle_before_ms);
    for (const std::int64_t key : integers(idle)) keys.push_back(key);
    if (!idle.status()) return tl::unexpected(idle.status().error());
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  for (const std::int64_t key : keys) {
    if (auto done = remove_conversation(key); !done) return pass_on(done);
  }
  if (!keys.empty()) {
    // Until its parts are merged, the index of words still holds those that are gone.
    auto merged = database.run("INSERT INTO found(found) VALUES ('optimize')");
    if (!merged) return pass_on(merged);
  }
  auto done = database.run("DELETE FROM value WHERE expires_ms > 0 AND expires_ms <= ?", unix_ms());
  if (!done) return pass_on(done);
  if (auto freed = database.run("PRAGMA incremental_vacuum"); !freed) return pass_on(freed);
  return static_cast<std::int64_t>(keys.size());
}

Status StoreTables::put_value(const std::string& owner, const std::string& name,
                              const std::string& value, std::int64_t expires_ms) {
  auto fits = check_size("the value's name", name.size(), limits.value_name_bytes_max);
  if (fits) fits = check_size("the value", value.size(), limits.value_bytes_max);
  if (!fits) return fits;
  auto put = database.run(
      "INSERT OR REPLACE INTO value(owner, name, value, expires_ms) VALUES (?, ?, ?, ?)", owner,
      name, SqliteBlob{value}, expires_ms);
  if (!put || expires_ms == 0) return put;
  // From the one that ends last on, sizes are summed up; what lies beyond the limit goes, but never
  // the one that has just come.
  return database.run(
      "DELETE FROM value WHERE owner = ?1 AND name IN (SELECT name FROM"
      " (SELECT name, sum(length(value)) OVER (ORDER BY name = ?2 DESC, expires_ms DESC, name)"
      " AS bytes FROM value WHERE owner = ?1 AND expires_ms > 0) WHERE bytes > ?3 AND name <> ?2)",
      owner, name, static_cast<std::int64_t>(limits.values_bytes_max));
}

Result<std::string> StoreTables::get_value(const std::string& owner, const std::string& name) {
  SqliteQuery query = database.query(
      "SELECT value FROM value WHERE owner = ? AND name = ?"
      " AND (expires_ms = 0 OR expires_ms > ?)",
      owner, name, unix_ms());
  if (query.next()) return query.text(0);
  if (!query.status()) return tl::unexpected(query.status().error());
  return fail(ErrorCode::kNotFound, "there is no such value, or its time is over");
}

Status StoreTables::delete_value(const std::string& owner, const std::string& name) {
  return database.run("DELETE FROM value WHERE owner = ? AND name = ?", owner, name);
}

}  // namespace notso
