// The Exchange that handlers get: writes heads and chunks onto a connection. Internal to web/http.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "web/http/connection.h"
#include "web/http/exchange.h"

namespace notso::http {

// How one request's answer is to be sent.
struct AnswerOptions {
  bool http11 = true;
  bool head_only = false;      // HEAD: no body
  bool keep_alive = true;      // the connection goes on after the answer
  std::vector<Field> headers;  // besides the handler's and the server's: CORS
};

// One request's answer. The request outlives it.
class ServedExchange final : public Exchange {
 public:
  ServedExchange(Connection& connection, Request& request);
  ServedExchange(const ServedExchange&) = delete;
  ServedExchange& operator=(const ServedExchange&) = delete;
  ~ServedExchange() override;

  // To be changed until the answer begins.
  AnswerOptions options;

  [[nodiscard]] const Request& request() const override { return request_; }
  [[nodiscard]] boost::asio::any_io_executor executor() override { return connection_.executor(); }
  boost::asio::awaitable<bool> respond(Response response) override;
  boost::asio::awaitable<bool> begin(int status, std::vector<Field> headers) override;
  boost::asio::awaitable<bool> write(std::string piece) override;
  boost::asio::awaitable<void> finish() override;
  void on_disconnect(std::function<void()> callback) override;
  [[nodiscard]] bool draining() const override;

  // Nothing has been answered yet.
  [[nodiscard]] bool pending() const { return phase_ == Phase::kPending; }
  // The answer was sent as a whole, or the stream was finished.
  [[nodiscard]] bool complete() const { return phase_ == Phase::kComplete; }
  // Of the answer; 0 before it.
  [[nodiscard]] int status() const { return status_; }

 private:
  enum class Phase { kPending, kStreaming, kComplete, kCut };

  std::string make_head(int status, const std::vector<Field>& headers);
  void end(Phase phase);

  Connection& connection_;
  Request& request_;
  Phase phase_ = Phase::kPending;
  bool chunked_ = false;
  bool counted_ = false;  // among the streams
  int status_ = 0;
};

}  // namespace notso::http
