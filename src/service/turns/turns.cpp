#include "service/turns/turns.h"

#include <algorithm>
#include <future>

namespace notso {
namespace {

std::int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Calls a watcher, if it watches still. One that throws has ended itself.
void call(TurnWatcher& watcher, const TurnEvent& event) {
  const std::lock_guard lock(watcher.mutex);
  if (!watcher.callback) return;
  try {
    // A copy, since the callback may end its own subscription.
    const auto callback = watcher.callback;
    callback(event);
  } catch (...) {
    watcher.callback = nullptr;
  }
}

bool has_ended(TurnWatcher& watcher) {
  const std::lock_guard lock(watcher.mutex);
  return !watcher.callback;
}

class Subscription final : public TurnSubscription {
 public:
  explicit Subscription(std::shared_ptr<TurnWatcher> watcher) : watcher_(std::move(watcher)) {}
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() override {
    const std::lock_guard lock(watcher_->mutex);
    watcher_->callback = nullptr;
  }

 private:
  std::shared_ptr<TurnWatcher> watcher_;
};

}  // namespace

TurnSettings settings_of(const Conversation& conversation) {
  return parse_turn_settings(conversation.settings).value_or(TurnSettings());
}

std::unique_ptr<TurnService> TurnService::make(ChatSource source, SessionStore& store,
                                               TurnOptions options) {
  return std::make_unique<Turns>(std::move(source), store, options);
}

std::unique_ptr<TurnService> TurnService::make(ChatService& chat, SessionStore& store,
                                               TurnOptions options) {
  const std::shared_ptr<ChatService> lent(&chat, [](ChatService* /*lent*/) {});
  return make([lent] { return lent; }, store, options);
}

Turns::Turns(ChatSource source, SessionStore& store, TurnOptions options)
    : source_(std::move(source)),
      store_(store),
      options_(options),
      loop_(options.retry_ms, [this] { tick(); }) {}

Turns::~Turns() {
  shut_down();
  loop_.stop();
}

Turns::Live& Turns::live_of(const SessionId& id) {
  std::unique_ptr<Live>& live = lives_[id];
  if (!live) live = std::make_unique<Live>(id, unix_ms(), options_.log_bytes_max);
  live->used = ++last_number_;
  return *live;
}

Turns::Live* Turns::find(const SessionId& id) {
  const auto found = lives_.find(id);
  return found == lives_.end() ? nullptr : found->second.get();
}

Turns::Live* Turns::find_turn(const SessionId& id, std::uint64_t number) {
  Live* live = find(id);
  return live != nullptr && live->turn && live->turn->number == number ? live : nullptr;
}

// Whoever asks may be anybody still: that the conversation is theirs is for the store to say.
void Turns::enqueue(const SessionId& id, std::function<void()> op) {
  Live& live = live_of(id);
  if (live.is_starting) {
    live.ops.push_back(std::move(op));
    return;
  }
  live.is_starting = true;
  op();
}

void Turns::op_done(const SessionId& id) {
  Live* live = find(id);
  if (live == nullptr) return;
  if (live->ops.empty()) {
    live->is_starting = false;
    return;
  }
  auto op = std::move(live->ops.front());
  live->ops.pop_front();
  // From the inbox, so that a long queue of refused calls is no deep recursion.
  loop_.post(std::move(op));
}

void Turns::deliver(Live& live, const TurnEvent& event) {
  for (const auto& watcher : live.watchers) call(*watcher, event);
  std::erase_if(live.watchers, [](const auto& watcher) { return has_ended(*watcher); });
}

void Turns::publish_status(Live& live) {
  const TurnStatus& status = live.turn ? live.turn->status : live.last->status;
  {
    const std::lock_guard lock(statuses_mutex_);
    statuses_[live.id] = status;
  }
  publish(live, status);
}

std::optional<TurnStatus> Turns::status(const SessionId& id) const {
  const std::lock_guard lock(statuses_mutex_);
  const auto found = statuses_.find(id);
  return found == statuses_.end() ? std::nullopt : std::optional(found->second);
}

std::unique_ptr<TurnSubscription> Turns::watch(SessionId id, std::uint64_t after_id,
                                               std::function<void(const TurnEvent&)> callback) {
  auto watcher = std::make_shared<TurnWatcher>();
  watcher->callback = std::move(callback);
  loop_.post([this, id = std::move(id), after_id, watcher] { add_watcher(id, after_id, watcher); });
  return std::make_unique<Subscription>(watcher);
}

void Turns::add_watcher(const SessionId& id, std::uint64_t after_id,
                        const std::shared_ptr<TurnWatcher>& watcher) {
  Live& live = live_of(id);
  live.watchers.push_back(watcher);
  if (live.log.reaches(after_id)) {
    for (const TurnEvent& event : live.log.events()) {
      if (event.id > after_id) call(*watcher, event);
    }
  } else if (live.turn || live.last) {
    TurnEvent event;
    event.id = live.log.last_id();
    const TurnSnapshot snapshot =
        live.turn ? TurnSnapshot{live.turn->status, live.turn->answer} : *live.last;
    event.message_id = snapshot.message.id;
    event.what = snapshot;
    call(*watcher, event);
  }
}

void Turns::tick() {
  if (recover_is_due_) {
    recover_is_due_ = false;
    begin_recovery(nullptr);
  }
  for (const auto& settle_again : std::exchange(unsettled_, {})) settle_again();
  for (const auto& [id, live] : lives_) {
    if (live->turn && live->turn->save_is_due) {
      live->turn->save_is_due = false;
      save(*live);
    }
    std::erase_if(live->watchers, [](const auto& watcher) { return has_ended(*watcher); });
  }
  forget_idle();
}

void Turns::forget_idle() {
  if (lives_.size() <= options_.idle_max) return;
  std::vector<std::pair<std::uint64_t, SessionId>> idle;
  for (const auto& [id, live] : lives_) {
    const bool is_busy = live->turn || live->is_starting || !live->watchers.empty();
    if (!is_busy && live->side == 0) idle.emplace_back(live->used, id);
  }
  std::sort(idle.begin(), idle.end());
  const std::size_t count = std::min(idle.size(), lives_.size() - options_.idle_max);
  const std::lock_guard lock(statuses_mutex_);
  for (std::size_t i = 0; i < count; ++i) {
    lives_.erase(idle[i].second);
    statuses_.erase(idle[i].second);
  }
}

void Turns::stop(std::string owner, SessionId id, Then<void> then) {
  loop_.post([this, owner = std::move(owner), id = std::move(id), then = std::move(then)] {
    // In turn, so that an answer that is about to begin is stopped as well.
    enqueue(id, [this, owner, id, then] {
      store_.get(owner, id, back<Conversation>([this, id, then](const auto& conversation) {
                   Live* live = find(id);
                   if (!conversation) {
                     then(tl::unexpected(conversation.error()));
                   } else if (live == nullptr || !live->turn) {
                     then({});
                   } else if (live->turn->unsaved) {
                     // Nothing is left to stop, and the disk may take for ever.
                     then(tl::unexpected(*live->turn->unsaved));
                   } else {
                     live->turn->stop_asked = true;
                     live->turn->stop_waiters.push_back(then);
                     live->turn->handle.cancel();
                   }
                   op_done(id);
                 }));
    });
  });
}

// Running answers stay kRunning on disk, with all that they have: recover() takes them up.
void Turns::hand_over(const std::shared_ptr<void>& done) {
  is_stopping_ = true;
  for (const auto& [id, live] : lives_) {
    cancel_side(*live);
    cancel_warm(*live);
    if (!live->turn) continue;
    live->turn->handle.cancel();
    if (!live->turn->ended) live->turn->answer.state = MessageState::kRunning;
    store_.update(live->owner, id, live->turn->answer, [done](const auto& /*stored*/) {});
    for (const auto& waiter : live->turn->stop_waiters) waiter({});
    live->turn.reset();
  }
}

void Turns::post_and_wait(const std::function<void(const std::shared_ptr<void>& done)>& call) {
  std::promise<void> promise;
  {
    // Its deleter runs when the last copy is gone: with the last answer, or with the inbox.
    const std::shared_ptr<void> done(
        &promise, [](void* p) { static_cast<std::promise<void>*>(p)->set_value(); });
    loop_.post([call, done] { call(done); });
  }
  promise.get_future().wait();
}

void Turns::shut_down() {
  post_and_wait([this](const auto& done) { hand_over(done); });
}

void Turns::recover() {
  post_and_wait([this](const auto& done) { begin_recovery(done); });
}

}  // namespace notso
