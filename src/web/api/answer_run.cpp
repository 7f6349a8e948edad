#include "web/api/answer_run.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "service/access/rate_client.h"
#include "web/api/workers.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;

// What a piece takes in memory beside its texts, roughly.
constexpr std::size_t kPieceBytes = 160;
constexpr std::chrono::hours kNoKeepAlive{1};

// A prompt's log probabilities come without events, thousands of them.
constexpr std::size_t kLogprobsTogether = 64;

std::size_t bytes_of(const AnswerPiece& piece) {
  std::size_t bytes = kPieceBytes;
  for (const TokenLogprobs& logprobs : piece.logprobs) {
    bytes += sizeof(TokenLogprobs) + logprobs.top.size() * sizeof(TokenLogprob);
  }
  for (const ChatEvent& event : piece.events) {
    bytes += sizeof(ChatEvent);
    if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) bytes += thinking->text.size();
    if (const auto* content = std::get_if<ContentDelta>(&event)) bytes += content->text.size();
    if (const auto* call = std::get_if<ToolCallDelta>(&event)) {
      bytes += call->id.size() + call->name.size() + call->arguments_delta.size();
    }
  }
  return bytes;
}

// The field that a refusal of the layers below is about, by how it begins.
std::string field_named(const std::string& message) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kFields = {{
      {"temperature", "temperature"},
      {"top_p", "top_p"},
      {"top_k", "top_k"},
      {"min_p", "min_p"},
      {"repetition_penalty", "repetition_penalty"},
      {"logit_bias", "logit_bias"},
      {"stop", "stop"},
      {"max_tokens", "max_tokens"},
      {"tool_choice", "tool_choice"},
      {"top_logprobs", "top_logprobs"},
      {"The schema at tool", "tools"},
      {"The schema", "response_format"},
      {"The grammar", "response_format"},
      {"The regular expression", "response_format"},
  }};
  for (const auto& [beginning, field] : kFields) {
    if (message.starts_with(beginning)) return std::string(field);
  }
  return "";
}

// Says more about why a request was refused: which field, or which two numbers.
ApiError explained(ChatService& service, const ChatRequest& request, Error error) {
  ApiError out(std::move(error));
  out.field = field_named(out.message);
  if (out.code != ErrorCode::kInvalidArgument) return out;
  std::size_t tokens = request.prompt.size();
  if (!request.messages.empty()) {
    const auto prompt = service.render(request.messages, request.prompt_options);
    tokens = prompt ? prompt->tokens.size() : 0;
  }
  const std::int32_t context = service.info().context;
  if (tokens + request.so_far.size() >= static_cast<std::size_t>(context)) {
    out.reason = "context_length_exceeded";
    out.field = request.messages.empty() ? "prompt" : "messages";
    out.tokens_and_context = {static_cast<std::int64_t>(tokens), context};
  }
  return out;
}

}  // namespace

// Shared with the engine's thread, which may be the last to hold it: so it does not hold the
// service, with which the engine might go.
struct AnswerRun::State {
  explicit State(std::size_t bytes_max) : queue(bytes_max) {}

  // Ends all answers, those that are about to start included.
  void cancel() {
    std::vector<ChatHandle> to_cancel;
    {
      const std::lock_guard lock(mutex);
      cancelled = true;
      to_cancel.swap(handles);
    }
    for (const ChatHandle& handle : to_cancel) handle.cancel();
    queue.close();
  }

  // Remembers a started answer. False if it is not wanted any more.
  bool add(const ChatHandle& handle) {
    const std::lock_guard lock(mutex);
    if (!cancelled) handles.push_back(handle);
    return !cancelled;
  }

  void take(AnswerPiece piece) {
    const std::size_t bytes = bytes_of(piece);
    const bool last = piece.report.has_value() && --running == 0;
    if (!queue.push(std::move(piece), bytes)) cancel();
    if (last) queue.close();
  }

  std::mutex mutex;
  std::vector<ChatHandle> handles;
  bool cancelled = false;
  std::atomic<std::size_t> running{0};
  http::EventQueue<AnswerPiece> queue;
};

namespace {

// Gathers what one answer tells until the engine is done with a token of it.
template <class State>
ChatSinks sinks_of(std::shared_ptr<State> state, std::size_t choice, bool logprobs) {
  const auto piece = std::make_shared<AnswerPiece>();
  piece->choice = choice;
  ChatSinks sinks;
  const auto hand_over = [state, piece, choice] {
    state->take(std::exchange(*piece, AnswerPiece{choice, {}, {}, {}}));
  };
  if (logprobs) {
    sinks.logprobs = [piece, hand_over](const TokenLogprobs& token) {
      piece->logprobs.push_back(token);
      if (piece->logprobs.size() >= kLogprobsTogether) hand_over();
    };
  }
  sinks.events = [piece, hand_over](std::span<const ChatEvent> events) {
    piece->events.insert(piece->events.end(), events.begin(), events.end());
    if (piece->events.empty()) return;
    // The end waits for the report.
    if (std::holds_alternative<Finished>(piece->events.back())) return;
    hand_over();
  };
  sinks.report = [state, piece](const RequestReport& report) {
    piece->report = report;
    state->take(std::move(*piece));
  };
  return sinks;
}

template <class State>
ApiResult<void> start_all(ChatService& service, const std::shared_ptr<State>& state,
                          const std::vector<ChatRequest>& requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const bool logprobs = requests[i].top_logprobs.has_value();
    auto handle = service.start(requests[i], sinks_of(state, i, logprobs));
    if (!handle) {
      state->cancel();
      return tl::unexpected(explained(service, requests[i], std::move(handle.error())));
    }
    if (!state->add(*handle)) handle->cancel();
  }
  return {};
}

}  // namespace

AnswerRun::AnswerRun(std::shared_ptr<ChatService> service, std::shared_ptr<State> state,
                     std::size_t choices)
    : service_(std::move(service)), state_(std::move(state)), choices_(choices) {}

AnswerRun::~AnswerRun() { state_->cancel(); }

asio::awaitable<ApiResult<std::unique_ptr<AnswerRun>>> AnswerRun::start(
    const ApiContext& context, http::Exchange& exchange, std::shared_ptr<ChatService> service,
    std::vector<ChatRequest> requests, bool streamed) {
  const std::size_t bytes_max =
      streamed ? context.stream_bytes_max : std::numeric_limits<std::size_t>::max();
  auto state = std::make_shared<State>(bytes_max);
  state->running = requests.size();
  const http::Request& asked = exchange.request();
  for (ChatRequest& request : requests) {
    request.session = rate_client(asked.principal, asked.remote);
    request.cache_scope = context.shared_prefixes ? "" : asked.principal;
  }
  const std::size_t choices = requests.size();
  std::unique_ptr<AnswerRun> run(new AnswerRun(service, state, choices));
  exchange.on_disconnect([weak = std::weak_ptr<State>(state)] {
    if (const auto still = weak.lock()) still->cancel();
  });
  auto work = [service, state, all = std::move(requests)] {
    return start_all(*service, state, all);
  };
  ApiResult<void> started = co_await on_worker(context, std::move(work));
  if (!started) co_return tl::unexpected(std::move(started.error()));
  co_return run;
}

asio::awaitable<std::optional<std::vector<AnswerPiece>>> AnswerRun::next(
    std::chrono::milliseconds time) {
  return state_->queue.pop(time);
}

asio::awaitable<ApiResult<std::vector<Answer>>> collect(AnswerRun& run) {
  std::vector<Answer> answers(run.choices());
  std::size_t ended = 0;
  while (ended < answers.size()) {
    auto pieces = co_await run.next(kNoKeepAlive);
    if (!pieces) {
      co_return tl::unexpected(ApiError(ErrorCode::kCancelled, "", "the client has gone"));
    }
    for (AnswerPiece& piece : *pieces) {
      Answer& answer = answers[piece.choice];
      answer.logprobs.insert(answer.logprobs.end(), std::make_move_iterator(piece.logprobs.begin()),
                             std::make_move_iterator(piece.logprobs.end()));
      for (ChatEvent& event : piece.events) {
        if (auto* warning = std::get_if<Warning>(&event)) answer.warnings.push_back(warning->text);
        if (auto* end = std::get_if<Finished>(&event)) answer.finished = std::move(*end);
      }
      if (!piece.report) continue;
      answer.report = *piece.report;
      ++ended;
      if (auto failed = failure_of(answer.finished, answer.report)) {
        co_return tl::unexpected(std::move(*failed));
      }
    }
  }
  co_return answers;
}

namespace {

// Writes the pieces and counts the answers that end with them. False once one has failed.
bool add_all(const std::vector<AnswerPiece>& pieces, StreamFormat& format, std::size_t& ended,
             std::string& out) {
  for (const AnswerPiece& piece : pieces) {
    if (piece.report) {
      ++ended;
      const auto& finished = std::get<Finished>(piece.events.back());
      if (const auto failed = failure_of(finished, *piece.report)) {
        format.fail(*failed, out);
        return false;
      }
    }
    format.add(piece, out);
  }
  return true;
}

}  // namespace

asio::awaitable<void> stream(const ApiContext& context, http::Exchange& exchange, AnswerRun& run,
                             StreamFormat& format, BeforeEnd before_end) {
  std::vector<http::Field> headers = {{"Content-Type", std::string(format.content_type())},
                                      {"Cache-Control", "no-cache, no-transform"},
                                      {"X-Accel-Buffering", "no"}};
  if (!co_await exchange.begin(200, std::move(headers))) co_return;
  std::string out;
  format.begin(out);
  std::size_t ended = 0;
  bool failed = false;
  while (!failed && ended < run.choices()) {
    auto pieces = co_await run.next(context.keep_alive_time_max);
    // Gone or too slow: what it has must not look like the whole.
    if (!pieces) co_return;
    if (pieces->empty()) out += format.keep_alive();
    failed = !add_all(*pieces, format, ended, out);
    if (!out.empty() && !co_await exchange.write(std::exchange(out, {}))) co_return;
  }
  if (!failed && before_end) {
    const auto done = co_await before_end();
    if (!done) format.fail(done.error(), out);
  }
  format.end(out);
  co_await exchange.write(std::move(out));
  co_await exchange.finish();
}

std::optional<ApiError> failure_of(const Finished& finished, const RequestReport& report) {
  switch (finished.reason) {
    case FinishReason::kError: {
      ApiError error(report.end == RequestEnd::kError ? report.error
                                                      : Error{ErrorCode::kInternal, ""});
      if (error.message.empty()) error.message = finished.error;
      error.source = ErrorSource::kBehind;
      return error;
    }
    case FinishReason::kCancelled:
      return ApiError(ErrorCode::kCancelled, "", "the server is stopping; ask again");
    case FinishReason::kTimeout:
      if (finished.usage.completion_tokens > 0) return std::nullopt;
      return ApiError(ErrorCode::kDeadlineExceeded, "",
                      report.error.message.empty()
                          ? "the request ran out of time before its first token; ask again"
                          : report.error.message);
    default:
      return std::nullopt;
  }
}

int retry_after_s(double expected_wait_s) {
  if (!(expected_wait_s > 1)) return 1;
  return static_cast<int>(std::ceil(std::min(expected_wait_s, 60.0)));
}

}  // namespace notso::api
