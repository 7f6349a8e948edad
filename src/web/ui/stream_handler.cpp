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

// How often a page that waits looks whether the model is there, or the server leaves.
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
  Connection(Ui& ui, http::Exchange& exchange)
      : ui_(ui),
        exchange_(exchange),
        writer_(exchange),
        owner_(exchange.request().principal),
        chat_(parameter(exchange.request(), "id")) {
    exchange.on_disconnect([events = events_] { events->close(); });
  }

  asio::awaitable<void> run() {
    if (!co_await writer_.begin()) co_return;
    keep_alive_at_ = monotonic_s() + kKeepAliveSeconds;
    // While the model loads there is nothing to watch; the page waits here for what comes then.
    while ((turns_ = ui_.context.turns()) == nullptr && !exchange_.draining()) {
      if (!co_await events_->pop(kLookAgain) || !co_await keep_alive()) co_return;
    }
    // Watch first, so that nothing happens between the watching and the reading.
    if (turns_ != nullptr) {
      watch_ = turns_->watch(chat_, 0, [events = events_](const TurnEvent& event) {
        events->push(event, bytes_of(event));
      });
      if (!co_await begin() || !co_await pass_on_events()) co_return;
    }
    co_await writer_.finish();
  }

 private:
  static constexpr double kKeepAliveSeconds = 15;

  // All of these are false where the page is gone, or is to come again.

  asio::awaitable<bool> begin() {
    const http::Request& request = exchange_.request();
    Result<WholeConversation> open = co_await open_chat(ui_, request);
    if (!open) co_return false;
    ShownPage shown;
    shown.first = integer_parameter(request, "first");
    shown.last = integer_parameter(request, "last");
    shown.old =
        http::last_event_id(request).has_value() || integer_parameter(request, "running") != 0;
    Transcript now(std::move(open->messages), open->conversation.leaf_id);
    stream_.emplace(ui_.pages, chat_, std::move(now), shown, monotonic_s);
    // It may have come since the page was made.
    if (!open->conversation.title.empty()) stream_->show_title(open->conversation.title);
    co_return stream_->catch_up().has_value();
  }

  asio::awaitable<bool> pass_on_events() {
    while (true) {
      auto batch = co_await events_->pop(wait());
      if (!batch) co_return true;
      for (const TurnEvent& event : *batch) {
        if (!co_await take(event)) co_return false;
      }
      stream_->poll();
      if (monotonic_s() >= next_write_) {
        Result<std::string> html = stream_->take();
        if (!html) co_return true;
        if (!html->empty() && !co_await write(std::move(*html))) co_return false;
        if (stream_->take_ended() && !co_await write_context()) co_return false;
      }
      if (!co_await keep_alive()) co_return false;
      if (exchange_.draining() && !is_answering(ui_, chat_)) co_return true;
    }
  }

  asio::awaitable<bool> keep_alive() {
    if (monotonic_s() < keep_alive_at_) co_return true;
    keep_alive_at_ = monotonic_s() + kKeepAliveSeconds;
    co_return co_await writer_.keep_alive();
  }

  // How long to wait for an event: until something that waits is due, or a change may be written.
  std::chrono::milliseconds wait() const {
    double seconds = std::chrono::duration<double>(kLookAgain).count();
    if (const std::optional<double> due = stream_->due_in_s()) seconds = std::min(seconds, *due);
    const double gap = next_write_ - monotonic_s();
    if (gap > 0) seconds = std::min(seconds, gap);
    return std::chrono::milliseconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds * 1000)));
  }

  asio::awaitable<bool> take(const TurnEvent& event) {
    if (stream_->needs_transcript(event)) {
      Result<WholeConversation> open = co_await open_chat(ui_, exchange_.request());
      if (!open) co_return false;
      stream_->set_transcript(Transcript(std::move(open->messages), open->conversation.leaf_id));
    }
    co_return stream_->push(event).has_value();
  }

  asio::awaitable<bool> write(std::string html) {
    next_write_ = monotonic_s() + stream_->gap_s();
    keep_alive_at_ = monotonic_s() + kKeepAliveSeconds;
    co_return co_await writer_.event(std::to_string(stream_->event_id()), "", std::move(html));
  }

  // After a turn: how full the context is now.
  asio::awaitable<bool> write_context() {
    const auto use = co_await ask<TurnService::ContextUse>(
        [&](auto then) { turns_->context_use(owner_, chat_, std::move(then)); });
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
  std::string owner_;
  SessionId chat_;
  std::shared_ptr<Events> events_ = std::make_shared<Events>(kQueueBytesMax);
  std::shared_ptr<TurnService> turns_;
  std::unique_ptr<TurnSubscription> watch_;
  std::optional<ChatStream> stream_;
  double next_write_ = 0;
  double keep_alive_at_ = 0;
};

}  // namespace

asio::awaitable<void> get_stream(Ui& ui, http::Exchange& exchange) {
  const Result<WholeConversation> open = co_await open_chat(ui, exchange.request());
  if (!open) {
    co_await send_error(ui, exchange, open.error());
    co_return;
  }
  Connection connection(ui, exchange);
  co_await connection.run();
}

}  // namespace notso::ui
