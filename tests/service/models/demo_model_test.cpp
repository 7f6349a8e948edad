#include "service/models/demo_model.h"

#include <filesystem>
#include <gtest/gtest.h>

#include "ml/core/gguf/gguf.h"
#include "service/models/fault_server.h"

namespace notso {
namespace {

std::string demo_text() {
  const auto bytes = demo_model_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(DemoModel, is_the_file_of_the_repository) {
  EXPECT_TRUE(demo_text() == file_text(NOTSO_DEMO_MODEL_FILE));
}

TEST(DemoModel, has_the_shape_of_smollm3_in_at_most_6_mb) {
  const ScratchFolder folder;
  const auto path = write_demo_model(folder.path());
  ASSERT_TRUE(path) << path.error().message;
  const auto file = GgufFile::open(*path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->get_string("general.architecture").value(), "smollm3");
  EXPECT_EQ((*file)->find_tensor("output.weight"), nullptr);
  EXPECT_LE(demo_model_bytes().size(), 6'000'000U);
}

TEST(DemoModel, is_written_once) {
  const ScratchFolder folder;
  const auto path = write_demo_model(folder / "new");
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_TRUE(file_text(*path) == demo_text());
  const auto written = std::filesystem::last_write_time(*path);
  std::filesystem::last_write_time(*path, written - std::chrono::hours(1));
  EXPECT_EQ(write_demo_model(folder / "new").value(), *path);
  EXPECT_EQ(std::filesystem::last_write_time(*path), written - std::chrono::hours(1));
}

TEST(DemoModel, replaces_a_file_that_differs_and_leaves_nothing_beside_it) {
  const ScratchFolder folder;
  const std::string path = folder / "notso-demo.gguf";
  std::string damaged = demo_text();
  damaged[damaged.size() / 2] ^= 1;
  for (const std::string& old : {damaged, demo_text().substr(0, 1000), std::string()}) {
    write_text(path, old);
    ASSERT_TRUE(write_demo_model(folder.path()));
    EXPECT_TRUE(file_text(path) == demo_text());
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(DemoModel, needs_no_disk) {
  const auto path = demo_model_in_memory();
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_TRUE(file_text(*path) == demo_text());
  EXPECT_EQ(demo_model_in_memory().value(), *path);
  EXPECT_TRUE(GgufFile::open(*path));
}

TEST(DemoModel, names_the_place_that_cannot_be_written) {
  const ScratchFolder folder;
  write_text(folder / "file", "x");
  const auto path = write_demo_model(folder / "file");
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().message.find(folder / "file"), std::string::npos) << path.error().message;
}

}  // namespace
}  // namespace notso
