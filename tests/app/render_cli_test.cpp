// notso render.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/small_vocab.h"

namespace notso {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class RenderCommand : public ::testing::Test {
 protected:
  RenderCommand() {
    const SmallVocab vocab;
    gguf_.write(vocab.to_gguf());
    json_.write(vocab.to_json());
    template_.write(
        "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}"
        "{{ strftime_now('%d.%m.%Y') }}{{ xml_tools | string }}{{ enable_thinking }}");
    messages_.write(R"([{"role": "user", "content": "a<|im_start|>"}])");
  }

  [[nodiscard]] ProgramRun render(std::vector<std::string> more) const {
    std::vector<std::string> all = {"render", messages_.path(), "--date", "2026-11-20"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(NOTSO_PROGRAM, all);
  }
  [[nodiscard]] ProgramRun render_with_template(std::vector<std::string> more) const {
    more.insert(more.end(), {"--template", template_.path(), "--tokenizer", json_.path()});
    return render(std::move(more));
  }

  TempFile gguf_;
  TempFile json_;
  TempFile template_;
  TempFile messages_;
};

TEST_F(RenderCommand, PrintsThePromptAndItsSize) {
  const ProgramRun run = render_with_template({});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "<|im_start|>a<|im_start|>20.11.2026");
  EXPECT_EQ(run.err, "24 tokens\n");
}

TEST_F(RenderCommand, PrintsTokens) {
  EXPECT_THAT(render_with_template({"--tokens"}).out, StartsWith("256 97 60 124 105 109 "));
}

TEST_F(RenderCommand, PrintsSpansWithTheirOrigin) {
  EXPECT_EQ(render_with_template({"--spans"}).out,
            "template \"<|im_start|>\"\ndata     \"a<|im_start|>\"\ntemplate \"20.11.2026\"\n");
}

TEST_F(RenderCommand, OffersToolsAndSwitchesThinking) {
  const TempFile tools;
  tools.write(R"([{"type": "function", "function": {"name": "clock"}}])");
  const ProgramRun run = render_with_template({"--tools", tools.path(), "--thinking", "off"});
  EXPECT_THAT(run.out, HasSubstr("[{'name': 'clock', 'parameters': {"));
  EXPECT_THAT(run.out, HasSubstr("}]False"));
}

TEST_F(RenderCommand, AFileWithoutATemplateIsRenderedWithTheBuiltInOne) {
  const ProgramRun run = render({"-m", gguf_.path()});
  EXPECT_THAT(run.out, StartsWith("<|im_start|>system\n"));
  EXPECT_THAT(run.out, HasSubstr("Today Date: 20 November 2026\n"));
}

TEST_F(RenderCommand, WhatIsWrongInTheMessagesIsNamed) {
  messages_.write(R"([{"role": "user"}])");
  const ProgramRun run = render({"-m", gguf_.path()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "notso: " + messages_.path() + ": messages[0].content is missing\n");
}

TEST_F(RenderCommand, AWrongCommandLineIsExitCodeTwo) {
  EXPECT_EQ(render({}).exit_code, 2);
  EXPECT_EQ(render({"--tokenizer", json_.path()}).exit_code, 2);
  EXPECT_EQ(render({"-m", gguf_.path(), "--thinking", "maybe"}).exit_code, 2);
  EXPECT_EQ(render({"-m", gguf_.path(), "--date", "today"}).exit_code, 2);
  EXPECT_EQ(render({"-m", gguf_.path(), "--date", "2026-13-45"}).exit_code, 2);
}

}  // namespace
}  // namespace notso
