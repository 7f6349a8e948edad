// From a call to a running turn: everything is on disk before the first token is asked for.

#include <fmt/format.h>
#include <map>

#include "ml/core/tokenizer/tokenizer.h"
#include "service/turns/turns.h"

namespace notso {
namespace {

constexpr const char* kIsRunning =
    "an answer of this conversation is being written: wait for it, or stop it";

Error wrong(const char* message) { return {ErrorCode::kInvalidArgument, message}; }

StoredMessage question_of(std::int64_t parent_id, const std::string& text,
                          const std::string& client_key) {
  StoredMessage out;
  out.parent_id = parent_id;
  out.message.content = text;
  out.client_key = client_key;
  return out;
}

// The service's own keys have slashes: so none of them is a client's, and all of them fit.
Status check_client_key(const std::string& key) {
  if (key.size() <= kClientKeyBytesMax && key.find('/') == std::string::npos) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("a message's key must have at most {} bytes and no '/'", kClientKeyBytesMax));
}

// A text in the pieces in which a model would have written it.
std::vector<std::string> pieces_of(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::string> out;
  Utf8Stream utf8;
  for (const TokenId token : tokenizer.encode(text)) {
    std::string piece;
    utf8.feed(tokenizer.token_bytes(token), piece);
    if (!piece.empty()) out.push_back(std::move(piece));
  }
  std::string rest;
  utf8.finish(rest);
  if (!rest.empty()) out.push_back(std::move(rest));
  return out;
}

}  // namespace

// Whether the owner has the conversation, and whether it is free, is looked at first.
void Turns::enqueue_start(StartPtr start, std::function<void(const Conversation&)> go) {
  loop_.post([this, start = std::move(start), go = std::move(go)] {
    enqueue(start->id, [this, start, go] {
      if (is_stopping_) {
        return refuse(*start, {ErrorCode::kUnavailable, "the server is shutting down"});
      }
      store_.get(start->asker.owner, start->id,
                 back<Conversation>([this, start, go](const auto& found) {
                   if (!found) return refuse(*start, found.error());
                   const Live* live = find(start->id);
                   if (live == nullptr || !live->turn) {
                     start->settings = settings_of(*found);
                     return go(*found);
                   }
                   const RunningTurn& turn = *live->turn;
                   if (start->client_key.empty() || start->client_key != turn.client_key) {
                     return refuse(*start, {ErrorCode::kUnavailable,
                                            turn.unsaved ? turn.unsaved->message : kIsRunning});
                   }
                   if (start->then) start->then(Started{turn.question, turn.first_answer});
                   op_done(start->id);
                 }));
    });
  });
}

Turns::StartPtr Turns::start_of(TurnAsker asker, SessionId id, Then<Started> then) {
  auto start = std::make_shared<Start>();
  start->asker = std::move(asker);
  start->id = std::move(id);
  start->then = std::move(then);
  return start;
}

void Turns::refuse(const Start& start, const Error& error) {
  if (start.then) start.then(tl::unexpected<Error>(error));
  op_done(start.id);
}

bool Turns::take_model(const StartPtr& start) {
  if (start->chat) return true;
  auto chat = source_();
  if (!chat) {
    refuse(*start, chat.error());
    return false;
  }
  start->chat = std::move(*chat);
  return true;
}

void Turns::send(TurnAsker asker, SessionId id, std::int64_t parent_id, std::string text,
                 std::string client_key, Then<Started> then) {
  auto start = start_of(std::move(asker), std::move(id), std::move(then));
  const Status fits = check_client_key(client_key);
  start->client_key = std::move(client_key);
  enqueue_start(start,
                [this, start, fits, parent_id, text = std::move(text)](const Conversation& found) {
                  if (!fits) return refuse(*start, fits.error());
                  ask(start, parent_id != 0 ? parent_id : found.leaf_id, text);
                });
}

void Turns::recite(TurnAsker asker, SessionId id, std::string question, std::string text,
                   Then<Started> then) {
  auto start = start_of(std::move(asker), std::move(id), std::move(then));
  enqueue_start(start, [this, start, question = std::move(question),
                        text = std::move(text)](const Conversation& found) {
    if (!take_model(start)) return;
    start->recited = pieces_of(start->chat->tokenizer(), text);
    if (start->recited.empty()) start->recited.emplace_back();
    ask(start, found.leaf_id, question);
  });
}

void Turns::edit(TurnAsker asker, SessionId id, std::int64_t message_id, std::string text,
                 Then<Started> then) {
  auto start = start_of(std::move(asker), std::move(id), std::move(then));
  enqueue_start(start, [this, start, message_id, text = std::move(text)](const Conversation&) {
    with_path(start, message_id, [this, start, text](const Path& path) {
      if (path.back().message.role != Role::kUser) {
        return refuse(*start, wrong("only a message that was sent can be edited"));
      }
      ask(start, path.back().parent_id, text);
    });
  });
}

// The answer to a question may have several messages, where tools were called; it begins after the
// question.
void Turns::regenerate(TurnAsker asker, SessionId id, std::int64_t message_id, Then<Started> then) {
  auto start = start_of(std::move(asker), std::move(id), std::move(then));
  enqueue_start(start, [this, start, message_id](const Conversation&) {
    with_path(start, message_id, [this, start](Path path) {
      if (path.back().message.role != Role::kAssistant) {
        return refuse(*start, wrong("only an answer can be given again"));
      }
      while (!path.empty() && path.back().message.role != Role::kUser) path.pop_back();
      if (path.empty()) return refuse(*start, wrong("the answer answers no question"));
      answer(start, std::move(path));
    });
  });
}

void Turns::resume(TurnAsker asker, SessionId id, std::int64_t message_id, Then<Started> then) {
  auto start = start_of(std::move(asker), std::move(id), std::move(then));
  enqueue_start(start, [this, start, message_id](const Conversation&) {
    with_path(start, message_id, [this, start](Path path) { go_on(start, std::move(path)); });
  });
}

void Turns::with_path(const StartPtr& start, std::int64_t leaf_id, std::function<void(Path)> go) {
  store_.path(start->asker.owner, start->id, leaf_id,
              back<Path>([this, start, go = std::move(go)](const auto& path) {
                if (!path) return refuse(*start, path.error());
                if (path->empty()) return refuse(*start, wrong("the conversation is empty"));
                go(*path);
              }));
}

void Turns::ask(const StartPtr& start, std::int64_t parent_id, const std::string& text) {
  if (text.empty()) return refuse(*start, wrong("the message is empty"));
  if (!take_model(start)) return;
  store_.append(start->asker.owner, start->id, question_of(parent_id, text, start->client_key),
                back<StoredMessage>([this, start](const auto& question) {
                  if (!question) return refuse(*start, question.error());
                  start->question = *question;
                  with_path(start, question->id,
                            [this, start](Path path) { answer(start, std::move(path)); });
                }));
}

// The place of the answer, by a key of its own: what was sent twice is answered once.
void Turns::answer(const StartPtr& start, Path path) {
  if (!take_model(start)) return;
  StoredMessage row;
  row.parent_id = path.back().id;
  row.message.role = Role::kAssistant;
  row.state = MessageState::kRunning;
  if (start->recited.empty()) row.model = start->chat->info().name;
  if (!start->client_key.empty()) row.client_key = start->client_key + "/answer";
  store_.append(start->asker.owner, start->id, row,
                back<StoredMessage>([this, start, path = std::move(path)](const auto& answer) {
                  if (!answer) return refuse(*start, answer.error());
                  if (answer->state == MessageState::kRunning) {
                    return begin(start, path, *answer);
                  }
                  if (start->then) start->then(Started{start->question, *answer});
                  op_done(start->id);
                }));
}

void Turns::go_on(const StartPtr& start, Path path) {
  StoredMessage answer = std::move(path.back());
  path.pop_back();
  if (answer.message.role != Role::kAssistant || path.empty()) {
    return refuse(*start, wrong("only an answer can be gone on with"));
  }
  if (answer.state == MessageState::kDone && answer.finish != FinishReason::kLength) {
    return refuse(*start, wrong("the answer is complete"));
  }
  if (!take_model(start)) return;
  const bool has_text = !answer.message.content.empty() || !answer.message.reasoning.empty();
  if (answer.model != start->chat->info().name || (has_text && answer.message.tokens.empty())) {
    return refuse(*start, {ErrorCode::kUnsupported,
                           "the answer is not this model's: have it given again instead"});
  }
  // What its limit counts from is on disk with it, so that it is the same after a crash.
  const auto tokens = static_cast<std::int32_t>(answer.message.tokens.size());
  const std::int32_t allowed = start->settings.max_tokens;
  if (answer.finish == FinishReason::kLength || (allowed > 0 && tokens >= allowed)) {
    answer.finish = FinishReason::kLength;
    answer.usage.completion_tokens = tokens;
  }
  answer.state = MessageState::kRunning;
  answer.error.clear();
  store_.set_leaf(start->asker.owner, start->id, answer.id,
                  back<void>([this, start, path = std::move(path), answer](const auto& shown) {
                    if (!shown) return refuse(*start, shown.error());
                    store_.update(start->asker.owner, start->id, answer,
                                  back<void>([this, start, path, answer](const auto& done) {
                                    if (!done) return refuse(*start, done.error());
                                    begin(start, path, answer);
                                  }));
                  }));
}

void Turns::begin(const StartPtr& start, Path path, StoredMessage answer) {
  if (is_stopping_) {
    return refuse(*start, {ErrorCode::kUnavailable, "the server is shutting down"});
  }
  Live& live = live_of(start->id);
  live.owner = start->asker.owner;
  // Without a name the conversation stands for whoever it is.
  live.client = start->asker.client.empty() ? live.id : start->asker.client;
  cancel_side(live);
  live.turn = std::make_unique<RunningTurn>();
  RunningTurn& turn = *live.turn;
  turn.number = ++last_number_;
  turn.chat = start->chat;
  turn.settings = start->settings;
  turn.path = std::move(path);
  turn.answer = std::move(answer);
  turn.written_at = std::chrono::steady_clock::now();
  turn.recited = start->recited;
  turn.question = start->question;
  turn.first_answer = turn.answer;
  turn.client_key = start->client_key;
  if (start->then) start->then(Started{turn.question, turn.answer});
  publish_status(live);
  // Who watches already may not have what is there of the answer.
  if (!turn.answer.message.tokens.empty()) publish(live, TurnSnapshot{turn.status, turn.answer});
  const bool called = turn.answer.finish == FinishReason::kToolCalls;
  if (!turn.recited.empty()) {
    recite_next(live.id, turn.number);
  } else if (called && !turn.answer.message.tool_calls.empty()) {
    run_tools(live, 0, turn.answer.id);
  } else {
    launch(live);
  }
  op_done(start->id);
}

void Turns::begin_recovery(const std::shared_ptr<void>& done) {
  store_.running(back<std::vector<RunningMessage>>([this, done](const auto& running) {
    if (!running) {
      recover_is_due_ = true;
      return;
    }
    // A crash between two messages of one answer leaves both running: the last one goes on.
    std::map<SessionId, std::int64_t> last;
    for (const RunningMessage& message : *running) last[message.conversation] = message.message_id;
    for (const RunningMessage& message : *running) {
      recover_message(message, last[message.conversation] == message.message_id, done);
    }
  }));
}

void Turns::recover_message(const RunningMessage& message, bool is_last,
                            const std::shared_ptr<void>& done) {
  auto start = std::make_shared<Start>();
  start->then = [done](const auto& /*started*/) {};
  start->asker = {message.owner};
  start->id = message.conversation;
  enqueue_start(start, [this, start, message, is_last](const Conversation&) {
    with_path(start, message.message_id, [this, start, message, is_last](Path path) {
      StoredMessage answer = std::move(path.back());
      path.pop_back();
      if (!start->chat) start->chat = source_().value_or(nullptr);
      const bool is_ours = start->chat && answer.message.role == Role::kAssistant &&
                           answer.model == start->chat->info().name;
      if (is_last && is_ours && !path.empty()) {
        return begin(start, std::move(path), std::move(answer));
      }
      mark_over(message, std::move(answer));
      op_done(start->id);
    });
  });
}

void Turns::mark_over(const RunningMessage& message, StoredMessage stored) {
  const bool called = stored.finish == FinishReason::kToolCalls;
  stored.state = called ? MessageState::kDone : MessageState::kStopped;
  settle(message.owner, message.conversation, stored);
}

void Turns::reset(std::string owner, SessionId id, Then<void> then) {
  auto start = std::make_shared<Start>();
  start->asker = {std::move(owner)};
  start->id = std::move(id);
  start->then = [then = std::move(then)](const Result<Started>& refused) {
    if (!refused) then(tl::unexpected(refused.error()));
    if (refused) then({});
  };
  enqueue_start(start, [this, start](const Conversation& found) {
    StoredMessage mark;
    mark.parent_id = found.leaf_id;
    mark.message.role = Role::kSystem;
    mark.message.name = kResetName;
    store_.append(start->asker.owner, start->id, mark,
                  back<StoredMessage>([this, start](const auto& done) {
                    if (!done) return refuse(*start, done.error());
                    start->then(Started());
                    op_done(start->id);
                  }));
  });
}

}  // namespace notso
