// What the page says of models, in every state that they can be in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "web/ui/pages.h"
#include "web/ui/views.h"

namespace notso::ui {
namespace {

using jinja::Dict;
using jinja::Value;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ModelsPagesTest : public testing::Test {
 protected:
  ModelsPagesTest() : pages_(*Pages::load()) {
    models_.may_change = true;
    models_.wants_real = true;
    models_.folder = "/models";
    models_.offers.push_back({"Q4_K_M", "1.92 GB; good", false});
    models_.files.push_back({"tiny", "Q8_0, 4 MB on disk", "Answers", false});
    models_.files.push_back({"<b>odd</b>", "cannot be used: <i>", "", true});
  }

  [[nodiscard]] std::string draw(const char* name) const {
    Dict all;
    all.set("models", models_value(models_));
    all.set("model", model_value(model_));
    all.set("at", Value::string("banner"));
    all.set("said", Value::string(said_));
    const auto html = pages_->render(name, all);
    EXPECT_TRUE(html) << html.error().message;
    return html.value_or("");
  }

  std::shared_ptr<const Pages> pages_;
  UiModels models_;
  UiModel model_;
  std::string said_;
};

TEST_F(ModelsPagesTest, TheBannerOffersAModelWhereThereIsNone) {
  EXPECT_THAT(draw("banner.html"),
              AllOf(HasSubstr("There is no model on this machine yet"),
                    HasSubstr("action=\"/model/download\""), HasSubstr("value=\"Q4_K_M\""),
                    HasSubstr("1.92 GB"), Not(HasSubstr(" off\""))));
  model_.demo = true;
  EXPECT_THAT(draw("banner.html"), HasSubstr("built-in demo model"));
  models_.offers[0].begun = true;
  EXPECT_THAT(draw("banner.html"), HasSubstr("Continue the download"));
}

TEST_F(ModelsPagesTest, TheBannerIsOutOfTheWayWhileARealModelAnswers) {
  models_.wants_real = false;
  EXPECT_THAT(draw("banner.html"), AllOf(HasSubstr(" off\""), Not(HasSubstr("<form"))));
  models_.trouble = "Beta cannot be loaded.";
  EXPECT_THAT(draw("banner.html"), AllOf(HasSubstr("Beta cannot"), Not(HasSubstr(" off\""))));
}

TEST_F(ModelsPagesTest, TheBannerFollowsADownload) {
  models_.download = {UiDownload::State::kRunning, "Q4_K_M", "42%  1 MB/s", 42};
  EXPECT_THAT(draw("banner.html"),
              AllOf(HasSubstr("value=\"42\""), HasSubstr("1 MB/s"),
                    HasSubstr("action=\"/model/cancel\""), Not(HasSubstr("/model/download"))));
  models_.download.state = UiDownload::State::kFailed;
  models_.download.text = "it failed";
  EXPECT_THAT(draw("banner.html"), AllOf(HasSubstr("it failed"), HasSubstr("Try again")));
  models_.download.state = UiDownload::State::kStopped;
  EXPECT_THAT(draw("banner.html"), HasSubstr("Continue"));
}

TEST_F(ModelsPagesTest, TheProgressAsksForItselfWhileItRunsAndThenForItsPlace) {
  models_.download = {UiDownload::State::kRunning, "Q4_K_M", "asking", -1};
  EXPECT_THAT(draw("progress.html"),
              AllOf(HasSubstr("hx-get=\"/model/progress?at=banner\""), Not(HasSubstr(" value="))));
  models_.download.state = UiDownload::State::kNone;
  EXPECT_THAT(draw("progress.html"),
              AllOf(HasSubstr("hx-get=\"/model/banner\""), HasSubstr("hx-target=\"#banner\"")));
}

TEST_F(ModelsPagesTest, TheListEscapesNamesAndHasAButtonForWhatCanBeChosen) {
  const std::string html = draw("models.html");
  EXPECT_THAT(html, AllOf(HasSubstr("&lt;b&gt;odd&lt;/b&gt;"), Not(HasSubstr("<b>odd")),
                          HasSubstr("Answers"), HasSubstr("action=\"/model/choose\"")));
  models_.may_change = false;
  EXPECT_THAT(draw("models.html"), Not(HasSubstr("<form")));
  EXPECT_THAT(draw("banner.html"), AllOf(HasSubstr("notso pull"), Not(HasSubstr("<form"))));
}

TEST_F(ModelsPagesTest, WhatWentWrongIsSaidInThePieceThatWasPressed) {
  said_ = "Q8_0 is being downloaded; wait, or cancel it";
  EXPECT_THAT(draw("banner.html"), AllOf(HasSubstr("wait, or cancel it"), HasSubstr("alert")));
  EXPECT_THAT(draw("models.html"), AllOf(HasSubstr("wait, or cancel it"), HasSubstr("alert")));
}

}  // namespace
}  // namespace notso::ui
