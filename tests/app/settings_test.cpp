// Settings: where they come from, which place wins, and what a wrong one says.
#include "app/settings.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A folder for configuration files, and an environment of the test's own.
class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    std::string name = (fs::temp_directory_path() / "settings_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    variables_["NOTSO_HOME"] = folder_.string();
  }
  ~SettingsTest() override { fs::remove_all(folder_); }

  // Writes the configuration file that is found by itself; returns its path.
  std::string write(const std::string& text, const std::string& name = "config.toml") const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  [[nodiscard]] Result<ResolvedSettings> resolve(const std::string& config = "") const {
    return resolve_settings(
        flags_,
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables_.find(name);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        config);
  }

  // The message of the error that resolving gives.
  [[nodiscard]] std::string refusal() const {
    const auto resolved = resolve();
    return resolved ? "" : resolved.error().message;
  }

  fs::path folder_;
  std::map<std::string, std::string> variables_;
  FlagValues flags_;
};

TEST_F(SettingsTest, WithoutAnythingTheDefaultsHold) {
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->settings.host, "127.0.0.1");
  EXPECT_EQ(resolved->settings.port, 3000);
  EXPECT_EQ(resolved->sources.at("server.port"), "default");
  EXPECT_EQ(resolved->config_path, "");
}

TEST_F(SettingsTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const std::string path = write("[server]\nport = 1\nhost = \"file\"\nthreads = 3\n");
  variables_["NOTSO_PORT"] = "2";
  variables_["NOTSO_HOST"] = "environment";
  flags_["server.port"] = {"3"};
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->settings.port, 3);
  EXPECT_EQ(resolved->settings.host, "environment");
  EXPECT_EQ(resolved->settings.http_threads, 3);
  EXPECT_EQ(resolved->sources.at("server.port"), "flag --port");
  EXPECT_EQ(resolved->sources.at("server.host"), "environment NOTSO_HOST");
  EXPECT_EQ(resolved->sources.at("server.threads"), path + ":4");
}

TEST_F(SettingsTest, TheWellKnownVariablesWorkAndOurOwnGoBeforeThem) {
  variables_["PORT"] = "8080";
  variables_["HOST"] = "0.0.0.0";
  variables_["MODEL_PATH"] = "a.gguf";
  variables_["TOKENIZER_PATH"] = "tokenizer.json";
  variables_["NOTSO_HOST"] = "::1";
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->settings.port, 8080);
  EXPECT_EQ(resolved->settings.host, "::1");
  EXPECT_EQ(resolved->settings.model_path, "a.gguf");
  EXPECT_EQ(resolved->settings.tokenizer_path, "tokenizer.json");
  EXPECT_EQ(resolved->sources.at("model.path"), "environment MODEL_PATH");
}

TEST_F(SettingsTest, AnEmptyVariableSaysNothing) {
  variables_["NOTSO_PORT"] = "";
  variables_["PORT"] = "8080";
  variables_["NOTSO_HOST"] = "";
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->settings.port, 8080);
  EXPECT_EQ(resolved->settings.host, "127.0.0.1");
  EXPECT_EQ(resolved->sources.at("server.port"), "environment PORT");
}

TEST_F(SettingsTest, AnEmptyAddressIsRefusedWithThePlaceThatSaysSo) {
  flags_["server.host"] = {""};
  EXPECT_THAT(refusal(), StartsWith("flag --host: server.host is empty"));
  flags_.clear();
  const std::string path = write("[server]\nhost = \"\"\n");
  EXPECT_THAT(refusal(), StartsWith(path + ":2: server.host is empty"));
}

TEST_F(SettingsTest, EveryTypeOfValueIsRead) {
  write(
      "[server]\nallowed_hosts = [\"a.example\", \"b.example\"]\nidle_seconds_max = 1.5\n"
      "behind_proxy = true\nbody_max = 65536\n[engine]\nkv_memory = \"2G\"\ndrafts = false\n"
      "[log]\nformat = \"json\"\n");
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  const Settings& settings = resolved->settings;
  EXPECT_THAT(settings.allowed_hosts, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(settings.idle_seconds_max, 1.5);
  EXPECT_TRUE(settings.behind_proxy);
  EXPECT_EQ(settings.body_max.bytes, 65536U);
  EXPECT_EQ(settings.kv_memory.bytes, std::uint64_t{2} << 30U);
  EXPECT_FALSE(settings.drafts);
  EXPECT_EQ(settings.log_format, "json");
}

TEST_F(SettingsTest, AListComesFromSeveralFlagsOrFromCommas) {
  flags_["server.allowed_hosts"] = {"a.example", "b.example"};
  variables_["NOTSO_TRUSTED_PROXY"] = "172.17.0.1,10.0.0.0/8";
  variables_["NOTSO_CORS_ORIGIN"] = "https://a.example, https://b.example";
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_THAT(resolved->settings.allowed_hosts, ElementsAre("a.example", "b.example"));
  EXPECT_THAT(resolved->settings.trusted_proxies, ElementsAre("172.17.0.1", "10.0.0.0/8"));
  EXPECT_THAT(resolved->settings.cors_origins,
              ElementsAre("https://a.example", "https://b.example"));
}

TEST_F(SettingsTest, TheFileIsTheFirstThatExists) {
  variables_["XDG_CONFIG_HOME"] = folder_ / "xdg";
  variables_["NOTSO_HOME"] = folder_ / "own";
  const std::string second = write("[server]\nport = 2\n", "xdg/notso/config.toml");
  EXPECT_EQ(resolve()->config_path, second);
  const std::string first = write("[server]\nport = 1\n", "own/config.toml");
  EXPECT_EQ(resolve()->config_path, first);
  const std::string named = write("[server]\nport = 3\n", "named.toml");
  EXPECT_EQ(resolve(named)->settings.port, 3);
  variables_["NOTSO_CONFIG"] = named;
  EXPECT_EQ(resolve()->settings.port, 3);
}

TEST_F(SettingsTest, AFileThatIsNamedMustExist) {
  const auto resolved = resolve("no/such.toml");
  ASSERT_FALSE(resolved);
  EXPECT_THAT(resolved.error().message, HasSubstr("no configuration file 'no/such.toml'"));
}

TEST_F(SettingsTest, AnUnknownNameIsAnErrorWithItsLineAndTheNearestName) {
  const std::string path = write("[server]\nhost = \"::1\"\nprot = 1\n");
  EXPECT_THAT(refusal(), AllOf(StartsWith(path + ":3: there is no setting 'server.prot'"),
                               HasSubstr("did you mean 'server.port'?")));
  write("[sever]\nport = 1\n");
  EXPECT_THAT(refusal(), HasSubstr("did you mean 'server.port'?"));
  write("colour = 1\n");
  EXPECT_THAT(refusal(), HasSubstr("there is no setting 'colour'; `notso config --defaults`"));
}

TEST_F(SettingsTest, AWrongValueIsAnErrorThatSaysWhereAndWhatMayBe) {
  const std::string path = write("[server]\nport = 99999\n");
  EXPECT_EQ(refusal(), path + ":2: 'server.port': \"99999\" is not a whole number from 0 to 65535");
  write("[server]\nport = \"many\"\n");
  EXPECT_THAT(refusal(), HasSubstr("\"many\" is not a whole number"));
  write("[server]\nport = [1]\n");
  EXPECT_THAT(refusal(), HasSubstr("'server.port' must be a whole number"));
  write("[log]\nlevel = \"loud\"\n");
  EXPECT_THAT(refusal(), HasSubstr("\"loud\" is not debug, info, warning or error"));
  write("[access]\nrate_limit = nan\n");
  EXPECT_THAT(refusal(), HasSubstr("is not a number from 0"));
  write("[server]\nport = \n");
  EXPECT_THAT(refusal(), HasSubstr(path + ":2: this is not TOML"));
  fs::remove(path);
  variables_["PORT"] = "-1";
  EXPECT_THAT(refusal(), StartsWith("the environment's PORT: \"-1\" is not a whole number"));
  flags_["engine.kv_memory"] = {"much"};
  variables_.erase("PORT");
  EXPECT_THAT(refusal(), HasSubstr("--kv-memory: \"much\" is not a size from 0"));
}

TEST_F(SettingsTest, ACertificateWithoutItsKeyIsRefused) {
  flags_["server.tls_certificate"] = {"cert.pem"};
  EXPECT_THAT(refusal(), HasSubstr("--tls-cert and --tls-key go together"));
}

TEST_F(SettingsTest, SizesAreReadWithAndWithoutUnits) {
  const auto bytes = [&](const std::string& text) {
    flags_["engine.kv_memory"] = {text};
    const auto resolved = resolve();
    return resolved ? resolved->settings.kv_memory.bytes : 1;
  };
  EXPECT_EQ(bytes("0"), 0U);
  EXPECT_EQ(bytes("123"), 123U);
  EXPECT_EQ(bytes("4K"), 4096U);
  EXPECT_EQ(bytes("1.5G"), 1'610'612'736U);
  EXPECT_EQ(bytes("512 MiB"), 536'870'912U);
  EXPECT_EQ(bytes("2g"), 2'147'483'648U);
  for (const char* wrong : {"-1", "1e30", "G", "1X", "nan", "inf", "1 2"}) {
    EXPECT_EQ(bytes(wrong), 1U) << wrong;
  }
}

TEST_F(SettingsTest, TheFileOfDefaultsReadsBackAsTheDefaults) {
  std::string text = default_config_toml();
  for (std::size_t at = 0; (at = text.find("\n#", at)) != std::string::npos; ++at) {
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  }
  const std::string path = write(text);
  const auto resolved = resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  const Settings defaults;
  for (const SettingInfo& info : setting_table()) {
    EXPECT_EQ(setting_text(resolved->settings, info), setting_text(defaults, info)) << info.key;
    EXPECT_THAT(resolved->sources.at(info.key), StartsWith(path + ":"));
  }
}

TEST_F(SettingsTest, AllNamesInTheTableAreDifferentAndDefaultsAreInRange) {
  std::set<std::string> names;
  for (const SettingInfo& info : setting_table()) {
    EXPECT_TRUE(names.insert(info.key).second) << info.key;
    EXPECT_TRUE(names.insert(info.flag).second) << info.flag;
    EXPECT_TRUE(names.insert(environment_name(info)).second) << info.flag;
    Settings settings;
    if (std::string(setting_text(settings, info)).empty()) continue;
    const auto set = set_setting(settings, info, setting_text(settings, info));
    EXPECT_TRUE(set) << info.key << ": " << set.error().message;
  }
}

TEST(Documentation, TheTablesOfConfigurationMdAreThoseOfTheProgram) {
  std::ifstream file(NOTSO_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find(settings_markdown()), std::string::npos)
      << "replace the tables of docs/configuration.md by the output of `notso config --markdown`";
}

}  // namespace
}  // namespace notso
