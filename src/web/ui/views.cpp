#include "web/ui/views.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "web/ui/commands.h"

namespace notso::ui {
namespace {

using jinja::Dict;
using jinja::Value;

constexpr std::int64_t kDay = 86'400;

// The last midnight of the local clock, in unix time.
std::int64_t midnight_of(std::int64_t now_s) {
  const std::time_t now = now_s;
  std::tm local = {};
  localtime_r(&now, &local);
  return now_s - local.tm_hour * 3600 - local.tm_min * 60 - local.tm_sec;
}

const char* group_of(std::int64_t updated_s, std::int64_t midnight) {
  if (updated_s >= midnight) return "Today";
  if (updated_s >= midnight - kDay) return "Yesterday";
  if (updated_s >= midnight - 7 * kDay) return "Last 7 days";
  if (updated_s >= midnight - 30 * kDay) return "Last 30 days";
  return "Older";
}

// A snippet in pieces, those between \x02 and \x03 marked.
Value pieces_of(const std::string& snippet) {
  std::vector<Value> pieces;
  bool mark = false;
  std::size_t begin = 0;
  while (begin < snippet.size()) {
    std::size_t end = snippet.find_first_of("\x02\x03", begin);
    if (end == std::string::npos) end = snippet.size();
    if (end > begin) {
      Dict piece;
      piece.set("text", Value::string(std::string_view(snippet).substr(begin, end - begin)));
      piece.set("mark", Value::boolean(mark));
      pieces.push_back(Value::dict(std::move(piece)));
    }
    if (end < snippet.size()) mark = snippet[end] == '\x02';
    begin = end + 1;
  }
  return Value::list(std::move(pieces));
}

// A number without the digits that binary fractions add: 0.6, not 0.6000000238.
std::string short_number(float value) { return fmt::format("{:.4g}", value); }

// The place of the turn `id` among the path's, or of the one that follows where it would be.
std::size_t place_of(const Transcript& transcript, std::int64_t id) {
  const std::vector<Turn>& turns = transcript.turns();
  const auto at =
      std::find_if(turns.begin(), turns.end(), [&](const Turn& turn) { return turn.id() >= id; });
  return static_cast<std::size_t>(at - turns.begin());
}

}  // namespace

double monotonic_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string title_of(const std::string& title) { return title.empty() ? "New chat" : title; }

jinja::Value chat_value(const SessionId& id, const std::string& title) {
  Dict chat;
  chat.set("id", Value::string(id));
  chat.set("title", Value::string(title_of(title)));
  return Value::dict(std::move(chat));
}

jinja::Value groups_value(std::span<const Conversation> chats, std::int64_t now_s) {
  const std::int64_t midnight = midnight_of(now_s);
  std::vector<Value> groups;
  std::vector<Value> rows;
  std::string name;
  const auto close = [&] {
    if (rows.empty()) return;
    Dict group;
    group.set("name", Value::string(name));
    group.set("chats", Value::list(std::exchange(rows, {})));
    groups.push_back(Value::dict(std::move(group)));
  };
  for (const Conversation& chat : chats) {
    const std::string next = group_of(chat.updated_ms / 1000, midnight);
    if (next != name) close();
    name = next;
    rows.push_back(chat_value(chat.id, chat.title));
  }
  close();
  return Value::list(std::move(groups));
}

jinja::Value hits_value(std::span<const SearchHit> hits) {
  // A row a chat. Where its title is a hit as well, the message's words say more, and lead there.
  std::vector<const SearchHit*> shown;
  std::map<SessionId, std::size_t> places;
  for (const SearchHit& hit : hits) {
    const auto [place, added] = places.emplace(hit.conversation, shown.size());
    if (added) {
      shown.push_back(&hit);
    } else if (const SearchHit*& row = shown[place->second]; row->message_id == 0) {
      row = &hit;
    }
  }
  std::vector<Value> rows;
  for (const SearchHit* hit : shown) {
    Dict row;
    row.set("id", Value::string(hit->conversation));
    row.set("title", Value::string(title_of(hit->title)));
    row.set("url", Value::string(hit->message_id == 0
                                     ? "/chats/" + hit->conversation
                                     : fmt::format("/chats/{}?at={}#m-{}", hit->conversation,
                                                   hit->message_id, hit->message_id)));
    if (hit->message_id != 0) row.set("pieces", pieces_of(hit->snippet));
    rows.push_back(Value::dict(std::move(row)));
  }
  return Value::list(std::move(rows));
}

jinja::Value settings_value(const TurnSettings& settings) {
  Dict entries;
  entries.set("temperature", Value::string(short_number(settings.temperature)));
  entries.set("top_p", Value::string(short_number(settings.top_p)));
  entries.set("max_tokens", Value::integer(settings.max_tokens));
  entries.set("system", Value::string(settings.system));
  entries.set("thinking", Value::boolean(settings.thinking));
  entries.set("tools", Value::boolean(settings.tools));
  return Value::dict(std::move(entries));
}

jinja::Value commands_value() {
  std::vector<Value> rows;
  for (const Command& command : commands()) {
    Dict row;
    row.set("name", Value::string(command.name));
    row.set("argument", Value::string(command.argument));
    row.set("help", Value::string(command.help));
    rows.push_back(Value::dict(std::move(row)));
  }
  return Value::list(std::move(rows));
}

jinja::Value facts_value(std::span<const UiFact> facts) {
  std::vector<Value> rows;
  for (const UiFact& fact : facts) {
    Dict row;
    row.set("name", Value::string(fact.first));
    row.set("value", Value::string(fact.second));
    rows.push_back(Value::dict(std::move(row)));
  }
  return Value::list(std::move(rows));
}

jinja::Value model_value(const UiModel& model) {
  struct Words {
    const char* state;
    const char* label;
  };
  const Words words = model.state == UiModel::State::kReady     ? Words{"ready", "Ready"}
                      : model.state == UiModel::State::kLoading ? Words{"loading", "Loading"}
                                                                : Words{"failed", "Not running"};
  Dict entries;
  entries.set("state", Value::string(words.state));
  entries.set("state_label", Value::string(words.label));
  entries.set("name", Value::string(model.name.empty() ? "No model" : model.name));
  entries.set("reason", Value::string(model.reason));
  entries.set("demo", Value::boolean(model.demo));
  return Value::dict(std::move(entries));
}

jinja::Value branches_value(const Branches& branches) {
  if (branches.count < 2) return {};
  Dict entries;
  entries.set("index", Value::integer(static_cast<std::int64_t>(branches.index)));
  entries.set("count", Value::integer(static_cast<std::int64_t>(branches.count)));
  entries.set("previous", Value::integer(branches.previous));
  entries.set("next", Value::integer(branches.next));
  return Value::dict(std::move(entries));
}

jinja::Value context_value(const TurnService::ContextUse& use) {
  Dict entries;
  entries.set("tokens", Value::integer(use.tokens));
  entries.set("size", Value::integer(use.context));
  entries.set("low", Value::integer(static_cast<std::int64_t>(use.context) * 7 / 10));
  entries.set("high", Value::integer(static_cast<std::int64_t>(use.context) * 9 / 10));
  return Value::dict(std::move(entries));
}

jinja::Value turn_value(const Transcript& transcript, const Turn& turn, AnswerView* answer,
                        TurnLook options) {
  Dict entries;
  entries.set("id", Value::integer(turn.id()));
  entries.set("far", Value::boolean(options.far));
  entries.set("reset", Value::boolean(turn.after_reset));
  if (turn.question != nullptr) {
    Dict question;
    question.set("id", Value::integer(turn.question->id));
    question.set("text", Value::string(turn.question->message.content));
    question.set("branches", branches_value(transcript.branches(turn.question->id)));
    question.set("editing", Value::boolean(turn.question->id == options.editing));
    entries.set("question", Value::dict(std::move(question)));
  }
  if (answer != nullptr) {
    answer->set_branches(branches_value(transcript.branches(turn.answer_id())));
    entries.set("answer", answer->value());
  }
  return Value::dict(std::move(entries));
}

std::unique_ptr<AnswerView> answer_of(const SessionId& chat, const Turn& turn) {
  if (turn.answers.empty()) return nullptr;
  auto answer = std::make_unique<AnswerView>(chat, turn.answer_id(), monotonic_s);
  answer->read(turn.answers);
  return answer;
}

Window window_of(const Transcript& transcript, std::int64_t before) {
  Window window{0, transcript.turns().size()};
  if (before != 0) window.end = place_of(transcript, before);
  window.begin = window.end > kTurnsShown ? window.end - kTurnsShown : 0;
  return window;
}

Window window_from(const Transcript& transcript, std::int64_t first) {
  Window window = window_of(transcript, 0);
  if (first != 0) window.begin = std::min(window.begin, place_of(transcript, first));
  return window;
}

void set_turns(jinja::Dict& variables, const SessionId& chat, const Transcript& transcript,
               Window window, TurnLook options) {
  const std::vector<Turn>& turns = transcript.turns();
  std::vector<Value> rows;
  bool running = false;
  for (std::size_t i = window.begin; i < window.end; ++i) {
    const std::unique_ptr<AnswerView> answer = answer_of(chat, turns[i]);
    options.far = i + kTurnsShown < turns.size();
    running = running || (answer != nullptr && answer->running());
    rows.push_back(turn_value(transcript, turns[i], answer.get(), options));
  }
  variables.set("turns", Value::list(std::move(rows)));
  variables.set("running", Value::boolean(running));
  variables.set("reset_at_end",
                Value::boolean(window.end == turns.size() && transcript.ends_with_reset()));
  variables.set("earlier", Value::integer(window.begin > 0 ? turns[window.begin].id() : 0));
}

}  // namespace notso::ui
