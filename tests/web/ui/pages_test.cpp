#include "web/ui/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "web/ui/assets.h"
#include "web/ui/stored_messages.h"
#include "web/ui/views.h"

namespace notso::ui {
namespace {

using jinja::Dict;
using jinja::Value;
using testing::HasSubstr;
using testing::Not;

TEST(AssetsTest, TheFirstViewFitsTheBudgetCompressed) {
  std::size_t first_view = 0;
  for (const Asset& asset : assets()) {
    const bool lazy = asset.path.starts_with("katex/") || asset.path.starts_with("hljs/");
    if (!lazy) first_view += asset.gzip.size();
    EXPECT_FALSE(asset.content_type.empty()) << asset.path;
    EXPECT_FALSE(asset.bytes.empty()) << asset.path;
  }
  EXPECT_GT(first_view, 10'000U);
  EXPECT_LT(first_view, 100'000U);
}

TEST(AssetsTest, NothingComesFromAnotherHostOrRunsInline) {
  for (const Asset& asset : assets()) {
    if (asset.path.starts_with("js/") || asset.path == "app.css") {
      EXPECT_THAT(std::string(asset.bytes), Not(HasSubstr("http"))) << asset.path;
    }
  }
  for (const TemplateFile& file : template_files()) {
    if (file.name == "icons.html") continue;  // it names the namespace of SVG
    const std::string source(file.source);
    for (const char* bad : {"http:", "https:", "style=", "onclick", "hx-on", "<style"}) {
      EXPECT_THAT(source, Not(HasSubstr(bad))) << file.name;
    }
  }
}

class PagesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Pages::load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    pages_ = *loaded;
  }

  static Dict variables() {
    Dict all;
    all.set("theme", Value::string("dark"));
    all.set("model", model_value({UiModel::State::kReady, "Tiny", "", false}));
    all.set("models", models_value({}));
    all.set("commands", commands_value());
    all.set("settings", settings_value({}));
    return all;
  }

  std::string render(const std::string& name, const Dict& all) {
    Result<std::string> html = pages_->render(name, all);
    EXPECT_TRUE(html) << html.error().message;
    return html.value_or("");
  }

  std::shared_ptr<const Pages> pages_;
};

TEST_F(PagesTest, TheFirstPageHasItsParts) {
  Dict composer;
  composer.set("url", Value::string("/chats"));
  Dict all = variables();
  all.set("composer", Value::dict(composer));
  const std::string html = render("home.html", all);
  EXPECT_THAT(html, HasSubstr("data-theme=\"dark\""));
  EXPECT_THAT(html, HasSubstr(assets_folder() + "/app.css"));
  EXPECT_THAT(html, HasSubstr("role=\"listbox\""));
  EXPECT_THAT(html, HasSubstr("id=\"command-quote\""));
  EXPECT_THAT(html, HasSubstr("<use href=\"#i-send\"/>"));
}

TEST_F(PagesTest, TitlesQuestionsAndSnippetsAreEscaped) {
  const std::string bad = "\"><script>alert(1)</script><b hx-get='/x'>";
  Dict all = variables();
  Conversation chat;
  chat.id = "c1";
  chat.title = bad;
  chat.updated_ms = 1;
  all.set("groups", groups_value({&chat, 1}, 2));
  EXPECT_THAT(render("chat_list.html", all), Not(HasSubstr("<script")));
  SearchHit hit;
  hit.title = bad;
  hit.snippet = "\x02" + bad + "\x03";
  hit.message_id = 4;
  all.set("hits", hits_value({&hit, 1}));
  EXPECT_THAT(render("chat_list.html", all), Not(HasSubstr("<script")));
  const Transcript transcript({question(1, 0, bad), answer(2, 1, bad)}, 2);
  all.set("chat", chat_value("c1", "Title"));
  set_turns(all, "c1", transcript, window_of(transcript, 0), {});
  const std::string html = render("messages.html", all);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<b hx-get")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)"));
}

TEST_F(PagesTest, AChatFoundByItsTitleAndItsTextIsOneRowWithTheText) {
  std::vector<SearchHit> hits(2);
  hits[0].conversation = hits[1].conversation = "c1";
  hits[1].message_id = 4;
  hits[1].snippet = "a \x02zebra\x03 walks";
  Dict all = variables();
  all.set("hits", hits_value(hits));
  const std::string html = render("chat_list.html", all);
  EXPECT_THAT(html, HasSubstr("1 found"));
  EXPECT_THAT(html, HasSubstr("a <mark>zebra</mark> walks"));
  EXPECT_THAT(html, HasSubstr("/chats/c1?at=4#m-4"));
}

TEST_F(PagesTest, TheListIsCutByDays) {
  std::vector<Conversation> chats(3);
  const std::int64_t now = 1'700'000'000;
  chats[0].updated_ms = now * 1000;
  chats[1].updated_ms = (now - 3 * 86'400) * 1000;
  chats[2].updated_ms = (now - 400 * 86'400) * 1000;
  Dict all;
  all.set("groups", groups_value(chats, now));
  const std::string html = render("chat_list.html", all);
  EXPECT_THAT(html, HasSubstr("<h2>Today</h2>"));
  EXPECT_THAT(html, HasSubstr("<h2>Last 7 days</h2>"));
  EXPECT_THAT(html, HasSubstr("<h2>Older</h2>"));
}

TEST_F(PagesTest, OnlyTheNewestTurnsOfALongChatAreDrawn) {
  std::vector<StoredMessage> messages;
  for (std::int64_t id = 1; id <= 2000; id += 2) {
    messages.push_back(question(id, id - 1, "q"));
    messages.push_back(answer(id + 1, id, "a"));
  }
  const Transcript transcript(messages, 2000);
  Dict all = variables();
  all.set("chat", chat_value("c1", "Title"));
  set_turns(all, "c1", transcript, window_of(transcript, 0), {});
  const std::string html = render("messages.html", all);
  EXPECT_THAT(html, HasSubstr("id=\"t-1999\""));
  EXPECT_THAT(html, HasSubstr("?before=1941"));
  EXPECT_THAT(html, Not(HasSubstr("id=\"t-1939\"")));
  const Window earlier = window_of(transcript, 1941);
  EXPECT_EQ(transcript.turns()[earlier.begin].id(), 1881);
  EXPECT_EQ(transcript.turns()[earlier.end - 1].id(), 1939);
  EXPECT_EQ(transcript.turns()[window_from(transcript, 1881).begin].id(), 1881);
  EXPECT_EQ(transcript.turns()[window_from(transcript, 1999).begin].id(), 1941);
}

}  // namespace
}  // namespace notso::ui
