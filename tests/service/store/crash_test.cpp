// Kills a process that writes, again and again, and looks at what is on the disk.

#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <set>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fixture.h"

namespace notso {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kKills = 8;
#else
constexpr int kKills = 50;
#endif
constexpr double kStartSecondsMax = 2;

// The program store_writer, its answers in a pipe.
class Writer {
 public:
  Writer(const std::string& path, const SessionId& id, int first) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    const std::string number = std::to_string(first);
    const std::array<const char*, 5> arguments = {NOTSO_STORE_WRITER, path.c_str(), id.c_str(),
                                                  number.c_str(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, NOTSO_STORE_WRITER, &actions, nullptr,
                          const_cast<char* const*>(arguments.data()), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    answers_ = fdopen(ends[0], "r");
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    kill_now();
    std::fclose(answers_);
  }

  // The next answer; "" at the end.
  std::string line() {
    std::array<char, 256> buffer{};
    const char* got = std::fgets(buffer.data(), static_cast<int>(buffer.size()), answers_);
    std::string out = got == nullptr ? "" : got;
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }

  void kill_now() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* answers_ = nullptr;
};

using Crashes = StoreTest;

TEST_F(Crashes, LoseNothingAcknowledgedAndDoubleNothing) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  int next = 0;
  std::set<std::string> acknowledged;
  for (int round = 0; round < kKills; ++round) {
    close();
    {
      Writer writer(options_.path, id, next);
      const auto note = [&](const std::string& line) {
        ASSERT_EQ(line.find("error"), std::string::npos) << line;
        acknowledged.insert("key " + line);
        next = std::stoi(line) + 1;
      };
      // Each round is killed somewhere else.
      for (int i = 0; i <= (round * 7) % 23; ++i) note(writer.line());
      writer.kill_now();
      // The last line may have been cut short.
      for (std::string line = writer.line(); !line.empty(); line = writer.line()) {
        if (line.find_first_not_of("0123456789") == std::string::npos) note(line);
      }
    }
    const std::clock_t before = std::clock();
    store = open();
    EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, kStartSecondsMax);
    ASSERT_TRUE(store_->health()) << store_->health().error().message;
    std::set<std::string> found;
    const auto all = store.messages("anna", id);
    for (const StoredMessage& message : *all) {
      EXPECT_TRUE(found.insert(message.client_key).second) << message.client_key << " twice";
      EXPECT_EQ("key" + message.message.content.substr(7), message.client_key);
    }
    for (const std::string& key : acknowledged) EXPECT_EQ(found.count(key), 1U) << key << " lost";
    EXPECT_EQ(store.get("anna", id)->message_count, static_cast<std::int64_t>(found.size()));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2)
      << "the store and its log, nothing set aside";
}

TEST_F(Crashes, ASecondProcessIsRefusedUntilTheFirstIsGone) {
  WaitingStore store = open();
  const SessionId id = store.create("anna", "Bread")->id;
  close();
  Writer writer(options_.path, id, 0);
  EXPECT_EQ(writer.line(), "0");
  store = open();
  EXPECT_EQ(code_of(store_->health()), ErrorCode::kUnavailable);
  const auto refused = store.create("anna", "Cheese");
  EXPECT_EQ(code_of(refused), ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().message,
            options_.path + " is in use by another process: end that one or choose another store");
  writer.kill_now();
  EXPECT_TRUE(store.create("anna", "Cheese"));
}

}  // namespace
}  // namespace notso
