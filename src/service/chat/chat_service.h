// Answers as a service: what the web's APIs, the page and the terminal ask for, on top of the
// engine. A request in, the events of an answer out; nothing flows back but a cancel.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/answer_state.h"
#include "service/chat/message.h"
#include "service/chat/prompt.h"
#include "service/engine/engine.h"

namespace notso {

// What a token belongs to: the prompt, the content, or a thought, a call, a mark or the end.
enum class TokenPart : std::uint8_t { kPrompt, kContent, kOther };

// The log-probabilities of one token, under the model itself.
struct TokenLogprobs {
  TokenLogprob token;
  std::vector<TokenLogprob> top;  // best first
  TokenPart part = TokenPart::kOther;
};

// What is asked. A conversation, or a prompt that is tokens already.
struct ChatRequest {
  std::vector<Message> messages;    // the conversation, unless `prompt` holds tokens
  PromptOptions prompt_options;     // how to render it; tools included
  std::vector<TokenId> prompt;      // a raw prompt instead: the answer is plain text then
  AnswerOptions answer;             // its tools and plain_text are set from the above
  std::vector<TokenId> so_far;      // the first tokens of the answer, where it is to go on: its
                                    // events are those that follow (with what it held
                                    // back when it stopped), Finished holds the whole;
                                    // it may be over already: see start()
  std::optional<int> top_logprobs;  // 0..20; set: the token events carry log-probabilities
  bool prompt_logprobs = false;  // with top_logprobs and a raw prompt: also of its tokens but the
                                 // first; they are read one by one, as slowly as if written
  std::string session;           // see EngineRequest
  std::string cache_scope;
  Priority priority = Priority::kInteractive;
  bool drafts = true;
  std::optional<double> token_s_max;
  std::optional<double> answer_s_max;
};

// What happens to an answer, in order. The calls come from the engine's thread: take the data and
// return. All may be empty but `events`. One that throws ends its answer, and nothing else.
struct ChatSinks {
  // The events of one token (there may be none); the last of the last call is Finished.
  std::function<void(std::span<const ChatEvent>)> events;
  // Each token of the answer, before its events.
  std::function<void(TokenId)> token;
  // One call a token, before its events, where log-probabilities were asked for.
  std::function<void(const TokenLogprobs&)> logprobs;
  std::function<void(std::int32_t position, double wait_s)> queued;
  std::function<void(std::int32_t done, std::int32_t total)> prompt_progress;
  // After Finished: the engine's view of the request.
  std::function<void(const RequestReport&)> report;
};

// A running answer. Letting go of it does not end it.
class ChatHandle {
 public:
  ChatHandle() = default;
  // Of a request of `engine`, which must outlive the handle.
  ChatHandle(Engine* engine, RequestId id) : engine_(engine), id_(id) {}
  // Ends the answer within one step; Finished (kCancelled) still comes.
  void cancel() const {
    if (engine_ != nullptr) engine_->cancel(id_);
  }

 private:
  Engine* engine_ = nullptr;
  RequestId id_ = 0;
};

// What the service knows about its model.
struct ChatModelInfo {
  std::string name;  // as the API names it
  std::string path;
  std::string description;  // device, kernels, threads
  std::int32_t context = 0;
  std::int64_t created_unix_s = 0;
  std::uint64_t file_bytes = 0;
  std::string quantisation;  // "Q4_K_M"
  std::string architecture;  // "smollm3"
  std::uint64_t parameters = 0;
};

// Safe to use from many threads.
class ChatService {
 public:
  // The engine must outlive the service. Running answers may outlive both.
  ChatService(Engine& engine, std::shared_ptr<const Tokenizer> tokenizer,
              std::shared_ptr<const PromptBuilder> prompts, ChatModelInfo info,
              std::size_t vocab_size);
  ~ChatService();

  // Starts an answer. Refused with an error, without any event: options out of range, a prompt that
  // is too long (both numbers), a full queue. An answer so far that is over by itself (its end was
  // written, or it stands at its limit) ends as it did, before this returns: on this thread, and
  // without the engine.
  [[nodiscard]] Result<ChatHandle> start(ChatRequest request, ChatSinks sinks);

  // Reads a conversation into the cache in the background, so that its answer begins sooner.
  [[nodiscard]] Result<ChatHandle> warm(ChatRequest request);

  // The prompt that `request` would run, with its exact size.
  [[nodiscard]] Result<Prompt> render(std::span<const Message> messages,
                                      const PromptOptions& options) const;

  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const ChatModelInfo& info() const;
  // For its counts and waits.
  [[nodiscard]] Engine& engine();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
