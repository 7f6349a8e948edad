#include "web/ui/answer_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "web/ui/html.h"
#include "web/ui/views.h"

namespace notso::ui {
namespace {

using jinja::Dict;
using jinja::Value;

// The pill's figures change often and are looked at seldom.
constexpr double kPillSeconds = 0.5;

Value fact(std::string_view name, const std::string& value) {
  Dict entries;
  entries.set("name", Value::string(name));
  entries.set("value", Value::string(value));
  return Value::dict(std::move(entries));
}

bool is_over(TurnPhase phase) {
  return phase == TurnPhase::kDone || phase == TurnPhase::kStopped || phase == TurnPhase::kFailed;
}

void add_usage(Usage& sum, const Usage& usage) {
  sum.prompt_tokens = usage.prompt_tokens;
  sum.cached_tokens = usage.cached_tokens;
  sum.completion_tokens += usage.completion_tokens;
  sum.thinking_tokens += usage.thinking_tokens;
  sum.prompt_s += usage.prompt_s;
  if (sum.first_token_s == 0) sum.first_token_s = usage.first_token_s;
  sum.completion_s += usage.completion_s;
}

double speed_of(const Usage& usage) {
  return usage.completion_s > 0 ? usage.completion_tokens / usage.completion_s : 0;
}

}  // namespace

void append_partial(std::string& html, std::string_view target, std::string_view swap,
                    std::string_view content) {
  html += "<hx-partial hx-target=\"";
  append_escaped(html, target);
  html += "\" hx-swap=\"";
  html += swap;
  html += "\">";
  html += content;
  html += "</hx-partial>";
}

jinja::Value usage_facts(const Usage& usage, const std::string& model) {
  std::vector<Value> facts;
  if (usage.completion_s > 0) {
    facts.push_back(fact("Speed", fmt::format("{:.1f} tokens/s", speed_of(usage))));
  }
  if (usage.first_token_s > 0) {
    facts.push_back(fact("First token", fmt::format("after {:.2f} s", usage.first_token_s)));
  }
  if (usage.prompt_tokens > 0) {
    facts.push_back(fact("Prompt", fmt::format("{} tokens, {} of them reused", usage.prompt_tokens,
                                               usage.cached_tokens)));
  }
  if (usage.completion_tokens > 0) {
    facts.push_back(fact("Answer", usage.thinking_tokens > 0
                                       ? fmt::format("{} tokens, {} of them thoughts",
                                                     usage.completion_tokens, usage.thinking_tokens)
                                       : fmt::format("{} tokens", usage.completion_tokens)));
  }
  if (!model.empty()) facts.push_back(fact("Model", model));
  if (facts.empty()) facts.push_back(fact("Speed", "not measured"));
  return Value::list(std::move(facts));
}

AnswerView::AnswerView(std::string chat_id, std::int64_t answer_id, std::function<double()> seconds)
    : chat_id_(std::move(chat_id)),
      id_(answer_id),
      last_id_(answer_id),
      seconds_(std::move(seconds)) {}

AnswerView::Part& AnswerView::part_for(Kind kind) {
  if (kind != Kind::kThinking) close_thought();
  if (parts_.empty() || parts_.back().kind != kind || kind == Kind::kTool) {
    if (!parts_.empty() && parts_.back().kind == Kind::kContent) parts_.back().markdown.finish();
    Part part;
    part.kind = kind;
    part.id = fmt::format("p-{}-{}", id_, parts_.size());
    part.open = kind == Kind::kThinking;
    parts_.push_back(std::move(part));
  }
  return parts_.back();
}

void AnswerView::close_thought() {
  if (parts_.empty() || parts_.back().kind != Kind::kThinking || !parts_.back().open) return;
  parts_.back().open = false;
  parts_.back().redraw = true;
}

void AnswerView::end() {
  close_thought();
  if (!parts_.empty() && parts_.back().kind == Kind::kContent) parts_.back().markdown.finish();
  running_ = false;
  status_changed_ = true;
  end_changed_ = true;
}

void AnswerView::read(std::span<const StoredMessage* const> messages) {
  for (const StoredMessage* message : messages) read_message(*message);
  if (!running_) end();
}

void AnswerView::read_message(const StoredMessage& message) {
  if (message.message.role == Role::kTool) {
    const auto part = std::find_if(parts_.rbegin(), parts_.rend(), [&](const Part& candidate) {
      return candidate.kind == Kind::kTool && candidate.call_id == message.message.tool_call_id;
    });
    if (part == parts_.rend()) return;
    part->result = message.message.content;
    part->has_result = true;
    return;
  }
  if (!message.message.reasoning.empty()) apply(ThinkingDelta{message.message.reasoning});
  if (!message.message.content.empty()) apply(ContentDelta{message.message.content});
  for (const ToolCall& call : message.message.tool_calls) {
    Part& part = part_for(Kind::kTool);
    part.name = call.name;
    part.call_id = call.id;
    part.text = call.arguments;
  }
  take_state(message);
  live_tokens_ = 0;
}

void AnswerView::take_state(const StoredMessage& message) {
  last_id_ = message.id;
  model_ = message.model;
  followups_ = message.followups;
  error_.clear();
  note_.clear();
  running_ = message.state == MessageState::kRunning;
  if (!running_) add_usage(usage_, message.usage);
  if (message.state == MessageState::kFailed) {
    error_ = message.error.empty() ? "The answer broke off." : message.error;
  } else if (message.state == MessageState::kStopped) {
    note_ = "Stopped.";
  } else if (message.finish == FinishReason::kLength) {
    note_ = "The answer reached its longest length.";
  } else if (message.finish == FinishReason::kTimeout) {
    note_ = "The answer ran out of time.";
  }
  status_.phase = running_                                  ? TurnPhase::kQueued
                  : message.state == MessageState::kFailed  ? TurnPhase::kFailed
                  : message.state == MessageState::kStopped ? TurnPhase::kStopped
                                                            : TurnPhase::kDone;
}

void AnswerView::apply(const TurnStatus& status) {
  status_ = status;
  status_changed_ = true;
  if (is_over(status.phase)) {
    if (status.phase == TurnPhase::kFailed && error_.empty()) error_ = status.error;
    end();
  } else {
    running_ = true;
  }
}

void AnswerView::apply(const ThinkingDelta& delta) {
  part_for(Kind::kThinking).fresh += delta.text;
  if (live_tokens_++ == 0) live_since_ = seconds_();
}

void AnswerView::apply(const ContentDelta& delta) {
  part_for(Kind::kContent).markdown.append(delta.text);
  if (live_tokens_++ == 0) live_since_ = seconds_();
}

void AnswerView::apply(const ToolCallDelta& delta) {
  // A call's first piece has its name; later ones belong to the newest call.
  if (!delta.name.empty()) {
    Part& part = part_for(Kind::kTool);
    part.name = delta.name;
    part.call_id = delta.id;
  }
  if (parts_.empty() || parts_.back().kind != Kind::kTool) return;
  parts_.back().text += delta.arguments_delta;
  parts_.back().redraw = true;
  ++live_tokens_;
}

void AnswerView::apply(const ToolResult& result) {
  for (Part& part : parts_) {
    if (part.kind != Kind::kTool || part.call_id != result.call.id || part.has_result) continue;
    part.text = result.call.arguments;
    part.result = result.result;
    part.has_result = true;
    part.redraw = true;
    return;
  }
  Part& part = part_for(Kind::kTool);
  part.name = result.call.name;
  part.call_id = result.call.id;
  part.text = result.call.arguments;
  part.result = result.result;
  part.has_result = true;
}

void AnswerView::apply(const Warning& warning) {
  warnings_.push_back(warning.text);
  end_changed_ = true;
}

void AnswerView::apply(const TurnSaved& saved) {
  const TurnPhase phase = status_.phase;
  take_state(saved.message);
  status_changed_ = true;
  followups_changed_ = !followups_.empty();
  if (running_ || saved.message.finish == FinishReason::kToolCalls) {
    running_ = true;  // there is more to come
    status_.phase = phase;
  } else {
    end();
  }
}

void AnswerView::apply(const TurnFollowups& followups) {
  followups_ = followups.texts;
  followups_changed_ = true;
}

std::size_t AnswerView::open_bytes() const {
  return parts_.empty() ? 0 : parts_.back().markdown.open_bytes();
}

std::string AnswerView::pill_label() const {
  const Usage& usage = usage_.completion_tokens > 0 ? usage_ : status_.usage;
  switch (status_.phase) {
    case TurnPhase::kQueued:
      return status_.queue_position > 0
                 ? fmt::format("Waiting, {} before you", status_.queue_position)
                 : "Waiting";
    case TurnPhase::kProcessing:
      return "Processing";
    case TurnPhase::kThinking:
      return "Thinking";
    case TurnPhase::kGenerating:
      return "Generating";
    case TurnPhase::kTool:
      return "Using " + status_.tool;
    case TurnPhase::kStopped:
      return "Stopped";
    case TurnPhase::kFailed:
      return "Failed";
    case TurnPhase::kDone:
      return speed_of(usage) > 0 ? fmt::format("Done · {:.1f} tokens/s", speed_of(usage)) : "Done";
  }
  return "";
}

jinja::Value AnswerView::pill_value() const {
  Dict pill;
  Usage usage = usage_;
  std::string label = pill_label();
  if (running_) {
    add_usage(usage, status_.usage);
    const double elapsed = seconds_() - live_since_;
    if (live_tokens_ > 1 && elapsed > 0 && usage.completion_s <= 0) {
      usage.completion_tokens = std::max(usage.completion_tokens, live_tokens_);
      usage.completion_s = elapsed;
    }
    const bool writes =
        status_.phase == TurnPhase::kGenerating || status_.phase == TurnPhase::kThinking;
    if (writes && speed_of(usage) > 0) label += fmt::format(" · {:.1f} tokens/s", speed_of(usage));
  }
  pill.set("label", Value::string(label));
  if (status_.phase == TurnPhase::kProcessing && status_.prompt_total > 0) {
    pill.set("progress", Value::integer(100 * static_cast<std::int64_t>(status_.prompt_done) /
                                        status_.prompt_total));
  }
  pill.set("facts", usage_facts(usage, model_));
  return Value::dict(std::move(pill));
}

MarkdownUpdate AnswerView::look(Part& part) {
  MarkdownUpdate update = part.markdown.take();
  if (!part.shown) {
    part.closed += update.closed;
    if (update.tail) part.tail = *update.tail;
  }
  return update;
}

jinja::Value AnswerView::part_value(Part& part) {
  Dict entries;
  entries.set("id", Value::string(part.id));
  switch (part.kind) {
    case Kind::kThinking:
      part.text += std::exchange(part.fresh, {});
      entries.set("kind", Value::string("thinking"));
      entries.set("label", Value::string(part.open && running_ ? "Thinking" : "Thoughts"));
      entries.set("open", Value::boolean(part.open && running_));
      entries.set("text", Value::string(part.text));
      break;
    case Kind::kTool:
      entries.set("kind", Value::string("tool"));
      entries.set("label", Value::string(part.has_result ? "Used" : "Calling"));
      entries.set("name", Value::string(part.name));
      entries.set("arguments", Value::string(part.text));
      if (part.has_result) entries.set("result", Value::string(part.result));
      break;
    case Kind::kContent:
      look(part);
      entries.set("kind", Value::string("content"));
      entries.set("html", Value::markup(std::exchange(part.closed, {})));
      entries.set("tail", Value::markup(std::exchange(part.tail, {})));
      break;
  }
  part.shown = true;
  part.redraw = false;
  return Value::dict(std::move(entries));
}

// All but the parts.
jinja::Dict AnswerView::frame_value() {
  Dict entries;
  entries.set("id", Value::integer(id_));
  entries.set("last_id", Value::integer(last_id_));
  entries.set("running", Value::boolean(running_));
  entries.set("failed", Value::boolean(!running_ && !error_.empty()));
  entries.set("error", Value::string(error_));
  entries.set("note", Value::string(running_ ? "" : note_));
  entries.set("pill", pill_value());
  std::vector<Value> warnings;
  for (const std::string& warning : warnings_) warnings.push_back(Value::string(warning));
  entries.set("warnings", Value::list(std::move(warnings)));
  std::vector<Value> followups;
  for (const std::string& text : followups_) followups.push_back(Value::string(text));
  entries.set("followups", Value::list(std::move(followups)));
  entries.set("branches", branches_);
  status_changed_ = false;
  end_changed_ = false;
  followups_changed_ = false;
  pill_drawn_at_ = seconds_();
  return entries;
}

jinja::Value AnswerView::value() {
  std::vector<Value> parts;
  for (Part& part : parts_) parts.push_back(part_value(part));
  Dict entries = frame_value();
  entries.set("parts", Value::list(std::move(parts)));
  return Value::dict(std::move(entries));
}

Result<std::string> AnswerView::draw(const Pages& pages, const std::string& name,
                                     jinja::Value part) {
  Dict variables;
  variables.set("chat", chat_value(chat_id_));
  variables.set("part", std::move(part));
  return pages.render(name, variables);
}

Status AnswerView::add_part_changes(const Pages& pages, Part& part, std::string& html) {
  if (!part.shown || part.redraw) {
    const bool added = !part.shown;
    Result<std::string> drawn = draw(pages, "part.html", part_value(part));
    if (!drawn) return pass_on(drawn);
    append_partial(html, added ? fmt::format("#p-{}", id_) : "#" + part.id,
                   added ? "beforeend" : "outerHTML", *drawn);
    return {};
  }
  if (part.kind == Kind::kThinking && !part.fresh.empty()) {
    append_partial(html, "#" + part.id + "-t", "beforeend", escaped(part.fresh));
    part.text += std::exchange(part.fresh, {});
  }
  if (part.kind != Kind::kContent) return {};
  const MarkdownUpdate update = look(part);
  if (!update.closed.empty()) {
    append_partial(html, "#" + part.id + "-b", "beforeend", update.closed);
  }
  if (update.tail) append_partial(html, "#" + part.id + "-w", "innerMorph", *update.tail);
  if (!update.code.empty()) {
    append_partial(html, "#" + part.id + "-w code", "beforeend", update.code);
  }
  return {};
}

Result<std::string> AnswerView::changes(const Pages& pages) {
  std::string html;
  for (Part& part : parts_) {
    if (Status added = add_part_changes(pages, part, html); !added) return pass_on(added);
  }
  const bool pill_due = running_ && seconds_() - pill_drawn_at_ >= kPillSeconds && !html.empty();
  const bool status = std::exchange(status_changed_, false) || pill_due;
  const bool end = std::exchange(end_changed_, false);
  const bool followups = std::exchange(followups_changed_, false);
  if (!status && !end && !followups) return html;
  Dict variables;
  variables.set("chat", chat_value(chat_id_));
  variables.set("a", Value::dict(frame_value()));
  struct Piece {
    bool due;
    const char* name;
    const char* target;
    const char* swap;
  };
  for (const Piece& piece : {Piece{status, "pill.html", "#s-{}", "innerMorph"},
                             Piece{end, "end.html", "#e-{}", "innerHTML"},
                             Piece{followups, "followups.html", "#f-{}", "innerHTML"}}) {
    if (!piece.due) continue;
    Result<std::string> drawn = pages.render(piece.name, variables);
    if (!drawn) return pass_on(drawn);
    append_partial(html, fmt::format(fmt::runtime(piece.target), id_), piece.swap, *drawn);
  }
  return html;
}

}  // namespace notso::ui
