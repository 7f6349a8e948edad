// The events of a chat, as long as a page is open on it.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "web/http/sse.h"
#include "web/ui/chat_stream.h"
#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;
using jinja::Dict;

namespace {

using Events = http::EventQueue<TurnEvent>;

// What may wait for one page. A page that cannot take it is cut off, and comes again.
constexpr std::size_t kQueueBytesMax = std::size_t{4} << 20U;

// How long a draining server lets a page wait for its answer.
constexpr std::chrono::milliseconds kLookAgain{500};

std::size_t bytes_of(const TurnEvent& event) {
  constexpr std::size_t kEventBytes = 200;
  if (const auto* thinking = std::get_if<ThinkingDelta>(&event.what)) {
    return kEventBytes + thinking->text.size();
  }
  if (const auto* content = std::get_if<ContentDelta>(&event.what)) {
    return kEventBytes + content->text.size();
  }
  if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    return kEventBytes + call->arguments_delta.size();
  }
  if (const auto* result = std::get_if<ToolResult>(&event.what)) {
    return kEventBytes + result->result.size();
  }
  const auto message_bytes = [](const StoredMessage& message) {
    return message.message.content.size() + message.message.reasoning.size();
  };
  if (const auto* saved = std::get_if<TurnSaved>(&event.what)) {
    return kEventBytes + message_bytes(saved->message);
  }
  if (const auto* snapshot = std::get_if<TurnSnapshot>(&event.what)) {
    return kEventBytes + message_bytes(snapshot->message);
  }
  return kEventBytes;
}

// One page's connection.
class Connection {
 public:
  Connection(Ui& ui, http::Exchange& exchange, ChatStream stream, SessionId chat)
      : ui_(ui),
        exchange_(exchange),
        writer_(exchange),
        stream_(std::move(stream)),
        owner_(exchange.request().principal),
        chat_(std::move(chat)) {}

  ChatStream& stream() { return stream_; }

  asio::awaitable<void> run(Events& events) {
    if (!co_await writer_.begin()) co_return;
    double keep_alive_at = monotonic_s() + kKeepAliveSeconds;
    while (true) {
      auto batch = co_await events.pop(wait());
      if (!batch) break;
      for (const TurnEvent& event : *batch) {
        if (!co_await take(event)) co_return;
      }
      stream_.poll();
      if (monotonic_s() >= next_write_) {
        Result<std::string> html = stream_.take();
        if (!html) break;
        if (!html->empty()) {
          if (!co_await write(std::move(*html))) co_return;
          keep_alive_at = monotonic_s() + kKeepAliveSeconds;
        }
        if (stream_.take_ended() && !co_await write_context()) co_return;
      }
      if (monotonic_s() >= keep_alive_at) {
        if (!co_await writer_.keep_alive()) co_return;
        keep_alive_at = monotonic_s() + kKeepAliveSeconds;
      }
      if (exchange_.draining() && !running()) break;
    }
    co_await writer_.finish();
  }

 private:
  static constexpr double kKeepAliveSeconds = 15;

  bool running() const {
    const std::shared_ptr<TurnService> turns = ui_.context.turns();
    if (turns == nullptr) return false;
    const std::optional<TurnStatus> status = turns->status(chat_);
    return status && status->phase != TurnPhase::kDone && status->phase != TurnPhase::kStopped &&
           status->phase != TurnPhase::kFailed;
  }

  // How long to wait for an event: until something that waits is due, or a change may be written.
  std::chrono::milliseconds wait() const {
    double seconds = std::chrono::duration<double>(kLookAgain).count();
    if (const std::optional<double> due = stream_.due_in_s()) seconds = std::min(seconds, *due);
    const double gap = next_write_ - monotonic_s();
    if (gap > 0) seconds = std::min(seconds, gap);
    return std::chrono::milliseconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds * 1000)));
  }

  asio::awaitable<bool> take(const TurnEvent& event) {
    if (stream_.needs_transcript(event)) {
      Result<OpenChat> open = co_await open_chat(ui_, exchange_.request());
      if (!open) co_return false;
      stream_.set_transcript(Transcript(std::move(open->messages), open->chat.leaf_id));
    }
    co_return stream_.push(event).has_value();
  }

  asio::awaitable<bool> write(std::string html) {
    next_write_ = monotonic_s() + stream_.gap_s();
    co_return co_await writer_.event(std::to_string(stream_.event_id()), "", std::move(html));
  }

  // After a turn: how full the context is now.
  asio::awaitable<bool> write_context() {
    const std::shared_ptr<TurnService> turns = ui_.context.turns();
    if (turns == nullptr) co_return true;
    const auto use = co_await ask<TurnService::ContextUse>(
        [&](auto then) { turns->context_use(owner_, chat_, std::move(then)); });
    if (!use) co_return true;
    Dict variables;
    variables.set("context", context_value(*use));
    const Result<std::string> drawn = ui_.pages->render("context.html", variables);
    if (!drawn) co_return false;
    std::string html;
    append_partial(html, "#context", "innerHTML", *drawn);
    append_partial(html, "#say", "innerHTML", "The answer is complete.");
    co_return co_await write(std::move(html));
  }

  Ui& ui_;
  http::Exchange& exchange_;
  http::SseWriter writer_;
  ChatStream stream_;
  std::string owner_;
  SessionId chat_;
  double next_write_ = 0;
};

}  // namespace

asio::awaitable<void> get_stream(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const SessionId id = parameter(request, "id");
  // Watch first, so that nothing happens between the reading and the watching.
  auto events = std::make_shared<Events>(kQueueBytesMax);
  exchange.on_disconnect([events] { events->close(); });
  Result<OpenChat> open = co_await open_chat(ui, request);
  const Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  if (!open) {
    co_await send_error(ui, exchange, open.error());
    co_return;
  }
  if (!turns) {
    co_await send_error(ui, exchange, turns.error());
    co_return;
  }
  const std::unique_ptr<TurnSubscription> watch = (*turns)->watch(
      id, 0, [events](const TurnEvent& event) { events->push(event, bytes_of(event)); });
  open = co_await open_chat(ui, request);
  if (!open) {
    co_await send_error(ui, exchange, open.error());
    co_return;
  }
  const std::int64_t shown = integer_parameter(request, "leaf");
  const bool again = http::last_event_id(request).has_value();
  const bool was_running = integer_parameter(request, "running") != 0;
  const std::int64_t leaf = open->chat.leaf_id;
  Transcript transcript(open->messages, shown);
  Connection connection(
      ui, exchange,
      ChatStream(ui.pages, id, std::move(transcript), again || was_running, monotonic_s), id);
  // It may have come since the page was made.
  if (!open->chat.title.empty()) connection.stream().show_title(open->chat.title);
  if (shown != leaf || again) {
    connection.stream().set_transcript(Transcript(std::move(open->messages), leaf));
    if (!connection.stream().show_all()) co_return;
  }
  co_await connection.run(*events);
}

}  // namespace notso::ui
