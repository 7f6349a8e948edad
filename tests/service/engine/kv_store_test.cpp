// Pages on disk: what is written when, what comes back, and what every kind of damage leads to.
#include "service/engine/kv_store.h"

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>

#include "service/engine/kv_checksum.h"
#include "service/engine/kv_file_header.h"
#include "service/engine/kv_test_pages.h"

namespace notso {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kFileBytes = kKvHeaderBytes + kTestPageBytes;

class KvStoreTest : public ::testing::Test {
 protected:
  KvCacheOptions options(std::size_t pages = 64) {
    KvCacheOptions options = small_options(pages);
    options.folder = folder_.path();
    options.disk_bytes_max = 1000 * kFileBytes;
    options.log = [this](const std::string& line) { log_ += line + "\n"; };
    return options;
  }

  // Leaves a prefix on disk.
  void store(const TokenList& tokens, std::string_view scope = "") {
    const auto cache = make_cache(options());
    serve(*cache, scope, tokens);
    ASSERT_TRUE(cache->flush(kNoHurryS));
  }

  // Waits until so many pages are written, at the time `now_s`.
  static void wait_for_stored(KvCache& cache, std::uint64_t pages, double now_s) {
    while (cache.stats().pages_stored < pages) {
      cache.maintain(now_s);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  static std::vector<char> read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::filesystem::path& path, const std::vector<char>& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TestFolder folder_;
  std::string log_;
};

TEST_F(KvStoreTest, finds_prefixes_again_after_a_restart) {
  const TokenList tokens = tokens_of(1, 300);
  store(tokens, "alice");
  const auto cache = make_cache(options());
  EXPECT_EQ(found(*cache, "", tokens), 0);
  const KvSequence sequence = cache->open("alice", tokens, 299);
  EXPECT_EQ(sequence.positions(), 299);
  EXPECT_EQ(right_positions(sequence, "alice", tokens), 299U);
  EXPECT_EQ(cache->stats().pages_restored, 5U);
  EXPECT_EQ(log_, "");
}

TEST_F(KvStoreTest, writes_what_was_idle_for_long_enough_and_pinned_prefixes_at_once) {
  const auto cache = make_cache(options());
  cache->maintain(100);
  serve(*cache, "", tokens_of(1, 128));
  serve(*cache, "", tokens_of(2, 192));
  cache->pin("", tokens_of(2, 192));
  wait_for_stored(*cache, 3, 119);
  for (int i = 0; i < 100; ++i) cache->maintain(119);
  EXPECT_TRUE(cache->stats().pages_stored == 3 && folder_.files().size() == 3);
  wait_for_stored(*cache, 5, 120);
}

TEST_F(KvStoreTest, removes_the_files_of_what_is_removed) {
  const TokenList bad = tokens_of(1, 300);
  const TokenList other = tokens_of(2, 128);
  store(bad);
  store(other);
  ASSERT_EQ(folder_.files().size(), 7U);
  {
    const auto cache = make_cache(options());
    EXPECT_EQ(found(*cache, "", {bad.begin(), bad.begin() + 100}), 100);
    cache->remove("", bad);
    EXPECT_EQ(found(*cache, "", bad), 0);
    EXPECT_TRUE(cache->flush(kNoHurryS));
    EXPECT_EQ(folder_.files().size(), 2U);
  }
  const auto cache = make_cache(options());
  EXPECT_EQ(found(*cache, "", bad), 0);
  EXPECT_EQ(found(*cache, "", other), 128);
}

TEST_F(KvStoreTest, continues_from_disk_in_pieces) {
  const TokenList tokens = tokens_of(1, 640);
  store(tokens);
  KvCacheOptions small_pieces = options();
  small_pieces.restore_bytes_max = 3 * kTestPageBytes;
  const auto cache = make_cache(small_pieces);
  KvSequence sequence = cache->open("", tokens, 640);
  EXPECT_EQ(sequence.positions(), 192);
  EXPECT_EQ(cache->adopt(sequence, tokens, 640), 192);
  EXPECT_EQ(cache->adopt(sequence, tokens, 640), 192);
  EXPECT_EQ(cache->adopt(sequence, tokens, 640), 64);
  EXPECT_EQ(cache->adopt(sequence, tokens, 640), 0);
  EXPECT_EQ(right_positions(sequence, "", tokens), 640U);
}

TEST_F(KvStoreTest, what_leaves_memory_comes_back_from_disk) {
  const auto cache = make_cache(options(8));
  const TokenList tokens = tokens_of(1, 300);
  serve(*cache, "", tokens);
  ASSERT_TRUE(cache->flush(kNoHurryS));
  serve(*cache, "", tokens_of(2, 448));
  EXPECT_EQ(found(*cache, "", tokens), 300);
  EXPECT_GT(cache->stats().pages_restored, 0U);
}

TEST_F(KvStoreTest, a_longer_end_replaces_the_file_of_the_shorter_one) {
  const TokenList tokens = tokens_of(1, 100);
  store(tokens);
  store(joined(tokens, tokens_of(2, 60)));
  EXPECT_EQ(folder_.files().size(), 3U);
  const auto cache = make_cache(options());
  EXPECT_EQ(found(*cache, "", joined(tokens, tokens_of(2, 60))), 160);
}

TEST_F(KvStoreTest, keeps_within_the_disks_limit_what_was_used_last) {
  KvCacheOptions four_files = options();
  four_files.disk_bytes_max = 4 * kFileBytes + 100;
  {
    const auto cache = make_cache(four_files);
    for (std::int32_t i = 1; i <= 5; ++i) {
      serve(*cache, "", tokens_of(i, 128));
      ASSERT_TRUE(cache->flush(kNoHurryS));
      EXPECT_LE(folder_.files().size(), 4U);
      EXPECT_LE(cache->stats().disk_bytes, four_files.disk_bytes_max);
    }
    const std::uint64_t stored = cache->stats().pages_stored;
    cache->flush(kNoHurryS);  // what had to go from the disk is not written again
    EXPECT_EQ(cache->stats().pages_stored, stored);
  }
  const auto cache = make_cache(four_files);
  EXPECT_EQ(found(*cache, "", tokens_of(5, 128)), 128);
  EXPECT_EQ(found(*cache, "", tokens_of(4, 128)), 128);
  EXPECT_EQ(found(*cache, "", tokens_of(1, 128)), 0);
}

TEST_F(KvStoreTest, forgets_the_files_too) {
  const TokenList tokens = tokens_of(1, 300);
  store(tokens);
  {
    const auto cache = make_cache(options());
    cache->drop_all();
    EXPECT_EQ(cache->stats().disk_bytes, 0U);
  }
  EXPECT_TRUE(folder_.files().empty());
}

TEST_F(KvStoreTest, does_not_write_scopes_whose_names_are_too_long) {
  store(tokens_of(1, 64), std::string(kKvScopeBytesMax + 1, 'x'));
  EXPECT_TRUE(folder_.files().empty());
  store(tokens_of(1, 64), std::string(kKvScopeBytesMax, 'x'));
  EXPECT_EQ(folder_.files().size(), 1U);
}

TEST_F(KvStoreTest, a_folder_that_cannot_be_made_is_logged_and_nothing_else_fails) {
  write(folder_.path() + "/file", {});
  KvCacheOptions bad = options();
  bad.folder = folder_.path() + "/file/below";
  const auto cache = make_cache(bad);
  serve(*cache, "", tokens_of(1, 100));
  EXPECT_EQ(found(*cache, "", tokens_of(1, 100)), 100);
  cache->maintain(1000);
  EXPECT_TRUE(cache->flush(kNoHurryS));
  EXPECT_THAT(log_, HasSubstr("no KV pages are kept on disk"));
}

TEST_F(KvStoreTest, a_folder_in_use_is_left_to_its_user) {
  const auto first = make_cache(options());
  EXPECT_EQ(log_, "");
  const auto second = make_cache(options());
  EXPECT_THAT(log_, HasSubstr("another process"));
  serve(*second, "", tokens_of(1, 100));
  EXPECT_TRUE(second->flush(kNoHurryS));
  EXPECT_TRUE(folder_.files().empty());
}

TEST_F(KvStoreTest, failed_writes_are_logged_once_and_tried_again_later) {
  std::signal(SIGXFSZ, SIG_IGN);
  const auto cache = make_cache(options());
  cache->maintain(0);
  serve(*cache, "", tokens_of(1, 128));
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {kFileBytes - 100, before.rlim_max};  // fails in the middle of a file
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  double now_s = 0;
  while (cache->stats().store_failures < 3) {
    cache->maintain(now_s += 20);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(found(*cache, "", tokens_of(1, 128)), 128);
  EXPECT_TRUE(folder_.files().empty());
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), 1) << log_;
  while (cache->stats().pages_stored < 2) {
    cache->maintain(now_s += 20);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  EXPECT_TRUE(folder_.files(".partial").empty());
  EXPECT_THAT(log_, HasSubstr("can be written again"));
}

// Damages one file of three, in turn, before a start and after it: the pages before it are found,
// nothing wrong is, and the file is gone at the end.
class KvDamageTest : public KvStoreTest {
 protected:
  template <class Damage>
  void try_damage(const Damage& damage) {
    for (const bool after_start : {false, true}) {
      std::filesystem::remove_all(folder_.path());
      store(tokens_);
      const auto files = folder_.files();
      ASSERT_EQ(files.size(), 3U);
      log_.clear();
      {
        auto cache = after_start ? make_cache(options()) : nullptr;
        damage(files[random_() % 3]);
        if (!after_start) cache = make_cache(options());
        EXPECT_LT(found(*cache, "", tokens_), 192);
        EXPECT_NE(log_, "");
        serve(*cache, "", tokens_);
        ASSERT_TRUE(cache->flush(kNoHurryS));
      }
      log_.clear();
      const auto cache = make_cache(options());
      EXPECT_EQ(found(*cache, "", tokens_), 192);
      EXPECT_EQ(log_, "");
    }
  }

  TokenList tokens_ = tokens_of(1, 192);
  std::mt19937 random_{1};
};

TEST_F(KvDamageTest, flipped_bits_are_noticed) {
  for (int i = 0; i < 40; ++i) {
    try_damage([&](const std::filesystem::path& path) {
      std::vector<char> bytes = read(path);
      // Half of them in the fields and the page, half anywhere.
      const std::size_t at = random_() % (i % 2 == 0 ? 360 : bytes.size());
      const std::size_t place = i % 4 == 0 ? bytes.size() - 1 - at % kTestPageBytes : at;
      bytes[place] = static_cast<char>(bytes[place] ^ (1 << random_() % 8));
      write(path, bytes);
    });
  }
}

TEST_F(KvDamageTest, missing_and_added_bytes_are_noticed) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, kKvHeaderBytes - 1, kKvHeaderBytes,
        kKvHeaderBytes + 1, kFileBytes - 1, kFileBytes + 1, 2 * kFileBytes}) {
    try_damage(
        [&](const std::filesystem::path& path) { std::filesystem::resize_file(path, size); });
  }
}

TEST_F(KvDamageTest, a_file_in_the_place_of_another_is_noticed) {
  try_damage([&](const std::filesystem::path& path) {
    for (const auto& other : folder_.files()) {
      if (other == path) continue;
      write(path, read(other));
      return;
    }
  });
}

TEST_F(KvDamageTest, a_folder_or_a_link_in_the_place_of_a_file_is_noticed) {
  try_damage([&](const std::filesystem::path& path) {
    std::filesystem::rename(path, path.string() + "-moved");
    std::filesystem::create_symlink(path.string() + "-moved", path);
  });
}

TEST_F(KvDamageTest, a_missing_file_makes_those_behind_it_useless) {
  try_damage([&](const std::filesystem::path& path) {
    log_ = "a file that is gone needs no line";
    std::filesystem::remove(path);
  });
}

// A sound file whose header differs in one respect.
class KvForeignTest : public KvStoreTest {
 protected:
  template <class Change>
  void change_header(const Change& change) {
    const auto path = folder_.files().at(0);
    std::vector<char> bytes = read(path);
    const std::span header = std::as_writable_bytes(std::span(bytes)).first(kKvHeaderBytes);
    change(header);
    const std::uint64_t checksum = kv_checksum(header.first(kKvHeaderBytes - 8));
    std::memcpy(header.data() + kKvHeaderBytes - 8, &checksum, 8);
    write(path, bytes);
  }
};

TEST_F(KvForeignTest, files_of_another_model_are_removed) {
  store(tokens_of(1, 300));
  KvCacheOptions other = options();
  other.identity = "another model";
  const auto cache = make_cache(other);
  EXPECT_EQ(found(*cache, "", tokens_of(1, 300)), 0);
  EXPECT_THAT(log_, HasSubstr("removed 5 KV files, of another model or version"));
  EXPECT_TRUE(folder_.files().empty());
}

TEST_F(KvForeignTest, files_of_another_page_size_are_removed) {
  store(tokens_of(1, 300));
  KvCacheOptions other = options();
  other.page_bytes *= 2;
  const auto cache = make_cache(other);
  EXPECT_EQ(found(*cache, "", tokens_of(1, 300)), 0);
  EXPECT_THAT(log_, HasSubstr("of another model or version"));
}

TEST_F(KvForeignTest, files_of_another_version_are_removed) {
  store(tokens_of(1, 64));
  change_header([](std::span<std::byte> header) { header[7] = std::byte{'0'}; });
  const auto cache = make_cache(options());
  EXPECT_EQ(found(*cache, "", tokens_of(1, 64)), 0);
  EXPECT_THAT(log_, HasSubstr("of another model or version"));
}

TEST_F(KvForeignTest, counts_that_no_writer_writes_are_damage) {
  for (const std::size_t at : {56U, 60U, 64U}) {
    log_.clear();
    store(tokens_of(1, 64));
    change_header([&](std::span<std::byte> header) { header[at + 3] = std::byte{0xFF}; });
    const auto cache = make_cache(options());
    EXPECT_EQ(found(*cache, "", tokens_of(1, 64)), 0);
    EXPECT_THAT(log_, HasSubstr("damaged")) << at;
  }
}

TEST_F(KvForeignTest, other_files_in_the_folder_stay_and_half_written_pages_go) {
  const std::string half = folder_.path() + "/" + std::string(32, 'a') + ".partial";
  const std::string other = folder_.path() + "/notes.kv";
  write(half, {'x'});
  write(other, {'x'});
  const auto cache = make_cache(options());
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_TRUE(std::filesystem::exists(other));
}

// A process that writes pages until it is killed, and a byte to `told` whenever all are on the
// disk. Large pages, so that a kill often finds it in the middle of one.
[[noreturn]] void write_until_killed(KvCacheOptions options, unsigned seed, int told) {
  options.log = nullptr;
  std::mt19937 random(seed);
  const auto cache = make_cache(options);
  while (true) {
    if (::write(told, "x", 1) != 1) ::_exit(1);
    const TokenList tokens = tokens_of(static_cast<std::int32_t>(random() % 8), 150);
    serve(*cache, "", joined(tokens, tokens_of(static_cast<std::int32_t>(random() % 30), 100)));
    cache->flush(kNoHurryS);
  }
}

// Reads the bytes of so many flushes, and gives the time that the last one took.
std::chrono::microseconds wait_for_flushes(int told, unsigned count) {
  auto before = std::chrono::steady_clock::now();
  std::chrono::microseconds took{0};
  for (unsigned i = 0; i <= count; ++i) {
    char byte = 0;
    EXPECT_EQ(::read(told, &byte, 1), 1);
    const auto now = std::chrono::steady_clock::now();
    took = std::chrono::duration_cast<std::chrono::microseconds>(now - before);
    before = now;
  }
  return took;
}

TEST_F(KvStoreTest, a_kill_at_any_moment_leaves_nothing_wrong_behind) {
  KvCacheOptions big = options();
  big.page_bytes = std::size_t{1200} << 10U;
  big.bytes_max = 40 * big.page_bytes;
  big.disk_bytes_max = 20 * big.page_bytes;
  std::mt19937 random(1);
  std::size_t half_written = 0;
  std::uint64_t restored = 0;
  // Some rounds more, where no kill has met the moment in which a page is half written.
  for (unsigned round = 0; round < 60 || (half_written == 0 && round < 600); ++round) {
    std::array<int, 2> told = {};
    ASSERT_EQ(::pipe(told.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(big, round, told[1]);
    const auto took = wait_for_flushes(told[0], static_cast<unsigned>(1 + random() % 3));
    std::this_thread::sleep_for(took * (random() % 100) / 100);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(told[0]);
    ::close(told[1]);
    half_written += folder_.files(".partial").size();
    const auto cache = make_cache(big);
    for (std::int32_t i = 0; i < 8; ++i) found(*cache, "", tokens_of(i, 150));
    restored += cache->stats().pages_restored;
    EXPECT_TRUE(folder_.files(".partial").empty());
  }
  EXPECT_EQ(log_, "");  // whatever has its final name is whole
  EXPECT_GT(restored, 0U);
  EXPECT_GT(half_written, 0U);
}

}  // namespace
}  // namespace notso
