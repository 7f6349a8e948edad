#include "service/engine/kv_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "service/engine/kv_test_pages.h"

namespace notso {
namespace {

constexpr std::size_t kBigPageBytes = std::size_t{64} << 20U;

// How many of the system's pages behind `page` are in memory.
std::size_t resident_pages(std::byte* page, std::size_t bytes) {
  std::vector<unsigned char> resident(bytes / 4096);
  EXPECT_EQ(::mincore(page, bytes, resident.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(resident.begin(), resident.end(), [](auto flags) { return flags & 1; }));
}

TEST(KvPages, takes_memory_only_where_a_page_is_written) {
  auto pages = KvPages::make(kBigPageBytes, 64 * kBigPageBytes);
  ASSERT_TRUE(pages);
  std::byte* const page = (*pages)->take();
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(resident_pages(page, kBigPageBytes), 0U);
  *page = std::byte{1};
  EXPECT_GT(resident_pages(page, kBigPageBytes), 0U);
}

TEST(KvPages, gives_memory_back_when_much_of_it_is_free) {
  auto pages = KvPages::make(kBigPageBytes, 4 * kBigPageBytes);
  ASSERT_TRUE(pages);
  std::byte* const first = (*pages)->take();
  std::byte* const second = (*pages)->take();
  *first = *second = std::byte{1};
  (*pages)->drop_user(first);
  (*pages)->drop_user(second);
  EXPECT_GT(resident_pages(first, kBigPageBytes), 0U);  // kept for the next one
  EXPECT_EQ(resident_pages(second, kBigPageBytes), 0U);
  (*pages)->release_free_memory();
  EXPECT_EQ(resident_pages(first, kBigPageBytes), 0U);
}

TEST(KvPages, uses_a_freed_page_again) {
  auto pages = KvPages::make(kTestPageBytes, 2 * kTestPageBytes);
  ASSERT_TRUE(pages);
  std::byte* const first = (*pages)->take();
  ASSERT_NE((*pages)->take(), nullptr);
  EXPECT_EQ((*pages)->take(), nullptr);
  (*pages)->keep(first);
  (*pages)->drop_user(first);
  EXPECT_EQ((*pages)->take(), nullptr);
  (*pages)->forget(first);
  EXPECT_EQ((*pages)->take(), first);
}

TEST(KvPages, a_refused_allocation_is_an_error_and_passes) {
  KvCacheOptions options = small_options(1);
  options.page_bytes = kBigPageBytes;
  options.bytes_max = 4 * kBigPageBytes;
  const auto cache = make_cache(options);
  KvSequence sequence = cache->open("", {}, 0);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &before), 0);
  const rlimit none = {1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &none), 0);
  const Status grown = cache->grow(sequence, 64);
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &before), 0);
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(sequence.positions(), 0);
  EXPECT_TRUE(cache->grow(sequence, 64));
}

}  // namespace
}  // namespace notso
