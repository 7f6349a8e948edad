#include "service/chat/answer_state.h"

#include <algorithm>
#include <utility>

namespace notso {
namespace {

using Phase = AnswerParser::Phase;

// Tokens beyond the thinking budget that may complete a character.
constexpr std::int32_t kMoreForCharacter = 3;

std::shared_ptr<const GrammarVocabulary> grammar_vocabulary(const Tokenizer& tokenizer,
                                                            std::size_t size) {
  std::vector<std::string_view> tokens(size);
  const auto known = std::min(size, static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::size_t id = 0; id < known; ++id) {
    tokens[id] = tokenizer.token_bytes(static_cast<TokenId>(id), false);
  }
  return std::make_shared<GrammarVocabulary>(tokens, tokenizer.special_tokens(),
                                             tokenizer.end_tokens());
}

AnswerParserOptions parser_options(const AnswerOptions& options, PromptThinking thinking) {
  const bool calls = !options.tools.empty() && options.tool_choice.kind != ToolChoice::Kind::kNone;
  AnswerParserOptions parser;
  parser.plain_text = options.plain_text;
  parser.thinking = thinking == PromptThinking::kOpen;
  parser.json_tools = calls && options.tool_style == ToolStyle::kJson;
  parser.python_tools = calls && options.tool_style == ToolStyle::kPython;
  parser.stop = options.stop;
  parser.call_id_prefix = options.call_id_prefix;
  return parser;
}

// A raw prompt's answer has no block of thought, whatever tokens the prompt holds.
PromptThinking thinking_of(const AnswerVocabulary& vocabulary, const AnswerOptions& options,
                           std::span<const TokenId> prompt) {
  if (options.plain_text) return PromptThinking::kClosed;
  return prompt_thinking(*vocabulary.tokenizer(), prompt);
}

Status check(const AnswerOptions& options, std::size_t vocab_size, std::size_t prompt_tokens,
             std::int32_t context) {
  if (auto valid = validate(options.sampling, vocab_size); !valid) return valid;
  if (auto valid = validate_stop_strings(options.stop); !valid) return valid;
  if (options.max_tokens < 0) {
    return fail(ErrorCode::kInvalidArgument, "max_tokens must not be negative");
  }
  if (options.thinking_budget.value_or(0) < 0) {
    return fail(ErrorCode::kInvalidArgument, "thinking_budget must not be negative");
  }
  if (options.plain_text && !options.tools.empty()) {
    return fail(ErrorCode::kInvalidArgument, "tools do not go with a prompt of raw text");
  }
  if (prompt_tokens == 0) return fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  if (prompt_tokens < static_cast<std::size_t>(context)) return {};
  return fail(ErrorCode::kInvalidArgument,
              "the conversation has " + std::to_string(prompt_tokens) +
                  " tokens, but the context is " + std::to_string(context) +
                  "; shorten the conversation or use a larger context");
}

}  // namespace

PromptThinking prompt_thinking(const Tokenizer& tokenizer, std::span<const TokenId> prompt) {
  const AnswerMarks marks(tokenizer);
  const auto turn = tokenizer.find("<|im_start|>");
  for (std::size_t i = prompt.size(); i > 0; --i) {
    const TokenId id = prompt[i - 1];
    if (id == turn) break;
    if (id == marks.id(Mark::kThink)) return PromptThinking::kOpen;
    if (id == marks.id(Mark::kEndThink)) return PromptThinking::kClosed;
  }
  return PromptThinking::kNotBegun;
}

AnswerVocabulary::AnswerVocabulary(std::shared_ptr<const Tokenizer> tokenizer,
                                   std::size_t vocab_size)
    : tokenizer_(std::move(tokenizer)),
      size_(vocab_size),
      marks_(*tokenizer_),
      grammars_(grammar_vocabulary(*tokenizer_, vocab_size)) {}

bool AnswerVocabulary::is_end(TokenId id) const {
  const auto ends = tokenizer_->end_tokens();
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

AnswerState::AnswerState(AnswerVocabulary& vocabulary, AnswerOptions options,
                         std::span<const TokenId> prompt, std::int32_t context)
    : vocabulary_(vocabulary),
      options_(std::move(options)),
      parser_(vocabulary.tokenizer(),
              parser_options(options_, thinking_of(vocabulary, options_, prompt))),
      prompt_thinking_(thinking_of(vocabulary, options_, prompt)),
      prompt_tokens_(static_cast<std::int32_t>(prompt.size())),
      tokens_max_(context - prompt_tokens_),
      mask_((vocabulary.size() + 63) / 64) {
  if (options_.max_tokens > 0) tokens_max_ = std::min(tokens_max_, options_.max_tokens);
  if (!options_.sampling.has_penalties()) return;
  history_ = TokenHistory(vocabulary.size(),
                          static_cast<std::size_t>(options_.sampling.repetition_window));
  history_.add_prompt(prompt);
}

Result<std::unique_ptr<AnswerState>> AnswerState::make(AnswerVocabulary& vocabulary,
                                                       AnswerOptions options,
                                                       std::span<const TokenId> prompt,
                                                       std::int32_t context) {
  if (auto valid = check(options, vocabulary.size(), prompt.size(), context); !valid) {
    return pass_on(valid);
  }
  std::unique_ptr<AnswerState> state(
      new AnswerState(vocabulary, std::move(options), prompt, context));
  if (state->options_.response_format) {
    auto grammar = vocabulary.grammars().get(*state->options_.response_format);
    if (!grammar) return pass_on(grammar);
    state->content_grammar_ = std::move(*grammar);
  }
  if (auto ready = state->prepare_tools(); !ready) return pass_on(ready);
  state->plan();
  return state;
}

Status AnswerState::prepare_tools() {
  const ToolChoice& choice = options_.tool_choice;
  if (options_.tools.empty() && !must_call()) return {};
  if (options_.tools.empty()) {
    return fail(ErrorCode::kInvalidArgument, "tool_choice asks for a call, but there are no tools");
  }
  if (choice.kind == ToolChoice::Kind::kNone) return {};
  if (choice.kind == ToolChoice::Kind::kNamed) {
    if (options_.tool_style == ToolStyle::kPython) {
      return fail(ErrorCode::kUnsupported, "tool_choice with a name does not go with Python tools");
    }
    std::erase_if(options_.tools, [&](const Tool& tool) { return tool.name != choice.name; });
    if (options_.tools.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "tool_choice names '" + choice.name + "', which is none of the tools");
    }
  }
  if (!vocabulary_.marks().id(call_mark())) {
    if (!must_call()) return {};
    return fail(ErrorCode::kUnsupported, "this model cannot call tools: its vocabulary has no " +
                                             std::string(mark_text(call_mark())));
  }
  return options_.tool_style == ToolStyle::kJson ? prepare_tool_grammar() : Status{};
}

// Where a tool's schema asks for more than grammars can do, its arguments may be any object; those
// of the other tools are still checked.
Status AnswerState::prepare_tool_grammar() {
  std::vector<ToolSignature> signatures;
  for (const Tool& tool : options_.tools) signatures.push_back({tool.name, tool.parameters});
  auto source = tool_call_source(signatures);
  if (!source) return pass_on(source);
  auto grammar = vocabulary_.grammars().get(*source);
  if (!grammar && grammar.error().code == ErrorCode::kUnsupported) {
    std::string names;
    for (ToolSignature& signature : signatures) {
      auto one = tool_call_source({&signature, 1});
      if (!one) return pass_on(one);
      const Status status = Grammar::check(*one);
      if (status || status.error().code != ErrorCode::kUnsupported) continue;
      signature.parameters = "";
      names += (names.empty() ? "'" : ", '") + std::string(signature.name) + "'";
    }
    warning_ = "Arguments of calls of " + names +
               " are not checked against the schema: " + grammar.error().message;
    source = tool_call_source(signatures);
    if (!source) return pass_on(source);
    grammar = vocabulary_.grammars().get(*source);
  }
  if (!grammar) return pass_on(grammar);
  tool_grammar_ = std::move(*grammar);
  return {};
}

Mark AnswerState::call_mark() const {
  return options_.tool_style == ToolStyle::kJson ? Mark::kToolCall : Mark::kCode;
}

bool AnswerState::may_call() const {
  return !options_.tools.empty() && options_.tool_choice.kind != ToolChoice::Kind::kNone;
}

bool AnswerState::must_call() const {
  return options_.tool_choice.kind == ToolChoice::Kind::kRequired ||
         options_.tool_choice.kind == ToolChoice::Kind::kNamed;
}

bool AnswerState::may_begin_thinking() const {
  return parser_.phase() == Phase::kBefore && prompt_thinking_ == PromptThinking::kNotBegun &&
         vocabulary_.marks().id(Mark::kThink).has_value();
}

Result<TokenId> AnswerState::next(std::span<const float> logits, Sampler& sampler) {
  if (is_forced()) return forced_[forced_at_];
  auto allowed = mask();
  if (!allowed) return pass_on(allowed);
  const auto position = static_cast<std::uint64_t>(prompt_tokens_) + tokens_.size();
  return sampler.sample(logits, options_.sampling, history_, position, *allowed);
}

void AnswerState::allow_only_ends() {
  std::fill(mask_.begin(), mask_.end(), 0);
  for (const TokenId end : vocabulary_.tokenizer()->end_tokens()) allow(end);
}

void AnswerState::allow_all_but_ends() {
  std::fill(mask_.begin(), mask_.end(), ~std::uint64_t{0});
  for (const TokenId end : vocabulary_.tokenizer()->end_tokens()) forbid(end);
}

void AnswerState::allow(std::optional<TokenId> token) {
  if (token) mask_[static_cast<std::size_t>(*token) / 64] |= std::uint64_t{1} << (*token % 64);
}

void AnswerState::forbid(std::optional<TokenId> token) {
  if (token) mask_[static_cast<std::size_t>(*token) / 64] &= ~(std::uint64_t{1} << (*token % 64));
}

// The tokens that may come now; empty: all of them.
Result<std::span<const std::uint64_t>> AnswerState::mask() {
  switch (parser_.phase()) {
    case Phase::kThinking:
      if (!content_grammar_ && !must_call()) return std::span<const std::uint64_t>{};
      allow_all_but_ends();
      return mask_;
    case Phase::kToolCall:
      return grammar_mask(tool_grammar_);
    case Phase::kCode:
      allow_all_but_ends();
      return mask_;
    default:
      return content_mask();
  }
}

Result<std::span<const std::uint64_t>> AnswerState::grammar_mask(
    const std::shared_ptr<Grammar>& grammar) {
  if (!matcher_) matcher_.emplace(grammar);
  auto count = matcher_->fill_mask(mask_);
  if (!count) return pass_on(count);
  return mask_;
}

Result<std::span<const std::uint64_t>> AnswerState::content_mask() {
  const bool bound = content_grammar_ || must_call();
  if (after_call_ && (bound || !options_.parallel_tool_calls)) {
    allow_only_ends();
    const auto newline = vocabulary_.tokenizer()->encode("\n");
    const bool another =
        options_.parallel_tool_calls && options_.tool_choice.kind != ToolChoice::Kind::kNamed;
    if (another && newline.size() == 1) allow(newline.front());
    return mask_;
  }
  if (must_call()) {  // and has not; without the choice to think first, the call would be forced
    std::fill(mask_.begin(), mask_.end(), 0);
    allow(vocabulary_.marks().id(Mark::kThink));
    allow(vocabulary_.marks().id(call_mark()));
    return mask_;
  }
  if (content_grammar_) {
    const bool fresh = !matcher_;
    if (auto filled = grammar_mask(content_grammar_); !filled) return filled;
    if (may_begin_thinking()) allow(vocabulary_.marks().id(Mark::kThink));
    if (fresh && may_call()) allow(vocabulary_.marks().id(call_mark()));
    return mask_;
  }
  if (options_.tools.empty() || may_call()) return std::span<const std::uint64_t>{};
  std::fill(mask_.begin(), mask_.end(), ~std::uint64_t{0});
  forbid(vocabulary_.marks().id(call_mark()));
  return mask_;
}

bool AnswerState::accept(TokenId token, std::vector<ChatEvent>& out) {
  if (!warning_.empty()) out.emplace_back(Warning{std::exchange(warning_, {})});
  const bool forced = is_forced();
  if (forced && ++forced_at_ == forced_.size()) {
    forced_.clear();
    forced_at_ = 0;
  }
  tokens_.push_back(token);
  wrote_content_ = false;
  if (options_.sampling.has_penalties()) history_.add_sampled(token);
  if (vocabulary_.is_end(token)) {
    reason_ = FinishReason::kStop;
    return true;
  }
  if (!forced) step_matcher(token);
  const Phase before = parser_.phase();
  const bool ends_mark =
      parser_.after_mark() && vocabulary_.tokenizer()->token_bytes(token) == "\n";
  parser_.feed(token, out);
  const bool is_mark = vocabulary_.marks().find(token) && parser_.after_mark();
  wrote_content_ =
      (before == Phase::kBefore || before == Phase::kContent) && !ends_mark && !is_mark;
  if (before == Phase::kThinking) ++thinking_tokens_;
  if (parser_.phase() != before) enter(before);
  if (parser_.phase() == Phase::kStopped) {
    reason_ = FinishReason::kStop;
    return true;
  }
  if (static_cast<std::int32_t>(tokens_.size()) >= tokens_max_) {
    reason_ = FinishReason::kLength;
    return true;
  }
  if (!is_forced()) plan();
  return false;
}

Result<bool> AnswerState::replay(std::span<const TokenId> tokens) {
  std::vector<ChatEvent> told_already;
  bool over = false;
  for (const TokenId token : tokens) {
    if (over) {
      return fail(ErrorCode::kInvalidArgument,
                  "the answer so far has " + std::to_string(tokens.size()) +
                      " tokens, but is over after " + std::to_string(tokens_.size()));
    }
    if (is_forced() && forced_[forced_at_] != token) {
      return fail(ErrorCode::kInvalidArgument,
                  "the answer so far does not go with the options that it is to go on under");
    }
    // The mask itself is not needed, but making it begins the grammar of the part at hand.
    if (!is_forced()) {
      if (auto allowed = mask(); !allowed) return pass_on(allowed);
    }
    over = accept(token, told_already);
  }
  return over;
}

// A mark that the grammar does not know ends its part; the grammar starts anew after it.
void AnswerState::step_matcher(TokenId token) {
  if (matcher_ && !matcher_->accept(token)) matcher_.reset();
}

// What a new part begins with.
void AnswerState::enter(Phase before) {
  const Phase now = parser_.phase();
  if (before == Phase::kToolCall || before == Phase::kCode) {
    ++calls_;
    after_call_ = true;
  }
  if (now == Phase::kToolCall || now == Phase::kCode) {
    after_call_ = false;
    matcher_.reset();
    force("\n");
  }
}

// Whether the last tokens end within a character.
bool AnswerState::within_character() const {
  std::string tail;
  for (auto token = tokens_.rbegin(); token != tokens_.rend() && tail.size() < 3; ++token) {
    tail.insert(0, vocabulary_.tokenizer()->token_bytes(*token));
  }
  for (std::size_t i = 1; i <= std::min<std::size_t>(tail.size(), 3); ++i) {
    const auto byte = static_cast<unsigned char>(tail[tail.size() - i]);
    if ((byte & 0xC0U) == 0x80U) continue;
    return byte >= (i == 1 ? 0xC0U : i == 2 ? 0xE0U : 0xF0U);
  }
  return false;
}

// Whether the thought is to be closed now. One that stands within a character may finish it.
bool AnswerState::thought_is_over() const {
  if (!options_.thinking_budget || !vocabulary_.marks().id(Mark::kEndThink)) return false;
  const std::int32_t over = thinking_tokens_ - *options_.thinking_budget;
  return over >= kMoreForCharacter || (over >= 0 && !within_character());
}

// Queues the tokens that must come now, if there are such.
void AnswerState::plan() {
  const Phase phase = parser_.phase();
  const bool outside = phase == Phase::kBefore || phase == Phase::kContent;
  if (phase == Phase::kThinking && thought_is_over()) {
    const std::string_view before = parser_.part_is_empty()
                                        ? (parser_.after_mark() ? "\n\n" : "\n")
                                        : (parser_.part_ends_line() ? "" : "\n");
    force(before, Mark::kEndThink);
    force("\n");
  } else if (phase == Phase::kToolCall && matcher_ && matcher_->is_accepting()) {
    matcher_.reset();
    force(parser_.part_ends_line() ? "" : "\n", Mark::kEndToolCall);
  } else if (outside && after_call_) {
    if (parser_.part_is_empty() && parser_.after_mark()) return;  // the call has just ended
    const bool bound = content_grammar_ || must_call();
    after_call_ = false;
    if (bound) force("", call_mark());
  } else if (outside && must_call() && calls_ == 0 && !may_begin_thinking()) {
    force(parser_.after_mark() ? "\n" : "", call_mark());
  } else if (outside && content_grammar_ && parser_.after_mark()) {
    force("\n");
  }
}

void AnswerState::force(std::string_view text, std::optional<Mark> mark) {
  if (!text.empty()) {
    const auto ids = vocabulary_.tokenizer()->encode(text);
    forced_.insert(forced_.end(), ids.begin(), ids.end());
  }
  if (mark) forced_.push_back(*vocabulary_.marks().id(*mark));
}

Finished AnswerState::finish(FinishReason reason, std::vector<ChatEvent>& out) {
  parser_.finish(out);
  Finished finished;
  finished.reason = reason;
  finished.message = parser_.message();
  if (reason == FinishReason::kStop && !finished.message.tool_calls.empty()) {
    finished.reason = FinishReason::kToolCalls;
  }
  finished.message.tokens = tokens_;
  finished.usage.prompt_tokens = prompt_tokens_;
  finished.usage.completion_tokens = static_cast<std::int32_t>(tokens_.size());
  finished.usage.thinking_tokens = thinking_tokens_;
  return finished;
}

}  // namespace notso
