// The sidecar of packed weights: reused while its source stays, written anew when that changes or
// the sidecar is damaged, whole whatever happens while it is written, and never needed.
#include "ml/core/cpu/packed_store.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ml/smollm3/synth.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PackedStoreTest : public ::testing::Test {
 protected:
  PackedStoreTest() {
    std::string name = (fs::temp_directory_path() / "packed_store_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    synthesize(1);
  }
  ~PackedStoreTest() override { fs::remove_all(folder_); }

  // Replaces the model with that of another seed.
  void synthesize(std::uint64_t seed) const {
    SynthOptions options;
    options.seed = seed;
    ASSERT_TRUE(write_synthetic_model(model(), options));
  }

  [[nodiscard]] std::string model() const { return (folder_ / "model.gguf").string(); }
  [[nodiscard]] std::string cache() const { return (folder_ / "cache").string(); }

  // The one sidecar in the cache folder, or an empty path. Nothing else may be there but the lock.
  [[nodiscard]] fs::path sidecar() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(cache())) {
      const fs::path& path = entry.path();
      if (path.extension() == ".lock") continue;
      EXPECT_EQ(path.extension(), ".panels") << path;
      EXPECT_TRUE(found.empty()) << path;
      found = path;
    }
    return found;
  }

  fs::path folder_;
};

// An opened store with its source and all of its packed bytes.
struct Opened {
  std::shared_ptr<const GgufFile> file;
  std::unique_ptr<PackedStore> store;
  std::string bytes;
};

std::vector<const GgufTensor*> matrices_of(const GgufFile& file) {
  std::vector<const GgufTensor*> matrices;
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.shape.size() > 1) matrices.push_back(&tensor);
  }
  return matrices;
}

Opened open_store(const std::string& model, const std::string& cache) {
  Opened opened;
  opened.file = GgufFile::open(model).value();
  const auto matrices = matrices_of(*opened.file);
  ThreadPool pool(2);
  auto store = PackedStore::open(*opened.file, matrices, cache, pool, {});
  EXPECT_TRUE(store) << store.error().message;
  opened.store = std::move(*store);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const PanelView& view = opened.store->view(i);
    const auto panels = static_cast<std::size_t>((view.rows + kPanelRows - 1) / kPanelRows);
    opened.bytes.append(reinterpret_cast<const char*>(view.data), panels * view.panel_bytes);
  }
  return opened;
}

TEST_F(PackedStoreTest, ASecondStartMapsWhatTheFirstWrote) {
  const Opened first = open_store(model(), cache());
  EXPECT_FALSE(first.store->reused());
  EXPECT_EQ(first.store->note(), "");
  const Opened second = open_store(model(), cache());
  EXPECT_TRUE(second.store->reused());
  EXPECT_EQ(second.bytes, first.bytes);
  EXPECT_FALSE(sidecar().empty());
}

TEST_F(PackedStoreTest, ASidecarHoldsTheSameBytesAsPackingInMemory) {
  const Opened kept = open_store(model(), cache());
  EXPECT_EQ(open_store(model(), "").bytes, kept.bytes);
}

TEST_F(PackedStoreTest, AChangedModelIsPackedAnew) {
  const Opened old = open_store(model(), cache());
  synthesize(2);
  const Opened changed = open_store(model(), cache());
  EXPECT_FALSE(changed.store->reused());
  EXPECT_EQ(changed.bytes, open_store(model(), "").bytes);
  EXPECT_NE(changed.bytes, old.bytes);
  EXPECT_EQ(old.bytes.substr(0, 4096),
            std::string(reinterpret_cast<const char*>(old.store->view(0).data), 4096))
      << "a program that uses the old sidecar keeps it";
}

TEST_F(PackedStoreTest, AnotherModelOfTheSameSizeAndTimeIsPackedAnew) {
  open_store(model(), cache());
  const auto time = fs::last_write_time(model());
  synthesize(2);
  fs::last_write_time(model(), time);
  const Opened changed = open_store(model(), cache());
  EXPECT_FALSE(changed.store->reused());
  EXPECT_EQ(changed.bytes, open_store(model(), "").bytes);
}

TEST_F(PackedStoreTest, ATouchedModelIsPackedAnew) {
  open_store(model(), cache());
  fs::last_write_time(model(), fs::last_write_time(model()) + std::chrono::seconds(1));
  EXPECT_FALSE(open_store(model(), cache()).store->reused());
}

TEST_F(PackedStoreTest, ModelsInOtherFoldersHaveSidecarsOfTheirOwn) {
  const Opened here = open_store(model(), cache());
  const fs::path other = folder_ / "other" / "model.gguf";
  fs::create_directory(other.parent_path());
  fs::rename(model(), other);
  synthesize(2);
  EXPECT_FALSE(open_store(model(), cache() + "2").store->reused());
  const Opened there = open_store(other.string(), cache());
  EXPECT_FALSE(there.store->reused());
  EXPECT_EQ(there.bytes, here.bytes);
}

TEST_F(PackedStoreTest, ADamagedSidecarIsWrittenAnew) {
  const std::string expected = open_store(model(), cache()).bytes;
  const fs::path path = sidecar();
  const auto size = fs::file_size(path);
  const auto flip = [&](std::streamoff at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(at).put(byte);
  };
  for (const std::uintmax_t bytes :
       {std::uintmax_t{0}, std::uintmax_t{7}, std::uintmax_t{4096}, size / 2, size - 1, size + 1}) {
    fs::resize_file(path, bytes);
    const Opened opened = open_store(model(), cache());
    EXPECT_FALSE(opened.store->reused()) << bytes;
    EXPECT_EQ(opened.bytes, expected) << bytes;
  }
  for (const std::streamoff at : {0, 8, 12, 16, 24, 32, 40, 48, 56}) {
    flip(at);
    EXPECT_FALSE(open_store(model(), cache()).store->reused()) << at;
  }
  EXPECT_TRUE(open_store(model(), cache()).store->reused());
}

// Forks a process that opens the store and leaves with 0 if its bytes are `expected`.
pid_t open_in_child(const std::string& model, const std::string& cache,
                    const std::string& expected) {
  const pid_t child = fork();
  if (child == 0) _exit(open_store(model, cache).bytes == expected ? 0 : 1);
  return child;
}

TEST_F(PackedStoreTest, ProcessesThatStartTogetherShareOneSidecar) {
  const std::string expected = open_store(model(), "").bytes;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) children.push_back(open_in_child(model(), cache(), expected));
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  EXPECT_FALSE(sidecar().empty());
  EXPECT_TRUE(open_store(model(), cache()).store->reused());
}

TEST_F(PackedStoreTest, AKillAtAnyMomentLeavesNoWrongSidecar) {
  const std::string expected = open_store(model(), "").bytes;
  for (int round = 0; round < 30; ++round) {
    fs::remove_all(cache());
    const pid_t child = open_in_child(model(), cache(), expected);
    usleep(static_cast<useconds_t>(round) * 1500);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const Opened after = open_store(model(), cache());
    ASSERT_EQ(after.bytes, expected) << "killed in round " << round;
    ASSERT_EQ(after.store->note(), "");
    ASSERT_FALSE(sidecar().empty());
  }
}

TEST_F(PackedStoreTest, AModelThatShrinksAfterOpeningIsAnError) {
  ThreadPool pool(2);
  for (const std::string& cache : {cache(), std::string()}) {
    synthesize(1);
    const auto file = GgufFile::open(model()).value();
    const auto matrices = matrices_of(*file);
    fs::resize_file(model(), 0);
    const auto store = PackedStore::open(*file, matrices, cache, pool, {});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::kDataLoss);
    EXPECT_THAT(store.error().message, HasSubstr(model()));
  }
}

TEST_F(PackedStoreTest, WithoutAUsableCacheFolderWeightsArePackedInMemory) {
  const std::string expected = open_store(model(), "").bytes;
  for (const std::string& cache : {model(), model() + "/cache", std::string("/proc/none/cache")}) {
    const Opened opened = open_store(model(), cache);
    EXPECT_EQ(opened.bytes, expected);
    EXPECT_FALSE(opened.store->reused());
    EXPECT_THAT(opened.store->note(), HasSubstr("packed weights are not kept: " + cache));
  }
}

TEST_F(PackedStoreTest, WithoutRoomForASidecarWeightsArePackedInMemory) {
  open_store(model(), cache());
  synthesize(2);
  const std::string expected = open_store(model(), "").bytes;
  // A limit on file sizes refuses the space as a full disk does.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 20, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Opened opened = open_store(model(), cache());
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(opened.bytes, expected);
  EXPECT_THAT(opened.store->note(), HasSubstr("packed weights are not kept: "));
  EXPECT_TRUE(sidecar().empty()) << "neither half of a file nor one of no use stays behind";
}

}  // namespace
}  // namespace notso
