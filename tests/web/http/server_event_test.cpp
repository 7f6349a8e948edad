#include "web/http/server_event.h"

#include <gtest/gtest.h>

namespace notso::http {
namespace {

TEST(ServerEvent, AnEventIsItsFieldsAndAnEmptyLine) {
  EXPECT_EQ(to_text({"7", "token", "hello"}), "id: 7\nevent: token\ndata: hello\n\n");
  EXPECT_EQ(to_text({"", "", "[DONE]"}), "data: [DONE]\n\n");
  EXPECT_EQ(to_text({"", "", ""}), "data: \n\n");
}

TEST(ServerEvent, DataIsSplitAtEveryKindOfLineEnd) {
  EXPECT_EQ(to_text({"", "", "a\nb\r\nc\rd\n"}), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
  EXPECT_EQ(to_text({"", "", "\n\nid: 9"}), "data: \ndata: \ndata: id: 9\n\n");
}

TEST(ServerEvent, NamesAndIdsCannotBeginALine) {
  EXPECT_EQ(to_text({"1\ndata: x", "a\r\nb", "c"}), "id: 1data: x\nevent: ab\ndata: c\n\n");
}

TEST(ServerEvent, TheLastIdComesFromTheHeaderElseTheQuery) {
  Request request;
  EXPECT_EQ(last_event_id(request), std::nullopt);
  request.parameters = {{"last_event_id", "5"}};
  EXPECT_EQ(last_event_id(request), 5U);
  request.headers = {{"Last-Event-ID", "42"}};
  EXPECT_EQ(last_event_id(request), 42U);
  for (const char* bad : {"", "-1", "4x", "99999999999999999999999"}) {
    request.headers = {{"Last-Event-ID", bad}};
    EXPECT_EQ(last_event_id(request), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace notso::http
