// What goes on beside the answers: titles, suggestions, reading ahead while a person types. All of
// it is for the background, gives way to the next turn, and fails in silence.

#include "service/turns/turns.h"

namespace notso {

// By the model that gave the answer.
void Turns::begin_side(Live& live, const RunningTurn& over) {
  const std::uint64_t number = live.side = ++last_number_;
  live.side_chat = over.chat;
  store_.get(live.owner, live.id,
             back<Conversation>([this, id = live.id, number, path = over.path,
                                 settings = over.settings](const auto& conversation) {
               Live* later = find(id);
               if (later == nullptr || later->side != number) return;
               const bool untitled = conversation && conversation->title.empty();
               if (untitled && options_.titles && !conversation->title_by_user) {
                 make_title(*later, path, settings);
               } else {
                 make_followups(*later, path, settings);
               }
             }));
}

void Turns::cancel_side(Live& live) {
  live.side_handle.cancel();
  end_side(live);
}

void Turns::end_side(Live& live) {
  live.side_handle = {};
  live.side_chat.reset();
  live.side = 0;
}

void Turns::cancel_warm(Live& live) {
  if (const auto chat = live.warm_chat.lock()) live.warm_handle.cancel();
  live.warm_handle = {};
  live.warm_chat.reset();
}

// `use` gets what was answered, "" where nothing was.
void Turns::ask_side(Live& live, ChatRequest request,
                     const std::function<void(Live&, std::string)>& use) {
  const std::uint64_t number = live.side = ++last_number_;
  request.session = live.client;
  request.cache_scope = scope_of(live.owner);
  ChatSinks sinks;
  const auto inbox = loop_.inbox();
  sinks.events = [this, inbox, id = live.id, number, use](std::span<const ChatEvent> events) {
    const auto* finished = events.empty() ? nullptr : std::get_if<Finished>(&events.back());
    if (finished == nullptr) return;
    const bool is_whole = finished->reason == FinishReason::kStop;
    inbox->post([this, id, number, use, text = is_whole ? finished->message.content : ""] {
      Live* later = find(id);
      if (later != nullptr && later->side == number) use(*later, text);
    });
  };
  auto handle = live.side_chat->start(std::move(request), std::move(sinks));
  if (!handle) return use(live, "");
  live.side_handle = *handle;
}

void Turns::make_title(Live& live, const Path& path, const TurnSettings& settings) {
  const std::string& model = live.side_chat->info().name;
  ask_side(live, title_request(path, settings, model),
           [this, path, settings](Live& later, const std::string& text) {
             take_title(later, read_title(text),
                        [this, path, settings](Live& now) { make_followups(now, path, settings); });
           });
}

// A title that a person has given in the meantime stays.
void Turns::take_title(Live& live, const std::string& title,
                       const std::function<void(Live&)>& next) {
  if (title.empty()) return next(live);
  const auto still = [this, id = live.id, number = live.side]() -> Live* {
    Live* later = find(id);
    return later != nullptr && later->side == number ? later : nullptr;
  };
  store_.get(live.owner, live.id, back<Conversation>([=, this](const auto& conversation) {
               Live* later = still();
               if (later == nullptr) return;
               if (!conversation || conversation->title_by_user) return next(*later);
               store_.rename(later->owner, later->id, title, false,
                             back<void>([=, this](const auto& renamed) {
                               Live* now = still();
                               if (now == nullptr) return;
                               if (renamed) publish(*now, TurnTitle{title});
                               next(*now);
                             }));
             }));
}

void Turns::make_followups(Live& live, const Path& path, const TurnSettings& settings) {
  if (!options_.followups || !live.side_chat) return end_side(live);
  const std::string& model = live.side_chat->info().name;
  ask_side(live, followups_request(path, settings, model),
           [this](Live& later, const std::string& text) {
             end_side(later);
             auto followups = read_followups(text);
             if (followups.empty() || !later.last) return;
             later.last->message.followups = followups;
             store_.update(later.owner, later.id, later.last->message,
                           back<void>([this, id = later.id, followups](const auto& stored) {
                             Live* now = find(id);
                             if (now == nullptr || now->turn || !stored) return;
                             publish(*now, TurnFollowups{followups});
                           }));
           });
}

void Turns::warm(TurnAsker asker, SessionId id, std::string draft) {
  loop_.post([this, asker = std::move(asker), id = std::move(id), draft = std::move(draft)] {
    const Live& live = live_of(id);
    if (live.turn || is_stopping_) return;
    store_.get(asker.owner, id, back<Conversation>([=, this](const auto& conversation) {
                 if (!conversation) return;
                 const std::uint64_t number = live_of(id).warming = ++last_number_;
                 store_.path(asker.owner, id, 0, back<Path>([=, this](const auto& path) {
                               if (path) warm_path(asker, number, *conversation, *path, draft);
                             }));
               }));
  });
}

void Turns::warm_path(const TurnAsker& asker, std::uint64_t number,
                      const Conversation& conversation, Path path, const std::string& draft) {
  const SessionId& id = conversation.id;
  Live* live = find(id);
  if (live == nullptr || live->turn || live->warming != number || is_stopping_) return;
  cancel_warm(*live);
  const auto chat = source_();
  if (!chat) return;
  StoredMessage message;
  message.message.content = draft;
  path.push_back(std::move(message));
  ChatRequest request =
      answer_request(path, settings_of(conversation), (*chat)->info().name, 0, true);
  request.prompt_options.add_generation_prompt = false;
  request.session = asker.client.empty() ? id : asker.client;
  request.cache_scope = scope_of(conversation.owner);
  auto handle = (*chat)->warm(std::move(request));
  if (!handle) return;
  live->warm_handle = *handle;
  live->warm_chat = *chat;
}

void Turns::context_use(std::string owner, SessionId id, Then<ContextUse> then) {
  store_.get(owner, id, back<Conversation>([=, this](const auto& conversation) {
               if (!conversation) return then(tl::unexpected(conversation.error()));
               store_.path(owner, id, 0, back<Path>([=, this](const auto& path) {
                             if (!path) return then(tl::unexpected(path.error()));
                             const auto chat = source_();
                             if (!chat) return then(tl::unexpected(chat.error()));
                             const ChatRequest request = answer_request(
                                 *path, settings_of(*conversation), (*chat)->info().name, 0, true);
                             ContextUse use;
                             use.context = (*chat)->info().context;
                             if (!request.messages.empty()) {
                               auto prompt =
                                   (*chat)->render(request.messages, request.prompt_options);
                               if (!prompt) return then(pass_on(prompt));
                               use.tokens = static_cast<std::int32_t>(prompt->tokens.size());
                             }
                             then(use);
                           }));
             }));
}

}  // namespace notso
