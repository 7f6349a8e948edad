// The parts of a streamed answer, for formats whose streams are made of blocks: thoughts, content
// and calls, each begun and ended before the next one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/chat/message.h"

namespace notso::api {

// One part.
struct AnswerPart {
  enum class Kind : std::uint8_t { kThinking, kContent, kCall };
  Kind kind = Kind::kContent;
  std::string text;      // so far; of a call, its arguments as they were written
  ToolCall call;         // of a call: its id and its name
  bool dropped = false;  // a call that the answer ended inside: its text follows as content
};

// What hears of the parts and writes them to a stream.
class PartWriter {
 public:
  virtual ~PartWriter() = default;
  // A part begins, goes on, ends.
  virtual void begin_part(const AnswerPart& part, std::string& out) = 0;
  // `text` is in part.text already.
  virtual void add_to_part(const AnswerPart& part, std::string_view text, std::string& out) = 0;
  virtual void end_part(const AnswerPart& part, std::string& out) = 0;
};

// Divides the events of one answer into its parts.
class AnswerParts {
 public:
  // Takes in the events of one piece; the parts that they begin, go on with or end are told to
  // `writer`. All parts have ended when Finished is among the events.
  void add(std::span<const ChatEvent> events, PartWriter& writer, std::string& out);

 private:
  void put(AnswerPart::Kind kind, std::string_view text, PartWriter& writer, std::string& out);
  void end(std::span<const ChatEvent> events, PartWriter& writer, std::string& out);

  std::optional<AnswerPart> part_;  // the one at hand
};

}  // namespace notso::api
