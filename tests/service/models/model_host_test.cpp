// Who runs, who answers, who goes: with models that only pretend.
#include "service/models/model_host.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace notso {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeModel final : public HostedModel {
 public:
  FakeModel(std::string path, std::uint64_t bytes, std::atomic<int>& alive)
      : path_(std::move(path)), bytes_(bytes), alive_(alive) {
    ++alive_;
  }
  ~FakeModel() override { --alive_; }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return bytes_; }
  [[nodiscard]] std::size_t busy() const override { return busy_; }
  void end_all(const std::string& why) override {
    const std::lock_guard lock(mutex_);
    ended_ = why;
    busy_ = 0;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  std::atomic<std::size_t> busy_{0};

 private:
  std::string path_;
  std::uint64_t bytes_;
  std::atomic<int>& alive_;
  mutable std::mutex mutex_;
  std::string ended_;
};

class ModelHostTest : public ::testing::Test {
 protected:
  // Every model takes 100 bytes.
  ModelHostOptions options() {
    ModelHostOptions options;
    options.load =
        [this](const std::string& path,
               const ModelHostOptions::Progress& progress) -> Result<std::shared_ptr<HostedModel>> {
      progress(1, 2);
      if (gate_.valid()) gate_.wait();
      const std::lock_guard lock(mutex_);
      if (broken_.count(path) > 0) return fail(ErrorCode::kInvalidArgument, path + " is broken");
      ++loads_;
      auto model = std::make_shared<FakeModel>(path, 100, alive_);
      model->busy_ = born_busy_.load();
      return model;
    };
    options.needed_bytes = [](const std::string&) { return std::uint64_t{100}; };
    options.available_bytes = [] { return std::uint64_t{1} << 40U; };
    options.name = [](const std::string& path) { return "'" + path + "'"; };
    options.idle_s_max = 0;
    options.drain_s_max = 0.05;
    return options;
  }

  // Waits for a choice or a use.
  static Result<std::shared_ptr<FakeModel>> wait(
      const std::function<void(ModelHost::Then)>& start) {
    auto given = std::make_shared<std::promise<Result<ModelHost::Model>>>();
    start([given](Result<ModelHost::Model> model) { given->set_value(std::move(model)); });
    auto model = given->get_future().get();
    if (!model) return pass_on(model);
    return std::static_pointer_cast<FakeModel>(*model);
  }
  static Result<std::shared_ptr<FakeModel>> choose(ModelHost& host, const std::string& path) {
    return wait([&](ModelHost::Then then) { host.choose(path, std::move(then)); });
  }
  static Result<std::shared_ptr<FakeModel>> use(ModelHost& host, const std::string& path) {
    return wait([&](ModelHost::Then then) { host.use(path, std::move(then)); });
  }
  static std::string chosen(ModelHost& host) {
    const auto model = host.chosen();
    return model ? std::static_pointer_cast<FakeModel>(*model)->path() : model.error().message;
  }
  static std::vector<std::string> running(const ModelHost& host) {
    std::vector<std::string> paths;
    for (const HostedState& model : host.view().models) {
      if (model.running) paths.push_back(model.path);
    }
    return paths;
  }
  // Waits until it is so; fails the test where it does not come to that.
  static void wait_until(const std::function<bool()>& so) {
    for (int i = 0; i < 4000 && !so(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(so());
  }
  void break_model(const std::string& path) {
    const std::lock_guard lock(mutex_);
    broken_.insert(path);
  }

  std::mutex mutex_;
  std::set<std::string> broken_;
  std::shared_future<void> gate_;  // loading waits for it
  std::atomic<int> alive_{0};
  std::atomic<int> loads_{0};
  std::atomic<std::size_t> born_busy_{0};  // of models that are loaded from now on
};

TEST_F(ModelHostTest, says_that_there_is_no_model_where_none_was_chosen) {
  ModelHost host(options());
  EXPECT_THAT(chosen(host), HasSubstr("there is no model yet"));
  EXPECT_THAT(host.view().models, IsEmpty());
}

TEST_F(ModelHostTest, the_model_before_answers_until_the_chosen_one_runs) {
  ModelHost host(options());
  ASSERT_TRUE(choose(host, "a"));
  std::promise<void> open;
  gate_ = open.get_future().share();
  host.choose("b");
  wait_until([&] {
    const auto models = host.view().models;
    return std::any_of(models.begin(), models.end(),
                       [](const auto& model) { return model.loading && model.percent == 50; });
  });
  EXPECT_EQ(chosen(host), "a");
  EXPECT_EQ(host.view().becoming, "b");
  open.set_value();
  wait_until([&] { return chosen(host) == "b"; });
  EXPECT_EQ(host.view().becoming, std::nullopt);
}

TEST_F(ModelHostTest, a_model_is_loaded_once_for_all_who_want_it) {
  ModelHost host(options());
  std::promise<void> open;
  gate_ = open.get_future().share();
  std::atomic<int> given{0};
  for (int i = 0; i < 5; ++i) {
    host.use("a", [&](const auto& model) { given += model ? 1 : 0; });
  }
  open.set_value();
  wait_until([&] { return given == 5; });
  EXPECT_EQ(loads_, 1);
  EXPECT_THAT(chosen(host), HasSubstr("there is no model yet"));
}

TEST_F(ModelHostTest, a_choice_that_fails_leaves_the_model_before_and_says_why) {
  ModelHost host(options());
  ASSERT_TRUE(choose(host, "a"));
  break_model("b");
  const auto refused = choose(host, "b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the model 'b' cannot be loaded: b is broken");
  EXPECT_EQ(chosen(host), "a");
  EXPECT_EQ(host.view().trouble, refused.error().message);
  // The next choice is a new one.
  ASSERT_TRUE(choose(host, "c"));
  EXPECT_EQ(host.view().trouble, "");
}

TEST_F(ModelHostTest, the_fallback_runs_where_the_first_choice_fails) {
  ModelHostOptions with_fallback = options();
  with_fallback.fallback = "demo";
  ModelHost host(with_fallback);
  break_model("a");
  EXPECT_FALSE(choose(host, "a"));
  wait_until([&] { return chosen(host) == "demo"; });
  EXPECT_THAT(host.view().trouble, HasSubstr("a is broken"));
}

TEST_F(ModelHostTest, a_fallback_that_fails_as_well_is_no_endless_loop) {
  ModelHostOptions with_fallback = options();
  with_fallback.fallback = "demo";
  ModelHost host(with_fallback);
  break_model("a");
  break_model("demo");
  EXPECT_FALSE(choose(host, "a"));
  wait_until([&] { return !host.view().becoming; });
  EXPECT_THAT(chosen(host), HasSubstr("demo is broken"));
}

TEST_F(ModelHostTest, a_model_beside_the_chosen_one_goes_when_nobody_uses_it) {
  ModelHostOptions with_idle = options();
  with_idle.idle_s_max = 0.05;
  ModelHost host(with_idle);
  ASSERT_TRUE(choose(host, "a"));
  born_busy_ = 1;
  auto other = use(host, "b");
  ASSERT_TRUE(other);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_THAT(running(host), ElementsAre("a", "b"));
  (*other)->busy_ = 0;
  wait_until([&] { return running(host).size() == 1; });
  // It is there for as long as somebody holds it.
  EXPECT_EQ(alive_, 2);
  other = fail(ErrorCode::kNotFound, "");
  wait_until([&] { return alive_ == 1; });
  EXPECT_EQ(chosen(host), "a");
}

TEST_F(ModelHostTest, an_idle_model_makes_room_for_one_that_is_asked_for_the_chosen_one_last) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 250;
  ModelHost host(small);
  ASSERT_TRUE(choose(host, "a"));
  ASSERT_TRUE(use(host, "b"));
  ASSERT_TRUE(use(host, "c"));
  EXPECT_THAT(running(host), ElementsAre("a", "c"));
  EXPECT_EQ(alive_, 2);
}

TEST_F(ModelHostTest, a_chosen_model_that_made_room_comes_back_when_it_is_asked_for) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 150;
  ModelHost host(small);
  ASSERT_TRUE(choose(host, "a"));
  ASSERT_TRUE(use(host, "b"));
  EXPECT_THAT(running(host), ElementsAre("b"));
  EXPECT_EQ(host.peek(), nullptr);
  wait_until([&] { return chosen(host) == "a"; });
  EXPECT_THAT(running(host), ElementsAre("a"));
}

TEST_F(ModelHostTest, naming_a_model_never_ends_the_answers_of_another) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 150;
  ModelHost host(small);
  const auto chosen_model = choose(host, "a");
  ASSERT_TRUE(chosen_model);
  (*chosen_model)->busy_ = 1;
  const auto refused = use(host, "b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("not enough memory"));
  EXPECT_EQ((*chosen_model)->ended(), "");
  EXPECT_EQ(chosen(host), "a");
}

TEST_F(ModelHostTest, a_choice_waits_for_answers_and_then_ends_them_with_the_reason) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 150;
  ModelHost host(small);
  auto before = choose(host, "a");
  ASSERT_TRUE(before);
  (*before)->busy_ = 1;
  std::promise<Result<ModelHost::Model>> given;
  host.choose("b", [&](auto model) { given.set_value(std::move(model)); });
  // While it waits, the one that has to go takes no more.
  wait_until([&] { return !host.chosen(); });
  EXPECT_THAT(chosen(host), HasSubstr("being loaded"));
  EXPECT_TRUE(host.view().draining);
  wait_until([&] { return !(*before)->ended().empty(); });
  EXPECT_THAT((*before)->ended(),
              AllOf(HasSubstr("changed to the model 'b'"), HasSubstr("ask again")));
  before = fail(ErrorCode::kNotFound, "");
  ASSERT_TRUE(given.get_future().get());
  EXPECT_EQ(chosen(host), "b");
  EXPECT_FALSE(host.view().draining);
  EXPECT_EQ(alive_, 1);
}

TEST_F(ModelHostTest,
       a_model_that_is_too_large_for_the_limit_is_refused_and_the_one_before_returns) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 150;
  small.needed_bytes = [](const std::string& path) {
    return std::uint64_t{path == "giant" ? 1000U : 100U};
  };
  ModelHost host(small);
  ASSERT_TRUE(choose(host, "a"));
  const auto refused = choose(host, "giant");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("raise model.memory_max"));
  wait_until([&] { return chosen(host) == "a"; });
}

TEST_F(ModelHostTest, tells_who_waits_that_the_server_stops) {
  ModelHost host(options());
  std::promise<void> open;
  gate_ = open.get_future().share();
  host.choose("a");
  wait_until([&] { return !host.view().models.empty(); });
  std::promise<Result<ModelHost::Model>> given;
  host.use("b", [&](auto model) { given.set_value(std::move(model)); });
  std::thread stopper([&] { host.stop(); });
  const auto refused = given.get_future().get();
  EXPECT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("stopping"));
  open.set_value();
  stopper.join();
  EXPECT_EQ(alive_, 0);
  EXPECT_THAT(chosen(host), HasSubstr("stopping"));
}

TEST_F(ModelHostTest, many_threads_choose_and_use_without_a_lost_call) {
  ModelHostOptions small = options();
  small.memory_bytes_max = 350;
  small.idle_s_max = 0.01;
  ModelHost host(small);
  ASSERT_TRUE(choose(host, "a"));
  std::atomic<int> answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string path(1, static_cast<char>('a' + (i * 7 + t) % 5));
        const auto count = [&](const auto& /*model*/) { ++answers; };
        if (i % 5 == 0) {
          host.choose(path, count);
        } else {
          host.use(path, count);
        }
        (void)host.view();
        (void)host.chosen();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  wait_until([&] { return answers == 200; });
  host.stop();
  EXPECT_EQ(alive_, 0);
}

}  // namespace
}  // namespace notso
