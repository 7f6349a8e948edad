// What the engine's steps take from the heap, and what happens where it has nothing left.
#include <gtest/gtest.h>
#include <utility>

#include "allocation_count.h"
#include "service/engine/loop_fixture.h"

namespace notso {
namespace {

class AllocationTest : public LoopTest {
 protected:
  static constexpr std::int32_t kPromptSize = 100;

  // Once the last token of a prompt has been read, the next allocation fails: the cache's, for the
  // prompt's last page. The clock is asked right after the model has run.
  void fail_at_the_end_of_the_prompt() {
    model_.before_step = [this](const StepInput& input) {
      const SequenceRows& rows = input.rows.sequences[0];
      is_last_step_ = rows.first_position + rows.row_count == kPromptSize;
    };
    options_.clock = [this, clock = model_.clock()] {
      if (is_last_step_ && !std::exchange(has_failed_, true)) next_allocation_fails = true;
      return clock();
    };
    loop_ = std::move(*EngineLoop::make(model_, options_));
  }

  bool is_last_step_ = false;
  bool has_failed_ = false;
};

TEST_F(AllocationTest, ADecodingStepAllocatesNothing) {
  const auto outcome = add({.prompt_size = 70, .script = {.tokens_max = 900}, .drafts = false});
  outcome->tokens.reserve(1000);
  outcome->times_s.reserve(1000);
  while (outcome->tokens.size() < 10) loop_->step();
  const std::size_t before = allocation_count;
  for (int i = 0; i < 40; ++i) loop_->step();
  EXPECT_EQ(allocation_count - before, 0U);
  EXPECT_EQ(outcome->tokens.size(), 50U);
}

TEST_F(AllocationTest, APromptThatFoundNoMemoryAtItsEndIsAnsweredAllTheSame) {
  fail_at_the_end_of_the_prompt();
  const Ask ask{.prompt_size = kPromptSize};
  const auto outcome = add(ask);
  run_to_end();
  EXPECT_TRUE(has_failed_ && !next_allocation_fails);
  EXPECT_EQ(outcome->tokens, alone(ask));
  EXPECT_EQ(loop_->stats().pages_used, 0U);
}

TEST_F(AllocationTest, APromptThatIsOnlyReadAndFoundNoMemoryAtItsEndComesToIt) {
  fail_at_the_end_of_the_prompt();
  EngineRequest request;
  request.prompt = made_up_prompt(kPromptSize, 1);
  loop_->add(1, std::move(request), 0);
  run_to_end();
  EXPECT_TRUE(has_failed_ && !next_allocation_fails);
  EXPECT_EQ(loop_->stats().done, 1U);
}

}  // namespace
}  // namespace notso
