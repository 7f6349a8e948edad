#include "web/api/answer_parts.h"

#include <algorithm>

namespace notso::api {

void AnswerParts::add(std::span<const ChatEvent> events, PartWriter& writer, std::string& out) {
  for (const ChatEvent& event : events) {
    if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) {
      if (part_ && part_->kind != AnswerPart::Kind::kThinking) end(events, writer, out);
      put(AnswerPart::Kind::kThinking, thinking->text, writer, out);
    } else if (const auto* content = std::get_if<ContentDelta>(&event)) {
      if (part_ && part_->kind != AnswerPart::Kind::kContent) end(events, writer, out);
      put(AnswerPart::Kind::kContent, content->text, writer, out);
    } else if (const auto* call = std::get_if<ToolCallDelta>(&event)) {
      if (!call->id.empty()) {
        end(events, writer, out);
        part_.emplace();
        part_->kind = AnswerPart::Kind::kCall;
        part_->call = {call->id, call->name, {}};
        writer.begin_part(*part_, out);
      }
      put(AnswerPart::Kind::kCall, call->arguments_delta, writer, out);
    } else if (std::holds_alternative<Finished>(event)) {
      end(events, writer, out);
    }
  }
}

void AnswerParts::put(AnswerPart::Kind kind, std::string_view text, PartWriter& writer,
                      std::string& out) {
  if (text.empty()) return;
  if (!part_) {
    part_.emplace();
    part_->kind = kind;
    writer.begin_part(*part_, out);
  }
  part_->text += text;
  writer.add_to_part(*part_, text, out);
}

// Only the end of an answer drops a call, and what it says comes in one piece with it: so a call
// that is good is found among those of the whole answer, or the whole is not there yet.
void AnswerParts::end(std::span<const ChatEvent> events, PartWriter& writer, std::string& out) {
  if (!part_) return;
  const auto* whole = std::get_if<Finished>(&events.back());
  if (part_->kind == AnswerPart::Kind::kCall && whole != nullptr) {
    const auto& calls = whole->message.tool_calls;
    part_->dropped = std::none_of(calls.begin(), calls.end(), [this](const ToolCall& call) {
      return call.id == part_->call.id;
    });
  }
  writer.end_part(*part_, out);
  part_.reset();
}

}  // namespace notso::api
