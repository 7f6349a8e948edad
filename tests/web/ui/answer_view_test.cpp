#include "web/ui/answer_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "web/ui/stored_messages.h"

namespace notso::ui {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class AnswerViewTest : public testing::Test {
 protected:
  void SetUp() override { pages_ = Pages::load().value(); }

  AnswerView view() {
    return {"c1", 2, [this] { return now_; }};
  }

  std::string draw(AnswerView& answer) {
    jinja::Dict chat;
    chat.set("id", jinja::Value::string("c1"));
    jinja::Dict variables;
    variables.set("chat", jinja::Value::dict(chat));
    variables.set("a", answer.value());
    return pages_->render("answer.html", variables).value();
  }

  std::vector<Partial> changes(AnswerView& answer) {
    return partials_of(answer.changes(*pages_).value());
  }

  static TurnStatus in(TurnPhase phase) {
    TurnStatus status;
    status.phase = phase;
    return status;
  }

  double now_ = 100;
  std::shared_ptr<const Pages> pages_;
};

// The message of an answer with all kinds of parts.
StoredMessage rich_answer() {
  StoredMessage stored = answer(2, 1, "# Title\n\nText\n");
  stored.message.reasoning = "I think.";
  stored.message.tool_calls = {{"call1", "calculator", "{\"expression\": \"1+1\"}"}};
  return stored;
}

TEST_F(AnswerViewTest, AStoredAnswerHasItsPartsInOrder) {
  const StoredMessage stored = rich_answer();
  StoredMessage result = answer(3, 2, "2");
  result.message.role = Role::kTool;
  result.message.tool_call_id = "call1";
  const StoredMessage last = answer(4, 3, "It is 2.");
  AnswerView whole = view();
  whole.read(std::vector<const StoredMessage*>{&stored, &result, &last});
  const std::string html = draw(whole);
  std::size_t at = 0;
  for (const char* word : {"I think.", "Title", "calculator", "Result", "It is 2."}) {
    at = html.find(word, at);
    ASSERT_NE(at, std::string::npos) << word << "\n" << html;
  }
  EXPECT_THAT(html, HasSubstr("Done · 20.0 tokens/s"));
  EXPECT_FALSE(whole.running());
}

TEST_F(AnswerViewTest, EventsLeadToTheSameElementsAsTheStoredMessage) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kProcessing));
  (void)draw(live);
  live.apply(ThinkingDelta{"I "});
  (void)changes(live);
  live.apply(ThinkingDelta{"think."});
  live.apply(ContentDelta{"# Title\n\nText\n"});
  (void)changes(live);
  live.apply(ToolCallDelta{0, "call1", "calculator", ""});
  live.apply(ToolCallDelta{0, "", "", "{\"expression\": \"1+1\"}"});
  (void)changes(live);
  live.apply(TurnSaved{rich_answer()});
  live.apply(in(TurnPhase::kDone));
  (void)changes(live);

  const StoredMessage stored = rich_answer();
  AnswerView read = view();
  read.read(std::vector<const StoredMessage*>{&stored});
  EXPECT_EQ(ids_of(draw(live)), ids_of(draw(read)));
}

TEST_F(AnswerViewTest, ClosedBlocksAreSentOnce) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kGenerating));
  (void)draw(live);
  live.apply(ContentDelta{"first\n\nsec"});
  EXPECT_THAT(changes(live), Contains(Field(&Partial::swap, "beforeend")));
  live.apply(ContentDelta{"ond\n\nthird\n\n"});
  (void)changes(live);
  live.apply(ContentDelta{"fourth\n"});
  std::string closed;
  for (const Partial& partial : changes(live)) {
    if (partial.swap == "beforeend") closed += partial.content;
  }
  EXPECT_EQ(closed, "<p>third</p>");
}

TEST_F(AnswerViewTest, ThoughtsFoldWhenTheAnswerBegins) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kThinking));
  live.apply(ThinkingDelta{"Hm."});
  EXPECT_THAT(draw(live), HasSubstr("<details class=\"thinking\" id=\"p-2-0\" open>"));
  live.apply(ContentDelta{"Yes."});
  EXPECT_THAT(changes(live),
              Contains(AllOf(Field(&Partial::target, "#p-2-0"), Field(&Partial::swap, "outerHTML"),
                             Field(&Partial::content, Not(HasSubstr(" open"))))));
}

TEST_F(AnswerViewTest, NothingIsSentWhereNothingChanged) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kGenerating));
  live.apply(ContentDelta{"a"});
  (void)draw(live);
  EXPECT_THAT(changes(live), IsEmpty());
}

TEST_F(AnswerViewTest, AFailureKeepsTheTextAndOffersARetry) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kGenerating));
  live.apply(ContentDelta{"half an ans"});
  StoredMessage failed = answer(2, 1, "half an ans");
  failed.state = MessageState::kFailed;
  failed.error = "The model broke <b>.";
  live.apply(TurnSaved{failed});
  const std::string html = draw(live);
  EXPECT_THAT(html, HasSubstr("half an ans"));
  EXPECT_THAT(html, HasSubstr("The model broke &lt;b&gt;."));
  EXPECT_THAT(html, HasSubstr("Try again"));
}

TEST_F(AnswerViewTest, AnAnswerThatWasStoppedMayGoOn) {
  StoredMessage stopped = answer(2, 1, "half");
  stopped.state = MessageState::kStopped;
  AnswerView read = view();
  read.read(std::vector<const StoredMessage*>{&stopped});
  EXPECT_THAT(draw(read), HasSubstr("/chats/c1/messages/2/continue"));
}

TEST_F(AnswerViewTest, TheStatusSaysHowFarThePromptIsRead) {
  AnswerView live = view();
  TurnStatus status = in(TurnPhase::kProcessing);
  status.prompt_done = 30;
  status.prompt_total = 120;
  live.apply(status);
  const std::string html = draw(live);
  EXPECT_THAT(html, HasSubstr("Processing"));
  EXPECT_THAT(html, HasSubstr("value=\"25\""));
}

TEST_F(AnswerViewTest, ToolTextIsNeverMarkup) {
  AnswerView live = view();
  live.apply(in(TurnPhase::kTool));
  live.apply(ToolCallDelta{0, "c", "<script>", "<img src=x onerror=alert(1)>"});
  live.apply(ToolResult{{"c", "<script>", "<img src=x onerror=alert(1)>"}, "<svg onload=a>"});
  const std::string html = draw(live);
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<svg onload")));
}

}  // namespace
}  // namespace notso::ui
