// Models on several threads: each backend has a team of its own, so backends run side by side, on
// one opened file, and a backend may move from thread to thread.
#include <gtest/gtest.h>
#include <thread>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/smollm3/model_file.h"
#include "ml/smollm3/runner.h"

namespace notso::smollm3 {
namespace {

TEST(Concurrency, BackendsRunSideBySideAndAgree) {
  const TempFile temp;
  ModelFile({}).write(temp.path());
  const auto tokens = some_tokens(40, 1);
  const std::string backend = backend_names().front();
  std::vector<Logits> results(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      Runner runner(temp.path(), {backend, 1 + i, KvType::kF16});
      Sequence sequence = runner.new_sequence();
      results[static_cast<std::size_t>(i)] = runner.feed(sequence, tokens, 9);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Concurrency, ABackendMayMoveBetweenThreads) {
  const TempFile temp;
  ModelFile({}).write(temp.path());
  const auto tokens = some_tokens(40, 2);
  Runner runner(temp.path(), {backend_names().front(), 4, KvType::kQ8_0});
  Sequence here = runner.new_sequence();
  const Logits expected = runner.feed(here, tokens, 40);
  Sequence moved = runner.new_sequence();
  Logits all;
  for (std::size_t at = 0; at < tokens.size(); at += 10) {
    std::thread([&] {
      for (auto& row : runner.feed(moved, std::span(tokens).subspan(at, 10), 10)) {
        all.push_back(std::move(row));
      }
    }).join();
  }
  EXPECT_EQ(all, expected);
}

}  // namespace
}  // namespace notso::smollm3
