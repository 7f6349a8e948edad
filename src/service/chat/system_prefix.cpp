#include "service/chat/system_prefix.h"

#include <algorithm>
#include <utility>

#include "service/chat/builtin_tools.h"

namespace notso {
namespace {

Result<std::vector<TokenId>> tokens_of(const ChatService& chat, const PromptOptions& options,
                                       const char* text) {
  Message message;
  message.role = Role::kUser;
  message.content = text;
  auto prompt = chat.render(std::span(&message, 1), options);
  if (!prompt) return pass_on(prompt);
  return std::move(prompt->tokens);
}

}  // namespace

Result<std::vector<TokenId>> system_prefix(const ChatService& chat, const PromptOptions& options) {
  // Neither text begins with a token of the other's.
  auto one = tokens_of(chat, options, "a");
  if (!one) return one;
  const auto other = tokens_of(chat, options, "1");
  if (!other) return other;
  const auto split = std::mismatch(one->begin(), one->end(), other->begin(), other->end());
  one->erase(split.first, one->end());
  return one;
}

Status warm_system_prefixes(ChatService& chat) {
  for (const bool thinking : {true, false}) {
    for (const bool tools : {true, false}) {
      PromptOptions options;
      options.thinking = thinking;
      if (tools) options.tools = builtin_tools();
      auto prefix = system_prefix(chat, options);
      if (!prefix) return pass_on(prefix);
      if (prefix->empty()) continue;
      EngineRequest request;
      request.prompt = std::move(*prefix);
      request.priority = Priority::kBackground;
      request.pin = true;
      if (auto submitted = chat.engine().submit(std::move(request)); !submitted) {
        return pass_on(submitted);
      }
    }
  }
  return {};
}

}  // namespace notso
