// What the store does, one member an operation, on one open database. Each runs inside a
// transaction that the caller begins and ends, and may run again if that one fails. Private to the
// store.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "service/store/session_store.h"
#include "service/store/sqlite.h"
#include "service/store/store_limits.h"

namespace notso {

// The operations of session_store.h, which says what each does.
struct StoreTables {
  SqliteDatabase& database;
  const StoreLimits& limits;
  std::function<std::int64_t()> unix_ms;

  // conversations.cpp
  Result<Conversation> create(const std::string& owner, const std::string& title,
                              const std::string& settings);
  Result<Conversation> get(const std::string& owner, const SessionId& id);
  Result<WholeConversation> get_whole(const std::string& owner, const SessionId& id);
  Result<std::vector<Conversation>> list(const std::string& owner, std::int64_t before_ms,
                                         std::int32_t limit);
  Status rename(const std::string& owner, const SessionId& id, const std::string& title,
                bool by_user);
  Status set_settings(const std::string& owner, const SessionId& id, const std::string& settings);
  Status set_deleted(const std::string& owner, const SessionId& id, bool deleted);
  Status set_leaf(const std::string& owner, const SessionId& id, std::int64_t message_id);
  Result<std::int64_t> purge(std::int64_t deleted_before_ms, std::int64_t idle_before_ms);

  // messages.cpp
  Result<StoredMessage> append(const std::string& owner, const SessionId& id,
                               const StoredMessage& message);
  Status update(const std::string& owner, const SessionId& id, const StoredMessage& message);
  Result<std::vector<StoredMessage>> path(const std::string& owner, const SessionId& id,
                                          std::int64_t leaf_id);
  Result<std::vector<StoredMessage>> messages(const std::string& owner, const SessionId& id);
  Result<std::vector<std::int64_t>> siblings(const std::string& owner, const SessionId& id,
                                             std::int64_t message_id);
  Result<std::vector<RunningMessage>> running();

  // search.cpp
  Result<std::vector<SearchHit>> search(const std::string& owner, const std::string& query,
                                        std::int32_t limit);

  // transfer.cpp
  Result<std::string> export_json(const std::string& owner, const SessionId& id);
  Result<Conversation> import_json(const std::string& owner, const std::string& json);

  // conversations.cpp
  Status put_value(const std::string& owner, const std::string& name, const std::string& value,
                   std::int64_t expires_ms);
  Result<std::string> get_value(const std::string& owner, const std::string& name);
  Status delete_value(const std::string& owner, const std::string& name);

 private:
  // The conversation's number; kNotFound where the owner has none of this id.
  Result<std::int64_t> key_of(const std::string& owner, const SessionId& id);
  // Adds a row below a parent that exists, and gives its id.
  Result<std::int64_t> insert_message(std::int64_t key, const StoredMessage& message);
  // The time now, or later: above every updated_ms so far.
  Result<std::int64_t> next_update_ms();
  // With all its messages.
  Status remove_conversation(std::int64_t key);
  // Adds entry `index` of an import; `ids` leads from the file's ids to ours.
  Status import_message(std::int64_t key, const boost::json::value& value, std::size_t index,
                        std::unordered_map<std::int64_t, std::int64_t>& ids);
};

}  // namespace notso
