// The policy of one answer: which tokens may come next, which must, when it is over. It runs no
// model: whoever does gives it logits and gets tokens and events, so any loop can drive it:
//
//   while (true) {
//     token = state.next(logits, sampler)      forced, or sampled under the mask of the moment
//     over = state.accept(token, events)
//     if (over) break
//     if (!state.is_forced()) logits = model(tokens not read yet)
//   }
//   finished = state.finish(reason, events)
//
// What must be said (a call where one is required, the end of a thought that is over its budget, a
// response format) is made sure of by masks and by forced tokens, never by asking twice:
//
//   thinking   is closed by "\n</think>\n" when it has used its budget; where something must
//              follow, the answer cannot end in it
//   content    follows the response format's grammar, or a call comes first
//   a call     follows the grammar of the tools, whoever began it; when its JSON is complete,
//              "\n</tool_call>" is forced
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/answer_parser.h"
#include "service/chat/message.h"
#include "service/engine/sampler.h"
#include "service/grammar/grammar.h"

namespace notso {

// How the prompt's end leaves the block of thought: not begun (the model may begin it), open, or
// closed (the empty block of the no-think mode).
enum class PromptThinking : std::uint8_t { kNotBegun, kOpen, kClosed };

// What a prompt's tokens say about it: the last of <think> and </think> after the last user's turn.
[[nodiscard]] PromptThinking prompt_thinking(const Tokenizer& tokenizer,
                                             std::span<const TokenId> prompt);

// What is asked of an answer besides its prompt.
struct AnswerOptions {
  SamplingParams sampling = {};
  std::int32_t max_tokens = 0;  // thinking included; 0: as the context allows
  std::optional<std::int32_t> thinking_budget =
      {};                              // tokens of thought; unset: no limit of its own
  std::vector<std::string> stop = {};  // see stop_strings.h
  bool plain_text = false;             // the answer goes on with any text: no thoughts, no tools
  std::optional<GrammarSource> response_format = {};  // what the content must match
  std::vector<Tool> tools = {};                       // those that the prompt offers
  ToolStyle tool_style = ToolStyle::kJson;
  ToolChoice tool_choice = ToolChoice();
  bool parallel_tool_calls = true;  // false: one call ends the answer
  std::string call_id_prefix = "call_";
};

// What all answers of one model share. Safe to use from many threads.
class AnswerVocabulary {
 public:
  // `vocab_size` is the model's: it may have more rows than the tokenizer has tokens.
  AnswerVocabulary(std::shared_ptr<const Tokenizer> tokenizer, std::size_t vocab_size);

  [[nodiscard]] const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const AnswerMarks& marks() const { return marks_; }
  // Whether the token ends an answer.
  [[nodiscard]] bool is_end(TokenId id) const;
  // The compiled grammars. Only ordinary tokens occur in what they allow.
  [[nodiscard]] GrammarCache& grammars() { return grammars_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::size_t size_;
  AnswerMarks marks_;
  GrammarCache grammars_;
};

// One answer from its first token to its last. Use it from one thread at a time.
class AnswerState {
 public:
  // Checks the options (the error names what is wrong) and compiles the grammars. `context` is the
  // longest sequence; a prompt that leaves no room in it is refused with both numbers.
  // `vocabulary` must outlive the state.
  static Result<std::unique_ptr<AnswerState>> make(AnswerVocabulary& vocabulary,
                                                   AnswerOptions options,
                                                   std::span<const TokenId> prompt,
                                                   std::int32_t context);

  // Whether the next token is certain: next() will not look at logits.
  [[nodiscard]] bool is_forced() const { return forced_at_ < forced_.size(); }

  // The next token, by the logits[vocabulary.size()] of the sequence so far. An error (logits that
  // are not finite, a grammar that cannot go on) ends the answer: finish(kError).
  [[nodiscard]] Result<TokenId> next(std::span<const float> logits, Sampler& sampler);

  // Takes in the token that next() gave and appends its events. True once the answer is over.
  bool accept(TokenId token, std::vector<ChatEvent>& out);

  // How it ended by itself, once accept() has said so.
  [[nodiscard]] FinishReason reason() const { return reason_; }

  // Takes in the first tokens of an answer that an earlier run has given under the same options,
  // without their events: the rest comes out as if it had never stopped. Call before the first
  // next(). True where the answer is over with the last of them, as accept() says it. Fails where
  // the tokens do not go with the options, or go on behind the answer's end or its limit.
  Result<bool> replay(std::span<const TokenId> tokens);

  // Ends the answer: appends what was held back, and returns the whole, its times still unset.
  [[nodiscard]] Finished finish(FinishReason reason, std::vector<ChatEvent>& out);

  // Whether the token that came last is text of the content, be it held back still.
  [[nodiscard]] bool wrote_content() const { return wrote_content_; }

  // The tokens so far.
  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }

 private:
  AnswerState(AnswerVocabulary& vocabulary, AnswerOptions options, std::span<const TokenId> prompt,
              std::int32_t context);

  Status prepare_tools();
  Status prepare_tool_grammar();
  [[nodiscard]] Mark call_mark() const;
  [[nodiscard]] bool may_call() const;
  [[nodiscard]] bool must_call() const;
  [[nodiscard]] bool may_begin_thinking() const;
  Result<std::span<const std::uint64_t>> mask();
  Result<std::span<const std::uint64_t>> grammar_mask(const std::shared_ptr<Grammar>& grammar);
  Result<std::span<const std::uint64_t>> content_mask();
  void allow_only_ends();
  void allow_all_but_ends();
  void allow(std::optional<TokenId> token);
  void forbid(std::optional<TokenId> token);
  void step_matcher(TokenId token);
  void enter(AnswerParser::Phase before);
  [[nodiscard]] bool within_character() const;
  [[nodiscard]] bool thought_is_over() const;
  void plan();
  void force(std::string_view text, std::optional<Mark> mark = std::nullopt);

  AnswerVocabulary& vocabulary_;
  AnswerOptions options_;
  AnswerParser parser_;
  PromptThinking prompt_thinking_;
  std::int32_t prompt_tokens_;
  std::int32_t tokens_max_;
  TokenHistory history_;
  std::vector<TokenId> tokens_;
  std::int32_t thinking_tokens_ = 0;
  FinishReason reason_ = FinishReason::kStop;

  std::shared_ptr<Grammar> content_grammar_;  // null: any content
  std::shared_ptr<Grammar> tool_grammar_;     // null: no calls, or calls in Python
  std::string warning_;                       // comes with the first event
  std::optional<GrammarMatcher> matcher_;     // of the part at hand
  std::vector<std::uint64_t> mask_;           // [a bit for each token]
  std::vector<TokenId> forced_;
  std::size_t forced_at_ = 0;
  std::int32_t calls_ = 0;
  bool wrote_content_ = false;
  bool after_call_ = false;  // nothing but a newline has come since the last call
};

}  // namespace notso
