// Several models in one server: named by requests, switched under load, missing, broken.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "app/server_process.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Tokens of answers that are still on their way when their model is to go. Six of the shorter ones
// and four of the longer ones fit into the memory for keys and values.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kShorter = 200;
constexpr int kLonger = 200;
#else
constexpr int kShorter = 600;
constexpr int kLonger = 1300;
#endif

// Less than what ends the test from outside.
constexpr std::chrono::seconds kPatience{250};

class ServeModels : public ::testing::Test {
 protected:
  ServeModels() {
    std::string name = (fs::temp_directory_path() / "models_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    setenv("NOTSO_HOME", folder_.c_str(), 1);
    fs::create_directories(folder_ / "models");
  }
  ~ServeModels() override {
    fs::remove_all(folder_);
    unsetenv("NOTSO_HOME");
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / "models" / (name + ".gguf")).string();
  }
  void add_model(const std::string& name) const {
    EXPECT_EQ(run_program(NOTSO_PROGRAM, {"synth", path(name)}).exit_code, 0);
  }

  [[nodiscard]] static std::vector<std::string> flags(std::vector<std::string> more = {}) {
    std::vector<std::string> all = {
        "--port",          "0",         "--ctx", "1024",         "--kv-memory", "24M",
        "--no-kv-on-disk", "--threads", "1",     "--rate-limit", "0",           "--no-demo"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // Memory for one model, so that answers of alpha must be over before another one runs.
  [[nodiscard]] static std::vector<std::string> room_for_one(const std::string& drain_s) {
    return flags({"-m", "alpha", "--model-memory", "90M", "--drain-seconds", drain_s, "--ctx",
                  "4096", "--no-drafts"});
  }

  // A chat of so many tokens with a model.
  [[nodiscard]] static std::string chat(const std::string& model, int tokens, bool stream = false) {
    return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Hi"}],)" +
           R"("temperature":0,"ignore_eos":true,"max_tokens":)" + std::to_string(tokens) +
           (stream ? R"(,"stream":true})" : "}");
  }
  [[nodiscard]] static std::string ask(const ServerProcess& server, const std::string& model,
                                       int tokens = 2) {
    return server.fetch("POST", "/v1/chat/completions", chat(model, tokens));
  }
  [[nodiscard]] static std::string choose(const ServerProcess& server, const std::string& name,
                                          const std::string& headers = "") {
    return server.fetch("POST", "/model/choose", "name=" + name, headers);
  }

  // Waits until a page has this text.
  [[nodiscard]] static bool comes_to(const ServerProcess& server, const std::string& page,
                                     const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      if (server.fetch("GET", page).find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  // Streams of answers from the model that is chosen, and what they have read in the end. They all
  // run when it is made, unless one is over by then.
  class Load {
   public:
    Load(const ServerProcess& server, std::size_t count, int tokens) : texts_(count) {
      for (std::string& text : texts_) {
        threads_.emplace_back([this, &server, &text, tokens] {
          text = server.fetch("POST", "/v1/chat/completions", chat("", tokens, true));
          over_ = true;
        });
      }
      const auto running = "notso_http_streams " + std::to_string(count) + "\n";
      while (!over_ && server.fetch("GET", "/metrics").find(running) == std::string::npos) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
    [[nodiscard]] const std::vector<std::string>& wait() {
      for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
      }
      return texts_;
    }
    ~Load() { (void)wait(); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

   private:
    std::vector<std::string> texts_;
    std::atomic<bool> over_{false};
    std::vector<std::thread> threads_;
  };

  fs::path folder_;
};

TEST_F(ServeModels, ARequestLoadsTheModelThatItNames) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(flags({"-m", "alpha"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/v1/models"),
              AllOf(ContainsRegex("\"id\":\"alpha\"[^}]*\"loaded\":true"),
                    ContainsRegex("\"id\":\"beta\"[^}]*\"loaded\":false")));
  EXPECT_THAT(ask(server, "beta"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"model\":\"beta\"")));
  EXPECT_THAT(ask(server, "alpha.gguf"), HasSubstr("\"model\":\"alpha\""));
  EXPECT_THAT(ask(server, ""), HasSubstr("\"model\":\"alpha\""));
  EXPECT_THAT(ask(server, "gpt-4"),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("there are: alpha, beta")));
  EXPECT_THAT(ask(server, folder_.string() + "/models/beta.gguf"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(server.fetch("GET", "/v1/models"), Not(HasSubstr("\"loaded\":false")));
  EXPECT_THAT(server.fetch("GET", "/api/tags"), AllOf(HasSubstr("alpha"), HasSubstr("beta")));
  EXPECT_THAT(server.fetch("POST", "/api/show", R"({"model":"beta:latest"})"),
              HasSubstr("general.architecture"));
}

TEST_F(ServeModels, AModelThatNobodyUsesGoes) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(flags({"-m", "alpha", "--model-idle-seconds", "0.2"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(ask(server, "beta"), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(comes_to(server, "/v1/models", "\"loaded\":false"));
  EXPECT_THAT(server.fetch("GET", "/api/ps"), AllOf(HasSubstr("alpha"), Not(HasSubstr("beta"))));
  EXPECT_THAT(ask(server, "beta"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServeModels, ASwitchUnderLoadLosesNoAnswer) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(flags({"-m", "alpha"}));
  ASSERT_TRUE(server.wait_ready());
  Load load(server, 6, kShorter);
  EXPECT_THAT(choose(server, "beta"), StartsWith("HTTP/1.1 303 "));
  EXPECT_TRUE(comes_to(server, "/api/status", "\"name\":\"beta\""));
  EXPECT_THAT(ask(server, ""), HasSubstr("\"model\":\"beta\""));
  for (const std::string& text : load.wait()) {
    EXPECT_THAT(text, AllOf(HasSubstr("\"model\":\"alpha\""), Not(HasSubstr("\"model\":\"beta\"")),
                            HasSubstr("\"finish_reason\":\"length\""), HasSubstr("[DONE]")));
  }
}

TEST_F(ServeModels, WhereOnlyOneFitsInMemoryAnswersAreToldThatTheirModelGoes) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(room_for_one("0.01"));
  ASSERT_TRUE(server.wait_ready());
  Load load(server, 4, kLonger);
  EXPECT_THAT(choose(server, "beta"), StartsWith("HTTP/1.1 303 "));
  EXPECT_TRUE(comes_to(server, "/api/status", "\"name\":\"beta\""));
  std::size_t told_count = 0;
  for (const std::string& text : load.wait()) {
    const bool finished = text.find("\"finish_reason\":\"length\"") != std::string::npos;
    const bool told = text.find("changed to the model beta") != std::string::npos;
    EXPECT_TRUE(finished || told) << text;
    told_count += told ? 1 : 0;
    EXPECT_THAT(text, HasSubstr("[DONE]"));
  }
  EXPECT_GT(told_count, 0U);
  EXPECT_THAT(ask(server, ""), HasSubstr("\"model\":\"beta\""));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
}

TEST_F(ServeModels, AServerThatMakesRoomIsNotReady) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(room_for_one("250"));
  ASSERT_TRUE(server.wait_ready());
  Load load(server, 4, kLonger);
  EXPECT_THAT(choose(server, "beta"), StartsWith("HTTP/1.1 303 "));
  EXPECT_TRUE(comes_to(server, "/health", "making room for beta"));
  EXPECT_TRUE(comes_to(server, "/health", "\"ready\":true"));
  for (const std::string& text : load.wait()) {
    EXPECT_THAT(text, HasSubstr("\"finish_reason\":\"length\""));
  }
}

TEST_F(ServeModels, ManySwitchesUnderLoadAnswerEverybody) {
  for (const char* name : {"alpha", "beta", "gamma"}) add_model(name);
  ServerProcess server(flags({"-m", "alpha", "--model-idle-seconds", "0.05"}));
  ASSERT_TRUE(server.wait_ready());
  const auto named = [&](const std::string& name) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_THAT(ask(server, name, 20),
                  AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"completion_tokens\":20")));
    }
  };
  std::thread first([&] { named("beta"); });
  std::thread second([&] { named(""); });
  for (const char* name : {"beta", "gamma", "alpha", "gamma"}) {
    EXPECT_THAT(choose(server, name), StartsWith("HTTP/1.1 303 "));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
  }
  first.join();
  second.join();
  EXPECT_TRUE(comes_to(server, "/api/status", "\"name\":\"gamma\""));
}

TEST_F(ServeModels, AModelThatCannotBeLoadedLeavesTheOneBeforeAndSaysWhy) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(flags({"-m", "alpha"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/v1/models"), HasSubstr("beta"));
  // The header that was read stays good, the file does not.
  const auto time = fs::last_write_time(path("beta"));
  std::fstream(path("beta"), std::ios::in | std::ios::out | std::ios::binary) << "nonsense";
  fs::last_write_time(path("beta"), time);
  EXPECT_THAT(choose(server, "beta"), StartsWith("HTTP/1.1 303 "));
  EXPECT_TRUE(comes_to(server, "/health", "the model beta cannot be loaded"));
  EXPECT_THAT(server.fetch("GET", "/health"), HasSubstr("\"ready\":true"));
  EXPECT_THAT(server.fetch("GET", "/model"), HasSubstr("The model beta cannot be loaded"));
  EXPECT_THAT(ask(server, ""), HasSubstr("\"model\":\"alpha\""));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_end(), 0);
  EXPECT_THAT(server.log(), HasSubstr("ERROR the model beta cannot be loaded"));
}

TEST_F(ServeModels, AServerWithoutAModelOffersOneAndTakesTheFirstThatComes) {
  ServerProcess server(flags({"--offer", "Q6_K"}));
  ASSERT_TRUE(server.wait_ready());
  EXPECT_THAT(server.fetch("GET", "/health"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("there is no model yet")));
  EXPECT_THAT(ask(server, ""), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(server.fetch("GET", "/"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("There is no model on this machine"),
                    HasSubstr("name=\"name\" value=\"Q6_K\"")));
  add_model("alpha");
  EXPECT_THAT(choose(server, "alpha"), StartsWith("HTTP/1.1 303 "));
  EXPECT_TRUE(comes_to(server, "/health", "\"ready\":true"));
  EXPECT_THAT(ask(server, ""), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServeModels, OnlyTheServersOwnPageChangesModelsAndOnlyIfItMay) {
  add_model("alpha");
  add_model("beta");
  ServerProcess server(flags({"-m", "alpha"}));
  ASSERT_TRUE(server.wait_ready());
  for (const char* what : {"choose", "download", "cancel", "discard"}) {
    EXPECT_THAT(server.fetch("POST", std::string("/model/") + what, "name=beta",
                             "Origin: https://evil.example\r\n"),
                StartsWith("HTTP/1.1 403 "))
        << what;
  }
  EXPECT_THAT(choose(server, "no-such-model"),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("there is no model")));
  EXPECT_THAT(server.fetch("POST", "/model/download", "name=http://127.0.0.1/x.gguf"),
              StartsWith("HTTP/1.1 404 "));
  ServerProcess closed(flags({"-m", "alpha", "--no-manage-models"}));
  ASSERT_TRUE(closed.wait_ready());
  for (const char* what : {"choose", "download", "cancel", "discard"}) {
    EXPECT_THAT(closed.fetch("POST", std::string("/model/") + what, "name=beta"),
                AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("lets nobody change")))
        << what;
  }
  EXPECT_THAT(closed.fetch("GET", "/model"), Not(HasSubstr("/model/choose")));
}

}  // namespace
}  // namespace notso
