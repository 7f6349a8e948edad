// notso config and notso key on the command line.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/program.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SettingsCommands : public ::testing::Test {
 protected:
  SettingsCommands() {
    std::string name = (fs::temp_directory_path() / "config_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
  }
  ~SettingsCommands() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
    unsetenv("NOTSO_PORT");
  }

  [[nodiscard]] static ProgramRun run(const std::vector<std::string>& arguments) {
    return run_program(NOTSO_PROGRAM, arguments);
  }

  fs::path folder_;
};

TEST_F(SettingsCommands, ConfigShowsEachValueAndItsOrigin) {
  std::ofstream(folder_ / "config.toml") << "[model]\nthreads = 7\n";
  setenv("NOTSO_PORT", "8080", 1);
  const ProgramRun shown = run({"config", "--ctx", "2048", "--no-drafts"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, ContainsRegex("server\\.port += 8080 +# environment NOTSO_PORT\n"));
  EXPECT_THAT(shown.out, ContainsRegex("model\\.threads += 7 +# .*config\\.toml:2\n"));
  EXPECT_THAT(shown.out, ContainsRegex("model\\.context += 2048 +# flag --ctx\n"));
  EXPECT_THAT(shown.out, ContainsRegex("engine\\.drafts += false +# flag --drafts\n"));
  EXPECT_THAT(shown.out, ContainsRegex("server\\.host += \"127\\.0\\.0\\.1\" +# default\n"));
  const ProgramRun json = run({"config", "--json"});
  EXPECT_THAT(json.out, HasSubstr("\"server.port\": {\"value\": 8080, "
                                  "\"source\": \"environment NOTSO_PORT\"}"));
}

TEST_F(SettingsCommands, AVariableThatIsNoSettingIsNamed) {
  setenv("NOTSO_PROT", "8080", 1);
  const ProgramRun shown = run({"config"});
  unsetenv("NOTSO_PROT");
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_EQ(shown.err,
            "notso: the environment's NOTSO_PROT is no setting; did you mean NOTSO_PORT?\n");
}

TEST_F(SettingsCommands, AWrongFlagIsExitCodeTwoAndAWrongFileOne) {
  const ProgramRun flag = run({"config", "--port", "99999"});
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_THAT(flag.err, AllOf(HasSubstr("--port"), HasSubstr("0 to 65535")));
  EXPECT_EQ(run({"config", "--no-such"}).exit_code, 2);
  std::ofstream(folder_ / "config.toml") << "[server]\nprot = 1\n";
  const ProgramRun file = run({"config"});
  EXPECT_EQ(file.exit_code, 1);
  EXPECT_THAT(file.err, AllOf(StartsWith("notso: "), HasSubstr("config.toml:2: "),
                              HasSubstr("did you mean 'server.port'?")));
}

TEST_F(SettingsCommands, AForgottenValueIsExitCodeTwoAndAnEmptyOneIsTaken) {
  const std::vector<std::vector<std::string>> forgotten = {
      {"--port"}, {"--host"},     {"--api-keys", "--host", "0.0.0.0"}, {"--api-keys", "-p", "80"},
      {"--ctx="}, {"--port", ""}, {"--model-name", "--no-drafts"},     {"--allow-host"},
  };
  for (std::vector<std::string> arguments : forgotten) {
    arguments.insert(arguments.begin(), "config");
    const ProgramRun run_without = run(arguments);
    EXPECT_EQ(run_without.exit_code, 2) << arguments[1] << run_without.out;
  }
  const ProgramRun taken = run({"config", "--model-name", "", "--no-drafts", "--ctx=2048"});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_THAT(taken.out, ContainsRegex("model\\.name += \"\" +# flag --model-name\n"));
  EXPECT_THAT(taken.out, ContainsRegex("engine\\.drafts += false +# flag --drafts\n"));
}

TEST_F(SettingsCommands, TheFileOfDefaultsIsOneThatConfigTakes) {
  const ProgramRun defaults = run({"config", "--defaults"});
  std::ofstream(folder_ / "config.toml") << defaults.out;
  const ProgramRun shown = run({"config"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, Not(HasSubstr("config.toml:")));
}

TEST_F(SettingsCommands, AKeyIsShownOnceAndKeptAsAHash) {
  const ProgramRun added = run({"key", "add", "alice"});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_THAT(added.out, ContainsRegex("^notso-[a-z2-9]{52}\n$"));
  std::ifstream file(folder_ / "keys");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(text, HasSubstr("\nalice "));
  EXPECT_THAT(text, Not(HasSubstr(added.out.substr(6, 52))));
  struct stat facts {};
  ASSERT_EQ(stat((folder_ / "keys").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_THAT(run({"key", "list"}).out, ContainsRegex("^alice +made [0-9T:Z-]+ "));
}

TEST_F(SettingsCommands, AKeyThatCannotBeShownIsTakenBack) {
  const ProgramRun unseen = run_without_output(NOTSO_PROGRAM, {"key", "add", "alice"});
  EXPECT_EQ(unseen.exit_code, 1);
  EXPECT_THAT(unseen.err, HasSubstr("The key of 'alice' is taken back"));
  EXPECT_THAT(run({"key", "list"}).out, Not(HasSubstr("alice")));
  EXPECT_EQ(run({"key", "add", "alice"}).exit_code, 0);
}

TEST_F(SettingsCommands, AKeyIsRevokedByName) {
  EXPECT_EQ(run({"key", "add", "alice"}).exit_code, 0);
  EXPECT_EQ(run({"key", "add", "alice"}).exit_code, 1);
  EXPECT_EQ(run({"key", "revoke", "bob"}).exit_code, 1);
  EXPECT_EQ(run({"key", "revoke", "alice"}).exit_code, 0);
  EXPECT_THAT(run({"key", "list"}).err, HasSubstr("0 keys in "));
  EXPECT_EQ(run({"key"}).exit_code, 2);
  EXPECT_EQ(run({"key", "add"}).exit_code, 2);
}

TEST_F(SettingsCommands, TheKeysFileIsTheConfiguredOneOrTheFlags) {
  const std::string named = (folder_ / "sub" / "named").string();
  EXPECT_EQ(run({"key", "--api-keys", named, "add", "a"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(named));
  std::ofstream(folder_ / "config.toml")
      << "[access]\nkeys_file = \"" << (folder_ / "other").string() << "\"\n";
  EXPECT_EQ(run({"key", "add", "a"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "other"));
}

}  // namespace
}  // namespace notso
