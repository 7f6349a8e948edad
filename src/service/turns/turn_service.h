// Turns of stored conversations: what the page does. A message goes in, is on disk, and an answer
// begins that belongs to the conversation and to no connection: it goes on when the page is closed,
// can be watched from several, stopped from any, and is taken up again after a restart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "service/chat/chat_service.h"
#include "service/store/session_store.h"

namespace notso {

// How a conversation wants its answers; kept as JSON in Conversation::settings.
struct TurnSettings {
  float temperature = 0.6F;
  float top_p = 0.95F;
  std::int32_t max_tokens = 0;  // 0: as the context allows
  std::string system;
  bool thinking = true;
  bool tools = true;  // the built-in calculator and clock
  std::string model;  // "": the one that is loaded
};

// Reads and writes them; unknown names are ignored, bad values name the field.
[[nodiscard]] Result<TurnSettings> parse_turn_settings(const std::string& json);
[[nodiscard]] std::string write_turn_settings(const TurnSettings& settings);

// What a turn is doing.
enum class TurnPhase : std::uint8_t {
  kQueued,
  kProcessing,
  kThinking,
  kGenerating,
  kTool,
  kDone,
  kStopped,
  kFailed
};

// How the turn stands: the page's status pill, and its details.
struct TurnStatus {
  TurnPhase phase = TurnPhase::kQueued;
  std::int32_t queue_position = 0;
  double queue_wait_s = 0;
  std::int32_t prompt_done = 0;
  std::int32_t prompt_total = 0;
  std::string tool;   // kTool
  std::string error;  // kFailed
  Usage usage;
};

// A built-in tool ran.
struct ToolResult {
  ToolCall call;
  std::string result;
};

// A message of the answer is complete and on disk; follow-ups may still come. An answer that calls
// tools has several messages, one after the other: what is called, the results, and what follows.
struct TurnSaved {
  StoredMessage message;
};

// Suggestions of what to ask next.
struct TurnFollowups {
  std::vector<std::string> texts;
};

// The conversation has a new title.
struct TurnTitle {
  std::string title;
};

// The answer as it stands after the event of this id, in place of all events up to it: where a
// watcher begins that cannot be given every event from its own, and where an answer goes on that
// had been broken off.
struct TurnSnapshot {
  TurnStatus status;
  StoredMessage message;  // whole so far; newer than what the store has
};

// One event of a turn. `id` rises by one within the conversation's run; a page that has seen it
// asks for what comes after.
struct TurnEvent {
  std::uint64_t id = 0;
  std::int64_t message_id = 0;  // the answer's
  std::variant<TurnStatus, ThinkingDelta, ContentDelta, ToolCallDelta, ToolResult, Warning,
               TurnSaved, TurnFollowups, TurnTitle, TurnSnapshot>
      what;
};

// Watches a conversation until it is destroyed; no call comes after that. The callback comes from
// another thread, which all conversations share: take the data and return.
class TurnSubscription {
 public:
  virtual ~TurnSubscription() = default;
};

// Habits of the service.
struct TurnOptions {
  std::int32_t partial_ms = 2000;                       // between two writes of a running answer
  std::int32_t retry_ms = 1000;                         // between attempts to store what failed
  std::int32_t rounds_max = 8;                          // of tools in one answer
  bool titles = true;                                   // for new conversations
  bool followups = true;                                // after each answer
  std::size_t log_bytes_max = std::size_t{512} << 10U;  // of events kept for a conversation
  std::size_t idle_max = 200;                           // conversations kept where nothing happens
  bool share_prefixes = true;                           // among all owners; off: each has its own
};

// The longest key that a client may name a message by.
inline constexpr std::size_t kClientKeyBytesMax = 128;

// Who asks: whose conversations these are, and whom the work is counted for (rate_client.h). What
// is taken up after a restart is counted for the owner, where there is one.
struct TurnAsker {
  std::string owner;
  std::string client = owner;
};

// The service. All members may be called from any thread; `Then`s are called from others.
class TurnService {
 public:
  template <class T>
  using Then = SessionStore::Then<T>;

  // The model that answers now, or why none does; from any thread. An answer keeps the one that it
  // began with until its end, whatever is given later.
  using ChatSource = std::function<Result<std::shared_ptr<ChatService>>()>;

  // All must outlive the service.
  static std::unique_ptr<TurnService> make(ChatSource source, SessionStore& store,
                                           TurnOptions options = {});
  // With one model that never changes.
  static std::unique_ptr<TurnService> make(ChatService& chat, SessionStore& store,
                                           TurnOptions options = {});
  virtual ~TurnService() = default;

  // Takes up the answers that a crash cut off: they go on with the very tokens that they would have
  // had. Call once, before the first request: returns when they go on, or when the store cannot be
  // read; that is tried again.
  virtual void recover() = 0;

  // A started turn: the question (none for regenerate and such) and the answer's place.
  struct Started {
    std::optional<StoredMessage> question;
    StoredMessage answer;
  };

  // A conversation has one running answer at a time: while it has, all of these but stop() are
  // refused (kUnavailable). So are those that need a model while there is none.

  // Appends a user's message below `parent_id` (0: the conversation's leaf) and answers it. With
  // the same client_key (at most kClientKeyBytesMax, no '/'; "": none) a second time, gives what
  // was started the first time.
  virtual void send(TurnAsker asker, SessionId id, std::int64_t parent_id, std::string text,
                    std::string client_key, Then<Started> then) = 0;
  // Answers again: a new branch beside the answer `message_id`.
  virtual void regenerate(TurnAsker asker, SessionId id, std::int64_t message_id,
                          Then<Started> then) = 0;
  // Goes on with an answer that was stopped, cut by a limit or failed.
  virtual void resume(TurnAsker asker, SessionId id, std::int64_t message_id,
                      Then<Started> then) = 0;
  // Edits a user's message: a new branch beside it, and an answer.
  virtual void edit(TurnAsker asker, SessionId id, std::int64_t message_id, std::string text,
                    Then<Started> then) = 0;
  // Streams given text as the answer, through the very same pipeline (/quote).
  virtual void recite(TurnAsker asker, SessionId id, std::string question, std::string text,
                      Then<Started> then) = 0;
  // Ends the running answer; what there is stays.
  virtual void stop(std::string owner, SessionId id, Then<void> then) = 0;

  // Reads the conversation with `draft` as its next message into the cache; a new call replaces the
  // one before. Cheap to call while a person types.
  virtual void warm(TurnAsker asker, SessionId id, std::string draft) = 0;
  // Exact tokens of the conversation as it stands, and the context's size.
  struct ContextUse {
    std::int32_t tokens = 0;
    std::int32_t context = 0;
  };
  virtual void context_use(std::string owner, SessionId id, Then<ContextUse> then) = 0;
  // Forgets the model's memory of the conversation (/reset): later turns do not see what is above.
  // The mark is a system message named "reset" at the conversation's leaf, without text.
  virtual void reset(std::string owner, SessionId id, Then<void> then) = 0;

  // The events after `after_id` that are still known, then the new ones as they come. Where some of
  // them are gone, or `after_id` is 0 or from another run of the program, the first event is a
  // TurnSnapshot of the turn that runs (or of the last one; none if there was none since the
  // start).
  virtual std::unique_ptr<TurnSubscription> watch(
      SessionId id, std::uint64_t after_id, std::function<void(const TurnEvent&)> callback) = 0;
  // How the conversation's last turn stands; nothing if none has run since the start.
  [[nodiscard]] virtual std::optional<TurnStatus> status(const SessionId& id) const = 0;

  // Takes no new turn and stores what runs, for recover() to take up; returns when that is done.
  // Called before the engine stops.
  virtual void shut_down() = 0;
};

}  // namespace notso
