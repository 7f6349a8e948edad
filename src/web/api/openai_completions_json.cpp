// Answers as OpenAI's completions: see openai_completions.h.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "web/api/openai_completions.h"
#include "web/api/token_text.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kKind = "text_completion";

// Characters, as text_offset counts them.
std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

// The prompt that a choice goes on from.
const std::vector<TokenId>& prompt_of(const CompletionCall& call, std::size_t choice) {
  return call.prompts[choice / static_cast<std::size_t>(call.choices)];
}

std::string prompt_text(const Tokenizer& tokenizer, const std::vector<TokenId>& prompt) {
  Utf8Stream stream;
  std::string text;
  for (const TokenId id : prompt) stream.feed(tokenizer.token_bytes(id), text);
  stream.finish(text);
  return text;
}

json::object choice_object(std::size_t index, std::string_view text, json::value logprobs,
                           std::string_view finish) {
  json::object object{{"index", index}};
  object["text"] = text;
  object["logprobs"] = std::move(logprobs);
  object["finish_reason"] = finish.empty() ? json::value(nullptr) : json::value(finish);
  return object;
}

// What is wanted of an answer's counts and tokens.
Usage usage_of(const CompletionCall& call, Usage usage) {
  if (call.no_answer) usage.completion_tokens = 0;
  return usage;
}

bool is_wanted(const CompletionCall& call, const TokenLogprobs& token) {
  return token.part == TokenPart::kPrompt || (token.part == TokenPart::kContent && !call.no_answer);
}

}  // namespace

void LogprobLists::add_first(TokenId token) {
  TokenLogprobs logprobs;
  logprobs.token.token = token;
  add(logprobs);
  tokens_.back().has_logprob = false;
}

void LogprobLists::add(const TokenLogprobs& logprobs) {
  offsets_.push_back(characters_);
  characters_ += count_characters(token_text(tokenizer_, logprobs.token.token));
  tokens_.push_back({logprobs, true});
}

json::object LogprobLists::take() {
  json::array tokens;
  json::array values;
  json::array tops;
  for (const Entry& entry : tokens_) {
    tokens.emplace_back(token_text(tokenizer_, entry.logprobs.token.token));
    if (!entry.has_logprob) {
      values.emplace_back(nullptr);
      tops.emplace_back(nullptr);
      continue;
    }
    values.emplace_back(entry.logprobs.token.logprob);
    json::object top;
    for (const TokenLogprob& one : entry.logprobs.top) {
      top.emplace(token_text(tokenizer_, one.token), one.logprob);
    }
    tops.push_back(std::move(top));
  }
  json::object object;
  object["tokens"] = std::move(tokens);
  object["token_logprobs"] = std::move(values);
  object["top_logprobs"] = std::move(tops);
  object["text_offset"] = json::array(offsets_.begin(), offsets_.end());
  tokens_.clear();
  offsets_.clear();
  return object;
}

std::string completion(const AnswerHead& head, const CompletionCall& call,
                       std::span<const Answer> answers, const Tokenizer& tokenizer) {
  json::array choices;
  std::vector<Usage> usages;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    const std::vector<TokenId>& prompt = prompt_of(call, i);
    std::string text = call.echo ? prompt_text(tokenizer, prompt) : "";
    if (!call.no_answer) text += answer.finished.message.content;
    json::value logprobs = nullptr;
    if (call.request.top_logprobs) {
      LogprobLists lists(tokenizer);
      if (call.echo) lists.add_first(prompt.front());
      for (const TokenLogprobs& token : answer.logprobs) {
        if (is_wanted(call, token)) lists.add(token);
      }
      logprobs = lists.take();
    }
    choices.push_back(
        choice_object(i, text, std::move(logprobs),
                      call.no_answer ? "length" : finish_name(answer.finished.reason)));
    usages.push_back(usage_of(call, answer.finished.usage));
  }
  json::object object = head_object(head, kKind);
  object["choices"] = std::move(choices);
  object["usage"] = usage_object(usages, static_cast<std::size_t>(call.choices));
  return json::serialize(object);
}

CompletionChunks::CompletionChunks(AnswerHead head, const CompletionCall& call,
                                   const Tokenizer& tokenizer)
    : head_(std::move(head)),
      call_(call),
      tokenizer_(tokenizer),
      logprobs_(call.prompts.size() * static_cast<std::size_t>(call.choices),
                LogprobLists(tokenizer)),
      usages_(logprobs_.size()) {}

std::string_view CompletionChunks::content_type() const {
  return "text/event-stream; charset=utf-8";
}

std::string_view CompletionChunks::keep_alive() const { return ": keep-alive\n\n"; }

void CompletionChunks::begin(std::string& out) {
  if (!call_.echo) return;
  for (std::size_t i = 0; i < usages_.size(); ++i) {
    const std::vector<TokenId>& prompt = prompt_of(call_, i);
    if (call_.request.top_logprobs) logprobs_[i].add_first(prompt.front());
    write(i, prompt_text(tokenizer_, prompt), "", out);
  }
}

void CompletionChunks::write(std::size_t choice, std::string_view text, std::string_view finish,
                             std::string& out) {
  json::value logprobs = nullptr;
  if (!logprobs_[choice].empty()) logprobs = logprobs_[choice].take();
  json::object object = head_object(head_, kKind);
  object["choices"] = json::array{choice_object(choice, text, std::move(logprobs), finish)};
  if (call_.include_usage) object["usage"] = nullptr;
  out += "data: " + json::serialize(object) + "\n\n";
}

void CompletionChunks::add(const AnswerPiece& piece, std::string& out) {
  for (const TokenLogprobs& token : piece.logprobs) {
    if (is_wanted(call_, token)) logprobs_[piece.choice].add(token);
  }
  for (const ChatEvent& event : piece.events) {
    if (const auto* content = std::get_if<ContentDelta>(&event)) {
      if (!call_.no_answer) write(piece.choice, content->text, "", out);
    } else if (const auto* end = std::get_if<Finished>(&event)) {
      usages_[piece.choice] = usage_of(call_, end->usage);
      write(piece.choice, "", call_.no_answer ? "length" : finish_name(end->reason), out);
    }
  }
}

void CompletionChunks::fail(const ApiError& error, std::string& out) {
  failed_ = true;
  out += "data: " + openai_error_body(http_status(error), error) + "\n\n";
}

void CompletionChunks::end(std::string& out) {
  if (call_.include_usage && !failed_) {
    json::object object = head_object(head_, kKind);
    object["choices"] = json::array();
    object["usage"] = usage_object(usages_, static_cast<std::size_t>(call_.choices));
    out += "data: " + json::serialize(object) + "\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace notso::api
