// The command line: exit codes, one line for what went wrong, and what inspect and synth print.
#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.h"
#include "ml/core/gguf/gguf_bytes.h"

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

ProgramRun notso(const std::vector<std::string>& arguments) {
  return run_program(NOTSO_PROGRAM, arguments);
}

// A failed run: exit code 1, nothing on the output, one line on the error output.
void expect_failure(const ProgramRun& run, const std::string& part) {
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, AllOf(StartsWith("notso: "), HasSubstr(part), EndsWith("\n")));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

TEST(CommandLine, HelpAndVersionSucceed) {
  EXPECT_EQ(notso({"--help"}).exit_code, 0);
  EXPECT_EQ(notso({"inspect", "--help"}).exit_code, 0);
  EXPECT_THAT(notso({"--version"}).out, StartsWith("notso "));
}

TEST(CommandLine, AWrongCommandLineIsExitCodeTwo) {
  EXPECT_EQ(notso({}).exit_code, 2);
  EXPECT_EQ(notso({"no-such-command"}).exit_code, 2);
  EXPECT_EQ(notso({"inspect"}).exit_code, 2);
  EXPECT_EQ(notso({"inspect", "x.gguf", "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(notso({"synth", "x.gguf", "--size", "giant"}).exit_code, 2);
  EXPECT_EQ(notso({"synth", "x.gguf", "--type", "Q2_K"}).exit_code, 2);
  EXPECT_EQ(notso({"synth", "x.gguf", "--yarn", "0.5"}).exit_code, 2);
}

TEST(CommandLine, AMistypedCommandIsNamedWithTheNearestOne) {
  const auto said = [](const std::vector<std::string>& line) {
    const ProgramRun run = notso(line);
    EXPECT_EQ(run.exit_code, 2);
    return run.err;
  };
  EXPECT_THAT(said({"serv"}), HasSubstr("no command 'serv' of 'notso'; did you mean 'serve'?"));
  EXPECT_THAT(said({"frobnicate"}), HasSubstr("no command 'frobnicate' of 'notso'\n"));
  EXPECT_THAT(said({"--frob"}), HasSubstr("no option '--frob' of 'notso'\n"));
  EXPECT_THAT(said({"key", "lst"}),
              HasSubstr("no command 'lst' of 'notso key'; did you mean 'list"));
  EXPECT_THAT(said({}), HasSubstr("A subcommand is required"));
}

TEST(CommandLine, ControlCharactersOfANameNeverReachTheTerminal) {
  expect_failure(notso({"inspect", "no\x1b[2J\n.gguf"}), "'no\ufffd[2J\ufffd.gguf'");
}

TEST(CommandLine, OutputThatCannotBeWrittenIsAFailure) {
  const std::vector<std::vector<std::string>> lines = {
      {"--help"}, {"key", "--help"},        {"--version"},
      {"config"}, {"config", "--defaults"}, {"models"},
      {"man"},    {"models", "--json"},     {"pull", "--list"}};
  for (const auto& line : lines) {
    SCOPED_TRACE(line.front());
    expect_failure(run_without_output(NOTSO_PROGRAM, line), "the output cannot be written");
  }
}

TEST(Inspect, AMissingPathIsNamed) {
  expect_failure(notso({"inspect", "no/such/file.gguf"}), "'no/such/file.gguf': no such file");
}

TEST(Inspect, AFolderIsNamed) {
  const std::string folder = std::filesystem::temp_directory_path();
  expect_failure(notso({"inspect", folder}), "is a folder; name the file inside it");
}

TEST(Inspect, AFileOfAnotherKindIsNamed) {
  const TempFile temp;
  temp.write("<!DOCTYPE html><title>404</title>");
  expect_failure(notso({"inspect", temp.path()}), "is not a GGUF file: it seems to be a web page");
}

TEST(Inspect, ATensorTypeThatIsNotReadIsNamed) {
  const TempFile temp;
  temp.write(Bytes().header(1, 0).tensor("blk.0.ffn_up.weight", {256}, 10, 0).pad().done());
  expect_failure(notso({"inspect", temp.path()}), "'blk.0.ffn_up.weight' has type Q2_K");
}

TEST(Inspect, ShowsASynthesizedModel) {
  const TempFile temp;
  const ProgramRun synth = notso({"synth", temp.path(), "--seed", "3"});
  ASSERT_EQ(synth.exit_code, 0) << synth.err;
  EXPECT_THAT(synth.out, IsEmpty());
  const ProgramRun inspect = notso({"inspect", temp.path()});
  EXPECT_EQ(inspect.exit_code, 0);
  EXPECT_THAT(inspect.out, AllOf(HasSubstr("general.architecture"), HasSubstr("\"smollm3\""),
                                 HasSubstr("blk.7.ffn_down.weight"), HasSubstr("string[2048]"),
                                 HasSubstr("74 tensors"), HasSubstr("65536 tokens  268.44 MB")));
}

TEST(Inspect, JsonIsOneObjectWithTheSameFacts) {
  const TempFile temp;
  ASSERT_EQ(notso({"synth", temp.path()}).exit_code, 0);
  const ProgramRun inspect = notso({"inspect", "--json", temp.path()});
  EXPECT_EQ(inspect.exit_code, 0);
  EXPECT_THAT(inspect.out,
              AllOf(StartsWith("{"), EndsWith("}\n"), HasSubstr("\"bytes_per_token\": 4096"),
                    HasSubstr("\"smollm3.block_count\": {\"type\": \"u32\", "
                              "\"value\": 8}"),
                    HasSubstr("{\"name\": \"blk.0.attn_q.weight\", \"type\": \"Q4_K\", "
                              "\"shape\": [256, 256], \"bytes\": 36864}")));
}

TEST(Inspect, AnyArchitectureCanBeInspected) {
  const TempFile temp;
  temp.write(every_metadata_type());
  const ProgramRun inspect = notso({"inspect", temp.path()});
  EXPECT_EQ(inspect.exit_code, 0) << inspect.err;
  EXPECT_THAT(inspect.out, HasSubstr("[\"a\", \"\", \"bc\"]"));
}

TEST(Inspect, ControlCharactersOfAFileNeverReachTheTerminal) {
  const TempFile temp;
  temp.write(Bytes().header(0, 1).key("a\x1b[2J", 8).string("x\x1b[31m\xff").done());
  const ProgramRun inspect = notso({"inspect", temp.path()});
  EXPECT_EQ(inspect.exit_code, 0);
  EXPECT_EQ(inspect.out.find('\x1b'), std::string::npos);
  EXPECT_THAT(inspect.out, HasSubstr("\\u001b[31m\xef\xbf\xbd"));
}

TEST(Synth, AFolderThatDoesNotExistIsNamed) {
  expect_failure(notso({"synth", "no/such/folder/x.gguf"}), "its folder does not exist");
}

TEST(Synth, AYarnFactorThatIsNoNumberIsRefused) {
  expect_failure(notso({"synth", "x.gguf", "--yarn", "nan"}), "YaRN factor must be from 1 to 32");
}

TEST(Synth, AMissingTokenizerAndTemplateAreNamed) {
  const TempFile temp;
  expect_failure(notso({"synth", temp.path(), "--tokenizer", "none.json"}), "'none.json'");
  expect_failure(notso({"synth", temp.path(), "--template", "none.jinja"}), "'none.jinja'");
}

TEST(Synth, TheTemplateFileIsKeptWordForWord) {
  const TempFile text;
  const TempFile model;
  text.write("{{ 'hello' }}\n");
  ASSERT_EQ(notso({"synth", model.path(), "--template", text.path()}).exit_code, 0);
  EXPECT_THAT(notso({"inspect", "--json", model.path()}).out,
              HasSubstr("\"value\": \"{{ 'hello' }}\\u000a\""));
}

}  // namespace
}  // namespace notso
