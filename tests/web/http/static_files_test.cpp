#include "web/http/static_files.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

std::string header_of(const Response& response, std::string_view name) {
  for (const Field& field : response.headers) {
    if (field.name == name) return field.value;
  }
  return {};
}

StaticFiles make_files() {
  StaticFiles files;
  files.add({.path = "/a.css",
             .content_type = "text/css",
             .bytes = "plain bytes of some length",
             .gzip = "gzipped bytes",
             .hash = "abc",
             .immutable = true});
  files.add({.path = "/b.txt",
             .content_type = "text/plain",
             .bytes = "b",
             .gzip = "longer",
             .hash = "b"});
  return files;
}

Response answer(const std::string& path, std::vector<Field> headers) {
  Request request;
  request.path = path;
  request.headers = std::move(headers);
  return make_files().answer(request);
}

TEST(StaticFiles, TheSmallerFormIsSentWhereItIsAccepted) {
  const auto coding = [](const std::string& accepted) {
    return header_of(answer("/a.css", {{"Accept-Encoding", accepted}}), "Content-Encoding");
  };
  EXPECT_EQ(coding("gzip, deflate, br"), "gzip");
  EXPECT_EQ(coding("gzip"), "gzip");
  EXPECT_EQ(coding("br;q=0, *"), "gzip");
  EXPECT_EQ(coding("*;q=0"), "");
  EXPECT_EQ(coding("identity"), "");
  EXPECT_EQ(header_of(answer("/b.txt", {{"Accept-Encoding", "gzip"}}), "Content-Encoding"), "");
}

TEST(StaticFiles, AKnownTagSavesTheBody) {
  const Response first = answer("/a.css", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "gzipped bytes");
  EXPECT_EQ(header_of(first, "ETag"), "\"abc-gzip\"");
  EXPECT_EQ(header_of(first, "Cache-Control"), "public, max-age=31536000, immutable");
  const Response second =
      answer("/a.css", {{"Accept-Encoding", "gzip"}, {"If-None-Match", "\"x\", W/\"abc-gzip\""}});
  EXPECT_EQ(second.status, 304);
  EXPECT_EQ(second.body, "");
  EXPECT_EQ(answer("/a.css", {{"If-None-Match", "\"abc-gzip\""}}).status, 200);
}

TEST(StaticFiles, OtherPathsAreNotFound) { EXPECT_EQ(answer("/c", {}).status, 404); }

}  // namespace
}  // namespace notso::http
