#include "web/ui/scripted_turns.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>

namespace notso::ui {
namespace {

constexpr const char* kMarkdown = R"(## A heading

A paragraph with **bold**, *italic*, `code` and a [link](https://example.org/a?b=c&d=e).

- one
- two
  1. two and a half
  2. almost three

```python
def merge(intervals):
    # the long line below must scroll and not push the page wider than it is, whatever happens
    return sorted(interval for interval in intervals if interval.start < interval.end )"
                                  R"(and interval.kind != "empty")
```

| Type | Bits | What it is for, in so many words that the table is wider than a phone |
|---|--:|---|
| Q4_K_M | 4.8 | the usual choice |
| Q8_0 | 8.5 | as good as the original |

> A quotation.

The formula $e^{i\pi} + 1 = 0$ and \[\int_0^1 x^2\,dx = \tfrac13\]

The end.
)";

constexpr const char* kHostile = R"(<script>window.pwned = 1</script>

<img src=x onerror="window.pwned = 1">

<svg onload="window.pwned = 1"></svg>

[a](javascript:window.pwned=1) [b](JaVaScRiPt:window.pwned=1) ![c](javascript:window.pwned=1)

[d](https://a.b/"onmouseover="window.pwned=1) <div hx-get="/settings" hx-trigger="load">e</div>

<a href="data:text/html,<script>window.pwned=1</script>">f</a>

```"><script>window.pwned=1</script>
</code></pre><script>window.pwned = 1</script>
```

| <img src=x onerror=window.pwned=1> |
|---|
| <iframe src="javascript:window.pwned=1"></iframe> |

<hx-partial hx-target="body"><script>window.pwned=1</script></hx-partial>

$</span><script>window.pwned = 1</script>$ &lt;script&gt;window.pwned = 1&lt;/script&gt;
)";

// One step of a script.
struct Step {
  decltype(TurnEvent::what) what;
  bool fails = false;
  bool forever = false;
};

void say(std::vector<Step>& script, const std::string& text, bool thought = false) {
  // Tokens of a few bytes, cut between characters.
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = std::min(begin + 5, text.size());
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) ++end;
    const std::string piece = text.substr(begin, end - begin);
    if (thought) {
      script.push_back({ThinkingDelta{piece}});
    } else {
      script.push_back({ContentDelta{piece}});
    }
    begin = end;
  }
}

TurnStatus in(TurnPhase phase) {
  TurnStatus status;
  status.phase = phase;
  return status;
}

std::vector<Step> script_for(const std::string& message) {
  std::istringstream words(message);
  std::string word;
  words >> word;
  std::vector<Step> script;
  TurnStatus reading = in(TurnPhase::kProcessing);
  reading.prompt_total = 120;
  reading.prompt_done = 60;
  script.push_back({reading});
  if (word == "think") {
    script.push_back({in(TurnPhase::kThinking)});
    for (int i = 0; i < 8; ++i) {
      say(script, "The question is short. I should answer shortly as well, and kindly.\n", true);
    }
  }
  script.push_back({in(TurnPhase::kGenerating)});
  if (word == "tool") {
    const ToolCall call{"call_1", "calculator", "{\"expression\": \"0.17 * 2350\"}"};
    script.push_back({ToolCallDelta{0, call.id, call.name, call.arguments}});
    TurnStatus tool = in(TurnPhase::kTool);
    tool.tool = call.name;
    script.push_back({tool});
    script.push_back({ToolResult{call, "399.5"}});
    script.push_back({in(TurnPhase::kGenerating)});
    say(script, "17% of 2,350 is **399.5**.");
  } else if (word == "fail") {
    say(script, "This is half of an ans");
    script.push_back({in(TurnPhase::kFailed), true});
  } else if (word == "markdown") {
    say(script, kMarkdown);
  } else if (word == "hostile") {
    say(script, kHostile);
  } else if (word == "wait") {
    say(script, "I begin, and then I wait.");
    script.push_back({in(TurnPhase::kGenerating), false, true});
  } else if (word == "long") {
    int count = 0;
    words >> count;
    for (int i = 1; i <= count; ++i) {
      say(script, "word" + std::to_string(i) + (i % 40 == 0 ? ".\n\n" : " "));
    }
  } else {
    say(script, "You said: " + message);
  }
  return script;
}

template <class T, class Start>
Result<T> wait_for(Start start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  start([promise](Result<T> result) { promise->set_value(std::move(result)); });
  return future.get();
}

// One conversation that is watched or answered.
struct Room {
  std::mutex mutex;
  std::map<int, std::function<void(const TurnEvent&)>> watchers;
  int next_watcher = 0;
  std::uint64_t event_id = 0;
  TurnStatus status;
  std::optional<StoredMessage> message;
  std::atomic<bool> running = false;
  std::atomic<bool> stop = false;
  std::thread thread;
};

class Watch : public TurnSubscription {
 public:
  Watch(std::shared_ptr<Room> room, int id) : room_(std::move(room)), id_(id) {}
  ~Watch() override {
    const std::lock_guard lock(room_->mutex);
    room_->watchers.erase(id_);
  }

 private:
  std::shared_ptr<Room> room_;
  int id_;
};

class ScriptedTurns : public TurnService {
 public:
  ScriptedTurns(SessionStore& store, int pause_ms) : store_(store), pause_ms_(pause_ms) {}
  ~ScriptedTurns() override {
    shut_down();
    for (auto& [id, room] : rooms_) {
      room->stop = true;
      if (room->thread.joinable()) room->thread.join();
    }
  }

  void recover() override {
    auto left = wait_for<std::vector<RunningMessage>>([&](auto then) { store_.running(then); });
    if (!left) return;
    for (const RunningMessage& running : *left) {
      auto path = path_to(running.owner, running.conversation, running.message_id);
      if (path.size() < 2) continue;
      start(running.owner, running.conversation, path.back(), path[path.size() - 2].message.content,
            "", path.back().message.content.size(), true);
    }
  }

  void send(TurnAsker asker, SessionId id, std::int64_t parent, std::string text, std::string key,
            Then<Started> then) override {
    ask(asker.owner, id, parent, std::move(text), std::move(key), "", then);
  }
  void recite(TurnAsker asker, SessionId id, std::string question, std::string text,
              Then<Started> then) override {
    ask(asker.owner, id, 0, std::move(question), "", std::move(text), then);
  }
  void edit(TurnAsker asker, SessionId id, std::int64_t message, std::string text,
            Then<Started> then) override {
    const auto path = path_to(asker.owner, id, message);
    if (path.empty()) return then(fail(ErrorCode::kNotFound, "There is no such message."));
    const std::int64_t parent = path.back().parent_id;
    ask(asker.owner, id, parent == 0 ? -1 : parent, std::move(text), "", "", then);
  }
  void regenerate(TurnAsker asker, SessionId id, std::int64_t message,
                  Then<Started> then) override {
    const auto path = path_to(asker.owner, id, message);
    if (path.size() < 2) return then(fail(ErrorCode::kNotFound, "There is no such answer."));
    answer(asker.owner, id, path[path.size() - 2], "", std::nullopt, then);
  }
  void resume(TurnAsker asker, SessionId id, std::int64_t message, Then<Started> then) override {
    auto path = path_to(asker.owner, id, message);
    if (path.size() < 2) return then(fail(ErrorCode::kNotFound, "There is no such answer."));
    StoredMessage last = path.back();
    last.state = MessageState::kRunning;
    start(asker.owner, id, last, "and more", "", 0);
    then(Started{std::nullopt, last});
  }
  void stop(std::string /*owner*/, SessionId id, Then<void> then) override {
    const std::shared_ptr<Room> room = room_of(id);
    room->stop = true;
    then({});
  }
  void warm(TurnAsker /*asker*/, SessionId /*id*/, std::string /*draft*/) override {}
  void context_use(std::string owner, SessionId id, Then<ContextUse> then) override {
    store_.path(owner, id, 0, [then](Result<std::vector<StoredMessage>> path) {
      ContextUse use{120, 4096};
      if (path) {
        for (const StoredMessage& message : *path) {
          use.tokens += static_cast<std::int32_t>(message.message.content.size() / 4);
        }
      }
      then(use);
    });
  }
  void reset(std::string owner, SessionId id, Then<void> then) override {
    StoredMessage mark;
    mark.message.role = Role::kSystem;
    mark.message.name = "reset";
    const auto chat = wait_for<Conversation>([&](auto get) { store_.get(owner, id, get); });
    if (chat) mark.parent_id = chat->leaf_id;
    const auto done =
        wait_for<StoredMessage>([&](auto add) { store_.append(owner, id, mark, add); });
    then(done ? Result<void>() : Result<void>(tl::unexpected<Error>(done.error())));
  }

  std::unique_ptr<TurnSubscription> watch(SessionId id, std::uint64_t /*after*/,
                                          std::function<void(const TurnEvent&)> callback) override {
    const std::shared_ptr<Room> room = room_of(id);
    const std::lock_guard lock(room->mutex);
    if (room->message) {
      callback({room->event_id, room->message->id, TurnSnapshot{room->status, *room->message}});
    }
    room->watchers[room->next_watcher] = std::move(callback);
    return std::make_unique<Watch>(room, room->next_watcher++);
  }

  std::optional<TurnStatus> status(const SessionId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = rooms_.find(id);
    if (found == rooms_.end()) return std::nullopt;
    const std::lock_guard room_lock(found->second->mutex);
    return found->second->status;
  }
  void shut_down() override { leaving_ = true; }

 private:
  std::shared_ptr<Room> room_of(const SessionId& id) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Room>& room = rooms_[id];
    if (room == nullptr) {
      room = std::make_shared<Room>();
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      room->event_id = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }
    return room;
  }

  std::vector<StoredMessage> path_to(const std::string& owner, const SessionId& id,
                                     std::int64_t leaf) {
    return wait_for<std::vector<StoredMessage>>(
               [&](auto then) { store_.path(owner, id, leaf, then); })
        .value_or(std::vector<StoredMessage>());
  }

  // `parent` 0: the leaf; -1: the root.
  void ask(const std::string& owner, const SessionId& id, std::int64_t parent, std::string text,
           std::string key, const std::string& recited, const Then<Started>& then) {
    StoredMessage question;
    question.message.role = Role::kUser;
    question.message.content = std::move(text);
    question.client_key = std::move(key);
    const auto chat = wait_for<Conversation>([&](auto get) { store_.get(owner, id, get); });
    if (!chat) return then(tl::unexpected<Error>(chat.error()));
    question.parent_id = parent == 0 ? chat->leaf_id : std::max<std::int64_t>(parent, 0);
    const auto stored =
        wait_for<StoredMessage>([&](auto add) { store_.append(owner, id, question, add); });
    if (!stored) return then(tl::unexpected<Error>(stored.error()));
    answer(owner, id, *stored, recited, stored.value(), then);
  }

  void answer(const std::string& owner, const SessionId& id, const StoredMessage& question,
              const std::string& recited, std::optional<StoredMessage> told,
              const Then<Started>& then) {
    StoredMessage answer;
    answer.parent_id = question.id;
    answer.message.role = Role::kAssistant;
    answer.state = MessageState::kRunning;
    answer.model = "scripted";
    const auto stored =
        wait_for<StoredMessage>([&](auto add) { store_.append(owner, id, answer, add); });
    if (!stored) return then(tl::unexpected<Error>(stored.error()));
    start(owner, id, *stored, question.message.content, recited, 0);
    then(Started{std::move(told), *stored});
  }

  void start(const std::string& owner, const SessionId& id, const StoredMessage& answer,
             const std::string& question, const std::string& recited, std::size_t skip_bytes,
             bool recovered = false) {
    const std::shared_ptr<Room> room = room_of(id);
    room->stop = true;
    if (room->thread.joinable()) room->thread.join();
    room->stop = false;
    std::vector<Step> script;
    if (recited.empty()) {
      script = script_for(question);
    } else {
      script.push_back({in(TurnPhase::kGenerating)});
      say(script, recited);
    }
    {
      const std::lock_guard lock(room->mutex);
      room->message = answer;
      room->status = in(TurnPhase::kQueued);
    }
    // What has waited for ever before a restart has done so.
    if (recovered) std::erase_if(script, [](const Step& step) { return step.forever; });
    room->thread = std::thread(
        [this, owner, id, room, script, skip_bytes] { run(owner, id, *room, script, skip_bytes); });
  }

  void tell(Room& room, decltype(TurnEvent::what) what) {
    const std::lock_guard lock(room.mutex);
    StoredMessage& message = *room.message;
    if (const auto* status = std::get_if<TurnStatus>(&what)) room.status = *status;
    if (const auto* thought = std::get_if<ThinkingDelta>(&what)) {
      message.message.reasoning += thought->text;
    }
    if (const auto* content = std::get_if<ContentDelta>(&what)) {
      message.message.content += content->text;
    }
    if (const auto* call = std::get_if<ToolCallDelta>(&what)) {
      message.message.tool_calls.push_back({call->id, call->name, call->arguments_delta});
    }
    if (const auto* saved = std::get_if<TurnSaved>(&what)) message = saved->message;
    const TurnEvent event{++room.event_id, message.id, std::move(what)};
    for (const auto& [key, watcher] : room.watchers) watcher(event);
  }

  // After a tool the answer goes on in a message of its own.
  void next_message(const std::string& owner, const SessionId& id, Room& room,
                    const ToolResult& result) {
    StoredMessage calling = *room.message;
    calling.state = MessageState::kDone;
    calling.finish = FinishReason::kToolCalls;
    StoredMessage row;
    row.parent_id = calling.id;
    row.message.role = Role::kTool;
    row.message.content = result.result;
    row.message.tool_call_id = result.call.id;
    const auto stored =
        wait_for<StoredMessage>([&](auto add) { store_.append(owner, id, row, add); });
    StoredMessage next;
    next.parent_id = stored->id;
    next.message.role = Role::kAssistant;
    next.state = MessageState::kRunning;
    next.model = calling.model;
    const auto begun =
        wait_for<StoredMessage>([&](auto add) { store_.append(owner, id, next, add); });
    // Not before, or a page made in between would show an answer that is over.
    store_.update(owner, id, calling, [](Result<void>) {});
    tell(room, TurnSaved{calling});
    const std::lock_guard lock(room.mutex);
    room.message = *begun;
  }

  void run(const std::string& owner, const SessionId& id, Room& room,
           const std::vector<Step>& script, std::size_t skip_bytes) {
    bool failed = false;
    std::int32_t tokens = 0;
    const auto begun = std::chrono::steady_clock::now();
    auto written = begun;
    for (const Step& step : script) {
      if (const auto* content = std::get_if<ContentDelta>(&step.what)) {
        if (skip_bytes >= content->text.size()) {
          skip_bytes -= content->text.size();
          continue;
        }
      }
      while (step.forever && !room.stop && !leaving_) pause();
      if (room.stop || leaving_) break;
      failed = failed || step.fails;
      if (!step.fails) tell(room, step.what);
      if (const auto* result = std::get_if<ToolResult>(&step.what)) {
        next_message(owner, id, room, *result);
      }
      ++tokens;
      pause();
      if (std::chrono::steady_clock::now() - written > std::chrono::milliseconds(200)) {
        written = std::chrono::steady_clock::now();
        store_.update(owner, id, *room.message, [](Result<void>) {});
      }
    }
    if (leaving_ && !room.stop) return;
    StoredMessage message = *room.message;
    const bool stopped = room.stop;  // once: the next message sets it, too
    message.state = failed    ? MessageState::kFailed
                    : stopped ? MessageState::kStopped
                              : MessageState::kDone;
    if (failed) message.error = "The model gave no token for 30 s.";
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    message.usage = {120, 80, tokens, 0, 0.05, 0.06, took.count()};
    message.finish = stopped ? FinishReason::kCancelled : FinishReason::kStop;
    if (message.state == MessageState::kDone) {
      message.followups = {"Tell me more", "Why is that?", "Show an example"};
    }
    store_.update(owner, id, message, [](Result<void>) {});
    tell(room, TurnSaved{message});
    tell(room, in(failed ? TurnPhase::kFailed : stopped ? TurnPhase::kStopped : TurnPhase::kDone));
    if (message.followups.empty()) return;
    tell(room, TurnFollowups{message.followups});
    const std::string title = "About: " + message.message.content.substr(0, 20);
    store_.rename(owner, id, title, false, [](Result<void>) {});
    tell(room, TurnTitle{title});
  }

  void pause() const { std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms_)); }

  SessionStore& store_;
  int pause_ms_;
  std::atomic<bool> leaving_ = false;
  mutable std::mutex mutex_;
  std::map<SessionId, std::shared_ptr<Room>> rooms_;
};

}  // namespace

std::unique_ptr<TurnService> make_scripted_turns(SessionStore& store, int pause_ms) {
  return std::make_unique<ScriptedTurns>(store, pause_ms);
}

}  // namespace notso::ui
