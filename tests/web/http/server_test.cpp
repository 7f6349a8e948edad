// What a well-behaved client sees of the server.
#include "web/http/server.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>

#include "web/http/http_fixture.h"

namespace notso::http {
namespace {

class HttpServerTest : public ServerTest {};

Handler answer_with(Response response) {
  return [response](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond(response);
  };
}

TEST_F(HttpServerTest, AnAnswerHasItsLengthDateAndRequestId) {
  start();
  const Answer answer = ask_path("/health");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(answer.header("content-length"), "2");
  EXPECT_FALSE(answer.header("date").empty());
  EXPECT_FALSE(answer.header("x-request-id").empty());
  EXPECT_EQ(answer.header("connection"), "");
}

TEST_F(HttpServerTest, OneConnectionServesManyRequests) {
  start();
  RawClient client(port());
  for (int i = 0; i < 50; ++i) {
    client.send(post(port(), "/echo", std::string(static_cast<std::size_t>(i * 100), 'a')));
    EXPECT_EQ(client.answer().body.size(), static_cast<std::size_t>(i * 100));
  }
  EXPECT_EQ(server->stats().accepted, 1U);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  RawClient client(port());
  std::string requests;
  for (int i = 0; i < 300; ++i) requests += get(port(), "/echo/" + std::to_string(i));
  client.send(requests);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(client.answer().body, std::to_string(i));
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  start();
  RawClient client(port());
  std::string request = get(port(), "/health");
  request.replace(0, 3, "HEAD");
  client.send(request + get(port(), "/health"));
  const Answer head = client.answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "2");
  EXPECT_EQ(client.answer().body, "ok");
}

TEST_F(HttpServerTest, AnHttp10ClientGetsAnAnswerAndTheEnd) {
  start();
  RawClient client(port());
  client.send("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.answer().body, "ok");
  EXPECT_TRUE(client.closed_within(RawClient::kPatience));
}

TEST_F(HttpServerTest, AClientThatClosesItsSideStillGetsItsAnswer) {
  start();
  RawClient client(port());
  client.send(get(port(), "/health"));
  client.shut_down_writing();
  EXPECT_EQ(client.answer().body, "ok");
}

TEST_F(HttpServerTest, ConnectionCloseIsHonoured) {
  start();
  RawClient client(port());
  client.send(get(port(), "/health", "Connection: close\r\n"));
  EXPECT_EQ(client.answer().header("connection"), "close");
  EXPECT_TRUE(client.closed_within(RawClient::kPatience));
}

TEST_F(HttpServerTest, ABodyIsAskedForWhereTheClientWaits) {
  start();
  RawClient client(port());
  std::string request = post(port(), "/echo", "hello", "Expect: 100-continue\r\n");
  client.send(request.substr(0, request.size() - 5));
  EXPECT_EQ(client.answer().status, 100);
  client.send("hello");
  EXPECT_EQ(client.answer().body, "hello");
}

TEST_F(HttpServerTest, ARefusedBodyIsNotAskedFor) {
  router.add("POST", "/small", answer_with({}), {.body_bytes_max = 3});
  start();
  RawClient client(port());
  client.send("POST /small HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) +
              "\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer().status, 413);
}

TEST_F(HttpServerTest, ARouteMayTakeMoreThanTheServer) {
  options.limits.body_bytes_max = 10;
  router.add("POST", "/large", answer_with({200, {}, "taken"}), {.body_bytes_max = 100});
  start();
  EXPECT_EQ(ask(post(port(), "/large", std::string(100, 'a'))).body, "taken");
  EXPECT_EQ(ask(post(port(), "/large", std::string(101, 'a'))).status, 413);
  EXPECT_EQ(ask(post(port(), "/echo", std::string(11, 'a'))).status, 413);
}

TEST_F(HttpServerTest, AWrongMethodIsToldTheRightOnes) {
  start();
  const Answer answer = ask(get(port(), "/echo"));
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.header("allow"), "POST, OPTIONS");
  EXPECT_EQ(ask_path("/nothing").status, 404);
}

TEST_F(HttpServerTest, AnAbsoluteTargetOfOursIsServed) {
  start();
  const std::string host = "localhost:" + std::to_string(port());
  EXPECT_EQ(ask("GET http://" + host + "/health HTTP/1.1\r\nHost: " + host + "\r\n\r\n").body,
            "ok");
}

TEST_F(HttpServerTest, OptionsTellsTheMethods) {
  start();
  std::string request = get(port(), "/health");
  request.replace(0, 3, "OPTIONS");
  const Answer answer = ask(request);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "");
}

TEST_F(HttpServerTest, AListedOriginMayCallAndIsNamedInTheAnswer) {
  options.origins = {"https://app.example.com"};
  start();
  const std::string origin = "Origin: https://app.example.com\r\n";
  std::string preflight = get(port(), "/echo", origin + "Access-Control-Request-Method: POST\r\n");
  preflight.replace(0, 3, "OPTIONS");
  const Answer allowed = ask(preflight);
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(allowed.header("access-control-allow-methods"), "POST, OPTIONS");
  const Answer answer = ask(post(port(), "/echo", "a", origin));
  EXPECT_EQ(answer.body, "a");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(answer.header("vary"), "Origin");
  const Answer foreign = ask(get(port(), "/health", "Origin: https://other.example.com\r\n"));
  EXPECT_EQ(foreign.header("access-control-allow-origin"), "");
}

TEST_F(HttpServerTest, ARouteThatChangesNothingTakesAnyOrigin) {
  router.add("POST", "/count", answer_with({200, {}, "3"}), {.changes_state = false});
  start();
  EXPECT_EQ(ask(post(port(), "/count", "a", "Origin: http://evil.example\r\n")).body, "3");
}

TEST_F(HttpServerTest, OurOwnPagesAndProgramsMayPost) {
  start();
  const std::string own = "Origin: http://localhost:" + std::to_string(port()) + "\r\n";
  EXPECT_EQ(ask(post(port(), "/echo", "a", own)).body, "a");
  EXPECT_EQ(ask(post(port(), "/echo", "a")).body, "a");
}

TEST_F(HttpServerTest, TheGateAnswersBeforeTheBodyIsRead) {
  hooks.gate = [](Request& request, const RouteOptions& route) -> std::optional<Response> {
    if (route.open || request.header("authorization") == "Bearer key") {
      request.principal = "someone";
      return std::nullopt;
    }
    return Response{401, {{"WWW-Authenticate", "Bearer"}}, "no"};
  };
  router.add("GET", "/open", answer_with({200, {}, "open"}), {.open = true});
  start();
  EXPECT_EQ(ask("POST /echo HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) +
                "\r\nContent-Length: 1000\r\n\r\n")
                .status,
            401);
  EXPECT_EQ(ask_path("/health").status, 401);
  EXPECT_EQ(ask_path("/open").body, "open");
  EXPECT_EQ(ask(get(port(), "/health", "Authorization: Bearer key\r\n")).body, "ok");
  ASSERT_TRUE(soon([&] { return records().size() == 4; }));
  // Each connection writes its record after its answer, so their order is not that of the requests.
  const auto all = records();
  EXPECT_EQ(std::ranges::count(all, "someone", &AccessRecord::principal), 2);
}

TEST_F(HttpServerTest, AHandlerThatThrowsOrIsSilentIsAnInternalError) {
  router.add("GET", "/throw", [](Exchange&) -> boost::asio::awaitable<void> {
    throw std::runtime_error("secret");
    co_return;
  });
  router.add("GET", "/silent", [](Exchange&) -> boost::asio::awaitable<void> { co_return; });
  start();
  RawClient client(port());
  client.send(get(port(), "/throw") + get(port(), "/silent") + get(port(), "/health"));
  const Answer thrown = client.answer();
  EXPECT_EQ(thrown.status, 500);
  EXPECT_EQ(thrown.body.find("secret"), std::string::npos);
  EXPECT_EQ(client.answer().status, 500);
  EXPECT_EQ(client.answer().body, "ok");
  ASSERT_TRUE(soon([&] { return records().size() == 3; }));
  EXPECT_EQ(records()[0].failure, "secret");
  EXPECT_NE(records()[1].failure, "");
  EXPECT_EQ(records()[2].failure, "");
}

TEST_F(HttpServerTest, AGateThatThrowsIsAnInternalError) {
  hooks.gate = [](Request&, const RouteOptions&) -> std::optional<Response> {
    throw std::runtime_error("gate");
  };
  start();
  EXPECT_EQ(ask_path("/health").status, 500);
}

TEST_F(HttpServerTest, ErrorsHaveTheShapeOfTheSite) {
  hooks.error = [](const Request& request, int status, const std::string& message) {
    return Response{200,
                    {{"Content-Type", "application/json"}},
                    "{" + request.path + " " + std::to_string(status) + " " + message + "}"};
  };
  start();
  const Answer answer = ask_path("/nothing");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(answer.body, "{/nothing 404 There is nothing at this path.}");
}

TEST_F(HttpServerTest, EveryAnswerHasTheServersHeadersUnlessItHasItsOwn) {
  options.headers = {{"X-Frame-Options", "DENY"}, {"Cache-Control", "no-store"}};
  router.add("GET", "/own", answer_with({200, {{"cache-control", "public"}}, ""}));
  start();
  EXPECT_EQ(ask_path("/nothing").header("x-frame-options"), "DENY");
  EXPECT_EQ(ask_path("/own").header("cache-control"), "public");
  EXPECT_EQ(ask_path("/own").header("x-frame-options"), "DENY");
}

TEST_F(HttpServerTest, AHandlerCannotBreakTheFraming) {
  router.add("GET", "/framing",
             answer_with({200, {{"Content-Length", "1"}, {"X-A", "b\r\nX-Evil: c"}}, "hello"}));
  start();
  const Answer answer = ask_path("/framing");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.header("x-evil"), "");
}

TEST_F(HttpServerTest, AccessRecordsSayWhatHappened) {
  start();
  ask(post(port(), "/echo?secret=1", "hello"));
  ASSERT_TRUE(soon([&] { return records().size() == 1; }));
  ask_path("/echo/a%22b");
  ASSERT_TRUE(soon([&] { return records().size() == 2; }));
  const AccessRecord record = records()[0];
  EXPECT_EQ(record.method, "POST");
  EXPECT_EQ(record.path, "/echo");
  EXPECT_EQ(record.pattern, "/echo");
  EXPECT_EQ(record.status, 200);
  EXPECT_EQ(record.remote, "127.0.0.1");
  EXPECT_GT(record.bytes_in, 5U);
  EXPECT_GT(record.bytes_out, 5U);
  EXPECT_NE(record.id, records()[1].id);
  EXPECT_EQ(records()[1].path, "/echo/a\\x22b");
}

TEST_F(HttpServerTest, OnlyATrustedProxyIsBelieved) {
  router.add("GET", "/who", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    const Request& request = exchange.request();
    co_await exchange.respond({200, {}, request.remote + (request.secure ? " secure" : "")});
  });
  options.proxies = {"192.0.2.1", "127.0.0.0/8"};
  options.hosts = {"chat.example.com"};
  start();
  const std::string forwarded =
      "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
  EXPECT_EQ(ask("GET /who HTTP/1.1\r\nHost: chat.example.com\r\n" + forwarded + "\r\n").body,
            "203.0.113.9 secure");
  EXPECT_EQ(ask(get(port(), "/who", "X-Forwarded-For: nonsense\r\n")).body, "127.0.0.1");
}

TEST_F(HttpServerTest, WhoIsNotTheProxyIsNotBelieved) {
  router.add("GET", "/who", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    const Request& request = exchange.request();
    co_await exchange.respond({200, {}, request.remote + (request.secure ? " secure" : "")});
  });
  options.proxies = {"192.0.2.0/24"};
  start();
  EXPECT_EQ(
      ask(get(port(), "/who", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n")).body,
      "127.0.0.1");
}

TEST_F(HttpServerTest, WithoutAProxyForwardingHeadersMeanNothing) {
  router.add("GET", "/who", [](Exchange& exchange) -> boost::asio::awaitable<void> {
    co_await exchange.respond({200, {}, exchange.request().remote});
  });
  start();
  EXPECT_EQ(ask(get(port(), "/who", "X-Forwarded-For: 203.0.113.9\r\n")).body, "127.0.0.1");
}

TEST_F(HttpServerTest, APortThatIsTakenIsSaidInOneLine) {
  start();
  ServerOptions other;
  other.port = port();
  const auto second = Server::start(other, Router{}, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("is taken by another program"), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(port())), std::string::npos);
}

TEST_F(HttpServerTest, AnAddressThatIsNotOursIsAnError) {
  options.host = "192.0.2.1";
  EXPECT_THROW(start(), std::runtime_error);
  // No name server need be asked for a number.
  options.host = "256.0.0.1";
  EXPECT_THROW(start(), std::runtime_error);
}

TEST_F(HttpServerTest, AnInheritedSocketIsServed) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  options.inherited_socket = listener;
  start();
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(port()));
  EXPECT_EQ(ask_path("/health").body, "ok");
}

TEST_F(HttpServerTest, ADescriptorThatDoesNotListenIsAnError) {
  options.inherited_socket = 0;
  EXPECT_THROW(start(), std::runtime_error);
}

TEST_F(HttpServerTest, LocalhostIsServedUnderItsName) {
  options.host = "localhost";
  start();
  EXPECT_EQ(ask_path("/health").body, "ok");
}

}  // namespace
}  // namespace notso::http
