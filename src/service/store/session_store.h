// Conversations on disk: what the page shows after any crash. Every call is answered later, on the
// store's own thread, through a callback; nothing here blocks the engine or the network. Only a
// call that finds the queue full is answered, with kUnavailable, before it returns. A write that
// was answered without an error is on disk. Calls run in the order in which they were made.
//
// Text is UTF-8: what is not, and NUL, is kept as U+FFFD. Errors: kNotFound (also for what belongs
// to another owner), kInvalidArgument (a limit or a malformed value, named), kResourceExhausted (no
// room on the disk; nothing was stored), kUnavailable (the queue is full, or the disk or its file
// cannot be used now).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"

namespace notso {

// A UUID v7 as text with more random bits after it (uuid.h): rises with time, and is a secret.
using SessionId = std::string;

// How one message of a conversation ended up.
enum class MessageState : std::uint8_t { kDone, kRunning, kStopped, kFailed };

// One stored message. Messages form a tree: editing one makes a sibling under the same parent, and
// the conversation shows one path from the root to a leaf.
struct StoredMessage {
  std::int64_t id = 0;         // rises within the store
  std::int64_t parent_id = 0;  // 0: a first message
  Message message;
  MessageState state = MessageState::kDone;
  FinishReason finish = FinishReason::kStop;
  std::string error;  // kFailed: what happened
  Usage usage;
  std::string model;
  std::int64_t created_ms = 0;  // unix time
  std::string client_key;       // the sender's own key: sent twice, stored once
  std::vector<std::string> followups;
};

// A conversation without its messages.
struct Conversation {
  SessionId id;
  std::string owner;  // whose: the id of an API key, "" where there are none
  std::string title;
  bool title_by_user = false;
  std::string settings;      // JSON of our own: temperature, system prompt, ...
  std::int64_t leaf_id = 0;  // the last message of the path that is shown; 0: empty
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::int64_t deleted_ms = 0;  // not 0: deleted, until undone or purged
  std::int64_t message_count = 0;
};

// A conversation and all messages of all branches, by id, as they were at one moment.
struct WholeConversation {
  Conversation conversation;
  std::vector<StoredMessage> messages;
};

// An answer that nobody has finished: a crash came between.
struct RunningMessage {
  std::string owner;
  SessionId conversation;
  std::int64_t message_id = 0;
};

// A place where a search word stands.
struct SearchHit {
  SessionId conversation;
  std::string title;
  std::int64_t message_id = 0;  // 0: in the title
  std::string snippet;          // plain text; the words between \x02 and \x03
};

// The stores' interface; sqlite_store.h has the default one. The owner is part of every look-up:
// another's conversation is kNotFound.
class SessionStore {
 public:
  template <class T>
  using Then = std::function<void(Result<T>)>;

  virtual ~SessionStore() = default;

  // A conversation without messages; one by its id.
  virtual void create(std::string owner, std::string title, std::string settings,
                      Then<Conversation> then) = 0;
  virtual void get(std::string owner, SessionId id, Then<Conversation> then) = 0;
  virtual void get_whole(std::string owner, SessionId id, Then<WholeConversation> then) = 0;
  // The newest first, `limit` of them from updated_ms < before_ms (0: from the newest). No two
  // conversations share an updated_ms, so the last one's leads to the next page.
  virtual void list(std::string owner, std::int64_t before_ms, std::int32_t limit,
                    Then<std::vector<Conversation>> then) = 0;
  virtual void rename(std::string owner, SessionId id, std::string title, bool by_user,
                      Then<void> then) = 0;
  virtual void set_settings(std::string owner, SessionId id, std::string settings,
                            Then<void> then) = 0;
  // Marks as deleted, or takes that back; purge() makes it final.
  virtual void set_deleted(std::string owner, SessionId id, bool deleted, Then<void> then) = 0;
  virtual void set_leaf(std::string owner, SessionId id, std::int64_t message_id,
                        Then<void> then) = 0;

  // Adds a message below message.parent_id and makes it the leaf. A client_key that the
  // conversation has already gives that message instead, with no change.
  virtual void append(std::string owner, SessionId id, StoredMessage message,
                      Then<StoredMessage> then) = 0;
  // Overwrites a message's text, tokens, state, usage and follow-ups: an answer while it is
  // written, and at its end. Its place, its role, its time and its client_key stay.
  virtual void update(std::string owner, SessionId id, StoredMessage message, Then<void> then) = 0;
  // The path to a leaf (0: the conversation's), the first message first.
  virtual void path(std::string owner, SessionId id, std::int64_t leaf_id,
                    Then<std::vector<StoredMessage>> then) = 0;
  // All messages whose state is kRunning, of all owners, by id: what a start has to take up.
  virtual void running(Then<std::vector<RunningMessage>> then) = 0;
  // The messages that share `message_id`'s parent, itself included, by id.
  virtual void siblings(std::string owner, SessionId id, std::int64_t message_id,
                        Then<std::vector<std::int64_t>> then) = 0;

  // Full-text search in titles and messages, the best first: all words must occur, the last one may
  // be the beginning of one. Any text may be asked for.
  virtual void search(std::string owner, std::string query, std::int32_t limit,
                      Then<std::vector<SearchHit>> then) = 0;

  // A conversation with all branches as JSON of our own, and back (under a new id). Nothing that
  // the page shows is lost. Token ids stay behind: they are control, and a file may come from
  // anybody.
  virtual void export_json(std::string owner, SessionId id, Then<std::string> then) = 0;
  virtual void import_json(std::string owner, std::string json, Then<Conversation> then) = 0;

  // Removes for good what was deleted before `deleted_before_ms` and what was idle since
  // `idle_before_ms` (0: nothing). Gives how many conversations went.
  virtual void purge(std::int64_t deleted_before_ms, std::int64_t idle_before_ms,
                     Then<std::int64_t> then) = 0;

  // Small values by name, for other parts of the service (stored API answers and such), with a time
  // after which they may go (0: never). One owner's values that have a time are bounded in sum:
  // when a new one does not fit beside them, those whose time ends first go before it.
  virtual void put_value(std::string owner, std::string name, std::string value,
                         std::int64_t expires_ms, Then<void> then) = 0;
  virtual void get_value(std::string owner, std::string name, Then<std::string> then) = 0;
  virtual void delete_value(std::string owner, std::string name, Then<void> then) = 0;

  // Whether writes work at the moment, and why not: for /health.
  [[nodiscard]] virtual Status health() const = 0;
};

}  // namespace notso
