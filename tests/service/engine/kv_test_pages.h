// Pages whose contents say where they belong: position p of a sequence holds four bytes made of its
// scope and all of its tokens up to p. Any page that is found for other tokens is noticed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "ml/core/backend.h"
#include "service/engine/kv_cache.h"

namespace notso {

using TokenList = std::vector<std::int32_t>;

inline constexpr std::size_t kTestPageBytes = std::size_t{4} * kKvPageTokens;

// For waits that only a broken program makes long: the test's own time limit ends them.
inline constexpr double kNoHurryS = 1e6;

// What positions [0, tokens.size()) of a sequence hold.
inline std::vector<std::uint32_t> contents_of(std::string_view scope, const TokenList& tokens) {
  std::vector<std::uint32_t> contents;
  std::uint32_t hash = 2166136261U;
  for (const char letter : scope) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  for (const std::int32_t token : tokens) {
    hash = (hash ^ static_cast<std::uint32_t>(token + 1)) * 16777619U;
    hash ^= hash >> 15U;
    contents.push_back(hash);
  }
  return contents;
}

inline std::byte* place_of(const KvSequence& sequence, std::size_t position) {
  return sequence.pages()[position / kKvPageTokens] + 4 * (position % kKvPageTokens);
}

// Does what a step does: writes positions [from, tokens.size()), for which there is room.
inline void compute(const KvSequence& sequence, std::string_view scope, const TokenList& tokens,
                    std::size_t from) {
  const std::vector<std::uint32_t> contents = contents_of(scope, tokens);
  for (std::size_t p = from; p < tokens.size(); ++p) {
    std::memcpy(place_of(sequence, p), &contents[p], 4);
  }
}

// How many of the sequence's positions hold what they should: all, or the first wrong one.
inline std::size_t right_positions(const KvSequence& sequence, std::string_view scope,
                                   const TokenList& tokens) {
  const std::vector<std::uint32_t> contents = contents_of(scope, tokens);
  for (std::size_t p = 0; p < static_cast<std::size_t>(sequence.positions()); ++p) {
    if (std::memcmp(place_of(sequence, p), &contents[p], 4) != 0) return p;
  }
  return static_cast<std::size_t>(sequence.positions());
}

// `count` tokens that are the same for the same seed, and different from the first on for others.
inline TokenList tokens_of(std::int32_t seed, std::size_t count) {
  TokenList tokens;
  for (std::size_t i = 0; i < count; ++i) {
    tokens.push_back(seed * 1000 + static_cast<std::int32_t>(i % 997));
  }
  return tokens;
}

inline TokenList joined(TokenList first, const TokenList& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// A cache of `pages` small pages.
inline KvCacheOptions small_options(std::size_t pages) {
  KvCacheOptions options;
  options.page_bytes = kTestPageBytes;
  options.bytes_max = pages * kTestPageBytes;
  options.positions_max = 4096;
  options.identity = "test model";
  return options;
}

inline std::unique_ptr<KvCache> make_cache(KvCacheOptions options) {
  Result<std::unique_ptr<KvCache>> cache = KvCache::make(std::move(options));
  EXPECT_TRUE(cache) << (cache ? "" : cache.error().message);
  return cache ? std::move(*cache) : nullptr;
}

// Opens, computes what is missing and closes: what a request does. Returns how many positions the
// cache had; fails the test if they were wrong.
inline std::int32_t serve(KvCache& cache, std::string_view scope, const TokenList& tokens) {
  KvSequence sequence = cache.open(scope, tokens, static_cast<std::int32_t>(tokens.size()));
  const std::int32_t cached = sequence.positions();
  EXPECT_EQ(right_positions(sequence, scope, tokens), static_cast<std::size_t>(cached));
  const Status grown = cache.grow(sequence, static_cast<std::int32_t>(tokens.size()));
  EXPECT_TRUE(grown) << (grown ? "" : grown.error().message);
  if (grown) compute(sequence, scope, tokens, static_cast<std::size_t>(cached));
  cache.close(std::move(sequence), tokens);
  return cached;
}

// How many positions a request with these tokens would find; leaves nothing behind.
inline std::int32_t found(KvCache& cache, std::string_view scope, const TokenList& tokens) {
  const KvSequence sequence = cache.open(scope, tokens, static_cast<std::int32_t>(tokens.size()));
  EXPECT_EQ(right_positions(sequence, scope, tokens),
            static_cast<std::size_t>(sequence.positions()));
  return sequence.positions();
}

// A folder that goes away with the object: in memory where there is such a file system, since each
// page is made durable and a busy disk takes long for thousands of them.
class TestFolder {
 public:
  TestFolder() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = (in_memory ? "/dev/shm/" : ::testing::TempDir()) + "kv_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  // The files of pages in it, sorted.
  [[nodiscard]] std::vector<std::filesystem::path> files(std::string_view suffix = ".kv") const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == suffix) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

 private:
  std::string path_;
};

}  // namespace notso
