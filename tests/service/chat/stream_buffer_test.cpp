// When deltas go out, by a clock that the test turns.
#include "service/chat/stream_buffer.h"

#include <gtest/gtest.h>

#include "service/chat/answer_fixture.h"

namespace notso {
namespace {

class StreamBufferTest : public ::testing::Test {
 protected:
  // Pushes a token with one delta; what goes out.
  std::string push(ChatEvent event) {
    std::vector<ChatEvent> out;
    buffer_.push({&event, 1}, out);
    return summary(out);
  }
  std::string poll() {
    std::vector<ChatEvent> out;
    buffer_.poll(out);
    return summary(out);
  }

  double now_s_ = 100;
  StreamBuffer buffer_{{}, [this] { return now_s_; }};
};

TEST_F(StreamBufferTest, TheFirstTokenGoesAtOnce) {
  EXPECT_EQ(push(ContentDelta{"a"}), "text(a)");
  EXPECT_EQ(push(ContentDelta{"b"}), "");
}

TEST_F(StreamBufferTest, ThenTenTokensGoTogether) {
  push(ContentDelta{"a"});
  for (int i = 0; i < 9; ++i) EXPECT_EQ(push(ContentDelta{"b"}), "");
  EXPECT_EQ(push(ContentDelta{"c"}), "text(bbbbbbbbbc)");
}

TEST_F(StreamBufferTest, HalfASecondIsLongEnough) {
  push(ContentDelta{"a"});
  push(ContentDelta{"b"});
  now_s_ += 0.4;
  EXPECT_EQ(push(ContentDelta{"c"}), "");
  EXPECT_NEAR(buffer_.due_in_s().value_or(9), 0.1, 1e-9);
  EXPECT_EQ(poll(), "");
  now_s_ += 0.11;
  EXPECT_EQ(poll(), "text(bc)");
  EXPECT_EQ(buffer_.due_in_s(), std::nullopt);
  EXPECT_EQ(poll(), "");
}

TEST_F(StreamBufferTest, ALateTokenTakesTheOthersAlong) {
  push(ContentDelta{"a"});
  push(ContentDelta{"b"});
  now_s_ += 0.6;
  EXPECT_EQ(push(ContentDelta{"c"}), "text(bc)");
}

TEST_F(StreamBufferTest, SentencesAndBlocksEndEarly) {
  push(ContentDelta{"a"});
  EXPECT_EQ(push(ContentDelta{"b\n"}), "");
  EXPECT_EQ(push(ContentDelta{"\n"}), "text(b\n\n)");
  EXPECT_EQ(push(ContentDelta{"c"}), "");
  EXPECT_EQ(push(ContentDelta{"d. "}), "text(cd. )");
  EXPECT_EQ(push(ThinkingDelta{"so?"}), "think(so?)");
  EXPECT_EQ(push(ContentDelta{"e。"}), "text(e。)");
}

TEST_F(StreamBufferTest, KindsStayApartAndInOrder) {
  push(ContentDelta{"a"});
  EXPECT_EQ(push(ThinkingDelta{"b"}), "");
  EXPECT_EQ(push(ThinkingDelta{"c"}), "");
  EXPECT_EQ(push(ToolCallDelta{0, "id", "f", ""}), "");
  EXPECT_EQ(push(ToolCallDelta{0, "", "", "{."}), "");
  EXPECT_EQ(push(ToolCallDelta{0, "", "", "}"}), "");
  EXPECT_EQ(push(ToolCallDelta{1, "id1", "g", ""}), "");
  std::vector<ChatEvent> out;
  buffer_.flush(out);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(std::get<ThinkingDelta>(out[0]).text, "bc");
  EXPECT_EQ(std::get<ToolCallDelta>(out[1]).arguments_delta, "{.}");
  EXPECT_EQ(std::get<ToolCallDelta>(out[2]).name, "g");
}

TEST_F(StreamBufferTest, TheEndTakesEverythingAlong) {
  push(ContentDelta{"a"});
  push(ContentDelta{"b"});
  EXPECT_EQ(push(Finished{}), "text(b) end");
}

TEST_F(StreamBufferTest, UnbufferedEveryTokenGoesAtOnce) {
  StreamBuffer buffer({.buffered = false}, [] { return 0.0; });
  std::vector<ChatEvent> out;
  for (const char* text : {"a", "b", "c"}) {
    const ChatEvent event = ContentDelta{text};
    buffer.push({&event, 1}, out);
  }
  EXPECT_EQ(out.size(), 3U);
}

}  // namespace
}  // namespace notso
