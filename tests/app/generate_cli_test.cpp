// generate and score on the command line: what they refuse and how, that a seed fixes the text, and
// that memory stays flat.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>

#include "app/program.h"
#include "ml/core/gguf/gguf_bytes.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A tiny model, and a home for its packed weights.
class ModelCommands : public ::testing::Test {
 protected:
  ModelCommands() {
    std::string name = (fs::temp_directory_path() / "cli_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
    EXPECT_EQ(run_program(NOTSO_PROGRAM, {"synth", model()}).exit_code, 0);
  }
  ~ModelCommands() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
    unsetenv("NOTSO_CPU");
  }

  [[nodiscard]] std::string model() const { return (folder_ / "model.gguf").string(); }

  // Writes a text file and returns its path.
  [[nodiscard]] std::string text_file(const std::string& text) const {
    const std::string path = (folder_ / "text").string();
    std::ofstream(path) << text;
    return path;
  }

  [[nodiscard]] ProgramRun generate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"generate", "-m", model()});
    return run_program(NOTSO_PROGRAM, more);
  }
  [[nodiscard]] ProgramRun score(std::vector<std::string> more) const {
    more.insert(more.begin(), {"score", "-m", model()});
    return run_program(NOTSO_PROGRAM, more);
  }

  fs::path folder_;
};

// Exit code 1, nothing on the output, one line on the error output.
void expect_failure(const ProgramRun& run, const std::string& part) {
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, AllOf(StartsWith("notso: "), HasSubstr(part), EndsWith("\n")));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

TEST_F(ModelCommands, WrongFlagsAreExitCodeTwo) {
  EXPECT_EQ(generate({}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--file", "y"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--max-tokens", "0"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--max-tokens", "many"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--ctx", "0"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--ctx", "200000"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--threads", "-1"}).exit_code, 2);
  EXPECT_EQ(generate({"--prompt", "x", "--kv", "q4_0"}).exit_code, 2);
  EXPECT_EQ(score({}).exit_code, 2);
  EXPECT_EQ(score({"--tokens", "1", "--file", "y"}).exit_code, 2);
  EXPECT_EQ(score({"--tokens", "one"}).exit_code, 2);
  EXPECT_EQ(score({"--tokens", "99999999999"}).exit_code, 2);
  EXPECT_EQ(score({"--tokens", "1", "--top", "-1"}).exit_code, 2);
}

TEST_F(ModelCommands, WrongPathsAreNamed) {
  const auto with_model = [](const char* command, const std::string& path) {
    std::vector<std::string> arguments = {command, "-m", path};
    if (arguments[0] == "generate") arguments.insert(arguments.end(), {"--prompt", "x"});
    if (arguments[0] == "score") arguments.insert(arguments.end(), {"--tokens", "1"});
    return run_program(NOTSO_PROGRAM, arguments);
  };
  for (const char* command : {"generate", "score"}) {
    expect_failure(with_model(command, "no/such.gguf"), "'no/such.gguf': no such file");
    expect_failure(with_model(command, folder_.string()), "is a folder");
    expect_failure(with_model(command, text_file("<!DOCTYPE html>")), "is not a GGUF file");
  }
  expect_failure(generate({"--file", "no/such.txt"}), "cannot read 'no/such.txt'");
  expect_failure(score({"--file", "no/such.txt"}), "cannot read 'no/such.txt'");
  expect_failure(generate({"--file", folder_.string()}), "cannot read '" + folder_.string());
  expect_failure(score({"--file", folder_.string()}), "cannot read '" + folder_.string());
}

TEST_F(ModelCommands, ATextWithoutEndIsRefused) {
  expect_failure(score({"--file", "/dev/zero"}), "'/dev/zero' is longer than 256 MiB");
}

TEST_F(ModelCommands, AFileOfAnotherArchitectureIsNamed) {
  const std::string other =
      text_file(Bytes().header(0, 1).key("general.architecture", 8).string("llama").done());
  expect_failure(run_program(NOTSO_PROGRAM, {"generate", "-m", other, "--prompt", "x"}),
                 "its architecture is 'llama', but notso runs SmolLM3 only");
}

TEST_F(ModelCommands, AnUnsuitableVocabularyIsRefusedBeforeWeightsArePacked) {
  std::ifstream in(model(), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  const std::size_t at = bytes.find("smaug-bpe");
  ASSERT_NE(at, std::string::npos);
  const std::string other = text_file(bytes.replace(at, 5, "other"));
  expect_failure(run_program(NOTSO_PROGRAM, {"generate", "-m", other, "--prompt", "x"}),
                 "the pre-tokeniser 'other-bpe'");
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
}

TEST_F(ModelCommands, AnEmptyPromptIsRefused) {
  expect_failure(generate({"--prompt", ""}), "the prompt is empty");
  expect_failure(generate({"--file", text_file("")}), "the prompt is empty");
  expect_failure(score({"--file", text_file("")}), "there is no token to score");
}

TEST_F(ModelCommands, APromptThatDoesNotFitIsRefusedWithBothNumbers) {
  const std::string path = text_file(std::string(200, '7'));
  expect_failure(generate({"--file", path, "--ctx", "16"}), "but the context is 16");
  expect_failure(score({"--file", path, "--ctx", "16"}), "but the context is 16");
}

TEST_F(ModelCommands, TokensOutsideTheVocabularyAreRefused) {
  expect_failure(score({"--tokens", "1,2048"}),
                 "2048 is not a token; this model has ids 0 to 2047");
  expect_failure(score({"--tokens=-1"}), "-1 is not a token");
}

TEST_F(ModelCommands, SamplingNumbersThatMakeNoSenseAreRefused) {
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--temperature", "-1"},
                                             {"--temperature", "nan"},
                                             {"--top-p", "1.5"},
                                             {"--top-p", "nan"},
                                             {"--min-p", "2"},
                                             {"--top-k", "-5"},
                                             {"--repetition-penalty", "0"},
                                             {"--frequency-penalty", "3"},
                                             {"--presence-penalty", "inf"}}) {
    const ProgramRun run = generate({"--prompt", "x", "-n", "1", flags[0], flags[1]});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.err, HasSubstr(flags[0] + ": give a number from "));
  }
}

TEST_F(ModelCommands, AnUnknownKernelTableIsRefusedWithTheKnownOnes) {
  setenv("NOTSO_CPU", "abacus", 1);
  const ProgramRun run = generate({"--prompt", "x", "-n", "1"});
  expect_failure(run, "NOTSO_CPU=abacus is not a kernel table of this machine");
  EXPECT_THAT(run.err, HasSubstr("scalar, reference"));
}

TEST_F(ModelCommands, TheSameSeedGivesTheSameText) {
  const auto text = [&](const std::string& seed, const std::string& threads) {
    const ProgramRun run = generate({"--prompt", "Hello there", "-n", "40", "--ignore-end",
                                     "--seed", seed, "--threads", threads, "--quiet"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, IsEmpty());
    return run.out;
  };
  const std::string first = text("11", "1");
  EXPECT_THAT(first, Not(IsEmpty()));
  EXPECT_EQ(text("11", "3"), first);
  EXPECT_NE(text("12", "1"), first);
}

TEST_F(ModelCommands, WithoutAnOutputTheWorkEndsWithItsFirstWord) {
  const ProgramRun text = run_without_output(
      NOTSO_PROGRAM, {"generate", "-m", model(), "--prompt", "x", "--ignore-end", "-n", "50"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.err,
              AllOf(HasSubstr("answer 1 tokens"), HasSubstr("the output cannot be written")));
  const ProgramRun scores =
      run_without_output(NOTSO_PROGRAM, {"score", "-m", model(), "--tokens", "1,2,3"});
  EXPECT_EQ(scores.exit_code, 1);
  EXPECT_THAT(scores.err, HasSubstr("the output cannot be written"));
}

TEST_F(ModelCommands, AFullContextEndsTheTextWithAWord) {
  const ProgramRun run =
      generate({"--prompt", "Hello", "-n", "100", "--ctx", "16", "--ignore-end", "--quiet"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("the context of 16 tokens is full; raise --ctx for more"));
}

TEST_F(ModelCommands, ACacheFolderThatCannotBeWrittenIsMentionedAndNoFailure) {
  setenv("NOTSO_HOME", text_file("in the way").c_str(), 1);
  const ProgramRun run = generate({"--prompt", "Hello", "-n", "2"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("packed weights are not kept: "));
  EXPECT_EQ(generate({"--prompt", "Hello", "-n", "2", "--no-pack-cache"}).err.find("not kept"),
            std::string::npos);
}

TEST_F(ModelCommands, ScoreGivesALineForEachPositionAndThePerplexity) {
  const ProgramRun run = score({"--tokens", "5,6,7", "--top", "2"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 4);
  EXPECT_THAT(run.out, AllOf(StartsWith("{\"position\":0,\"token\":5,\"next\":6,\"logprob\":-"),
                             HasSubstr("{\"position\":2,\"token\":7,\"top\":[["),
                             HasSubstr("{\"tokens\":3,\"perplexity\":")));
}

// Kilobytes that the process `id` has in memory; 0 after its end.
long resident_kb(pid_t id) {
  std::ifstream status("/proc/" + std::to_string(id) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

TEST_F(ModelCommands, MemoryStaysFlatOverTwoThousandTokens) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: sanitizers keep freed memory";
#endif
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  // A small pipe, so that the program waits for a reader that comes late.
  EXPECT_GE(fcntl(out[1], F_SETPIPE_SZ, 4096), 4096);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    execl(NOTSO_PROGRAM, NOTSO_PROGRAM, "generate", "-m", model().c_str(), "--prompt", "Hello",
          "-n", "2000", "--ignore-end", "--special", "--quiet", nullptr);
    _exit(127);
  }
  close(out[1]);
  std::vector<long> samples;
  std::array<char, 128> buffer;
  while (read(out[0], buffer.data(), buffer.size()) > 0) {
    if (const long now = resident_kb(child); now > 0) samples.push_back(now);
  }
  close(out[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ASSERT_GT(samples.size(), 10U);
  // Keys and values take 4 KiB a token, in pages of up to 2 MiB that appear as they are touched.
  constexpr long kKeysAndValuesKb = 2000 * 4 + 2048;
  const long growth = *std::max_element(samples.begin(), samples.end()) - samples.front();
  EXPECT_LT(growth, kKeysAndValuesKb + 1024);
}

}  // namespace
}  // namespace notso
