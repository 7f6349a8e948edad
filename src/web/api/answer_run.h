// Runs answers for one exchange: starts them, brings what they tell to the connection's strand, and
// gives it whole or as a stream. A client that goes away ends its answers within a step.
//
//   auto run = co_await AnswerRun::start(context, exchange, service, requests, streamed);
//   if (!run) co_return co_await refuse(exchange, run.error());
//   auto answers = co_await collect(**run);            whole, or:
//   co_await stream(context, exchange, **run, format);
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "web/api/answer_piece.h"
#include "web/api/api_context.h"
#include "web/http/event_queue.h"
#include "web/http/exchange.h"

namespace notso::api {

// The answers of one request, all at once. Destroying it ends them.
class AnswerRun {
 public:
  // Starts one answer for each request, for the exchange's client: refused as a whole, before any
  // of them says anything, where one is. What the requests say about session and cache is set here.
  // `streamed`: pieces wait for a client that may be slow, so not too many of them may.
  static boost::asio::awaitable<ApiResult<std::unique_ptr<AnswerRun>>> start(
      const ApiContext& context, http::Exchange& exchange, std::shared_ptr<ChatService> service,
      std::vector<ChatRequest> requests, bool streamed);

  ~AnswerRun();
  AnswerRun(const AnswerRun&) = delete;
  AnswerRun& operator=(const AnswerRun&) = delete;

  // How many answers there are.
  [[nodiscard]] std::size_t choices() const { return choices_; }

  // The next pieces, in the order of each answer; none after `time` without any. Nothing once all
  // answers have ended, or the client is gone or too slow.
  boost::asio::awaitable<std::optional<std::vector<AnswerPiece>>> next(
      std::chrono::milliseconds time);

 private:
  struct State;

  AnswerRun(std::shared_ptr<ChatService> service, std::shared_ptr<State> state,
            std::size_t choices);

  std::shared_ptr<ChatService> service_;
  std::shared_ptr<State> state_;
  std::size_t choices_;
};

// Runs all answers to their ends. An error where one of them failed, or the client is gone.
[[nodiscard]] boost::asio::awaitable<ApiResult<std::vector<Answer>>> collect(AnswerRun& run);

// What is still to be done once the answers of a stream are there, before the client is told so. An
// error is told instead.
using BeforeEnd = std::function<boost::asio::awaitable<ApiResult<void>>()>;

// Streams the answers as they come, status 200.
boost::asio::awaitable<void> stream(const ApiContext& context, http::Exchange& exchange,
                                    AnswerRun& run, StreamFormat& format,
                                    BeforeEnd before_end = {});

// What Retry-After says for a wait of so long: whole seconds, from 1 to 60.
[[nodiscard]] int retry_after_s(double expected_wait_s);

}  // namespace notso::api
