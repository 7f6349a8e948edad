#include "service/store/sqlite_store.h"

#include <utility>

#include "service/store/store_thread.h"

namespace notso {
namespace {

std::size_t bytes_of(const StoredMessage& stored) {
  const Message& message = stored.message;
  std::size_t bytes = message.content.size() + message.reasoning.size() +
                      message.tokens.size() * sizeof(std::int32_t);
  for (const ToolCall& call : message.tool_calls) bytes += call.arguments.size();
  return bytes;
}

// Each call becomes a job of the store's thread.
class SqliteStore final : public SessionStore {
 public:
  explicit SqliteStore(SqliteStoreOptions options) : thread_(std::move(options)) {}

  void create(std::string owner, std::string title, std::string settings,
              Then<Conversation> then) override {
    const std::size_t bytes = title.size() + settings.size();
    write<Conversation>(
        bytes,
        [owner = std::move(owner), title = std::move(title), settings = std::move(settings)](
            StoreTables& tables) { return tables.create(owner, title, settings); },
        std::move(then));
  }

  void get(std::string owner, SessionId id, Then<Conversation> then) override {
    read<Conversation>([owner = std::move(owner),
                        id = std::move(id)](StoreTables& tables) { return tables.get(owner, id); },
                       std::move(then));
  }

  void get_whole(std::string owner, SessionId id, Then<WholeConversation> then) override {
    read<WholeConversation>([owner = std::move(owner), id = std::move(id)](
                                StoreTables& tables) { return tables.get_whole(owner, id); },
                            std::move(then));
  }

  void list(std::string owner, std::int64_t before_ms, std::int32_t limit,
            Then<std::vector<Conversation>> then) override {
    read<std::vector<Conversation>>(
        [owner = std::move(owner), before_ms, limit](StoreTables& tables) {
          return tables.list(owner, before_ms, limit);
        },
        std::move(then));
  }

  void rename(std::string owner, SessionId id, std::string title, bool by_user,
              Then<void> then) override {
    const std::size_t bytes = title.size();
    write<void>(
        bytes,
        [owner = std::move(owner), id = std::move(id), title = std::move(title),
         by_user](StoreTables& tables) { return tables.rename(owner, id, title, by_user); },
        std::move(then));
  }

  void set_settings(std::string owner, SessionId id, std::string settings,
                    Then<void> then) override {
    const std::size_t bytes = settings.size();
    write<void>(
        bytes,
        [owner = std::move(owner), id = std::move(id), settings = std::move(settings)](
            StoreTables& tables) { return tables.set_settings(owner, id, settings); },
        std::move(then));
  }

  void set_deleted(std::string owner, SessionId id, bool deleted, Then<void> then) override {
    write<void>(
        0,
        [owner = std::move(owner), id = std::move(id), deleted](StoreTables& tables) {
          return tables.set_deleted(owner, id, deleted);
        },
        std::move(then));
  }

  void set_leaf(std::string owner, SessionId id, std::int64_t message_id,
                Then<void> then) override {
    write<void>(
        0,
        [owner = std::move(owner), id = std::move(id), message_id](StoreTables& tables) {
          return tables.set_leaf(owner, id, message_id);
        },
        std::move(then));
  }

  void append(std::string owner, SessionId id, StoredMessage message,
              Then<StoredMessage> then) override {
    const std::size_t bytes = bytes_of(message);
    write<StoredMessage>(
        bytes,
        [owner = std::move(owner), id = std::move(id), message = std::move(message)](
            StoreTables& tables) { return tables.append(owner, id, message); },
        std::move(then));
  }

  void update(std::string owner, SessionId id, StoredMessage message, Then<void> then) override {
    const std::size_t bytes = bytes_of(message);
    write<void>(
        bytes,
        [owner = std::move(owner), id = std::move(id), message = std::move(message)](
            StoreTables& tables) { return tables.update(owner, id, message); },
        std::move(then));
  }

  void path(std::string owner, SessionId id, std::int64_t leaf_id,
            Then<std::vector<StoredMessage>> then) override {
    read<std::vector<StoredMessage>>(
        [owner = std::move(owner), id = std::move(id), leaf_id](StoreTables& tables) {
          return tables.path(owner, id, leaf_id);
        },
        std::move(then));
  }

  void running(Then<std::vector<RunningMessage>> then) override {
    read<std::vector<RunningMessage>>([](StoreTables& tables) { return tables.running(); },
                                      std::move(then));
  }

  void siblings(std::string owner, SessionId id, std::int64_t message_id,
                Then<std::vector<std::int64_t>> then) override {
    read<std::vector<std::int64_t>>(
        [owner = std::move(owner), id = std::move(id), message_id](StoreTables& tables) {
          return tables.siblings(owner, id, message_id);
        },
        std::move(then));
  }

  void search(std::string owner, std::string query, std::int32_t limit,
              Then<std::vector<SearchHit>> then) override {
    read<std::vector<SearchHit>>(
        [owner = std::move(owner), query = std::move(query), limit](StoreTables& tables) {
          return tables.search(owner, query, limit);
        },
        std::move(then));
  }

  void export_json(std::string owner, SessionId id, Then<std::string> then) override {
    read<std::string>([owner = std::move(owner), id = std::move(id)](
                          StoreTables& tables) { return tables.export_json(owner, id); },
                      std::move(then));
  }

  void import_json(std::string owner, std::string json, Then<Conversation> then) override {
    const std::size_t bytes = json.size();
    write<Conversation>(
        bytes,
        [owner = std::move(owner), json = std::move(json)](StoreTables& tables) {
          return tables.import_json(owner, json);
        },
        std::move(then));
  }

  void purge(std::int64_t deleted_before_ms, std::int64_t idle_before_ms,
             Then<std::int64_t> then) override {
    write<std::int64_t>(
        0,
        [deleted_before_ms, idle_before_ms](StoreTables& tables) {
          return tables.purge(deleted_before_ms, idle_before_ms);
        },
        std::move(then));
  }

  void put_value(std::string owner, std::string name, std::string value, std::int64_t expires_ms,
                 Then<void> then) override {
    const std::size_t bytes = value.size();
    write<void>(
        bytes,
        [owner = std::move(owner), name = std::move(name), value = std::move(value), expires_ms](
            StoreTables& tables) { return tables.put_value(owner, name, value, expires_ms); },
        std::move(then));
  }

  void get_value(std::string owner, std::string name, Then<std::string> then) override {
    read<std::string>([owner = std::move(owner), name = std::move(name)](
                          StoreTables& tables) { return tables.get_value(owner, name); },
                      std::move(then));
  }

  void delete_value(std::string owner, std::string name, Then<void> then) override {
    write<void>(
        0,
        [owner = std::move(owner), name = std::move(name)](StoreTables& tables) {
          return tables.delete_value(owner, name);
        },
        std::move(then));
  }

  [[nodiscard]] Status health() const override { return thread_.health(); }

 private:
  template <class T>
  void write(std::size_t bytes, typename StoreCall<T>::Work work, Then<T> then) {
    thread_.submit(std::make_unique<StoreCall<T>>(true, bytes, std::move(work), std::move(then)));
  }

  template <class T>
  void read(typename StoreCall<T>::Work work, Then<T> then) {
    thread_.submit(std::make_unique<StoreCall<T>>(false, 0, std::move(work), std::move(then)));
  }

  StoreThread thread_;
};

}  // namespace

std::unique_ptr<SessionStore> open_sqlite_store(SqliteStoreOptions options) {
  return std::make_unique<SqliteStore>(std::move(options));
}

}  // namespace notso
