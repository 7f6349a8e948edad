#include "service/store/schema.h"

#include <array>
#include <fmt/format.h>

namespace notso {
namespace {

// "ntso": tells our files from other programs'.
constexpr std::int64_t kApplicationId = 0x6e74736f;

constexpr const char* kVersion1 = R"sql(
CREATE TABLE conversation(
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  title TEXT NOT NULL,
  title_by_user INTEGER NOT NULL,
  settings TEXT NOT NULL,
  leaf_id INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  deleted_ms INTEGER NOT NULL,
  message_count INTEGER NOT NULL
);
CREATE INDEX conversation_of_owner ON conversation(owner, updated_ms) WHERE deleted_ms = 0;
CREATE INDEX conversation_deleted ON conversation(deleted_ms) WHERE deleted_ms > 0;
CREATE INDEX conversation_updated ON conversation(updated_ms);

CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversation(key),
  parent_id INTEGER NOT NULL,
  role INTEGER NOT NULL,
  state INTEGER NOT NULL,
  finish INTEGER NOT NULL,
  content TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  tool_calls TEXT NOT NULL,
  tool_call_id TEXT NOT NULL,
  name TEXT NOT NULL,
  tokens BLOB NOT NULL,
  error TEXT NOT NULL,
  usage TEXT NOT NULL,
  model TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  client_key TEXT,
  followups TEXT NOT NULL
);
CREATE INDEX message_of_conversation ON message(conversation);
CREATE INDEX message_of_parent ON message(conversation, parent_id);
CREATE UNIQUE INDEX message_of_client ON message(conversation, client_key)
  WHERE client_key IS NOT NULL;
CREATE INDEX message_running ON message(state) WHERE state = 1;

CREATE TABLE value(
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  value BLOB NOT NULL,
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY(owner, name)
) WITHOUT ROWID;
CREATE INDEX value_expiring ON value(expires_ms) WHERE expires_ms > 0;

CREATE VIEW searchable AS
  SELECT id, content AS text FROM message WHERE state <> 1 AND role IN (1, 2)
  UNION ALL SELECT -key, title FROM conversation;
CREATE VIRTUAL TABLE found USING fts5(
  text, content = 'searchable', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER message_added AFTER INSERT ON message
  WHEN new.state <> 1 AND new.role IN (1, 2) BEGIN
  INSERT INTO found(rowid, text) VALUES (new.id, new.content);
END;
CREATE TRIGGER message_changed AFTER UPDATE OF content, state ON message
  WHEN new.role IN (1, 2) AND (old.state <> 1 OR new.state <> 1)
    AND (old.content <> new.content OR (old.state = 1) <> (new.state = 1)) BEGIN
  INSERT INTO found(found, rowid, text) SELECT 'delete', old.id, old.content WHERE old.state <> 1;
  INSERT INTO found(rowid, text) SELECT new.id, new.content WHERE new.state <> 1;
END;
CREATE TRIGGER message_removed AFTER DELETE ON message
  WHEN old.state <> 1 AND old.role IN (1, 2) BEGIN
  INSERT INTO found(found, rowid, text) VALUES ('delete', old.id, old.content);
END;
CREATE TRIGGER conversation_added AFTER INSERT ON conversation BEGIN
  INSERT INTO found(rowid, text) VALUES (-new.key, new.title);
END;
CREATE TRIGGER conversation_renamed AFTER UPDATE OF title ON conversation
  WHEN old.title <> new.title BEGIN
  INSERT INTO found(found, rowid, text) VALUES ('delete', -old.key, old.title);
  INSERT INTO found(rowid, text) VALUES (-new.key, new.title);
END;
CREATE TRIGGER conversation_removed AFTER DELETE ON conversation BEGIN
  INSERT INTO found(found, rowid, text) VALUES ('delete', -old.key, old.title);
END;
)sql";

// Step i leads from version i to i + 1.
constexpr std::array kSteps = {kVersion1};

Result<std::int64_t> number(SqliteDatabase& database, std::string_view sql) {
  SqliteQuery query = database.query(sql);
  const std::int64_t value = query.next() ? query.integer(0) : 0;
  if (!query.status()) return tl::unexpected(query.status().error());
  return value;
}

Status take_step(SqliteDatabase& database, std::size_t version) {
  if (auto begun = database.script("BEGIN IMMEDIATE"); !begun) return begun;
  const std::string mark = fmt::format("PRAGMA user_version = {}; PRAGMA application_id = {};",
                                       version + 1, kApplicationId);
  Status done = database.script(kSteps[version]);
  if (done) done = database.script(mark.c_str());
  if (done) done = database.script("COMMIT");
  if (!done && database.in_transaction()) static_cast<void>(database.script("ROLLBACK"));
  return done;
}

}  // namespace

Status migrate(SqliteDatabase& database, const std::string& path) {
  auto application = number(database, "PRAGMA application_id");
  if (!application) return pass_on(application);
  auto version = number(database, "PRAGMA user_version");
  if (!version) return pass_on(version);
  auto tables = number(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return pass_on(tables);
  if (*application != kApplicationId && (*application != 0 || *version != 0 || *tables != 0)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} belongs to another program: choose another store", path));
  }
  if (*version > static_cast<std::int64_t>(kSteps.size())) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} was made by a newer notso (its version is {}, this program knows "
                            "{}): update notso or choose another store",
                            path, *version, kSteps.size()));
  }
  for (auto step = static_cast<std::size_t>(*version); step < kSteps.size(); ++step) {
    if (auto done = take_step(database, step); !done) return done;
  }
  return {};
}

Status check_integrity(SqliteDatabase& database, const std::string& path) {
  SqliteQuery query = database.query("PRAGMA quick_check(1)");
  const std::string verdict = query.next() ? query.text(0) : "ok";
  if (!query.status()) return query.status();
  if (verdict == "ok") return {};
  return fail(ErrorCode::kDataLoss, fmt::format("{} is damaged: {}", path, verdict));
}

Status write_probe(SqliteDatabase& database) {
  return database.script(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
}

}  // namespace notso
