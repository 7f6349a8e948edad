#include "service/chat/prefix_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace notso {
namespace {

constexpr std::size_t kShownTokens = 6;

// The first message that differs; `tokens_only`: the same message, but only one of the prompts has
// its sampled ids.
struct MessageChange {
  std::size_t index = 0;
  bool tokens_only = false;
};

std::optional<MessageChange> first_change(const PromptInputs& before, const PromptInputs& now) {
  const std::size_t common = std::min(before.parts.size(), now.parts.size());
  for (std::size_t i = 0; i < common; ++i) {
    const bool same = before.parts[i].hash == now.parts[i].hash;
    if (!same || before.parts[i].token_exact != now.parts[i].token_exact) {
      return MessageChange{i, same};
    }
  }
  if (now.parts.size() < before.parts.size()) return MessageChange{common, false};
  return std::nullopt;
}

// A few tokens from `at` on, as text in quotes that is safe in a log.
std::string shown(const Tokenizer& tokenizer, std::span<const TokenId> tokens, std::size_t at) {
  if (at >= tokens.size()) return "its end";
  const auto part = tokens.subspan(at, std::min(kShownTokens, tokens.size() - at));
  Utf8Stream stream;
  std::string text;
  stream.feed(tokenizer.decode(part), text);
  stream.finish(text);
  std::string out = "'";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string sentence(const std::vector<PrefixBreak>& reasons,
                     const std::optional<MessageChange>& change) {
  std::string out;
  for (const PrefixBreak reason : reasons) {
    if (!out.empty()) out += "; ";
    switch (reason) {
      case PrefixBreak::kTemplate:
        out += "the chat template is another";
        break;
      case PrefixBreak::kThinking:
        out += "thinking was switched";
        break;
      case PrefixBreak::kSystem:
        out += "the system message changed";
        break;
      case PrefixBreak::kTools:
        out += "the tools changed";
        break;
      case PrefixBreak::kDate:
        out += "the date in the prompt changed";
        break;
      case PrefixBreak::kMessage:
        out += fmt::format("message {} (system messages not counted) changed",
                           change ? change->index + 1 : 0);
        break;
      case PrefixBreak::kRetokenised:
        out += "a past answer's text does not give the tokens that were sampled";
        break;
    }
  }
  return out;
}

}  // namespace

PrefixReport compare_prefix(const Tokenizer& tokenizer, const Prompt& before,
                            std::span<const TokenId> written, const Prompt& now) {
  std::vector<TokenId> read = before.tokens;
  read.insert(read.end(), written.begin(), written.end());
  const auto [old_at, new_at] =
      std::mismatch(read.begin(), read.end(), now.tokens.begin(), now.tokens.end());
  PrefixReport report;
  report.reused_tokens = static_cast<std::size_t>(new_at - now.tokens.begin());
  if (old_at == read.end() || new_at == now.tokens.end()) return report;

  const PromptInputs& a = before.inputs;
  const PromptInputs& b = now.inputs;
  const auto add_if = [&report](bool changed, PrefixBreak reason) {
    if (changed) report.reasons.push_back(reason);
  };
  add_if(a.template_hash != b.template_hash, PrefixBreak::kTemplate);
  add_if(a.thinking != b.thinking, PrefixBreak::kThinking);
  add_if(a.system_hash != b.system_hash, PrefixBreak::kSystem);
  add_if(a.tools_hash != b.tools_hash, PrefixBreak::kTools);
  add_if(a.date != b.date, PrefixBreak::kDate);
  const auto change = first_change(a, b);
  if (report.reasons.empty()) {
    // Equal inputs and another beginning: only the clock is left.
    const bool in_prompt = report.reused_tokens < before.tokens.size();
    report.reasons.push_back(change && !change->tokens_only ? PrefixBreak::kMessage
                             : !change && in_prompt         ? PrefixBreak::kDate
                                                            : PrefixBreak::kRetokenised);
  }
  report.explanation = fmt::format(
      "{} tokens are reused; at the next, {} became {}: {}", report.reused_tokens,
      shown(tokenizer, read, report.reused_tokens),
      shown(tokenizer, now.tokens, report.reused_tokens), sentence(report.reasons, change));
  return report;
}

}  // namespace notso
