// Steps allocate nothing: neither through operator new nor through malloc and its relatives, which
// the program replaces with counting ones where no sanitizer needs its own.
#include <gtest/gtest.h>

#include "allocation_count.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/smollm3/model_file.h"
#include "ml/smollm3/runner.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++notso::allocation_count;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++notso::allocation_count;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++notso::allocation_count;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++notso::allocation_count;
  return __libc_memalign(alignment, size);
}
}
constexpr int kCountsOfAlignedAlloc = 1;
#else
constexpr int kCountsOfAlignedAlloc = 0;
#endif

namespace notso::smollm3 {
namespace {

TEST(Allocation, TheCountersSeeEveryWay) {
  const auto count = [](const auto& allocate) {
    const std::size_t before = allocation_count;
    allocate();
    return allocation_count - before;
  };
  volatile std::size_t bytes = 128;
  EXPECT_GE(count([&] { ::operator delete(::operator new(bytes)); }), 1U);
  EXPECT_EQ(count([&] { std::free(std::aligned_alloc(64, bytes)); }), kCountsOfAlignedAlloc);
}

// Forward as the engine calls it, with everything made beforehand.
std::size_t allocations_of_step(Model& model, Sequence& sequence,
                                std::span<const std::int32_t> tokens) {
  const auto rows = static_cast<std::int32_t>(tokens.size());
  const SequenceRows part{sequence.pages, sequence.position, 0, rows};
  const std::int32_t last = rows - 1;
  std::vector<float> logits(static_cast<std::size_t>(model.config().vocab));
  const std::size_t before = allocation_count;
  model.forward({tokens, {{&part, 1}, rows}, {&last, 1}}, logits);
  const std::size_t after = allocation_count;
  sequence.position += rows;
  return after - before;
}

TEST(Allocation, NoStepAllocatesOnAnyKernelTable) {
  const TempFile temp;
  ModelFile({}).write(temp.path());
  const auto prompt = some_tokens(200, 1);
  for (const std::string& backend : backend_names()) {
    if (backend == "reference") continue;  // plain rather than fast: it allocates
    for (const KvType kv_type : {KvType::kF16, KvType::kQ8_0}) {
      Runner runner(temp.path(), {backend, 2, kv_type});
      Sequence sequence = runner.new_sequence();
      EXPECT_EQ(allocations_of_step(runner.model(), sequence, prompt), 0U) << backend;
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(allocations_of_step(runner.model(), sequence, std::span(prompt).first(1)), 0U)
            << backend << ", token " << i;
      }
    }
  }
}

}  // namespace
}  // namespace notso::smollm3
