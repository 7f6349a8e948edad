#include "web/ui/chat_stream.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "web/ui/html.h"
#include "web/ui/views.h"

namespace notso::ui {
namespace {

using jinja::Dict;

// At most ten updates a second, and fewer while a large open block is drawn again each time.
constexpr double kGapSeconds = 0.1;
constexpr double kOpenBytesPerSecond = 40'000;

// Events that are no turn's own, or say nothing that has to be drawn in a place of its own.
bool is_about_turn(const TurnEvent& event) {
  return !std::holds_alternative<TurnTitle>(event.what) && event.message_id != 0;
}

std::optional<ChatEvent> delta_of(const TurnEvent& event) {
  if (const auto* thinking = std::get_if<ThinkingDelta>(&event.what)) return *thinking;
  if (const auto* content = std::get_if<ContentDelta>(&event.what)) return *content;
  if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) return *call;
  return std::nullopt;
}

}  // namespace

ChatStream::ChatStream(std::shared_ptr<const Pages> pages, SessionId chat, Transcript now,
                       ShownPage shown, SecondsClock seconds)
    : pages_(std::move(pages)),
      chat_(std::move(chat)),
      now_(std::move(now)),
      page_(shown),
      shown_leaf_(leaf_of(shown.last)),
      buffer_({}, seconds),
      seconds_(std::move(seconds)) {}

// The end of the path that a page shows whose newest drawn message is `last`.
std::int64_t ChatStream::leaf_of(std::int64_t last) const {
  const Turn* turn = now_.turn_of(last);
  if (turn == nullptr) return last;  // of another branch, or there is none
  if (turn->answers.empty()) return turn->question->id;
  if (turn->answer_id() != last) return last;  // the question alone
  // The line of a reset comes after the last turn; a page that may be old may lack it.
  const bool at_end = turn == &now_.turns().back() && !(page_.old && now_.ends_with_reset());
  return at_end ? now_.leaf_id() : turn->answers.back()->id;
}

Status ChatStream::catch_up() {
  if (shown_leaf_ != now_.leaf_id()) return show_all();
  if (!page_.old || now_.turns().empty()) return {};
  const Turn& last = now_.turns().back();
  // Of one that is being written the store has less than the page; its snapshot brings the rest.
  if (last.answers.empty() || last.answers.back()->state == MessageState::kRunning) return {};
  Dict variables;
  variables.set("chat", chat_value(chat_));
  const std::unique_ptr<AnswerView> answer = answer_of(chat_, last);
  variables.set("turn", turn_value(now_, last, answer.get(), {}));
  Result<std::string> drawn = pages_->render("turn.html", variables);
  if (!drawn) return pass_on(drawn);
  append_partial(pending_.emplace_back(), fmt::format("#t-{}", last.id()), "outerMorph", *drawn);
  return {};
}

bool ChatStream::needs_transcript(const TurnEvent& event) const {
  // A snapshot also begins what goes on after it was broken off.
  if (std::holds_alternative<TurnSnapshot>(event.what)) return is_about_turn(event);
  return is_about_turn(event) && !view_messages_.contains(event.message_id) &&
         !elsewhere_.contains(event.message_id);
}

Status ChatStream::show_all() {
  Dict variables;
  variables.set("chat", chat_value(chat_));
  set_turns(variables, chat_, now_, window_from(now_, page_.first), {});
  Result<std::string> drawn = pages_->render("messages.html", variables);
  if (!drawn) return pass_on(drawn);
  std::string& html = pending_.emplace_back();
  append_partial(html, "#messages", "innerMorph", *drawn);
  append_partial(html, "#pending", "innerHTML", "");
  shown_leaf_ = now_.leaf_id();
  return {};
}

Status ChatStream::begin_turn(const TurnEvent& event) {
  const Turn* turn = now_.turn_of(event.message_id);
  if (turn == nullptr) {  // of a branch that is not shown, or deleted
    elsewhere_.insert(event.message_id);
    return {};
  }
  elsewhere_.erase(event.message_id);
  const auto* snapshot = std::get_if<TurnSnapshot>(&event.what);
  if (snapshot == nullptr && view_ != nullptr && turn->answer_id() == view_->id()) {
    view_messages_.insert(event.message_id);  // the turn goes on after a tool
    return {};
  }
  const bool first = view_ == nullptr;
  view_ = std::make_unique<AnswerView>(chat_, turn->answer_id(), seconds_);
  view_messages_ = {event.message_id};
  std::vector<const StoredMessage*> known;
  StoredMessage newest;
  for (const StoredMessage* message : turn->answers) {
    view_messages_.insert(message->id);
    if (message->id < event.message_id) known.push_back(message);
  }
  if (snapshot != nullptr) {
    newest = snapshot->message;
  } else {
    newest.id = event.message_id;
    newest.message.role = Role::kAssistant;
    newest.state = MessageState::kRunning;
  }
  known.push_back(&newest);
  view_->read(known);
  if (snapshot != nullptr) view_->apply(snapshot->status);
  const bool shown = first && !page_.old && now_.leaf_id() == shown_leaf_;
  if (snapshot != nullptr && !view_->running() && shown) {
    (void)view_->value();       // the page has just been made with all of it,
    view_->redraw_followups();  // but perhaps before there were suggestions
    return {};
  }
  return draw_turn(*turn);
}

Status ChatStream::draw_turn(const Turn& turn) {
  const std::int64_t parent = turn.question == nullptr ? 0 : turn.question->parent_id;
  const bool has_it = now_.on_path(shown_leaf_) && shown_leaf_ >= turn.answer_id();
  const bool follows = turn.question != nullptr && parent == shown_leaf_;
  if (!has_it && !follows) {
    if (Status all = show_all(); !all) return all;
  }
  Dict variables;
  variables.set("chat", chat_value(chat_));
  variables.set("turn", turn_value(now_, turn, view_.get(), {}));
  Result<std::string> drawn = pages_->render("turn.html", variables);
  if (!drawn) return pass_on(drawn);
  std::string& html = pending_.emplace_back();
  if (follows) {
    append_partial(html, "#messages", "beforeend", *drawn);
    append_partial(html, "#pending", "innerHTML", "");
  } else {
    append_partial(html, fmt::format("#t-{}", turn.id()), "outerMorph", *drawn);
  }
  shown_leaf_ = now_.leaf_id();
  return {};
}

void ChatStream::release(std::vector<ChatEvent>& events) {
  for (const ChatEvent& event : events) {
    if (view_ == nullptr) continue;
    if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) view_->apply(*thinking);
    if (const auto* content = std::get_if<ContentDelta>(&event)) view_->apply(*content);
    if (const auto* call = std::get_if<ToolCallDelta>(&event)) view_->apply(*call);
  }
  events.clear();
}

void ChatStream::show_title(const std::string& title) {
  const std::string shown = escaped(title_of(title));
  std::string& html = pending_.empty() ? pending_.emplace_back() : pending_.back();
  append_partial(html, "#chat-title", "innerHTML", shown);
  append_partial(html, "#title-" + chat_, "innerHTML", shown);
  html += "<title>" + shown + " · notso</title>";
}

Status ChatStream::push(const TurnEvent& event) {
  std::vector<ChatEvent> released;
  event_id_ = event.id;
  if (needs_transcript(event)) {
    buffer_.flush(released);
    release(released);
    if (Status begun = begin_turn(event); !begun) return begun;
    if (std::holds_alternative<TurnSnapshot>(event.what)) return {};
  }
  if (const std::optional<ChatEvent> delta = delta_of(event)) {
    buffer_.push({&*delta, 1}, released);
    release(released);
    return {};
  }
  buffer_.flush(released);
  release(released);
  if (const auto* title = std::get_if<TurnTitle>(&event.what)) show_title(title->title);
  if (view_ == nullptr || !view_messages_.contains(event.message_id)) return {};
  const bool running = view_->running();
  if (const auto* status = std::get_if<TurnStatus>(&event.what)) view_->apply(*status);
  if (const auto* result = std::get_if<ToolResult>(&event.what)) view_->apply(*result);
  if (const auto* warning = std::get_if<Warning>(&event.what)) view_->apply(*warning);
  if (const auto* saved = std::get_if<TurnSaved>(&event.what)) {
    view_->apply(*saved);
    shown_leaf_ = std::max(shown_leaf_, saved->message.id);
  }
  if (const auto* followups = std::get_if<TurnFollowups>(&event.what)) view_->apply(*followups);
  ended_ = ended_ || (running && !view_->running());
  return {};
}

void ChatStream::poll() {
  std::vector<ChatEvent> released;
  buffer_.poll(released);
  release(released);
}

double ChatStream::gap_s() const {
  const double open = view_ == nullptr ? 0 : static_cast<double>(view_->open_bytes());
  return std::max(kGapSeconds, open / kOpenBytesPerSecond);
}

bool ChatStream::take_ended() { return all_taken_ && std::exchange(ended_, false); }

Result<std::string> ChatStream::take() {
  all_taken_ = pending_.empty();
  if (!all_taken_) {
    std::string html = std::move(pending_.front());
    pending_.pop_front();
    return html;
  }
  if (view_ == nullptr) return std::string();
  return view_->changes(*pages_);
}

}  // namespace notso::ui
