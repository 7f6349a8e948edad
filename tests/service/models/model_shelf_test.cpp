#include "service/models/model_shelf.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ml/smollm3/synth.h"
#include "service/models/fault_server.h"

namespace notso {
namespace {

class ModelShelfTest : public testing::Test {
 protected:
  std::string add_model(const std::string& path, SynthMix mix = SynthMix::kQ4_K_M, int age = 0) {
    SynthOptions options;
    options.mix = mix;
    EXPECT_TRUE(write_synthetic_model(path, options));
    timespec times[2] = {{1'700'000'000 - age, 0}, {1'700'000'000 - age, 0}};
    utimensat(AT_FDCWD, path.c_str(), times, 0);
    return path;
  }

  static std::string name_of(const std::optional<ModelInfo>& model) {
    return model ? model->name : "none";
  }

  ScratchFolder folder_;
  ScratchFolder elsewhere_;
};

TEST_F(ModelShelfTest, lists_further_files_first_and_last_and_once) {
  const std::string first = add_model(folder_ / "old.gguf", SynthMix::kQ4_K_M, 100);
  const std::string last = add_model(elsewhere_ / "demo.gguf");
  add_model(folder_ / "new.gguf");
  const auto names = [](ModelShelf shelf) {
    std::string text;
    for (const ModelInfo& model : shelf.list()) text += model.name + " ";
    return text;
  };
  EXPECT_EQ(names({folder_.path(), first, last}), "old.gguf new.gguf demo.gguf ");
  EXPECT_EQ(names({folder_.path(), last, last}), "demo.gguf new.gguf old.gguf ");
}

TEST_F(ModelShelfTest, sees_what_came_changed_and_went) {
  ModelShelf shelf(folder_.path(), "");
  EXPECT_TRUE(shelf.list().empty());
  const std::string path = add_model(folder_ / "a.gguf", SynthMix::kQ8_0, 50);
  ASSERT_EQ(shelf.list().size(), 1U);
  EXPECT_EQ(shelf.list()[0].type, "Q8_0");
  add_model(path, SynthMix::kQ4_K_M, 10);
  EXPECT_EQ(shelf.list()[0].type, "Q4_K_M");
  unlink(path.c_str());
  EXPECT_TRUE(shelf.list().empty());
}

TEST_F(ModelShelfTest, finds_a_model_by_its_names_and_by_a_type_that_is_the_only_one) {
  add_model(folder_ / "SmolLM3-Q4_K_M.gguf");
  add_model(folder_ / "mine.gguf", SynthMix::kQ8_0);
  ModelShelf shelf(folder_.path(), "");
  EXPECT_EQ(name_of(shelf.find("mine")), "mine.gguf");
  EXPECT_EQ(name_of(shelf.find("MINE.gguf")), "mine.gguf");
  EXPECT_EQ(name_of(shelf.find("q8_0")), "mine.gguf");
  EXPECT_EQ(name_of(shelf.find("SmolLM3-3B-Q4_K_M")), "SmolLM3-Q4_K_M.gguf");
  EXPECT_EQ(name_of(shelf.find("gpt-4")), "none");
  EXPECT_EQ(name_of(shelf.find("")), "none");
}

TEST_F(ModelShelfTest, a_name_leads_nowhere_else_on_the_disk) {
  const std::string outside = add_model(elsewhere_ / "secret.gguf");
  ModelShelf shelf(folder_.path(), "");
  EXPECT_EQ(name_of(shelf.find(outside)), "none");
  EXPECT_EQ(name_of(shelf.find("../" + outside)), "none");
  EXPECT_EQ(name_of(shelf.find("https://example.org/secret.gguf")), "none");
}

TEST_F(ModelShelfTest, a_file_that_is_no_model_is_listed_and_not_found) {
  write_text(folder_ / "bad.gguf", "GGUF?");
  ModelShelf shelf(folder_.path(), "");
  ASSERT_EQ(shelf.list().size(), 1U);
  EXPECT_NE(shelf.list()[0].problem, "");
  EXPECT_EQ(name_of(shelf.find("bad")), "none");
}

}  // namespace
}  // namespace notso
