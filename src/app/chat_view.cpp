#include "app/chat_view.h"

#include <cstdio>
#include <fmt/format.h>
#include <variant>

namespace notso {
namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kReplacement = "\uFFFD";

void put(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

double per_second(std::int32_t count, double seconds) {
  return seconds > 0 ? count / seconds : 0.0;
}

std::string speed_line(const Usage& usage) {
  std::string line = fmt::format("{} tokens", usage.completion_tokens);
  if (usage.completion_tokens > 1) {
    line +=
        fmt::format(", {:.1f} tokens/s", per_second(usage.completion_tokens, usage.completion_s));
  }
  line += fmt::format(" | prompt {} tokens", usage.prompt_tokens);
  const std::int32_t read = usage.prompt_tokens - usage.cached_tokens;
  if (usage.cached_tokens > 0) line += fmt::format(" ({} reused)", usage.cached_tokens);
  line +=
      fmt::format(", {:.1f} s, {:.0f} tokens/s", usage.prompt_s, per_second(read, usage.prompt_s));
  return line;
}

std::string_view end_note(FinishReason reason) {
  switch (reason) {
    case FinishReason::kLength:
      return "The limit of tokens is reached; the answer may not be complete.";
    case FinishReason::kCancelled:
      return "Stopped.";
    case FinishReason::kTimeout:
      return "The time limit is reached; the answer may not be complete.";
    default:
      return "";
  }
}

}  // namespace

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c0 = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) ++i;
    if (c0 || c1) {
      out += kReplacement;
    } else {
      out += text[i];
    }
  }
  return out;
}

void ChatView::progress(std::int32_t done, std::int32_t total) {
  if (!options_.interactive) return;
  if (!reading_) reading_ = std::make_unique<ProgressBar>("reading", "tokens");
  reading_->update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
}

void ChatView::show(std::span<const ChatEvent> events) {
  reading_.reset();
  for (const ChatEvent& event : events) {
    std::visit([this](const auto& kind) { show_event(kind); }, event);
  }
  std::fflush(stdout);
}

void ChatView::print(std::string_view text) const {
  put(stdout, harmless(text) + "\n");
  std::fflush(stdout);
}

void ChatView::note(std::string_view text) const {
  if (!options_.interactive) return;
  put(stderr, options_.color ? kDim : "");
  put(stderr, harmless(text));
  put(stderr, options_.color ? kPlain : "");
  put(stderr, "\n");
}

void ChatView::problem(std::string_view text) const {
  put(stderr, options_.color ? kYellow : "");
  put(stderr, "notso: " + harmless(text));
  put(stderr, options_.color ? kPlain : "");
  put(stderr, "\n");
}

void ChatView::show_event(const ThinkingDelta& thinking) {
  if (!options_.interactive) return;
  enter(Part::kThinking);
  ++thinking_pieces_;
  if (options_.show_thinking) {
    write(thinking.text);
  } else if (options_.color && thinking_pieces_ % 8 == 1) {
    put(stdout, fmt::format("{}thinking... {}", kEraseLine, thinking_pieces_));
    line_open_ = true;
  }
}

void ChatView::show_event(const ContentDelta& content) {
  enter(Part::kContent);
  write(content.text);
}

void ChatView::show_event(const ToolCallDelta& call) {
  if (!options_.interactive) return;
  if (!call.id.empty()) {
    leave();
    enter(Part::kCall);
    write(call.name + " ");
  }
  write(call.arguments_delta);
}

void ChatView::show_event(const Warning& warning) {
  leave();
  problem(warning.text);
}

void ChatView::show_event(const Finished& finished) {
  leave();
  if (!finished.error.empty()) problem(finished.error);
  if (const auto text = end_note(finished.reason); !text.empty()) note(text);
  if (!options_.quiet) note(speed_line(finished.usage));
}

void ChatView::enter(Part part) {
  if (part == part_) return;
  leave();
  part_ = part;
  thinking_pieces_ = 0;
  if (part == Part::kContent) return;
  begin_dim();
  if (part == Part::kThinking && options_.show_thinking && !options_.color) {
    write("(thinking)\n");
  }
}

void ChatView::leave() {
  if (part_ == Part::kThinking && !options_.show_thinking) {
    put(stdout, options_.color ? kEraseLine : "");
    put(stdout,
        fmt::format("(a thought of {} pieces; /thinking show shows such)", thinking_pieces_));
    line_open_ = true;
  }
  if (line_open_) put(stdout, "\n");
  if (part_ == Part::kThinking && options_.show_thinking && !options_.color) {
    put(stdout, "(end of the thought)\n");
  }
  line_open_ = false;
  if (part_ == Part::kThinking || part_ == Part::kCall) end_dim();
  part_ = Part::kNone;
  std::fflush(stdout);
}

void ChatView::write(std::string_view text) {
  if (text.empty()) return;
  put(stdout, options_.interactive ? harmless(text) : std::string(text));
  line_open_ = text.back() != '\n';
}

void ChatView::begin_dim() const {
  if (options_.color) put(stdout, kDim);
}

void ChatView::end_dim() const {
  if (options_.color) put(stdout, kPlain);
}

}  // namespace notso
