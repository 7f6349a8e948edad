// From the tokens of an answer to its events: thinking, content, tool calls.
//
// Where a part begins and ends is decided by token ids, never by text: a "</think>" that is written
// with ordinary tokens is ordinary text. Which of these tokens count depends on the place: <think>
// counts outside of thoughts and calls, <tool_call> and <code> in content and where such calls are
// expected, the closing ones inside what they close. Elsewhere they are the text of their name; a
// </think> that closes nothing is nothing.
//
// The events hold exactly what was written, with invalid UTF-8 as U+FFFD, but for one newline after
// and one before each of these tokens: "<think>\nA\n</think>\nB" is the thought "A" and the content
// "B". A tool call is streamed as it is written. If it then turns out not to be a call, or the
// answer ends inside it, a Warning and its text as content follow, and the call does not count.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/message.h"
#include "service/chat/stop_strings.h"
#include "service/chat/tool_call_reader.h"

namespace notso {

// The tokens that divide an answer.
enum class Mark : std::uint8_t { kThink, kEndThink, kToolCall, kEndToolCall, kCode, kEndCode };

// How a mark is written: "<think>".
[[nodiscard]] std::string_view mark_text(Mark mark);

// A vocabulary's marks. Those that it lacks never occur.
class AnswerMarks {
 public:
  AnswerMarks() = default;
  // Looks them up by name.
  explicit AnswerMarks(const Tokenizer& tokenizer);

  // A mark's token.
  [[nodiscard]] std::optional<TokenId> id(Mark mark) const;
  // The mark that a token is, if it is one.
  [[nodiscard]] std::optional<Mark> find(TokenId id) const;

 private:
  std::array<std::optional<TokenId>, 6> ids_;
};

// How an answer is to be read.
struct AnswerParserOptions {
  bool plain_text = false;               // no token divides anything: all is content
  bool thinking = false;                 // the prompt ends inside a thought
  bool json_tools = false;               // <tool_call> begins a call
  bool python_tools = false;             // <code> begins a call
  std::vector<std::string> stop = {};    // valid stop strings; they are looked for in content only
  std::string call_id_prefix = "call_";  // a call's id is this and its index
};

// Reads one answer. Any split of the same bytes into tokens gives the same text in the same events.
class AnswerParser {
 public:
  // Where the answer stands. kStopped: a stop string was found, all that follows is dropped.
  enum class Phase : std::uint8_t { kBefore, kThinking, kContent, kToolCall, kCode, kStopped };

  // The options hold only valid stop strings.
  AnswerParser(std::shared_ptr<const Tokenizer> tokenizer, AnswerParserOptions options);

  // Takes in the next token and appends its events; an end token is not to be fed.
  void feed(TokenId id, std::vector<ChatEvent>& out);
  // The same for a mark and for the bytes of any other token.
  void feed_mark(Mark mark, std::vector<ChatEvent>& out);
  void feed_text(std::string_view bytes, std::vector<ChatEvent>& out);
  // The end: what was held back comes out. Call once, last.
  void finish(std::vector<ChatEvent>& out);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] const AnswerMarks& marks() const { return marks_; }
  // The answer so far, without token ids.
  [[nodiscard]] const Message& message() const { return message_; }
  // Whether the part at hand is empty so far; whether not even the newline after its mark has come;
  // whether it ends with a newline.
  [[nodiscard]] bool part_is_empty() const { return part_is_empty_; }
  [[nodiscard]] bool after_mark() const { return skip_newline_; }
  [[nodiscard]] bool part_ends_line() const { return held_newline_; }

 private:
  void begin_part(Phase phase);
  void end_part(std::vector<ChatEvent>& out);
  void take_text(std::string_view text, std::vector<ChatEvent>& out);
  void put(std::string_view text, std::vector<ChatEvent>& out);
  void emit(std::string text, std::vector<ChatEvent>& out);
  void emit_content(std::string text, std::vector<ChatEvent>& out);
  void begin_call(const std::string& name, std::vector<ChatEvent>& out);
  void emit_arguments(std::vector<ChatEvent>& out);
  void end_call(std::vector<ChatEvent>& out);
  void end_code(bool closed, std::vector<ChatEvent>& out);

  std::shared_ptr<const Tokenizer> tokenizer_;
  AnswerMarks marks_;
  AnswerParserOptions options_;
  Phase phase_ = Phase::kBefore;
  Message message_;
  Utf8Stream utf8_;
  StopMatcher stop_;
  bool part_is_empty_ = true;
  bool skip_newline_ = false;  // the next character belongs to the mark if it is a newline
  bool held_newline_ = false;  // written, and dropped if a mark follows
  std::int32_t call_index_ = -1;
  bool call_begun_ = false;       // its first delta is out
  std::size_t call_emitted_ = 0;  // bytes of its arguments that are out
  std::string code_;              // of the <code> block at hand
  ToolCallReader reader_;
};

}  // namespace notso
