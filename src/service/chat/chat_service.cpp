#include "service/chat/chat_service.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace notso {
namespace {

constexpr int kTopLogprobsMax = 20;

FinishReason finish_reason(RequestEnd end, const AnswerState& state) {
  switch (end) {
    case RequestEnd::kDone:
      return state.reason();
    case RequestEnd::kLength:
      return FinishReason::kLength;
    case RequestEnd::kCancelled:
      return FinishReason::kCancelled;
    case RequestEnd::kTimeout:
      return FinishReason::kTimeout;
    case RequestEnd::kError:
      break;
  }
  return FinishReason::kError;
}

// What a request asks, in words: its last message, or the whole of a raw prompt.
std::string asked_text(const ChatRequest& request, const Tokenizer& tokenizer) {
  return request.messages.empty() ? tokenizer.decode(request.prompt)
                                  : request.messages.back().content;
}

// What it was answered, calls included.
std::string answered_text(const Message& message) {
  std::string text = message.content;
  for (const ToolCall& call : message.tool_calls) {
    text += (text.empty() ? "" : "\n") + call.name + " " + call.arguments;
  }
  return text;
}

// One answer as the engine drives it.
class AnswerPolicy final : public TokenPolicy {
 public:
  // `scored` are the prompt's tokens that the engine is not given, but draws one by one. `asked` is
  // for the log, which has the text of an answer only where this is set.
  AnswerPolicy(std::shared_ptr<AnswerVocabulary> vocabulary, std::unique_ptr<AnswerState> state,
               std::vector<TokenId> scored, std::optional<int> top_logprobs,
               std::optional<std::string> asked, ChatSinks sinks)
      : vocabulary_(std::move(vocabulary)),
        state_(std::move(state)),
        scored_(std::move(scored)),
        asked_(std::move(asked)),
        sinks_(std::move(sinks)),
        wants_logprobs_(top_logprobs) {
    logprobs_.top.resize(static_cast<std::size_t>(top_logprobs.value_or(0)));
  }

  void queued(std::int32_t position, double wait_s) override {
    if (sinks_.queued) tell([&] { sinks_.queued(position, wait_s); });
  }

  void prompt_progress(std::int32_t done, std::int32_t total) override {
    if (sinks_.prompt_progress) tell([&] { sinks_.prompt_progress(done, total); });
  }

  // The probability of a token that is certain is the model's all the same, so that logits are
  // wanted where probabilities are.
  [[nodiscard]] bool is_forced() const override { return !wants_logprobs_ && state_->is_forced(); }

  [[nodiscard]] Result<std::int32_t> next(std::span<const float> logits,
                                          Sampler& sampler) override {
    Result<std::int32_t> token = 0;
    if (scored_at_ < scored_.size()) {
      token = scored_[scored_at_];
    } else {
      token = state_->next(logits, sampler);
    }
    if (token && wants_logprobs_) {
      logprobs_.token = {*token, token_logprob(logits, *token, logprobs_.top)};
    }
    return token;
  }

  bool accept(std::int32_t token) override {
    events_.clear();
    const bool is_answer = scored_at_ == scored_.size();
    if (!is_answer) {
      ++scored_at_;
      logprobs_.part = TokenPart::kPrompt;
    } else {
      over_ = state_->accept(token, events_);
      logprobs_.part = state_->wrote_content() ? TokenPart::kContent : TokenPart::kOther;
    }
    tell([&] {
      if (is_answer && sinks_.token) sinks_.token(token);
      if (wants_logprobs_ && sinks_.logprobs) sinks_.logprobs(logprobs_);
      sinks_.events(events_);
    });
    return over_ || sink_failed_;
  }

  void ended(const RequestReport& report) override {
    events_.clear();
    // Whoever cancels may be too late: an answer that was over has ended by itself.
    FinishReason reason = over_ ? state_->reason() : finish_reason(report.end, *state_);
    if (sink_failed_) reason = FinishReason::kError;
    Finished finished = state_->finish(reason, events_);
    finished.error = report.error.message;
    if (sink_failed_) finished.error = "the receiver of the answer failed";
    Usage& usage = finished.usage;
    usage.cached_tokens = std::min(report.cached_tokens, usage.prompt_tokens);
    usage.prompt_s = report.prompt_s;
    usage.first_token_s = report.first_token_s;
    usage.completion_s = report.decode_s;
    if (asked_) {
      log_info("answer", {{"asked", *asked_}, {"answered", answered_text(finished.message)}});
    }
    events_.emplace_back(std::move(finished));
    tell([&] { sinks_.events(events_); });
    if (sinks_.report) tell([&] { sinks_.report(report); });
  }

 private:
  // The engine's thread serves everybody, so what one receiver throws stays here.
  template <class Call>
  void tell(Call&& call) {
    try {
      call();
    } catch (...) {
      sink_failed_ = true;
    }
  }

  std::shared_ptr<AnswerVocabulary> vocabulary_;  // that of the state
  std::unique_ptr<AnswerState> state_;
  std::vector<TokenId> scored_;
  std::size_t scored_at_ = 0;
  std::optional<std::string> asked_;
  ChatSinks sinks_;
  bool wants_logprobs_;
  TokenLogprobs logprobs_;
  std::vector<ChatEvent> events_;
  bool over_ = false;
  bool sink_failed_ = false;
};

}  // namespace

struct ChatService::Impl {
  Engine& engine;
  std::shared_ptr<const PromptBuilder> prompts;
  ChatModelInfo info;
  std::shared_ptr<AnswerVocabulary> vocabulary;

  [[nodiscard]] Status check_tokens(std::span<const TokenId> tokens, const char* what) const {
    const auto size = static_cast<TokenId>(vocabulary->size());
    const auto bad = std::find_if(tokens.begin(), tokens.end(),
                                  [&](TokenId id) { return !(0 <= id && id < size); });
    if (bad == tokens.end()) return {};
    return fail(ErrorCode::kInvalidArgument,
                std::string(what) + " has the token " + std::to_string(*bad) +
                    ", but the vocabulary ends at " + std::to_string(size - 1));
  }

  // The tokens that the request's answer follows.
  [[nodiscard]] Result<std::vector<TokenId>> prompt_of(ChatRequest& request) const {
    if (request.messages.empty()) return std::move(request.prompt);
    auto prompt = prompts->render(request.messages, request.prompt_options);
    if (!prompt) return pass_on(prompt);
    return std::move(prompt->tokens);
  }

  [[nodiscard]] EngineRequest engine_request(ChatRequest& request,
                                             std::vector<TokenId> prompt) const {
    EngineRequest out;
    out.prompt = std::move(prompt);
    out.session = std::move(request.session);
    out.cache_scope = std::move(request.cache_scope);
    out.priority = request.priority;
    out.drafts = request.drafts;
    out.token_s_max = request.token_s_max;
    out.answer_s_max = request.answer_s_max;
    return out;
  }
};

ChatService::ChatService(Engine& engine, std::shared_ptr<const Tokenizer> tokenizer,
                         std::shared_ptr<const PromptBuilder> prompts, ChatModelInfo info,
                         std::size_t vocab_size)
    : impl_(new Impl{engine, std::move(prompts), std::move(info),
                     std::make_shared<AnswerVocabulary>(std::move(tokenizer), vocab_size)}) {}

ChatService::~ChatService() = default;

Result<ChatHandle> ChatService::start(ChatRequest request, ChatSinks sinks) {
  const int top = request.top_logprobs.value_or(0);
  if (!(0 <= top && top <= kTopLogprobsMax)) {
    return fail(ErrorCode::kInvalidArgument, "top_logprobs is " + std::to_string(top) +
                                                 "; it must be 0 to " +
                                                 std::to_string(kTopLogprobsMax));
  }
  if (request.prompt_logprobs &&
      !(request.top_logprobs && request.messages.empty() && request.so_far.empty())) {
    return fail(ErrorCode::kInvalidArgument,
                "prompt_logprobs needs top_logprobs, and a raw prompt without an answer so far");
  }
  AnswerOptions options = std::move(request.answer);
  options.plain_text = request.messages.empty();
  options.tools = request.prompt_options.tools;
  options.tool_style = request.prompt_options.tool_style;
  std::optional<std::string> asked;
  if (log_prompts()) asked = asked_text(request, tokenizer());
  auto prompt = impl_->prompt_of(request);
  if (!prompt) return pass_on(prompt);
  if (auto valid = impl_->check_tokens(*prompt, "the prompt"); !valid) return pass_on(valid);
  if (auto valid = impl_->check_tokens(request.so_far, "the answer so far"); !valid) {
    return pass_on(valid);
  }
  auto state =
      AnswerState::make(*impl_->vocabulary, std::move(options), *prompt, impl_->info.context);
  if (!state) return pass_on(state);
  auto over = (*state)->replay(request.so_far);
  if (!over) return pass_on(over);
  if (*over) {
    AnswerPolicy(impl_->vocabulary, std::move(*state), {}, {}, std::move(asked), std::move(sinks))
        .ended({});
    return ChatHandle();
  }
  std::vector<TokenId> scored;
  if (request.prompt_logprobs) {
    scored.assign(prompt->begin() + 1, prompt->end());
    prompt->resize(1);
  }
  prompt->insert(prompt->end(), request.so_far.begin(), request.so_far.end());
  EngineRequest submitted = impl_->engine_request(request, std::move(*prompt));
  submitted.policy =
      std::make_unique<AnswerPolicy>(impl_->vocabulary, std::move(*state), std::move(scored),
                                     request.top_logprobs, std::move(asked), std::move(sinks));
  auto id = impl_->engine.submit(std::move(submitted));
  if (!id) return pass_on(id);
  return ChatHandle(&impl_->engine, *id);
}

Result<ChatHandle> ChatService::warm(ChatRequest request) {
  auto prompt = impl_->prompt_of(request);
  if (!prompt) return pass_on(prompt);
  request.priority = Priority::kBackground;
  auto id = impl_->engine.submit(impl_->engine_request(request, std::move(*prompt)));
  if (!id) return pass_on(id);
  return ChatHandle(&impl_->engine, *id);
}

Result<Prompt> ChatService::render(std::span<const Message> messages,
                                   const PromptOptions& options) const {
  return impl_->prompts->render(messages, options);
}

const Tokenizer& ChatService::tokenizer() const { return *impl_->vocabulary->tokenizer(); }

const ChatModelInfo& ChatService::info() const { return impl_->info; }

Engine& ChatService::engine() { return impl_->engine; }

}  // namespace notso
