#include "web/api/api_fixture.h"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "base/check.h"
#include "service/chat/chat_fixtures.h"
#include "service/chat/default_templates.h"
#include "web/api/api_routes.h"

namespace notso::api {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kData = "data: ";

}  // namespace

std::string Reply::header(std::string_view name) const {
  for (const http::Field& field : headers) {
    if (field.name == name) return field.value;
  }
  return "";
}

boost::json::value Reply::json() const {
  boost::system::error_code error;
  return boost::json::parse(body, error);
}

std::vector<boost::json::value> Reply::events() const {
  std::vector<boost::json::value> out;
  bool done = false;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    NOTSO_CHECK(end != std::string::npos);
    const std::string_view event = std::string_view(body).substr(at, end - at);
    at = end + 2;
    if (event.starts_with(":")) continue;
    NOTSO_CHECK(!done && event.starts_with(kData) && event.find('\n') == std::string_view::npos);
    const std::string_view data = event.substr(kData.size());
    done = data == "[DONE]";
    if (!done) out.push_back(boost::json::parse(data));
  }
  NOTSO_CHECK(done);
  return out;
}

std::vector<boost::json::value> Reply::named_events() const {
  std::vector<boost::json::value> out;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    NOTSO_CHECK(end != std::string::npos);
    const std::string event = body.substr(at, end - at);
    at = end + 2;
    if (event.starts_with(":")) continue;
    const std::size_t line = event.find('\n');
    NOTSO_CHECK(event.starts_with("event: ") && event.compare(line + 1, kData.size(), kData) == 0);
    out.push_back(boost::json::parse(event.substr(line + 1 + kData.size())));
    NOTSO_CHECK(out.back().at("type").as_string() == event.substr(7, line - 7));
  }
  return out;
}

std::vector<boost::json::value> Reply::lines() const {
  std::vector<boost::json::value> out;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    NOTSO_CHECK(end != std::string::npos);
    out.push_back(boost::json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

asio::awaitable<bool> FakeExchange::respond(http::Response response) {
  NOTSO_CHECK(reply.status == 0);
  reply.status = response.status;
  reply.headers = std::move(response.headers);
  reply.body = std::move(response.body);
  reply.complete = true;
  co_return connected_;
}

asio::awaitable<bool> FakeExchange::begin(int status, std::vector<http::Field> headers) {
  NOTSO_CHECK(reply.status == 0);
  reply.status = status;
  reply.headers = std::move(headers);
  reply.streamed = true;
  co_return connected_;
}

asio::awaitable<bool> FakeExchange::write(std::string piece) {
  NOTSO_CHECK(reply.streamed && !reply.complete);
  reply.body += piece;
  reply.pieces.push_back(std::move(piece));
  co_return connected_;
}

asio::awaitable<void> FakeExchange::finish() {
  reply.complete = true;
  co_return;
}

void FakeExchange::disconnect() {
  connected_ = false;
  if (gone_) std::exchange(gone_, nullptr)();
}

ApiFixture::ApiFixture() : engine(static_cast<std::size_t>(chat_tokenizer()->vocab_size())) {
  ChatModelInfo info;
  info.name = "tiny";
  info.path = "models/tiny-Q8_0.gguf";
  info.context = 600;
  service =
      std::make_shared<ChatService>(engine, chat_tokenizer(), builder_of(default_chat_template()),
                                    info, static_cast<std::size_t>(chat_tokenizer()->vocab_size()));
  context = context_of(service);
  context.sampling.temperature = 0;
  add_api_routes(router, context);
}

FakeExchange& ApiFixture::begin(std::string_view method, std::string_view path,
                                std::string_view body) {
  const http::Router::Match match = router.find(method, path);
  NOTSO_CHECK(match.handler != nullptr);
  http::Request request;
  request.method = method;
  request.path = path;
  request.path_parameters = match.path_parameters;
  request.body = body;
  request.remote = "127.0.0.1";
  exchanges_.push_back(std::make_unique<FakeExchange>(io_, std::move(request)));
  FakeExchange& exchange = *exchanges_.back();
  asio::co_spawn(io_, (*match.handler)(exchange), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
  poll();
  return exchange;
}

void ApiFixture::poll() {
  io_.restart();
  io_.poll();
}

void ApiFixture::wait_until(const std::function<bool()>& condition) {
  io_.restart();
  while (!condition() && io_.run_one() > 0) {
  }
  ASSERT_TRUE(condition());
}

void ApiFixture::run(std::string_view script, RequestEnd end) {
  engine.run(chat_tokenizer()->encode(script, true), end);
}

Reply ApiFixture::ask(std::string_view method, std::string_view path, std::string_view body,
                      std::string_view script) {
  FakeExchange& exchange = begin(method, path, body);
  while (!engine.waiting.empty()) {
    run(script);
    poll();
  }
  return exchange.reply;
}

std::string error_member(const Reply& reply, std::string_view member) {
  const boost::json::value value = reply.json().at("error").at(member);
  return value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
}

}  // namespace notso::api
