// notso tokenize and notso detokenize.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/small_vocab.h"

namespace notso {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TokenizeCommand : public ::testing::Test {
 protected:
  TokenizeCommand() {
    const SmallVocab vocab{.merges = prefix_merges({"hello", " world"})};
    gguf_.write(vocab.to_gguf());
    json_.write(vocab.to_json());
  }

  static ProgramRun notso(const std::vector<std::string>& arguments) {
    return run_program(NOTSO_PROGRAM, arguments);
  }

  TempFile gguf_;
  TempFile json_;
};

TEST_F(TokenizeCommand, PrintsTheIdsOfAText) {
  const ProgramRun run = notso({"tokenize", "-m", gguf_.path(), "hello world!"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "259 264 33\n");
  EXPECT_EQ(notso({"tokenize", "--tokenizer", json_.path(), "hello world!"}).out, run.out);
}

TEST_F(TokenizeCommand, ReadsTheTextOfAFile) {
  const TempFile text;
  text.write("hello");
  EXPECT_EQ(notso({"tokenize", "-m", gguf_.path(), "--file", text.path()}).out, "259\n");
}

TEST_F(TokenizeCommand, PrintsJsonWithThePieces) {
  EXPECT_EQ(notso({"tokenize", "-m", gguf_.path(), "--json", "hello\n"}).out,
            "{\"count\":2,\"tokens\":[{\"id\":259,\"text\":\"hello\"},"
            "{\"id\":10,\"text\":\"\\u000a\"}]}\n");
}

TEST_F(TokenizeCommand, CountsTokens) {
  EXPECT_EQ(notso({"tokenize", "-m", gguf_.path(), "--count", "hello world"}).out, "2\n");
}

TEST_F(TokenizeCommand, TakesSpecialTokensOnlyWhenAsked) {
  EXPECT_EQ(notso({"tokenize", "-m", gguf_.path(), "--special", "<|im_end|>"}).out, "266\n");
  EXPECT_EQ(notso({"tokenize", "-m", gguf_.path(), "--count", "<|im_end|>"}).out, "10\n");
}

TEST_F(TokenizeCommand, GivesTheTextOfIdsBack) {
  EXPECT_EQ(notso({"detokenize", "-m", gguf_.path(), "259", "264,266"}).out,
            "hello world<|im_end|>");
  EXPECT_EQ(notso({"detokenize", "-m", gguf_.path(), "--no-special", "259,266"}).out, "hello");
}

TEST_F(TokenizeCommand, NeedsExactlyOneVocabulary) {
  EXPECT_EQ(notso({"tokenize", "text"}).exit_code, 2);
  const ProgramRun both =
      notso({"tokenize", "-m", gguf_.path(), "--tokenizer", json_.path(), "text"});
  EXPECT_EQ(both.exit_code, 2);
}

TEST_F(TokenizeCommand, SaysWhatIsWrongInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"tokenize", "-m", "no/such.gguf", "x"}, "no/such.gguf"},
      {{"tokenize", "-m", json_.path(), "x"}, json_.path()},
      {{"tokenize", "--tokenizer", gguf_.path(), "x"}, "no readable JSON"},
      {{"tokenize", "-m", gguf_.path(), "--file", "/"}, "cannot read '/'"},
      {{"detokenize", "-m", gguf_.path(), "1000"}, "there is no token 1000"},
  };
  for (const auto& [arguments, part] : cases) {
    const ProgramRun run = notso(arguments);
    EXPECT_EQ(run.exit_code, 1) << part;
    EXPECT_THAT(run.err, StartsWith("notso: "));
    EXPECT_THAT(run.err, HasSubstr(part));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

}  // namespace
}  // namespace notso
