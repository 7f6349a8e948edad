// A turn service over a store on a disk that may fail and an engine that a test drives.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "paced_engine.h"
#include "service/chat/chat_fixtures.h"
#include "service/chat/default_templates.h"
#include "service/store/faulty_vfs.h"
#include "service/store/store_fixture.h"
#include "service/turns/turn_service.h"

namespace notso {

// A watcher that keeps what it sees.
class Page {
 public:
  Page(TurnService& turns, const SessionId& id, std::uint64_t after_id = 0) {
    subscription_ = turns.watch(id, after_id, [this](const TurnEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    });
  }

  // Waits until an event of this kind has come that `wanted` accepts, and gives the first one.
  template <class What>
  What wait(const std::function<bool(const What&)>& wanted) {
    std::unique_lock lock(mutex_);
    const What* found = nullptr;
    changed_.wait(lock, [&] {
      for (const TurnEvent& event : events_) {
        const auto* what = std::get_if<What>(&event.what);
        if (what != nullptr && wanted(*what)) found = what;
        if (found != nullptr) return true;
      }
      return false;
    });
    return *found;
  }
  template <class What>
  What wait() {
    return wait<What>([](const What&) { return true; });
  }
  // Waits until a turn is at least as far as this; a page that comes late learns it from its
  // snapshot.
  TurnStatus wait_for_phase(TurnPhase phase) {
    std::unique_lock lock(mutex_);
    std::optional<TurnStatus> found;
    changed_.wait(lock, [&] {
      for (const TurnEvent& event : events_) {
        const auto* status = std::get_if<TurnStatus>(&event.what);
        if (const auto* shot = std::get_if<TurnSnapshot>(&event.what)) status = &shot->status;
        if (status != nullptr && status->phase >= phase && !found) found = *status;
      }
      return found.has_value();
    });
    return *found;
  }
  TurnStatus wait_for_end() { return wait_for_phase(TurnPhase::kDone); }

  std::vector<TurnEvent> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::uint64_t last_id() { return events().back().id; }
  // What a page shows of the content: the latest snapshot and what came after.
  std::string content() {
    std::string out;
    for (const TurnEvent& event : events()) {
      if (const auto* shot = std::get_if<TurnSnapshot>(&event.what)) {
        out = shot->message.message.content;
      }
      if (const auto* delta = std::get_if<ContentDelta>(&event.what)) out += delta->text;
    }
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<TurnEvent> events_;
  std::unique_ptr<TurnSubscription> subscription_;  // the last member: its callback uses the others
};

class TurnsTest : public StoreTest {
 protected:
  using Started = TurnService::Started;

  TurnsTest() {
    options_.vfs = FaultyVfs::kName;
    turn_options_.retry_ms = 5;
    turn_options_.titles = false;
    turn_options_.followups = false;
    start();
    settings_.max_tokens = 40;
    settings_.tools = false;
    settings_.thinking = false;
    id = store.create("anna", "", write_turn_settings(settings_))->id;
  }
  ~TurnsTest() override {
    vfs_.heal();
    end();
  }

  // The programs' start and end.
  void start() {
    store = open();
    engine = std::make_unique<PacedEngine>(
        vocab(), [this](const auto& prompt) { return script_for(prompt); });
    ChatModelInfo info;
    info.name = "test";
    info.context = context_;
    chat_ = std::make_unique<ChatService>(*engine, chat_tokenizer(),
                                          builder_of(default_chat_template()), info, vocab());
    turns = TurnService::make(*chat_, *store_, turn_options_);
  }
  void end() {
    turns.reset();
    engine.reset();
    chat_.reset();
    close();
  }
  // A new start with new settings of the service or the conversation.
  void restart() {
    end();
    start();
    store.set_settings("anna", id, write_turn_settings(settings_));
  }

  static std::size_t vocab() { return static_cast<std::size_t>(chat_tokenizer()->vocab_size()); }
  // Tokens of a text in which special tokens count.
  static std::vector<std::int32_t> tokens(const std::string& text) {
    return chat_tokenizer()->encode(text, true);
  }

  // What comes next for each kind of request. Without a script, noise.
  void answer_with(const std::string& text) {
    const std::lock_guard lock(scripts_mutex_);
    answers_.push_back(tokens(text));
  }
  Script script_for(const std::vector<std::int32_t>& prompt) {
    const std::string text = chat_tokenizer()->decode(prompt);
    const std::lock_guard lock(scripts_mutex_);
    if (text.find("Suggest three short messages") != std::string::npos) return tokens(followups_);
    if (text.find("Give this conversation a title") != std::string::npos) return tokens(title_);
    if (answers_.empty()) return {};
    auto script = std::move(answers_.front());
    answers_.pop_front();
    return script;
  }

  Result<Started> send(const std::string& text, const std::string& key = "") {
    return wait_for<Started>([&](auto then) { turns->send({"anna"}, id, 0, text, key, then); });
  }
  Result<Started> resume(std::int64_t message_id) {
    return wait_for<Started>([&](auto then) { turns->resume({"anna"}, id, message_id, then); });
  }
  Status stop() {
    return wait_for<void>([&](auto then) { turns->stop("anna", id, then); });
  }
  // Sends and waits for the whole answer.
  StoredMessage ask(const std::string& text) {
    Page page(*turns, id, ~std::uint64_t{0} >> 1U);
    const auto started = send(text);
    EXPECT_TRUE(started) << started.error().message;
    return page
        .wait<TurnSaved>(
            [&](const TurnSaved& saved) { return saved.message.id == started->answer.id; })
        .message;
  }

  std::vector<std::string> texts() {
    std::vector<std::string> out;
    const auto path = store.path("anna", id);
    for (const StoredMessage& message : *path) out.push_back(message.message.content);
    return out;
  }
  StoredMessage last() { return store.path("anna", id)->back(); }

  FaultyVfs vfs_;
  WaitingStore store;
  TurnOptions turn_options_;
  TurnSettings settings_;
  std::int32_t context_ = 4000;
  std::mutex scripts_mutex_;
  std::deque<std::vector<std::int32_t>> answers_;
  std::string followups_ = R"(["Why?", "How?", "When?"]<|im_end|>)";
  std::string title_ = R"("Bread for beginners"<|im_end|>)";
  std::unique_ptr<PacedEngine> engine;
  std::unique_ptr<ChatService> chat_;
  std::unique_ptr<TurnService> turns;
  SessionId id;
};

}  // namespace notso
