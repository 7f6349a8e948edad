// A running turn: tokens come in, events go out, and what there is goes to disk.

#include <algorithm>
#include <fmt/format.h>
#include <type_traits>

#include "service/chat/builtin_tools.h"
#include "service/turns/turns.h"

namespace notso {
namespace {

MessageState state_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
    case FinishReason::kLength:
    case FinishReason::kToolCalls:
      return MessageState::kDone;
    case FinishReason::kCancelled:
    case FinishReason::kTimeout:
      return MessageState::kStopped;
    case FinishReason::kError:
      break;
  }
  return MessageState::kFailed;
}

TurnPhase phase_of(MessageState state) {
  if (state == MessageState::kDone) return TurnPhase::kDone;
  return state == MessageState::kFailed ? TurnPhase::kFailed : TurnPhase::kStopped;
}

void add_call(const ToolCallDelta& delta, std::vector<ToolCall>& calls) {
  if (delta.index < 0) return;
  const auto index = static_cast<std::size_t>(delta.index);
  if (index > calls.size()) return;
  if (index == calls.size()) calls.emplace_back();
  ToolCall& call = calls[index];
  if (!delta.id.empty()) call.id = delta.id;
  if (!delta.name.empty()) call.name = delta.name;
  call.arguments += delta.arguments_delta;
}

// The most tokens of an answer where the settings allow `max_tokens`. One that was cut has as many
// again (Turns::go_on), and where the settings have become stricter it ends where it stands.
std::int32_t limit_of(const StoredMessage& answer, std::int32_t max_tokens) {
  const bool was_cut = answer.finish == FinishReason::kLength;
  const std::int32_t before = was_cut ? answer.usage.completion_tokens : 0;
  return std::max(before + max_tokens, static_cast<std::int32_t>(answer.message.tokens.size()));
}

// Where the store's disk or file does not work now but may again.
bool may_work_later(const Error& error) {
  return error.code != ErrorCode::kNotFound && error.code != ErrorCode::kInvalidArgument;
}

}  // namespace

void Turns::launch(Live& live) {
  RunningTurn& turn = *live.turn;
  if (turn.stop_asked) {
    Finished finished;
    finished.reason = FinishReason::kCancelled;
    finished.message = turn.answer.message;
    return end(live, finished);
  }
  ChatRequest request = answer_request(turn.path, turn.settings, turn.answer.model, turn.answer.id,
                                       turn.rounds < options_.rounds_max);
  request.so_far = turn.answer.message.tokens;
  if (request.answer.max_tokens > 0) {
    request.answer.max_tokens = limit_of(turn.answer, request.answer.max_tokens);
  }
  request.session = live.client;
  request.cache_scope = scope_of(live.owner);
  auto handle = turn.chat->start(std::move(request), sinks_of(live));
  if (!handle) return fail_turn(live, handle.error());
  turn.handle = *handle;
}

// Nothing is done on the engine's thread but to pass on what came.
ChatSinks Turns::sinks_of(Live& live) {
  const auto inbox = loop_.inbox();
  const SessionId id = live.id;
  const std::uint64_t number = live.turn->number;
  const auto tokens = std::make_shared<std::vector<TokenId>>();
  ChatSinks sinks;
  sinks.token = [tokens](TokenId token) { tokens->push_back(token); };
  sinks.events = [this, inbox, id, number, tokens](std::span<const ChatEvent> events) {
    inbox->post([this, id, number, came = std::exchange(*tokens, {}),
                 events = std::vector<ChatEvent>(events.begin(), events.end())] {
      take_events(id, number, came, events);
    });
  };
  sinks.queued = [this, inbox, id, number](std::int32_t position, double wait_s) {
    inbox->post([this, id, number, position, wait_s] {
      Live* later = find_turn(id, number);
      if (later == nullptr) return;
      later->turn->status.phase = TurnPhase::kQueued;
      later->turn->status.queue_position = position;
      later->turn->status.queue_wait_s = wait_s;
      publish_status(*later);
    });
  };
  sinks.prompt_progress = [this, inbox, id, number](std::int32_t done, std::int32_t total) {
    inbox->post([this, id, number, done, total] {
      Live* later = find_turn(id, number);
      if (later == nullptr) return;
      later->turn->status.phase = TurnPhase::kProcessing;
      later->turn->status.prompt_done = done;
      later->turn->status.prompt_total = total;
      publish_status(*later);
    });
  };
  return sinks;
}

void Turns::take_events(const SessionId& id, std::uint64_t number,
                        const std::vector<TokenId>& tokens, const std::vector<ChatEvent>& events) {
  Live* live = find_turn(id, number);
  if (live == nullptr || live->turn->ended) return;
  auto& all = live->turn->answer.message.tokens;
  all.insert(all.end(), tokens.begin(), tokens.end());
  for (const ChatEvent& event : events) {
    if (const auto* finished = std::get_if<Finished>(&event)) return end(*live, *finished);
    take_event(*live, event);
  }
  write_partial(*live);
}

void Turns::take_event(Live& live, const ChatEvent& event) {
  Message& message = live.turn->answer.message;
  std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, ThinkingDelta>) {
          message.reasoning += what.text;
          set_phase(live, TurnPhase::kThinking);
        } else if constexpr (std::is_same_v<What, ContentDelta>) {
          message.content += what.text;
          set_phase(live, TurnPhase::kGenerating);
        } else if constexpr (std::is_same_v<What, ToolCallDelta>) {
          add_call(what, message.tool_calls);
          set_phase(live, TurnPhase::kGenerating);
        }
        if constexpr (!std::is_same_v<What, Finished>) publish(live, what);
      },
      event);
}

void Turns::set_phase(Live& live, TurnPhase phase) {
  if (live.turn->status.phase == phase) return;
  live.turn->status.phase = phase;
  publish_status(live);
}

void Turns::write_partial(Live& live) {
  RunningTurn& turn = *live.turn;
  const auto now = std::chrono::steady_clock::now();
  if (turn.is_writing || now - turn.written_at < std::chrono::milliseconds(options_.partial_ms)) {
    return;
  }
  turn.is_writing = true;
  turn.written_at = now;
  store_.update(live.owner, live.id, turn.answer,
                back<void>([this, id = live.id, number = turn.number](const auto& /*done*/) {
                  if (Live* later = find_turn(id, number)) later->turn->is_writing = false;
                }));
}

// A piece at a time, so that others have their turn and the answer can be stopped.
void Turns::recite_next(const SessionId& id, std::uint64_t number) {
  Live* live = find_turn(id, number);
  if (live == nullptr || live->turn->ended) return;
  RunningTurn& turn = *live->turn;
  if (turn.recited_at < turn.recited.size() && !turn.stop_asked) {
    take_event(*live, ContentDelta{turn.recited[turn.recited_at++]});
    loop_.post([this, id, number] { recite_next(id, number); });
    return;
  }
  Finished finished;
  finished.reason = turn.stop_asked ? FinishReason::kCancelled : FinishReason::kStop;
  finished.message = turn.answer.message;
  finished.usage.completion_tokens = static_cast<std::int32_t>(turn.recited_at);
  end(*live, finished);
}

void Turns::fail_turn(Live& live, const Error& error) {
  Finished finished;
  finished.reason = FinishReason::kError;
  finished.message = live.turn->answer.message;
  finished.error = error.message;
  end(live, finished);
}

// An answer that calls tools is running until they have run and the next message is on disk.
void Turns::end(Live& live, const Finished& finished) {
  RunningTurn& turn = *live.turn;
  turn.ended = true;
  turn.answer.message = finished.message;
  turn.answer.message.role = Role::kAssistant;
  turn.answer.finish = finished.reason;
  turn.answer.state = state_of(finished.reason);
  turn.answer.error = finished.error;
  turn.answer.usage = finished.usage;
  if (finished.reason == FinishReason::kToolCalls && turn.settings.tools) {
    turn.answer.state = MessageState::kRunning;
  }
  save(live);
}

void Turns::save(Live& live) {
  store_.update(live.owner, live.id, live.turn->answer,
                back<void>([this, id = live.id, number = live.turn->number](const auto& done) {
                  Live* later = find_turn(id, number);
                  if (later == nullptr) return;
                  if (done) return saved(*later);
                  not_saved(*later, done.error());
                }));
}

void Turns::saved(Live& live) {
  RunningTurn& turn = *live.turn;
  turn.unsaved.reset();
  if (turn.answer.state == MessageState::kRunning) return run_tools(live, 0, turn.answer.id);
  publish(live, TurnSaved{turn.answer});
  if (turn.next) return begin_round(live);
  close_turn(live);
}

// Tried again by tick(), where that may help. Whoever waits for the end is not kept until then.
void Turns::not_saved(Live& live, const Error& error) {
  RunningTurn& turn = *live.turn;
  if (!may_work_later(error)) {
    turn.answer.state = MessageState::kFailed;
    turn.answer.error = error.message;
    return close_turn(live);
  }
  turn.save_is_due = true;
  const bool is_new = !turn.unsaved;
  turn.unsaved = Error{error.code, "The answer is not stored yet: " + error.message};
  for (const auto& waiter : std::exchange(turn.stop_waiters, {})) {
    waiter(tl::unexpected(*turn.unsaved));
  }
  if (is_new) publish(live, Warning{turn.unsaved->message});
}

// Writes a message that no turn holds any more, until the store has it or never will.
void Turns::settle(const std::string& owner, const SessionId& id, const StoredMessage& message) {
  store_.update(owner, id, message, back<void>([this, owner, id, message](const auto& done) {
                  if (done || !may_work_later(done.error())) return;
                  unsettled_.emplace_back([=, this] { settle(owner, id, message); });
                }));
}

// Runs call number `call` of the answer, and those after it. Each result is on disk, under a key
// that a second run after a crash finds again, before the next is looked at.
void Turns::run_tools(Live& live, std::size_t call, std::int64_t parent_id) {
  RunningTurn& turn = *live.turn;
  if (call == 0) turn.path.push_back(turn.answer);
  if (call == turn.answer.message.tool_calls.size()) return next_round(live, parent_id);
  const ToolCall& asked = turn.answer.message.tool_calls[call];
  turn.status.phase = TurnPhase::kTool;
  turn.status.tool = asked.name;
  publish_status(live);
  const auto result = run_builtin_tool(asked);
  StoredMessage row;
  row.parent_id = parent_id;
  row.message.role = Role::kTool;
  row.message.content = result.value_or(fmt::format("error: there is no tool '{}'", asked.name));
  row.message.tool_call_id = asked.id;
  row.message.name = asked.name;
  row.client_key = fmt::format("tool/{}/{}", turn.answer.id, call);
  publish(live, ToolResult{asked, row.message.content});
  store_.append(
      live.owner, live.id, row,
      back<StoredMessage>([this, id = live.id, number = turn.number, call](const auto& stored) {
        Live* later = find_turn(id, number);
        if (later == nullptr) return;
        if (!stored) return fail_turn(*later, stored.error());
        later->turn->path.push_back(*stored);
        run_tools(*later, call + 1, stored->id);
      }));
}

// The next message of the same answer: it begins once the one before is stored as done.
void Turns::next_round(Live& live, std::int64_t parent_id) {
  RunningTurn& turn = *live.turn;
  StoredMessage row;
  row.parent_id = parent_id;
  row.message.role = Role::kAssistant;
  row.state = MessageState::kRunning;
  row.model = turn.answer.model;
  row.client_key = fmt::format("after/{}", turn.answer.id);
  store_.append(live.owner, live.id, row,
                back<StoredMessage>([this, id = live.id, number = turn.number](const auto& stored) {
                  Live* later = find_turn(id, number);
                  if (later == nullptr) return;
                  if (!stored) return fail_turn(*later, stored.error());
                  later->turn->next = *stored;
                  later->turn->answer.state = MessageState::kDone;
                  save(*later);
                }));
}

void Turns::begin_round(Live& live) {
  RunningTurn& turn = *live.turn;
  turn.answer = *std::exchange(turn.next, {});
  turn.ended = false;
  turn.status.tool.clear();
  ++turn.rounds;
  launch(live);
}

void Turns::close_turn(Live& live) {
  RunningTurn& turn = *live.turn;
  turn.status.phase = phase_of(turn.answer.state);
  turn.status.error = turn.answer.error;
  turn.status.usage = turn.answer.usage;
  turn.status.tool.clear();
  live.last = TurnSnapshot{turn.status, turn.answer};
  publish_status(live);
  for (const auto& waiter : turn.stop_waiters) waiter({});
  const std::unique_ptr<RunningTurn> over = std::move(live.turn);
  if (over->answer.state != MessageState::kDone || is_stopping_) return;
  over->path.push_back(over->answer);
  begin_side(live, *over);
}

}  // namespace notso
