// Messages become the tokens that the model was trained on.
//
// The chat template of the model file renders the conversation. What the template says is trusted
// and may become control tokens; what came from messages and tools is data and never does. Tags
// that belong to a message's reasoning and tool calls (<think>, <tool_call>, <code>), which the
// official templates drop, are put back around them as trusted text, as the model wrote them.
//
// Turns are token-exact: an assistant message that carries the ids that were sampled is not
// tokenised again. Its place in the rendered text is found by rendering a marked word, one that
// occurs nowhere else, as its content; the text before and after it is tokenised on its own, just
// as it was when the turn began, and the ids go between. So a conversation that goes on begins
// with exactly the tokens that were read and sampled before. A turn falls back to its text when its
// mark does not come out exactly once and in order, or when the template closes the block of
// thought itself (no-think mode) and the sampled turn has its own, so that the model does not see
// both, or when the turn's thought was opened by the prompt and not by the turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/message.h"

namespace notso {

// A piece of the prompt and where it came from.
struct PromptSpan {
  enum class Origin : std::uint8_t {
    kTemplate,  // trusted: special tokens count
    kData,      // a message or a tool: ordinary text
    kSampled,   // ids that the model sampled
  };
  Origin origin = Origin::kTemplate;
  std::string text;
};

// A rendered conversation. `tokens.size()` is the exact size of its context, template included.
struct Prompt {
  std::vector<TokenId> tokens;
  std::vector<PromptSpan> spans;  // neighbours differ in origin, or are sampled turns
  // The template has written <think> for the answer: its first token is inside a thought.
  bool opens_thought = false;
  // The spans put together.
  [[nodiscard]] std::string text() const;
};

// What `strftime_now` in a template reads; the default is local time.
using PromptClock = std::function<std::tm()>;

// Renders conversations for one model. Immutable: share it between threads.
class PromptBuilder {
 public:
  // From `tokenizer.chat_template` of a model file, or from default_chat_template() where the file
  // has none.
  static Result<std::shared_ptr<const PromptBuilder>> from_gguf(
      const GgufFile& file, std::shared_ptr<const Tokenizer> tokenizer, PromptClock clock = {});

  // From a template's source; `origin` names it in errors.
  static Result<std::shared_ptr<const PromptBuilder>> from_template(
      std::string_view source, const std::string& origin,
      std::shared_ptr<const Tokenizer> tokenizer, PromptClock clock = {});

  // The prompt for `messages`, of which there must be at least one. System messages are joined into
  // one and put first, because templates look for it nowhere else. Tools go where the template
  // wants them; a template without a place for them gets them in the system message.
  [[nodiscard]] Result<Prompt> render(std::span<const Message> messages,
                                      const PromptOptions& options) const;

  // The tokenizer that prompts are made with.
  [[nodiscard]] const Tokenizer& tokenizer() const;

  PromptBuilder(const PromptBuilder&) = delete;
  PromptBuilder& operator=(const PromptBuilder&) = delete;
  ~PromptBuilder();

 private:
  PromptBuilder();
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace notso
