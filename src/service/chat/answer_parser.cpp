#include "service/chat/answer_parser.h"

#include <utility>

namespace notso {
namespace {

constexpr std::array<std::string_view, 6> kMarkTexts = {"<think>",      "</think>", "<tool_call>",
                                                        "</tool_call>", "<code>",   "</code>"};

// What a Python call is named; its arguments are the code.
constexpr std::string_view kPythonName = "python";

}  // namespace

std::string_view mark_text(Mark mark) { return kMarkTexts[static_cast<std::size_t>(mark)]; }

AnswerMarks::AnswerMarks(const Tokenizer& tokenizer) {
  for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = tokenizer.find(kMarkTexts[i]);
}

std::optional<TokenId> AnswerMarks::id(Mark mark) const {
  return ids_[static_cast<std::size_t>(mark)];
}

std::optional<Mark> AnswerMarks::find(TokenId id) const {
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] == id) return static_cast<Mark>(i);
  }
  return std::nullopt;
}

AnswerParser::AnswerParser(std::shared_ptr<const Tokenizer> tokenizer, AnswerParserOptions options)
    : tokenizer_(std::move(tokenizer)),
      marks_(*tokenizer_),
      options_(std::move(options)),
      stop_(options_.stop) {
  message_.role = Role::kAssistant;
  if (options_.thinking) phase_ = Phase::kThinking;
}

void AnswerParser::feed(TokenId id, std::vector<ChatEvent>& out) {
  if (const auto mark = marks_.find(id); mark && !options_.plain_text) {
    feed_mark(*mark, out);
  } else {
    feed_text(tokenizer_->token_bytes(id, tokenizer_->kind(id) == TokenKind::kUserDefined), out);
  }
}

void AnswerParser::feed_mark(Mark mark, std::vector<ChatEvent>& out) {
  const bool outside = phase_ == Phase::kBefore || phase_ == Phase::kContent;
  std::optional<Phase> next;
  if (outside && mark == Mark::kThink) next = Phase::kThinking;
  if (outside && mark == Mark::kToolCall && options_.json_tools) next = Phase::kToolCall;
  if (outside && mark == Mark::kCode && options_.python_tools) next = Phase::kCode;
  if ((outside || phase_ == Phase::kThinking) && mark == Mark::kEndThink) next = Phase::kContent;
  if (phase_ == Phase::kToolCall && mark == Mark::kEndToolCall) next = Phase::kContent;
  if (phase_ == Phase::kCode && mark == Mark::kEndCode) next = Phase::kContent;
  if (!next) {
    feed_text(mark_text(mark), out);
    return;
  }
  end_part(out);
  if (phase_ == Phase::kStopped) return;
  held_newline_ = false;
  if (phase_ == Phase::kToolCall) end_call(out);
  if (phase_ == Phase::kCode) end_code(true, out);
  begin_part(*next);
}

void AnswerParser::feed_text(std::string_view bytes, std::vector<ChatEvent>& out) {
  if (phase_ == Phase::kStopped) return;
  std::string text;
  utf8_.feed(bytes, text);
  take_text(text, out);
}

void AnswerParser::finish(std::vector<ChatEvent>& out) {
  if (phase_ == Phase::kStopped) return;
  end_part(out);
  if (phase_ == Phase::kStopped) return;
  if (std::exchange(held_newline_, false)) emit("\n", out);
  if (phase_ == Phase::kToolCall) end_call(out);
  if (phase_ == Phase::kCode) end_code(false, out);
}

void AnswerParser::begin_part(Phase phase) {
  phase_ = phase;
  part_is_empty_ = true;
  skip_newline_ = true;
  if (phase != Phase::kToolCall && phase != Phase::kCode) return;
  reader_ = ToolCallReader();
  call_begun_ = false;
  call_emitted_ = 0;
  code_.clear();
}

// Lets out what waits for the rest of a character or of a stop string; a held newline stays.
void AnswerParser::end_part(std::vector<ChatEvent>& out) {
  std::string text;
  utf8_.finish(text);
  take_text(text, out);
  if (phase_ != Phase::kContent) return;
  text.clear();
  stop_.flush(text);
  put(text, out);
}

// Whole characters of the part at hand.
void AnswerParser::take_text(std::string_view text, std::vector<ChatEvent>& out) {
  if (text.empty()) return;
  if (std::exchange(skip_newline_, false) && text.front() == '\n') text.remove_prefix(1);
  if (text.empty()) return;
  part_is_empty_ = false;
  if (phase_ == Phase::kBefore) phase_ = Phase::kContent;
  if (phase_ != Phase::kContent) {
    put(text, out);
    return;
  }
  std::string certain;
  const bool stopped = stop_.feed(text, certain);
  put(certain, out);
  if (!stopped) return;
  if (std::exchange(held_newline_, false)) emit("\n", out);
  phase_ = Phase::kStopped;
}

// Text that surely belongs to the part, but for a newline before its end.
void AnswerParser::put(std::string_view text, std::vector<ChatEvent>& out) {
  if (text.empty()) return;
  std::string whole;
  if (std::exchange(held_newline_, false)) whole = "\n";
  if (text.back() == '\n') {
    held_newline_ = true;
    text.remove_suffix(1);
  }
  whole += text;
  if (!whole.empty()) emit(std::move(whole), out);
}

void AnswerParser::emit(std::string text, std::vector<ChatEvent>& out) {
  switch (phase_) {
    case Phase::kThinking:
      message_.reasoning += text;
      out.emplace_back(ThinkingDelta{std::move(text)});
      return;
    case Phase::kToolCall:
      reader_.feed(text);
      emit_arguments(out);
      return;
    case Phase::kCode:
      code_ += text;
      if (!call_begun_) begin_call(std::string(kPythonName), out);
      out.emplace_back(ToolCallDelta{call_index_, "", "", std::move(text)});
      return;
    default:
      emit_content(std::move(text), out);
  }
}

void AnswerParser::emit_content(std::string text, std::vector<ChatEvent>& out) {
  message_.content += text;
  out.emplace_back(ContentDelta{std::move(text)});
}

void AnswerParser::begin_call(const std::string& name, std::vector<ChatEvent>& out) {
  call_begun_ = true;
  ++call_index_;
  out.emplace_back(
      ToolCallDelta{call_index_, options_.call_id_prefix + std::to_string(call_index_), name, ""});
}

void AnswerParser::emit_arguments(std::vector<ChatEvent>& out) {
  if (!reader_.has_name()) return;
  if (!call_begun_) begin_call(reader_.name(), out);
  const std::string& arguments = reader_.arguments();
  if (arguments.size() == call_emitted_) return;
  out.emplace_back(ToolCallDelta{call_index_, "", "", arguments.substr(call_emitted_)});
  call_emitted_ = arguments.size();
}

void AnswerParser::end_call(std::vector<ChatEvent>& out) {
  if (reader_.complete()) {
    message_.tool_calls.push_back({options_.call_id_prefix + std::to_string(call_index_),
                                   reader_.name(), reader_.arguments()});
    if (reader_.rest().empty()) return;
    out.emplace_back(Warning{"The model wrote more after a tool call; it is shown as text."});
    emit_content(std::string(reader_.rest()), out);
    return;
  }
  out.emplace_back(Warning{reader_.malformed()
                               ? "The model wrote a tool call that is not valid; it is shown as "
                                 "text and was not made."
                               : "The answer ended inside a tool call; it is shown as text and was "
                                 "not made."});
  if (!reader_.text().empty()) emit_content(reader_.text(), out);
}

void AnswerParser::end_code(bool closed, std::vector<ChatEvent>& out) {
  if (closed) {
    if (!call_begun_) begin_call(std::string(kPythonName), out);
    message_.tool_calls.push_back({options_.call_id_prefix + std::to_string(call_index_),
                                   std::string(kPythonName), std::move(code_)});
    return;
  }
  out.emplace_back(
      Warning{"The answer ended inside code to be run; it is shown as text and was not run."});
  if (!code_.empty()) emit_content(std::move(code_), out);
}

}  // namespace notso
