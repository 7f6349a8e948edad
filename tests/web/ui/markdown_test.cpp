#include "web/ui/markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace notso::ui {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What a page shows after all updates of a text that comes in pieces of `size` bytes.
struct Shown {
  std::string closed;
  std::string tail;
  std::size_t drawn = 0;  // bytes of HTML that were sent
};

Shown stream(std::string_view text, std::size_t size, bool finish = true) {
  Shown shown;
  MarkdownStream stream;
  const auto look = [&] {
    const MarkdownUpdate update = stream.take();
    shown.closed += update.closed;
    if (update.tail) shown.tail = *update.tail;
    if (!update.code.empty()) {
      const std::size_t end = shown.tail.find("</code>");
      ASSERT_NE(end, std::string::npos) << "code without an open block";
      shown.tail.insert(end, update.code);
    }
    shown.drawn += update.closed.size() + update.code.size() + update.tail.value_or("").size();
  };
  for (std::size_t at = 0; at < text.size(); at += size) {
    stream.append(text.substr(at, size));
    look();
  }
  if (finish) stream.finish();
  look();
  return shown;
}

TEST(MarkdownTest, BlocksAndSpansBecomeElements) {
  EXPECT_EQ(render_markdown("# A *b*\n\nc **d** `e<f>` ~~g~~\n"),
            "<h2>A <em>b</em></h2><p>c <strong>d</strong> <code>e&lt;f&gt;</code> "
            "<del>g</del></p>");
  EXPECT_EQ(render_markdown("3. a\n4. b\n"), "<ol start=\"3\"><li>a</li><li>b</li></ol>");
  EXPECT_EQ(render_markdown("- [x] a\n- [ ] b\n"),
            "<ul><li class=\"task\">☑ a</li><li class=\"task\">☐ b</li></ul>");
}

TEST(MarkdownTest, TablesScrollAndAlign) {
  EXPECT_EQ(render_markdown("| a | b |\n|---|--:|\n| 1 | 2 |\n"),
            "<div class=\"table\" tabindex=\"0\"><table><thead><tr><th>a</th><th class=\"right\">b"
            "</th></tr></thead><tbody><tr><td>1</td><td class=\"right\">2</td></tr></tbody></table>"
            "</div>");
}

TEST(MarkdownTest, CodeHasItsLanguageAndACopyButton) {
  const std::string html = render_markdown("```C++ hello\na < b\n```\n");
  EXPECT_THAT(html, HasSubstr("<code class=\"language-c++\">a &lt; b\n</code>"));
  EXPECT_THAT(html, HasSubstr("data-copy-code"));
}

TEST(MarkdownTest, FormulasStayLatexInBothSpellings) {
  EXPECT_EQ(render_markdown("$a_1$ and \\(b\\) and \\[c\\]"),
            "<p><span class=\"tex\">a_1</span> and <span class=\"tex\">b</span> and "
            "<span class=\"tex display\">c</span></p>");
  EXPECT_EQ(render_markdown("`\\(x\\)` costs $5 and $10, or $ 3"),
            "<p><code>\\(x\\)</code> costs $5 and $10, or $ 3</p>");
}

TEST(MarkdownTest, LinksLeadToTheWebAndToMailOnly) {
  EXPECT_EQ(render_markdown("[a](https://x.org/?b&c \"t\")"),
            "<p><a href=\"https://x.org/?b&amp;c\" target=\"_blank\" rel=\"noopener noreferrer\">a"
            "</a></p>");
  for (const char* address :
       {"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/local",
        "javascript&#58;alert(1)", "java&#x0A;script:alert(1)", "&#1;javascript:alert(1)",
        "//evil.org", "file:///etc/passwd"}) {
    EXPECT_THAT(render_markdown("[a](" + std::string(address) + ")"), Not(HasSubstr("<a")))
        << address;
    EXPECT_THAT(render_markdown("![a](" + std::string(address) + ")"), Not(HasSubstr("<a")))
        << address;
  }
}

TEST(MarkdownTest, PicturesAreLinksAndNothingIsLoaded) {
  EXPECT_EQ(render_markdown("![cat](https://x.org/c.png)"),
            "<p><a class=\"picture\" href=\"https://x.org/c.png\" target=\"_blank\" "
            "rel=\"noopener noreferrer\">cat</a></p>");
  EXPECT_THAT(render_markdown("[![cat](https://x.org/c.png)](https://y.org)"),
              Not(HasSubstr("c.png")));
}

// The page's promise: whatever the text, these never become elements or attributes.
TEST(MarkdownTest, HostileTextStaysText) {
  const std::string payloads[] = {
      "<script>alert(1)</script>",
      "<img src=x onerror=alert(1)>",
      "<svg onload=alert(1)><animate onbegin=alert(1)></svg>",
      "[x](javascript:alert(1))",
      "[x](https://a.b/\"onmouseover=\"alert(1))",
      "<a href=\"javascript:alert(1)\">x</a>",
      "<div hx-get=\"/settings\" hx-trigger=\"load\">x</div>",
      "```\" onmouseover=\"alert(1)\n</code></pre><script>alert(1)</script>\n```",
      "$</span><script>alert(1)</script>$",
      "| <img src=x onerror=alert(1)> |\n|---|\n| <iframe src=//a> |\n",
      "<hx-partial hx-target=\"body\"><script>alert(1)</script></hx-partial>",
      "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;alert(1)&#60;/script&#62;",
  };
  for (const std::string& payload : payloads) {
    for (const std::string& html : {render_markdown(payload), stream(payload, 3, false).tail}) {
      std::string tags;  // what is inside of tags, without the values of attributes
      bool in_tag = false;
      bool quoted = false;
      for (const char c : html) {
        if (in_tag && c == '"') quoted = !quoted;
        if (!quoted && c == '<') in_tag = true;
        if (in_tag && !quoted) tags += c;
        if (!quoted && c == '>') in_tag = false;
      }
      for (const char* bad : {"script", "img", "iframe", "onerror", "onload", "onbegin",
                              "onmouseover", "hx-", "animate", "div hx"}) {
        EXPECT_THAT(tags, Not(HasSubstr(bad))) << payload << "\n" << html;
      }
      EXPECT_THAT(html, Not(HasSubstr("href=\"javascript")));
    }
  }
}

TEST(MarkdownTest, StreamedTextEqualsWholeText) {
  const std::string text =
      "# Title\nSome *text* with `code`.\n\n- one\n- two\n\n```python\nprint('<hi>')\n\nx = "
      "1\n```\n"
      "After.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n$$x^2$$\n\nThe end";
  const std::string whole = render_markdown(text);
  for (const std::size_t size : {1U, 2U, 3U, 7U, 50U, 1000U}) {
    const Shown shown = stream(text, size);
    EXPECT_EQ(shown.closed, whole);
    EXPECT_EQ(shown.tail, "");
  }
}

TEST(MarkdownTest, OpenCodeIsAddedToAndNotDrawnAgain) {
  std::string text = "```c\n";
  for (int i = 0; i < 1000; ++i) text += "int variable_number = 0;\n";
  const Shown shown = stream(text, 10, false);
  EXPECT_THAT(shown.tail, HasSubstr("language-c"));
  EXPECT_LT(shown.drawn, 2 * text.size() + 2000);
}

TEST(MarkdownTest, AllLooksAtALongAnswerCostAsItsLengthGrows) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "A paragraph of some length, as models write them.\n\n";
  const std::size_t once = stream(text, 5, false).drawn;
  const std::size_t fourfold = stream(text + text + text + text, 5, false).drawn;
  EXPECT_LT(fourfold, 41 * once / 10);
}

TEST(MarkdownTest, DeepAndLongTextsStayBounded) {
  EXPECT_LT(render_markdown(std::string(20'000, '>') + " x").size(), 100'000U);
  const std::string long_line(500'000, '*');
  EXPECT_THAT(render_markdown(long_line), AnyOf(StartsWith("<p>"), StartsWith("<hr>")));
  EXPECT_FALSE(render_markdown(std::string("a\0b", 3)).empty());
}

}  // namespace
}  // namespace notso::ui
