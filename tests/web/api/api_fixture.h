// The API's routes over an engine whose tokens are a script, with an exchange that no network
// carries.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/chat/script_engine.h"
#include "web/api/api_context.h"
#include "web/http/exchange.h"
#include "web/http/router.h"

namespace notso::api {

// What a client would see of one answer.
struct Reply {
  int status = 0;  // 0: none has come
  std::vector<http::Field> headers;
  std::string body;       // of a stream, all of its pieces
  bool streamed = false;  // in pieces
  bool complete = false;
  std::vector<std::string> pieces;

  [[nodiscard]] std::string header(std::string_view name) const;
  // The body as JSON, or nothing.
  [[nodiscard]] boost::json::value json() const;
  // The data of the stream's events, as JSON, but for the "[DONE]" that must be the last.
  [[nodiscard]] std::vector<boost::json::value> events() const;
  // The data of a stream's named events, whose data says the name again; no "[DONE]" ends them.
  [[nodiscard]] std::vector<boost::json::value> named_events() const;
  // The lines of a stream, each an object.
  [[nodiscard]] std::vector<boost::json::value> lines() const;
};

// An exchange on an io_context of its own.
class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(boost::asio::io_context& io, http::Request request)
      : io_(io), request_(std::move(request)) {}

  [[nodiscard]] const http::Request& request() const override { return request_; }
  [[nodiscard]] boost::asio::any_io_executor executor() override { return io_.get_executor(); }
  boost::asio::awaitable<bool> respond(http::Response response) override;
  boost::asio::awaitable<bool> begin(int status, std::vector<http::Field> headers) override;
  boost::asio::awaitable<bool> write(std::string piece) override;
  boost::asio::awaitable<void> finish() override;
  void on_disconnect(std::function<void()> callback) override { gone_ = std::move(callback); }
  [[nodiscard]] bool draining() const override { return false; }

  // The client goes away.
  void disconnect();

  Reply reply;

 private:
  boost::asio::io_context& io_;
  http::Request request_;
  std::function<void()> gone_;
  bool connected_ = true;
};

// A server without a network.
class ApiFixture {
 public:
  ApiFixture();

  // Asks, runs every request of it with `script` (special tokens count), and gives the reply.
  Reply ask(std::string_view method, std::string_view path, std::string_view body,
            std::string_view script = "");
  // The same for POST.
  Reply post(std::string_view path, std::string_view body, std::string_view script = "") {
    return ask("POST", path, body, script);
  }

  // Begins a request, which goes on by run() and poll().
  FakeExchange& begin(std::string_view method, std::string_view path, std::string_view body);
  // Runs the engine's oldest request.
  void run(std::string_view script, RequestEnd end = RequestEnd::kLength);
  // Lets the handlers go on as far as they can, or until `condition` holds.
  void poll();
  void wait_until(const std::function<bool()>& condition);

  ScriptEngine engine;
  std::shared_ptr<ChatService> service;
  ApiContext context;
  http::Router router;

 private:
  boost::asio::io_context io_;
  std::vector<std::unique_ptr<FakeExchange>> exchanges_;
};

// The error's member of a refusal: "message", "type", "param" or "code"; "null" where it is.
std::string error_member(const Reply& reply, std::string_view member);

}  // namespace notso::api
