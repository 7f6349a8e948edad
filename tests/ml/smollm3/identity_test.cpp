// Results do not depend on company: a token's logits have the same bits whatever else is in its
// step, however its prompt was cut, on any number of threads, and from shared or copied pages. On
// every kernel table of this machine and the reference, for both types of keys and values.
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/smollm3/model_file.h"
#include "ml/smollm3/runner.h"

namespace notso::smollm3 {
namespace {

struct Where {
  std::string backend;
  KvType kv_type;
};

std::vector<Where> everywhere() {
  std::vector<Where> all;
  for (const std::string& backend : backend_names()) {
    all.push_back({backend, KvType::kF16});
    all.push_back({backend, KvType::kQ8_0});
  }
  return all;
}

void expect_same_bits(const Logits& logits, const Logits& expected, const std::string& what) {
  ASSERT_EQ(logits.size(), expected.size()) << what;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    ASSERT_EQ(std::memcmp(logits[i].data(), expected[i].data(), expected[i].size() * sizeof(float)),
              0)
        << what << ", row " << i;
  }
}

class Identity : public ::testing::TestWithParam<Where> {
 protected:
  Identity() { ModelFile({}).write(temp_.path()); }

  Runner runner(int threads = 2) {
    return {temp_.path(), {GetParam().backend, threads, GetParam().kv_type}};
  }

  TempFile temp_;
};

TEST_P(Identity, AnyCutOfAPromptGivesTheSameLogits) {
  const auto tokens = some_tokens(130, 1);
  Runner model = runner();
  Sequence whole = model.new_sequence();
  const Logits expected = model.feed(whole, tokens, tokens.size());
  for (const std::size_t chunk : {1, 3, 64, 100}) {
    Sequence cut = model.new_sequence();
    expect_same_bits(model.feed(cut, tokens, chunk), expected,
                     "steps of " + std::to_string(chunk) + " rows");
  }
}

TEST_P(Identity, AnyNumberOfThreadsGivesTheSameLogits) {
  const auto tokens = some_tokens(90, 2);
  Logits expected;
  for (int threads = 1; threads <= 4; ++threads) {
    Runner model = runner(threads);
    Sequence sequence = model.new_sequence();
    const Logits logits = model.feed(sequence, tokens, 45);
    if (threads == 1) expected = logits;
    expect_same_bits(logits, expected, std::to_string(threads) + " threads");
  }
}

// A step in which the target's one row is among `rows - 1` rows of other sequences: single tokens
// at many positions and, where there is room, parts of prompts before and behind it.
void expect_logits_in_company(Runner& model, const Sequence& target, std::int32_t token,
                              std::size_t rows, const Logits& expected) {
  const std::size_t prompt_rows = rows > 100 ? 200 : 0;
  const std::size_t singles = rows - 1 - 2 * prompt_rows;
  const auto tokens = some_tokens(rows, rows);
  std::vector<Sequence> sequences;
  for (std::size_t i = 0; i < singles + 3; ++i) sequences.push_back(model.new_sequence());
  sequences[0] = model.fork(target);
  std::vector<Part> parts;
  const auto part = [&](std::size_t sequence, std::size_t count) {
    if (count > 0) parts.push_back({&sequences[sequence], std::span(tokens).first(count)});
  };
  part(1, prompt_rows);
  for (std::size_t i = 0; i < singles / 2; ++i) part(3 + i, 1);
  parts.push_back({sequences.data(), {&token, 1}});
  const auto row = static_cast<std::int32_t>(prompt_rows + singles / 2);
  for (std::size_t i = singles / 2; i < singles; ++i) part(3 + i, 1);
  part(2, prompt_rows);
  for (std::size_t i = 0; i < singles; ++i) {  // singles have pasts of different lengths
    if (i < 8) model.feed(sequences[3 + i], std::span(tokens).first(i + 1), 8);
  }
  expect_same_bits(model.step(parts, {{row}}), expected, "among " + std::to_string(rows) + " rows");
}

TEST_P(Identity, RowsOfOtherSequencesInTheStepChangeNothing) {
  const auto past = some_tokens(70, 3);
  const std::int32_t token = 42;
  Runner model = runner();
  Sequence target = model.new_sequence();
  model.feed(target, past, 70);
  Sequence alone = model.fork(target);
  const Logits expected = model.feed(alone, {&token, 1}, 1);
  for (const std::size_t rows : {3, 8, 512}) {
    expect_logits_in_company(model, target, token, rows, expected);
  }
}

TEST_P(Identity, SharedPagesGiveTheSameLogitsAsOwnOnes) {
  const auto prefix = some_tokens(64, 4);
  const auto left = some_tokens(20, 5);
  const auto right = some_tokens(20, 6);
  Runner model = runner();
  Sequence first = model.new_sequence();
  model.feed(first, prefix, 64);
  Sequence second = model.fork(first);
  ASSERT_EQ(first.pages[0], second.pages[0]);
  std::vector<std::int32_t> outputs(40);
  std::iota(outputs.begin(), outputs.end(), 0);
  const Logits together = model.step(std::vector<Part>{{&first, left}, {&second, right}}, outputs);

  Logits expected;
  for (const auto& tokens : {left, right}) {
    Sequence own = model.new_sequence();
    model.feed(own, prefix, 64);
    for (auto& row : model.feed(own, tokens, 20)) expected.push_back(row);
  }
  expect_same_bits(together, expected, "a shared page");
}

TEST_P(Identity, AForkOfAHalfFullPageGoesItsOwnWay) {
  const auto prefix = some_tokens(100, 7);
  const auto left = some_tokens(40, 8);
  const auto right = some_tokens(40, 9);
  Runner model = runner();
  Sequence first = model.new_sequence();
  model.feed(first, prefix, 100);
  Sequence second = model.fork(first);
  const Logits a = model.feed(first, left, 40);
  const Logits b = model.feed(second, right, 7);

  Sequence own = model.new_sequence();
  model.feed(own, prefix, 33);
  expect_same_bits(model.feed(own, right, 40), b, "a fork");
  Sequence other = model.new_sequence();
  model.feed(other, prefix, 33);
  expect_same_bits(model.feed(other, left, 40), a, "what was forked from");
}

TEST_P(Identity, RewritingPositionsGivesTheSameLogitsAsAFreshStart) {
  const auto prompt = some_tokens(70, 10);
  const auto draft = some_tokens(12, 11);
  const auto kept = some_tokens(12, 12);
  Runner model = runner();
  Sequence sequence = model.new_sequence();
  model.feed(sequence, prompt, 70);
  model.feed(sequence, draft, 12);
  sequence.position = 70;
  const Logits again = model.feed(sequence, kept, 5);

  Sequence fresh = model.new_sequence();
  model.feed(fresh, prompt, 70);
  expect_same_bits(again, model.feed(fresh, kept, 12), "a rejected draft");
}

TEST_P(Identity, AnyChoiceOfOutputRowsGivesTheSameLogits) {
  const auto long_tokens = some_tokens(50, 13);
  const auto short_tokens = some_tokens(9, 14);
  Runner model = runner();
  const auto run = [&](std::span<const std::int32_t> outputs) {
    Sequence a = model.new_sequence();
    Sequence b = model.new_sequence();
    Sequence c = model.new_sequence();
    return model.step(std::vector<Part>{{&a, long_tokens}, {&b, short_tokens}, {&c, short_tokens}},
                      outputs);
  };
  std::vector<std::int32_t> all(68);
  std::iota(all.begin(), all.end(), 0);
  const Logits expected = run(all);
  for (const std::vector<std::int32_t>& rows :
       {std::vector<std::int32_t>{67}, {0}, {49, 58, 67}, {0, 1, 30, 50, 51, 66}, {}}) {
    Logits chosen;
    for (const std::int32_t row : rows) chosen.push_back(expected[static_cast<std::size_t>(row)]);
    expect_same_bits(run(rows), chosen, std::to_string(rows.size()) + " output rows");
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Identity, ::testing::ValuesIn(everywhere()),
                         [](const auto& where) {
                           return where.param.backend +
                                  (where.param.kv_type == KvType::kF16 ? "_f16" : "_q8_0");
                         });

}  // namespace
}  // namespace notso::smollm3
