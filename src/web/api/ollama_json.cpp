// Answers and models as Ollama writes them: see ollama.h.
#include <boost/json.hpp>
#include <chrono>
#include <ctime>
#include <fmt/format.h>
#include <utility>

#include "web/api/ollama.h"
#include "web/api/openai_chat.h"

namespace notso::api {
namespace {

namespace json = boost::json;

using Kind = AnswerPart::Kind;

// "2024-05-01T12:00:00.123456Z".
std::string timestamp(std::int64_t unix_us) {
  const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     unix_us % 1'000'000);
}

std::string now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return timestamp(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

json::object call_object(const ToolCall& call) {
  json::object function{{"name", call.name}};
  auto arguments = parse_object(call.arguments);
  function["arguments"] = arguments ? std::move(*arguments) : json::object();
  return {{"id", call.id}, {"function", std::move(function)}};
}

// What an object of the answer says: some text, some thought, some calls.
struct Saying {
  std::string_view content;
  std::string_view thinking;
  json::array calls;
};

json::object answer_object(const OllamaCall& call, Saying saying, bool done) {
  json::object object{{"model", call.model}, {"created_at", now()}};
  if (call.generate) {
    object["response"] = saying.content;
    if (!saying.thinking.empty()) object["thinking"] = saying.thinking;
  } else {
    json::object message{{"role", "assistant"}, {"content", saying.content}};
    if (!saying.thinking.empty()) message["thinking"] = saying.thinking;
    if (!saying.calls.empty()) message["tool_calls"] = std::move(saying.calls);
    object["message"] = std::move(message);
  }
  object["done"] = done;
  return object;
}

void set_end(json::object& object, const Finished& finished) {
  const Usage& usage = finished.usage;
  object["done_reason"] = finish_name(finished.reason) == "length" ? "length" : "stop";
  object["total_duration"] = nanoseconds(usage.first_token_s + usage.completion_s);
  object["load_duration"] = 0;
  object["prompt_eval_count"] = usage.prompt_tokens;
  object["prompt_eval_duration"] = nanoseconds(usage.prompt_s);
  object["eval_count"] = usage.completion_tokens;
  object["eval_duration"] = nanoseconds(usage.completion_s);
}

void write(const json::object& object, std::string& out) {
  out += json::serialize(object);
  out += '\n';
}

json::object details_of(const ChatModelInfo& model) {
  const double parameters = static_cast<double>(model.parameters);
  json::object details{{"parent_model", ""}, {"format", "gguf"}, {"family", model.architecture}};
  details["families"] = json::array({json::value(model.architecture)});
  details["parameter_size"] = parameters >= 1e9 ? fmt::format("{:.1f}B", parameters / 1e9)
                                                : fmt::format("{:.1f}M", parameters / 1e6);
  details["quantization_level"] = model.quantisation;
  return details;
}

}  // namespace

std::string ollama_error_body(int /*status*/, const ApiError& error) {
  return json::serialize(json::object{{"error", error.message}});
}

std::string ollama_body(const OllamaCall& call, const Finished& finished,
                        const std::vector<TokenLogprobs>& logprobs, const Tokenizer& tokenizer) {
  const Message& message = finished.message;
  Saying saying{message.content, message.reasoning, {}};
  for (const ToolCall& made : message.tool_calls) saying.calls.push_back(call_object(made));
  json::object object = answer_object(call, std::move(saying), true);
  set_end(object, finished);
  if (call.request.top_logprobs) object["logprobs"] = logprobs_array(logprobs, tokenizer);
  return json::serialize(object);
}

std::string ollama_loaded_body(const OllamaCall& call) {
  json::object object = answer_object(call, {}, true);
  object["done_reason"] = "load";
  return json::serialize(object);
}

std::string ollama_list_body(const std::vector<ListedModel>& models, bool running) {
  json::array list;
  for (const auto& [model, loaded] : models) {
    if (running && !loaded) continue;
    json::object object{{"name", model.name}, {"model", model.name}};
    object["modified_at"] = timestamp(model.created_unix_s * 1'000'000);
    object["size"] = model.file_bytes;
    // Changes with the model as a digest does; the file itself may take a minute to read.
    object["digest"] = system_fingerprint(model);
    object["details"] = details_of(model);
    if (running) {
      object["expires_at"] = "9999-12-31T23:59:59Z";
      object["size_vram"] = 0;
      object["context_length"] = model.context;
    }
    list.push_back(std::move(object));
  }
  json::object object;
  object["models"] = std::move(list);
  return json::serialize(object);
}

std::string ollama_show_body(const ChatModelInfo& model) {
  json::object facts{{"general.architecture", model.architecture},
                     {"general.parameter_count", model.parameters}};
  facts[model.architecture + ".context_length"] = model.context;
  json::object object{{"license", ""}, {"modelfile", ""}, {"parameters", ""}, {"template", ""}};
  object["details"] = details_of(model);
  object["model_info"] = std::move(facts);
  object["capabilities"] = {"completion", "tools", "thinking"};
  object["modified_at"] = timestamp(model.created_unix_s * 1'000'000);
  return json::serialize(object);
}

OllamaLines::OllamaLines(const OllamaCall& call, const Tokenizer& tokenizer)
    : call_(call), tokenizer_(tokenizer) {
  // A line that says nothing is one that every client reads.
  write(answer_object(call_, {}, false), keep_alive_);
}

std::string_view OllamaLines::content_type() const { return "application/x-ndjson"; }

std::string_view OllamaLines::keep_alive() const { return keep_alive_; }

void OllamaLines::begin(std::string&) {}

void OllamaLines::add(const AnswerPiece& piece, std::string& out) {
  for (const TokenLogprobs& token : piece.logprobs) {
    if (token.part == TokenPart::kContent) logprobs_.push_back(token);
  }
  parts_.add(piece.events, *this, out);
  if (!piece.report) return;
  json::object object = answer_object(call_, {}, true);
  set_end(object, std::get<Finished>(piece.events.back()));
  write(object, out);
}

void OllamaLines::begin_part(const AnswerPart&, std::string&) {}

void OllamaLines::add_to_part(const AnswerPart& part, std::string_view text, std::string& out) {
  if (part.kind == Kind::kCall) return;  // it is told of when it is whole
  Saying saying;
  (part.kind == Kind::kThinking ? saying.thinking : saying.content) = text;
  json::object object = answer_object(call_, std::move(saying), false);
  if (part.kind == Kind::kContent && !logprobs_.empty()) {
    object["logprobs"] = logprobs_array(logprobs_, tokenizer_);
    logprobs_.clear();
  }
  write(object, out);
}

void OllamaLines::end_part(const AnswerPart& part, std::string& out) {
  if (part.kind != Kind::kCall || part.dropped) return;
  ToolCall call = part.call;
  call.arguments = part.text;
  Saying saying;
  saying.calls.push_back(call_object(call));
  write(answer_object(call_, std::move(saying), false), out);
}

void OllamaLines::fail(const ApiError& error, std::string& out) {
  out += ollama_error_body(http_status(error), error) + "\n";
}

void OllamaLines::end(std::string&) {}

}  // namespace notso::api
