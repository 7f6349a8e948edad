// Requests that are meant to do harm: each gets a 4xx or a closed connection at once, and the
// server answers others as before.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "web/http/http_fixture.h"

namespace notso::http {
namespace {

// A request with its text; @ stands for the port.
struct Hostile {
  const char* name;
  std::string text;
  int status;  // 0: any 4xx or a close
};

const std::string kHost = "Host: localhost:@\r\n";

std::string with_header(const std::string& lines) {
  return "POST /echo HTTP/1.1\r\n" + kHost + lines + "\r\n";
}

std::string for_target(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\n" + kHost + "\r\n";
}

std::string chunked(const std::string& body) {
  return with_header("Transfer-Encoding: chunked\r\n") + body;
}

std::string many_headers(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
  return lines;
}

std::string nul() { return std::string(1, '\0'); }

std::vector<Hostile> framing() {
  return {
      {"two_lengths", with_header("Content-Length: 1\r\nContent-Length: 2\r\n") + "ab", 400},
      {"two_equal_lengths", with_header("Content-Length: 1\r\nContent-Length: 1\r\n") + "a", 400},
      {"length_list", with_header("Content-Length: 1, 1\r\n") + "a", 400},
      {"length_sign", with_header("Content-Length: +1\r\n") + "a", 400},
      {"length_minus", with_header("Content-Length: -1\r\n"), 400},
      {"length_hex", with_header("Content-Length: 0x1\r\n") + "a", 400},
      {"length_overflow", with_header("Content-Length: 99999999999999999999\r\n"), 400},
      {"length_empty", with_header("Content-Length:\r\n"), 400},
      {"length_and_chunked",
       with_header("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
      {"chunked_and_length",
       with_header("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", 400},
      {"chunked_twice", with_header("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n", 400},
      {"encoding_twice",
       with_header("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {"encoding_gzip", with_header("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", 400},
      {"encoding_tab",
       with_header("Transfer-Encoding: \x0b"
                   "chunked\r\n") +
           "0\r\n\r\n",
       400},
      {"encoding_unknown", with_header("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n", 400},
      {"encoding_in_http10",
       "POST /echo HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunk_size_word", chunked("zz\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_size_prefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_size_sign", chunked("-3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_size_space", chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_size_empty", chunked("\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_size_overflow", chunked("fffffffffffffffff\r\nabc"), 400},
      {"chunk_size_huge", chunked("7fffffffffffff\r\nabc"), 413},
      {"chunk_too_long", chunked("3\r\nabcdef\r\n0\r\n\r\n"), 400},
      {"chunk_bare_newline", chunked("3\nabc\n0\n\n"), 400},
      {"chunk_extension", chunked("3;a=b\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk_extension_newline", chunked("3;\n\r\nabc\r\n0\r\n\r\n"), 400},
      {"trailer_no_header", chunked("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
      {"body_too_long", with_header("Content-Length: 10000000\r\n"), 413},
      {"expect_unknown", with_header("Expect: 200-maybe\r\nContent-Length: 1\r\n") + "a", 417},
  };
}

std::vector<Hostile> heads() {
  const std::string start = "GET /health HTTP/1.1\r\n" + kHost;
  return {
      {"folded_header", start + "X-A: b\r\n c\r\n\r\n", 400},
      {"folded_first", "GET /health HTTP/1.1\r\n " + kHost + "\r\n", 400},
      {"nul_in_header", start + "X-A: b" + nul() + "c\r\n\r\n", 400},
      {"return_in_header", start + "X-A: b\rc\r\n\r\n", 400},
      {"newline_in_header", start + "X-A: b\nX-B: c\r\n\r\n", 400},
      {"delete_in_header", start + "X-A: b\x7f\r\n\r\n", 400},
      {"space_before_colon", start + "X-A : b\r\n\r\n", 400},
      {"no_colon", start + "X-A\r\n\r\n", 400},
      {"empty_name", start + ": b\r\n\r\n", 400},
      {"bare_newlines", "GET /health HTTP/1.1\nHost: localhost:@\n\n\r\n\r\n", 400},
      {"lower_case_method", "get /health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"method_with_marks", "G(T /health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"long_method", std::string(40, 'A') + " /health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"unknown_method", "BREW /health HTTP/1.1\r\n" + kHost + "\r\n", 405},
      {"trace", "TRACE /health HTTP/1.1\r\n" + kHost + "\r\n", 405},
      {"connect", "CONNECT localhost:@ HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"no_version", "GET /health\r\n" + kHost + "\r\n", 400},
      {"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"http09", "GET /health HTTP/0.9\r\n" + kHost + "\r\n", 400},
      {"two_spaces", "GET  /health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"tls_hello", "\x16\x03\x01\x02" + nul() + "\x01\r\n\r\n", 400},
      {"random_bytes", "\xff\xfe\xfd\xfc\xfb\r\n\r\n", 400},
      {"many_headers", start + many_headers(200) + "\r\n", 431},
      {"long_header", start + "X-A: " + std::string(40'000, 'a') + "\r\n\r\n", 431},
      {"long_target", for_target("/" + std::string(9'000, 'a')), 414},
      {"endless_line", std::string(60'000, 'A'), 414},
  };
}

std::vector<Hostile> names() {
  const std::string line = "GET /health HTTP/1.1\r\n";
  const std::string post = "POST /echo HTTP/1.1\r\nContent-Length: 1\r\n" + kHost;
  return {
      {"no_host", line + "\r\n", 400},
      {"two_hosts", line + kHost + kHost + "\r\n", 400},
      {"empty_host", line + "Host:\r\n\r\n", 400},
      {"host_list", line + "Host: localhost:@, evil.example\r\n\r\n", 400},
      {"host_path", line + "Host: localhost:@/x\r\n\r\n", 400},
      {"host_user", line + "Host: a@localhost:@\r\n\r\n", 400},
      {"foreign_host", line + "Host: evil.example\r\n\r\n", 403},
      {"foreign_host_our_port", line + "Host: evil.example:@\r\n\r\n", 403},
      {"foreign_address", line + "Host: 192.0.2.7:@\r\n\r\n", 403},
      {"rebound_name", line + "Host: 127.0.0.1.evil.example:@\r\n\r\n", 403},
      {"foreign_name_other_port", line + "Host: evil.example:1\r\n\r\n", 403},
      {"port_overflow", line + "Host: localhost:65537\r\n\r\n", 400},
      {"port_word", line + "Host: localhost:http\r\n\r\n", 400},
      {"absolute_foreign", "GET http://evil.example/health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"absolute_user", "GET http://a@localhost:@/health HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"absolute_scheme", "GET file:///etc/passwd HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"foreign_origin", post + "Origin: http://evil.example\r\n\r\na", 403},
      {"null_origin", post + "Origin: null\r\n\r\na", 403},
      {"near_origin", post + "Origin: http://localhost:@.evil.example\r\n\r\na", 403},
      {"other_scheme_origin", post + "Origin: https://localhost:@\r\n\r\na", 403},
      {"other_port_origin", post + "Origin: http://localhost:1\r\n\r\na", 403},
      {"cross_site_fetch", post + "Sec-Fetch-Site: cross-site\r\n\r\na", 403},
      {"foreign_preflight",
       "OPTIONS /echo HTTP/1.1\r\n" + kHost +
           "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
       403},
  };
}

std::vector<Hostile> paths() {
  return {
      {"dots", for_target("/echo/../health"), 400},
      {"encoded_dots", for_target("/echo/%2e%2e/health"), 400},
      {"half_encoded_dots", for_target("/echo/.%2E/x"), 400},
      {"encoded_slash_dots", for_target("/echo/a%2f..%2fb"), 400},
      {"trailing_dots", for_target("/echo/.."), 400},
      {"one_dot", for_target("/echo/./a"), 400},
      {"nul", for_target("/echo/a%00.txt"), 400},
      {"encoded_return", for_target("/echo/a%0d%0aSet-Cookie:x"), 400},
      {"backslash", for_target("/echo/..\\a"), 400},
      {"encoded_backslash", for_target("/echo/%5c%5ca"), 400},
      {"two_slashes", for_target("//health"), 400},
      {"encoded_two_slashes", for_target("/echo/a%2f%2fb"), 400},
      {"overlong_slash", for_target("/echo/%c0%afa"), 400},
      {"overlong_dot", for_target("/echo/%c0%ae%c0%ae/a"), 400},
      {"surrogate", for_target("/echo/%ed%a0%80"), 400},
      {"bad_percent", for_target("/echo/%zz"), 400},
      {"cut_percent", for_target("/echo/%2"), 400},
      {"raw_bytes", for_target("/echo/\xc3\xa9"), 400},
      {"fragment", for_target("/health#a"), 400},
      {"no_slash", for_target("health"), 400},
      {"query_nul", for_target("/health?a=%00"), 400},
      {"query_bad_utf8", for_target("/health?a=%ff"), 400},
      {"asterisk_get", for_target("*"), 400},
  };
}

class HostileTest : public ServerTest {
 protected:
  void expect_refused(const std::vector<Hostile>& requests) {
    start();
    for (const Hostile& request : requests) {
      SCOPED_TRACE(request.name);
      std::string text = request.text;
      const std::string number = std::to_string(port());
      for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at + 1)) {
        // "a@localhost" is a user's name.
        if (at == 0 || text[at - 1] == ':') text.replace(at, 1, number);
      }
      RawClient client(port());
      client.send(text);
      const Answer answer = client.answer();
      EXPECT_EQ(answer.status, request.status);
      EXPECT_EQ(ask_path("/health").body, "ok");
    }
  }
};

TEST_F(HostileTest, BodiesWithTwoMeaningsAreRefused) { expect_refused(framing()); }
TEST_F(HostileTest, BrokenHeadsAreRefused) { expect_refused(heads()); }
TEST_F(HostileTest, ForeignNamesAndOriginsAreRefused) { expect_refused(names()); }
TEST_F(HostileTest, TrickyPathsAreRefused) { expect_refused(paths()); }

TEST_F(HostileTest, NothingAfterARefusedRequestIsServed) {
  start();
  RawClient client(port());
  client.send(post(port(), "/echo", "a", "Content-Length: 1\r\n") + get(port(), "/health"));
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_EQ(client.answer().status, 0);
}

TEST_F(HostileTest, AChunkedBodyOverTheLimitIsRefusedWhileItComes) {
  options.limits.body_bytes_max = 1000;
  start();
  RawClient client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) +
              "\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "64\r\n" + std::string(100, 'a') + "\r\n";
  for (int i = 0; i < 11; ++i) client.send(chunk);
  EXPECT_EQ(client.answer().status, 413);
}

}  // namespace
}  // namespace notso::http
