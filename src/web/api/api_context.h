// What the handlers of all APIs share: where models are found, and what holds for every request.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/chat/chat_service.h"

namespace notso {
class SessionStore;
}

namespace notso::api {

// A model that can be asked for.
struct ListedModel {
  ChatModelInfo info;
  bool loaded = true;  // else it is when somebody asks
};

// Takes a model, or why there is none: kNotFound, kUnavailable while it is being loaded,
// kResourceExhausted.
using TakeModel = std::function<void(Result<std::shared_ptr<ChatService>>)>;

// Must outlive the server whose handlers use it; constant once that runs.
struct ApiContext {
  // Gives the model of this name, once, from any thread: at once if it is there or cannot be, or
  // when it is loaded. The one without a name is given, or refused, before the call returns.
  // Whoever holds the pointer may use the service, also when another model takes its place.
  std::function<void(const std::string& name, TakeModel take)> model;
  // What can be asked for, the one that answers without a name first.
  std::function<std::vector<ListedModel>()> models;
  // Where prompts are rendered and grammars compiled, which may take a second: threads that no
  // connection waits for. Empty: on the connection's own.
  boost::asio::any_io_executor workers;
  // Where answers are kept that are asked for again by their ids; must outlive the server. None:
  // nothing is kept.
  SessionStore* store = nullptr;
  // How answers are drawn where the request does not say.
  SamplingParams sampling;
  // Whether prompts that begin alike share what was read of them across API keys.
  bool shared_prefixes = true;
  std::int32_t choices_max = 16;                          // `n`, and prompts of one request
  std::size_t stream_bytes_max = std::size_t{1} << 20U;   // that wait for one slow reader
  std::chrono::milliseconds keep_alive_time_max{15'000};  // of silence on a stream
};

// Whether `name` means the model: its name, its file with or without ".gguf", "default" or "".
[[nodiscard]] bool names_model(std::string_view name, const ChatModelInfo& info);

// A context with one model that never changes.
[[nodiscard]] ApiContext context_of(std::shared_ptr<ChatService> service);

// Seconds since 1970.
[[nodiscard]] std::int64_t unix_now_s();

// Random bits, and an id with 96 of them: "chatcmpl-0123...".
[[nodiscard]] std::uint64_t random_bits();
[[nodiscard]] std::string random_id(std::string_view prefix);

// Changes when answers to the same seed may: with the model, its file or the kernels.
[[nodiscard]] std::string system_fingerprint(const ChatModelInfo& info);

}  // namespace notso::api
