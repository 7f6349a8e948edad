// serve-bench on the command line, with the tiny model: every scenario gives its figures.
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServeBench : public ::testing::Test {
 protected:
  ServeBench() {
    std::string name = (fs::temp_directory_path() / "cli_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
  }
  ~ServeBench() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
  }

  static ProgramRun run(std::vector<std::string> more) {
    more.insert(more.begin(), {"serve-bench", "--synthetic", "tiny", "--kv-memory", "64"});
    return run_program(NOTSO_PROGRAM, more);
  }

  fs::path folder_;
};

TEST_F(ServeBench, LoadGivesItsPercentilesAsJson) {
  const auto done =
      run({"--requests", "4", "--rate", "200", "--prompt", "10", "--gen", "4", "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, StartsWith("{\"machine\":"));
  for (const char* name : {"load.first_token_p99", "load.between_tokens_p50", "load.queue_p95",
                           "load.tokens_per_second", "load.failed\",\"value\":0"}) {
    EXPECT_THAT(done.out, HasSubstr(name));
  }
}

TEST_F(ServeBench, TheScenariosOfAnEngineRun) {
  const auto done = run({"--scenario", "prefix,streams,drafts", "--rounds", "1", "--gen", "24"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  for (const char* name : {"prefix.warm_first_token", "prefix.restart_first_token",
                           "300 tokens from the disk", "streams.ratio", "drafts.quote_gain"}) {
    EXPECT_THAT(done.out, HasSubstr(name));
  }
}

TEST_F(ServeBench, AContextThatIsTooShortForAScenarioIsNamed) {
  const auto done = run({"--scenario", "gap", "--ctx", "512"});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("--ctx"));
}

}  // namespace
}  // namespace notso
