#include "web/http/request_parser.h"

#include <gtest/gtest.h>
#include <string>

namespace notso::http {
namespace {

using State = RequestParser::State;

// Feeds `text` in pieces of `piece` bytes as a connection does, and gives what is left of it.
std::string feed(RequestParser& parser, std::string_view text, std::size_t piece) {
  std::string waiting;
  while (!text.empty()) {
    waiting += text.substr(0, piece);
    text.remove_prefix(std::min(piece, text.size()));
    std::size_t used = 1;
    while (used > 0) {
      used = parser.feed(waiting);
      waiting.erase(0, used);
    }
  }
  return waiting;
}

TEST(RequestParser, AChunkedBodyIsTheSameHoweverItIsCut) {
  const std::string text =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\nGET";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    RequestParser parser{Limits{}};
    EXPECT_EQ(feed(parser, text, piece), "GET");
    ASSERT_EQ(parser.state(), State::kDone) << piece;
    EXPECT_EQ(parser.head().method, "POST");
    EXPECT_EQ(parser.head().target, "/a?b");
    EXPECT_EQ(parser.take_body(), "abc0123456789");
    // What a trailer says is no header.
    EXPECT_EQ(parser.head().headers.size(), 2U);
  }
}

TEST(RequestParser, ABodyOfKnownLengthEndsThere) {
  const std::string text = "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nabcdefg";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    RequestParser parser{Limits{}};
    EXPECT_EQ(feed(parser, text, piece), "efg");
    ASSERT_EQ(parser.state(), State::kDone);
    EXPECT_EQ(parser.take_body(), "abcd");
  }
}

TEST(RequestParser, TheHeadIsDoneBeforeTheBodyIsTaken) {
  RequestParser parser{Limits{}};
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(parser.feed(head + "ab"), head.size());
  EXPECT_EQ(parser.state(), State::kBody);
  parser.limit_body(1);
  EXPECT_EQ(parser.state(), State::kRefused);
  EXPECT_EQ(parser.refusal().status, 413);
}

TEST(RequestParser, KeepAliveFollowsTheVersionAndConnection) {
  const auto keeps = [](const std::string& text) {
    RequestParser parser{Limits{}};
    parser.feed(text);
    EXPECT_EQ(parser.state(), State::kDone);
    return parser.head().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
}

TEST(RequestParser, AnEmptyLineBeforeARequestIsSkipped) {
  RequestParser parser{Limits{}};
  EXPECT_EQ(feed(parser, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 1), "");
  EXPECT_EQ(parser.state(), State::kDone);
}

TEST(RequestParser, TheHeadersMayFillTheirLimits) {
  Limits limits;
  limits.headers_max = 3;
  RequestParser full{limits};
  full.feed("GET / HTTP/1.1\r\nHost: x\r\na: 1\r\nb: 2\r\n\r\n");
  EXPECT_EQ(full.state(), State::kDone);
  RequestParser over{limits};
  over.feed("GET / HTTP/1.1\r\nHost: x\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n");
  EXPECT_EQ(over.state(), State::kRefused);
  EXPECT_EQ(over.refusal().status, 431);
}

}  // namespace
}  // namespace notso::http
