// OpenAI's older completions: a prompt of text or tokens goes on. Control tokens that are written
// in a prompt's text count, since its writer does the templating.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "web/api/openai_chat.h"

namespace notso::api {

// What POST /v1/completions asks for.
struct CompletionCall {
  std::string model;                          // as asked
  std::vector<std::vector<TokenId>> prompts;  // see read_prompts
  ChatRequest request;                        // for each of them, but for its tokens
  std::int32_t choices = 1;                   // of each prompt
  bool stream = false;
  bool include_usage = false;
  bool echo = false;
  bool no_answer = false;  // max_tokens 0: only the prompt is wanted
};

// Reads the request but for its prompts.
[[nodiscard]] ApiResult<CompletionCall> read_completion_call(const boost::json::object& body,
                                                             const ApiContext& context);

// Reads `prompt`: a string, an array of strings, of token ids, or of arrays of token ids.
[[nodiscard]] ApiResult<void> read_prompts(const boost::json::object& body,
                                           const ApiContext& context, const Tokenizer& tokenizer,
                                           CompletionCall& call);

// One request for each choice of each prompt.
[[nodiscard]] std::vector<ChatRequest> choices_of(const CompletionCall& call);

// Gathers the log-probabilities of a choice as completions show them.
class LogprobLists {
 public:
  // `tokenizer` must outlive it.
  explicit LogprobLists(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The prompt's first token, which nothing comes before.
  void add_first(TokenId token);
  void add(const TokenLogprobs& logprobs);
  [[nodiscard]] bool empty() const { return tokens_.empty(); }
  // {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; then begins anew, behind them.
  [[nodiscard]] boost::json::object take();

 private:
  struct Entry {
    TokenLogprobs logprobs;
    bool has_logprob;
  };

  const Tokenizer& tokenizer_;
  std::vector<Entry> tokens_;
  std::vector<std::size_t> offsets_;
  std::size_t characters_ = 0;  // of all tokens so far
};

// The whole answer.
[[nodiscard]] std::string completion(const AnswerHead& head, const CompletionCall& call,
                                     std::span<const Answer> answers, const Tokenizer& tokenizer);

// The chunks of a streamed answer.
class CompletionChunks final : public StreamFormat {
 public:
  // `call` and `tokenizer` must outlive it.
  CompletionChunks(AnswerHead head, const CompletionCall& call, const Tokenizer& tokenizer);

  [[nodiscard]] std::string_view content_type() const override;
  [[nodiscard]] std::string_view keep_alive() const override;
  void begin(std::string& out) override;
  void add(const AnswerPiece& piece, std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void end(std::string& out) override;

 private:
  void write(std::size_t choice, std::string_view text, std::string_view finish, std::string& out);

  AnswerHead head_;
  const CompletionCall& call_;
  const Tokenizer& tokenizer_;
  std::vector<LogprobLists> logprobs_;
  std::vector<Usage> usages_;
  bool failed_ = false;
};

}  // namespace notso::api
