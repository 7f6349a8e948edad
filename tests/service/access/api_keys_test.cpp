// API keys: what opens, what does not, and what a damaged file says.
#include "service/access/api_keys.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ApiKeys : public ::testing::Test {
 protected:
  ApiKeys() {
    std::string name = (fs::temp_directory_path() / "keys_test_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = (folder_ / "keys").string();
  }
  ~ApiKeys() override { fs::remove_all(folder_); }

  // The whole file.
  [[nodiscard]] std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Writes the file as its owner would.
  void write(const std::string& text) const {
    std::ofstream(path_) << text;
    fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(ApiKeys, ANewKeyOpensUnderItsName) {
  const auto alice = add_api_key(path_, "alice");
  const auto bob = add_api_key(path_, "bob@example.com");
  ASSERT_TRUE(alice && bob);
  EXPECT_NE(*alice, *bob);
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  EXPECT_TRUE(ring.closed());
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(ring.find_key(*alice), "alice");
  EXPECT_EQ(ring.find_key(*bob), "bob@example.com");
}

TEST_F(ApiKeys, NothingElseOpens) {
  const auto key = add_api_key(path_, "alice");
  ASSERT_TRUE(key);
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  std::string changed = *key;
  changed.back() = changed.back() == 'a' ? 'b' : 'a';
  const auto stored = read_api_keys(path_);
  ASSERT_TRUE(stored);
  for (const std::string& wrong :
       {std::string(), changed, *key + "x", key->substr(1), std::string("alice"),
        (*stored)[0].key_hash, (*stored)[0].token_hash, sign_in_token(*key),
        std::string(1'000'000, 'a')}) {
    EXPECT_EQ(ring.find_key(wrong), std::nullopt) << wrong.substr(0, 80);
  }
}

TEST_F(ApiKeys, TheSignInTokenOpensAsATokenOnly) {
  const auto key = add_api_key(path_, "alice");
  ASSERT_TRUE(key);
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  EXPECT_EQ(ring.find_token(sign_in_token(*key)), "alice");
  EXPECT_EQ(ring.find_token(*key), std::nullopt);
  const auto stored = read_api_keys(path_);
  EXPECT_EQ(ring.find_token((*stored)[0].token_hash), std::nullopt);
}

TEST_F(ApiKeys, ARingWithoutAFileIsOpen) {
  const KeyRing ring;
  EXPECT_FALSE(ring.closed());
  EXPECT_EQ(ring.find_key("notso-anything"), std::nullopt);
}

TEST_F(ApiKeys, RevokingTheLastKeyDoesNotOpenTheDoor) {
  const auto key = add_api_key(path_, "alice");
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  ASSERT_TRUE(revoke_api_key(path_, "alice"));
  EXPECT_EQ(ring.find_key(*key), "alice");
  ASSERT_TRUE(ring.load(path_));
  EXPECT_TRUE(ring.closed());
  EXPECT_EQ(ring.find_key(*key), std::nullopt);
  EXPECT_EQ(ring.find_token(sign_in_token(*key)), std::nullopt);
}

TEST_F(ApiKeys, AFailedReloadKeepsTheKeys) {
  const auto key = add_api_key(path_, "alice");
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  write("nonsense\n");
  EXPECT_FALSE(ring.load(path_));
  EXPECT_EQ(ring.find_key(*key), "alice");
  fs::remove(path_);
  EXPECT_FALSE(ring.load(path_));
  EXPECT_EQ(ring.find_key(*key), "alice");
}

TEST_F(ApiKeys, TheFileIsPrivateAndLeavesNothingBeside) {
  fs::permissions(folder_, fs::perms::owner_all);
  ASSERT_TRUE(add_api_key(path_, "alice"));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(ApiKeys, AFileThatOthersMayWriteIsRefused) {
  ASSERT_TRUE(add_api_key(path_, "alice"));
  fs::permissions(path_, fs::perms::others_write, fs::perm_options::add);
  const auto keys = read_api_keys(path_);
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().message, HasSubstr("can be written by other users; run: chmod 600 "));
}

TEST_F(ApiKeys, ADamagedLineIsNamed) {
  const std::string hash(64, 'a');
  for (const std::string& line :
       {std::string("alice"), "alice " + hash, "alice " + hash + " " + hash,
        "alice " + hash + " " + hash.substr(1) + " 2026", "al/ice " + hash + " " + hash + " 2026",
        "alice " + hash + " " + hash + " 2026 more",
        "alice " + std::string(64, 'A') + " " + hash + " 2026"}) {
    write("# comment\n\n" + line + "\n");
    const auto keys = read_api_keys(path_);
    ASSERT_FALSE(keys) << line;
    EXPECT_THAT(keys.error().message, StartsWith(path_ + ":3: this is not a key's line"));
  }
  write("alice " + hash + " " + hash + " 2026-11-21T00:00:00Z\n");
  EXPECT_TRUE(read_api_keys(path_));
}

TEST_F(ApiKeys, NamesThatCouldConfuseAreRefused) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a\nb"),
                                  std::string("ä"), std::string("#a"), std::string(65, 'a')}) {
    EXPECT_FALSE(add_api_key(path_, name)) << name;
  }
  ASSERT_TRUE(add_api_key(path_, "alice"));
  const auto again = add_api_key(path_, "alice");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("there is a key 'alice' already"));
}

TEST_F(ApiKeys, WhereNothingCanBeWrittenTheErrorSaysSo) {
  std::ofstream(folder_ / "file") << "in the way";
  const auto key = add_api_key((folder_ / "file" / "keys").string(), "alice");
  ASSERT_FALSE(key);
  EXPECT_THAT(key.error().message, HasSubstr("check the path"));
  fs::create_directory(path_ + ".new");
  const auto blocked = add_api_key(path_, "alice");
  ASSERT_FALSE(blocked);
  EXPECT_THAT(blocked.error().message,
              AllOf(HasSubstr("cannot write the keys file"), HasSubstr("nothing was changed")));
}

TEST_F(ApiKeys, TwoThatAddAtOnceAreBothIn) {
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([this, t] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(add_api_key(path_, "key" + std::to_string(t) + "-" + std::to_string(i)));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto keys = read_api_keys(path_);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_THAT(*keys, SizeIs(20));
}

TEST_F(ApiKeys, KeysAreFoundWhileTheyAreReloaded) {
  const auto key = add_api_key(path_, "alice");
  KeyRing ring;
  ASSERT_TRUE(ring.load(path_));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) EXPECT_EQ(ring.find_key(*key), "alice");
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(ring.load(path_));
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace notso
