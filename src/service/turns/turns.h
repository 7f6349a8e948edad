// The turn service itself. Private to the turns.
//
// All state belongs to the thread of loop_; what comes from callers, the engine and the store is
// posted to it. Members that begin a turn run one after the other for each conversation
// (Live::ops), across the store's answers, so that two of them cannot begin at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "service/turns/event_log.h"
#include "service/turns/turn_loop.h"
#include "service/turns/turn_prompt.h"
#include "service/turns/turn_service.h"

namespace notso {

// One that watches. The mutex is recursive, so that a callback may end its own subscription.
struct TurnWatcher {
  std::recursive_mutex mutex;
  std::function<void(const TurnEvent&)> callback;  // none: it has ended
};

// A running answer.
struct RunningTurn {
  std::uint64_t number = 0;  // names it among all: what comes for another is too late
  std::shared_ptr<ChatService> chat;
  TurnSettings settings;
  std::vector<StoredMessage> path;  // what the answer answers
  StoredMessage answer;
  TurnStatus status;
  ChatHandle handle;
  std::int32_t rounds = 0;            // of tools
  bool stop_asked = false;            // by stop()
  bool ended = false;                 // nothing comes any more but the store's answers
  bool is_writing = false;            // a partial write is under way
  bool save_is_due = false;           // to be tried again at the next tick
  std::optional<Error> unsaved;       // why the last write of the whole answer failed
  std::optional<StoredMessage> next;  // what follows the answer at hand, once that is stored
  std::chrono::steady_clock::time_point written_at;
  std::vector<std::string> recited;  // the pieces of a given text, and how many have gone
  std::size_t recited_at = 0;
  std::optional<StoredMessage> question;  // what was told to whoever started it
  StoredMessage first_answer;
  std::string client_key;
  std::vector<TurnService::Then<void>> stop_waiters;
};

// A conversation in which something happens or has happened.
struct LiveConversation {
  LiveConversation(SessionId name, std::int64_t unix_ms, std::size_t log_bytes)
      : id(std::move(name)), log(unix_ms, log_bytes) {}

  SessionId id;
  std::string owner;   // of the turns; set by those that the store has let through
  std::string client;  // whom they are counted for
  EventLog log;
  std::vector<std::shared_ptr<TurnWatcher>> watchers;
  std::unique_ptr<RunningTurn> turn;
  std::optional<TurnSnapshot> last;        // of the turn that ended last
  std::deque<std::function<void()>> ops;   // that wait for the one under way
  bool is_starting = false;                // one is under way
  std::uint64_t side = 0;                  // the title or follow-ups under way; 0: none
  std::shared_ptr<ChatService> side_chat;  // that does it
  ChatHandle side_handle;
  std::uint64_t warming = 0;             // the latest call of warm()
  std::weak_ptr<ChatService> warm_chat;  // reading ahead keeps no model that is to go
  ChatHandle warm_handle;
  std::uint64_t used = 0;  // rises with use
};

// See turn_service.h.
class Turns final : public TurnService {
 public:
  // As TurnService::make().
  Turns(ChatSource source, SessionStore& store, TurnOptions options);
  ~Turns() override;

  void recover() override;
  void send(TurnAsker asker, SessionId id, std::int64_t parent_id, std::string text,
            std::string client_key, Then<Started> then) override;
  void regenerate(TurnAsker asker, SessionId id, std::int64_t message_id,
                  Then<Started> then) override;
  void resume(TurnAsker asker, SessionId id, std::int64_t message_id, Then<Started> then) override;
  void edit(TurnAsker asker, SessionId id, std::int64_t message_id, std::string text,
            Then<Started> then) override;
  void recite(TurnAsker asker, SessionId id, std::string question, std::string text,
              Then<Started> then) override;
  void stop(std::string owner, SessionId id, Then<void> then) override;
  void warm(TurnAsker asker, SessionId id, std::string draft) override;
  void context_use(std::string owner, SessionId id, Then<ContextUse> then) override;
  void reset(std::string owner, SessionId id, Then<void> then) override;
  std::unique_ptr<TurnSubscription> watch(SessionId id, std::uint64_t after_id,
                                          std::function<void(const TurnEvent&)> callback) override;
  [[nodiscard]] std::optional<TurnStatus> status(const SessionId& id) const override;
  void shut_down() override;

 private:
  using Live = LiveConversation;
  using Path = std::vector<StoredMessage>;
  // One call that begins a turn, while it is under way.
  struct Start {
    TurnAsker asker;
    SessionId id;
    std::string client_key;
    std::vector<std::string> recited;
    Then<Started> then;
    TurnSettings settings;
    std::optional<StoredMessage> question;
    std::shared_ptr<ChatService> chat;
  };
  using StartPtr = std::shared_ptr<Start>;

  // A continuation of a store's call that runs on the loop's thread.
  template <class T, class Call>
  [[nodiscard]] Then<T> back(Call call) {
    return [inbox = loop_.inbox(), call = std::move(call)](Result<T> result) {
      inbox->post([call, result = std::move(result)] { call(result); });
    };
  }
  // Posts a call and waits until it and all that keeps `done` are over.
  void post_and_wait(const std::function<void(const std::shared_ptr<void>& done)>& call);

  // turns.cpp: conversations, watchers, the queue of calls.
  Live& live_of(const SessionId& id);
  Live* find(const SessionId& id);
  // The conversation if this turn is the one that runs in it.
  Live* find_turn(const SessionId& id, std::uint64_t number);
  void enqueue(const SessionId& id, std::function<void()> op);
  void op_done(const SessionId& id);
  template <class What>
  void publish(Live& live, What what);
  void deliver(Live& live, const TurnEvent& event);
  void publish_status(Live& live);
  void add_watcher(const SessionId& id, std::uint64_t after_id,
                   const std::shared_ptr<TurnWatcher>& watcher);
  void tick();
  void forget_idle();
  void hand_over(const std::shared_ptr<void>& done);

  // Where an owner's prompts are looked for.
  [[nodiscard]] std::string scope_of(const std::string& owner) const {
    return options_.share_prefixes ? "" : owner;
  }

  // turn_start.cpp: from a call to a running turn.
  static StartPtr start_of(TurnAsker asker, SessionId id, Then<Started> then);
  void enqueue_start(StartPtr start, std::function<void(const Conversation&)> go);
  void refuse(const Start& start, const Error& error);
  // Gives the start its model; refuses it, and returns false, where there is none.
  bool take_model(const StartPtr& start);
  void ask(const StartPtr& start, std::int64_t parent_id, const std::string& text);
  void with_path(const StartPtr& start, std::int64_t leaf_id, std::function<void(Path)> go);
  void answer(const StartPtr& start, Path path);
  void go_on(const StartPtr& start, Path path);
  void begin(const StartPtr& start, Path path, StoredMessage answer);
  void begin_recovery(const std::shared_ptr<void>& done);
  void recover_message(const RunningMessage& message, bool is_last,
                       const std::shared_ptr<void>& done);
  void mark_over(const RunningMessage& message, StoredMessage stored);

  // turn_run.cpp: a running turn.
  void launch(Live& live);
  ChatSinks sinks_of(Live& live);
  void take_events(const SessionId& id, std::uint64_t number, const std::vector<TokenId>& tokens,
                   const std::vector<ChatEvent>& events);
  void take_event(Live& live, const ChatEvent& event);
  void set_phase(Live& live, TurnPhase phase);
  void write_partial(Live& live);
  void recite_next(const SessionId& id, std::uint64_t number);
  void end(Live& live, const Finished& finished);
  void fail_turn(Live& live, const Error& error);
  void save(Live& live);
  void saved(Live& live);
  void not_saved(Live& live, const Error& error);
  void settle(const std::string& owner, const SessionId& id, const StoredMessage& message);
  void run_tools(Live& live, std::size_t call, std::int64_t parent_id);
  void next_round(Live& live, std::int64_t parent_id);
  void begin_round(Live& live);
  void close_turn(Live& live);

  // turn_side.cpp: titles, follow-ups, warming.
  void begin_side(Live& live, const RunningTurn& over);
  void cancel_side(Live& live);
  static void end_side(Live& live);
  static void cancel_warm(Live& live);
  void ask_side(Live& live, ChatRequest request,
                const std::function<void(Live&, std::string)>& use);
  void make_title(Live& live, const Path& path, const TurnSettings& settings);
  void take_title(Live& live, const std::string& title, const std::function<void(Live&)>& next);
  void make_followups(Live& live, const Path& path, const TurnSettings& settings);
  void warm_path(const TurnAsker& asker, std::uint64_t number, const Conversation& conversation,
                 Path path, const std::string& draft);

  const ChatSource source_;
  SessionStore& store_;
  const TurnOptions options_;
  std::map<SessionId, std::unique_ptr<Live>> lives_;
  std::uint64_t last_number_ = 0;  // of turns, side requests and uses
  bool is_stopping_ = false;
  bool recover_is_due_ = false;
  std::vector<std::function<void()>> unsettled_;  // writes that no turn waits for, to try again

  mutable std::mutex statuses_mutex_;
  std::map<SessionId, TurnStatus> statuses_;

  TurnLoop loop_;  // the last member: its thread uses the others
};

// The settings of a conversation; what cannot be read counts as not set.
[[nodiscard]] TurnSettings settings_of(const Conversation& conversation);

// Publishes an event of the turn at hand, or of the last one.
template <class What>
void Turns::publish(Live& live, What what) {
  TurnEvent event;
  event.message_id = live.turn ? live.turn->answer.id : live.last ? live.last->message.id : 0;
  event.what = std::move(what);
  deliver(live, live.log.add(std::move(event)));
}

}  // namespace notso
