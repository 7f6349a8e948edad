// A store of values in memory, which answers at once; it keeps no conversations.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/store/session_store.h"

namespace notso {

// See the top of the file.
class MemoryStore final : public SessionStore {
 public:
  void put_value(std::string owner, std::string name, std::string value, std::int64_t expires_ms,
                 Then<void> then) override {
    if (refuse) return then(tl::unexpected<Error>(*refuse));
    expires_ms_last = expires_ms;
    values[{owner, name}] = std::move(value);
    then({});
  }
  void get_value(std::string owner, std::string name, Then<std::string> then) override {
    const auto found = values.find({owner, name});
    if (found == values.end()) return none(then);
    then(found->second);
  }
  void delete_value(std::string owner, std::string name, Then<void> then) override {
    if (values.erase({owner, name}) == 0) return none(then);
    then({});
  }

  void create(std::string, std::string, std::string, Then<Conversation> then) override {
    none(then);
  }
  void get(std::string, SessionId, Then<Conversation> then) override { none(then); }
  void list(std::string, std::int64_t, std::int32_t,
            Then<std::vector<Conversation>> then) override {
    none(then);
  }
  void rename(std::string, SessionId, std::string, bool, Then<void> then) override { none(then); }
  void set_settings(std::string, SessionId, std::string, Then<void> then) override { none(then); }
  void set_deleted(std::string, SessionId, bool, Then<void> then) override { none(then); }
  void set_leaf(std::string, SessionId, std::int64_t, Then<void> then) override { none(then); }
  void append(std::string, SessionId, StoredMessage, Then<StoredMessage> then) override {
    none(then);
  }
  void update(std::string, SessionId, StoredMessage, Then<void> then) override { none(then); }
  void path(std::string, SessionId, std::int64_t, Then<std::vector<StoredMessage>> then) override {
    none(then);
  }
  void running(Then<std::vector<RunningMessage>> then) override { none(then); }
  void get_whole(std::string, SessionId, Then<WholeConversation> then) override { none(then); }
  void siblings(std::string, SessionId, std::int64_t,
                Then<std::vector<std::int64_t>> then) override {
    none(then);
  }
  void search(std::string, std::string, std::int32_t, Then<std::vector<SearchHit>> then) override {
    none(then);
  }
  void export_json(std::string, SessionId, Then<std::string> then) override { none(then); }
  void import_json(std::string, std::string, Then<Conversation> then) override { none(then); }
  void purge(std::int64_t, std::int64_t, Then<std::int64_t> then) override { none(then); }
  [[nodiscard]] Status health() const override { return {}; }

  std::map<std::pair<std::string, std::string>, std::string> values;  // by owner and name
  std::optional<Error> refuse;                                        // what put_value() says
  std::int64_t expires_ms_last = 0;

 private:
  template <class T>
  static void none(const Then<T>& then) {
    then(fail(ErrorCode::kNotFound, "there is none"));
  }
};

}  // namespace notso
