// The part of Ollama's API that chat front ends call: from the request's JSON to what the chat
// service is asked, and from answers back to JSON, whole or as lines of it. Knows no connection.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "service/chat/chat_service.h"
#include "web/api/answer_parts.h"
#include "web/api/answer_piece.h"
#include "web/api/api_context.h"

namespace notso::api {

// Whether a path is of Ollama's API, be it served or not: errors are written in its shape there.
[[nodiscard]] constexpr bool is_ollama_path(std::string_view path) {
  return path.starts_with("/api/") && path != "/api/status";
}

// What POST /api/chat and POST /api/generate ask for.
struct OllamaCall {
  std::string model;      // as asked
  ChatRequest request;    // without messages and prompt: only the model is to be loaded
  bool generate = false;  // which of the two
  bool stream = true;
  std::string raw;  // a prompt that no template is to be applied to
};

// Reads the requests.
[[nodiscard]] ApiResult<OllamaCall> read_ollama_chat(const boost::json::object& body,
                                                     const ApiContext& context);
[[nodiscard]] ApiResult<OllamaCall> read_ollama_generate(const boost::json::object& body,
                                                         const ApiContext& context);

// A model's name without Ollama's ":latest".
[[nodiscard]] std::string_view ollama_name(std::string_view name);

// Ollama's shape of an error: {"error": message}.
[[nodiscard]] std::string ollama_error_body(int status, const ApiError& error);

// The whole answer.
[[nodiscard]] std::string ollama_body(const OllamaCall& call, const Finished& finished,
                                      const std::vector<TokenLogprobs>& logprobs,
                                      const Tokenizer& tokenizer);

// The answer where nothing is asked but to have the model loaded, as it always is.
[[nodiscard]] std::string ollama_loaded_body(const OllamaCall& call);

// What /api/tags and /api/ps list, and what /api/show says of one model.
[[nodiscard]] std::string ollama_list_body(const std::vector<ListedModel>& models, bool running);
[[nodiscard]] std::string ollama_show_body(const ChatModelInfo& model);

// The lines of a streamed answer.
class OllamaLines final : public StreamFormat, private PartWriter {
 public:
  // `call` and `tokenizer` must outlive it.
  OllamaLines(const OllamaCall& call, const Tokenizer& tokenizer);

  [[nodiscard]] std::string_view content_type() const override;
  [[nodiscard]] std::string_view keep_alive() const override;
  void begin(std::string& out) override;
  void add(const AnswerPiece& piece, std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void end(std::string& out) override;

 private:
  void begin_part(const AnswerPart& part, std::string& out) override;
  void add_to_part(const AnswerPart& part, std::string_view text, std::string& out) override;
  void end_part(const AnswerPart& part, std::string& out) override;

  const OllamaCall& call_;
  const Tokenizer& tokenizer_;
  AnswerParts parts_;
  std::vector<TokenLogprobs> logprobs_;  // of content whose text has not come yet
  std::string keep_alive_;
};

}  // namespace notso::api
