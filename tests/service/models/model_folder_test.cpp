#include "service/models/model_folder.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ml/core/cpu/packed_store.h"
#include "ml/smollm3/synth.h"
#include "service/models/choose_model.h"
#include "service/models/download_fixture.h"
#include "service/models/part_file.h"

namespace notso {
namespace {

// A folder with models in it.
class ModelFolderTest : public testing::Test {
 protected:
  // Writes a tiny model, `age` seconds old.
  std::string add_model(const std::string& name, SynthMix mix = SynthMix::kQ4_K_M, int age = 0) {
    SynthOptions options;
    options.mix = mix;
    const std::string path = folder_ / name;
    EXPECT_TRUE(write_synthetic_model(path, options));
    timespec times[2] = {{1'700'000'000 - age, 0}, {1'700'000'000 - age, 0}};
    utimensat(AT_FDCWD, path.c_str(), times, 0);
    return path;
  }

  ScratchFolder folder_;
};

TEST_F(ModelFolderTest, describes_a_model_by_its_header) {
  const ModelInfo info = describe_model(add_model("a.gguf"));
  EXPECT_EQ(info.problem, "");
  EXPECT_EQ(info.type, "Q4_K_M");
  EXPECT_EQ(info.context, 65536);
  // 8 layers of 2 key/value heads of 32 (the tiny model's): 4 bytes an element and token.
  EXPECT_GT(info.memory_bytes, info.bytes);
  EXPECT_FALSE(info.used);
}

TEST_F(ModelFolderTest, lists_the_newest_first_and_says_what_is_wrong_with_others) {
  add_model("old.gguf", SynthMix::kQ8_0, 100);
  add_model("new.gguf", SynthMix::kQ4_K_M, 10);
  write_text(folder_ / "bad.gguf", "GGUF?");
  write_text(folder_ / "notes.txt", "no model");
  write_text(folder_ / "coming.gguf.part", "half");
  const auto models = list_models(folder_.path());
  ASSERT_TRUE(models);
  ASSERT_EQ(models->size(), 3U);
  EXPECT_EQ((*models)[0].name, "bad.gguf");
  EXPECT_NE((*models)[0].problem, "");
  EXPECT_EQ((*models)[1].name, "new.gguf");
  EXPECT_EQ((*models)[2].type, "Q8_0");
  const auto partial = list_partial_models(folder_.path());
  ASSERT_EQ(partial.size(), 1U);
  EXPECT_EQ(partial[0].name, "coming.gguf");
}

TEST_F(ModelFolderTest, shows_names_of_any_bytes_as_text_and_finds_them_by_it) {
  const std::string path = add_model("b\xff\x1b[2Jd.gguf");
  const std::string shown = "b\ufffd\ufffd[2Jd.gguf";
  EXPECT_EQ(describe_model(path).name, shown);
  EXPECT_EQ(find_model(folder_.path(), shown).value(), path);
  EXPECT_NE(find_model(folder_.path(), "other").error().message.find(shown), std::string::npos);
}

TEST_F(ModelFolderTest, has_no_models_where_there_is_no_folder) {
  EXPECT_TRUE(list_models(folder_ / "none").value().empty());
  EXPECT_TRUE(list_models("").value().empty());
  EXPECT_TRUE(list_partial_models(folder_ / "none").empty());
}

TEST_F(ModelFolderTest, remembers_when_a_model_was_used) {
  const std::string path = add_model("a.gguf");
  note_model_used(path);
  EXPECT_TRUE(describe_model(path).used);
  EXPECT_EQ(list_models(folder_.path())->size(), 1U);
}

TEST_F(ModelFolderTest, finds_models_by_path_file_name_and_type) {
  const std::string path = add_model("My-Model.gguf", SynthMix::kQ8_0);
  EXPECT_EQ(find_model(folder_.path(), path).value(), path);
  EXPECT_EQ(find_model(folder_.path(), "my-model").value(), path);
  EXPECT_EQ(find_model(folder_.path(), "My-Model.gguf").value(), path);
  EXPECT_EQ(find_model(folder_.path(), "q8_0").value(), path);
  const auto none = find_model(folder_.path(), "Q6_K");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("there are My-Model.gguf"), std::string::npos);
}

TEST_F(ModelFolderTest, does_not_guess_between_two_of_a_type) {
  add_model("a.gguf", SynthMix::kQ8_0);
  add_model("b.gguf", SynthMix::kQ8_0);
  EXPECT_FALSE(find_model(folder_.path(), "Q8_0"));
}

TEST_F(ModelFolderTest, removes_a_model_with_all_that_belongs_to_it) {
  const std::string path = add_model("a.gguf");
  const std::string cache = folder_ / "cache";
  ASSERT_TRUE(make_folder(cache));
  const std::string packed = packed_sidecar_path(cache, path);
  write_text(packed, noise(100'000));
  write_text(packed + ".new", noise(5'000'000));  // by a packing that was killed
  note_model_used(path);
  EXPECT_GT(remove_model(folder_.path(), cache, "a").value().bytes, 9'000'000U);
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_TRUE(std::filesystem::is_empty(cache));
  EXPECT_FALSE(remove_model(folder_.path(), cache, "a"));
}

TEST_F(ModelFolderTest, removes_what_an_unfinished_download_left) {
  write_text(folder_ / "SmolLM3-Q4_K_M.gguf.part", noise(10'000));
  write_text(folder_ / "SmolLM3-Q4_K_M.gguf.part.state", "notso-part 1");
  EXPECT_GT(remove_model(folder_.path(), "", "Q4_K_M").value().bytes, 0U);
  EXPECT_TRUE(list_partial_models(folder_.path()).empty());
  EXPECT_NE(access((folder_ / "SmolLM3-Q4_K_M.gguf.part.state").c_str(), F_OK), 0);
}

TEST_F(ModelFolderTest, removes_nothing_of_a_model_that_is_being_downloaded) {
  const std::string path = add_model("a.gguf");
  note_model_used(path);
  const auto coming = PartFile::open(path, DiskCalls::real());
  ASSERT_TRUE(coming);
  const auto removed = remove_model(folder_.path(), "", "a");
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().message.find("by another process"), std::string::npos);
  EXPECT_TRUE(describe_model(path).used);
  EXPECT_EQ(list_partial_models(folder_.path()).size(), 1U);
}

TEST_F(ModelFolderTest, removes_nothing_outside_the_folder) {
  const std::string path = add_model("a.gguf");
  EXPECT_FALSE(remove_model(folder_ / "models", "", "../a.gguf"));
  EXPECT_FALSE(remove_model(folder_ / "models", "", path));
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
}

TEST_F(ModelFolderTest, a_name_leads_to_no_file_of_the_current_folder) {
  const std::string elsewhere = add_model("a.gguf");
  const std::string models = folder_ / "models";
  ASSERT_TRUE(make_folder(models));
  write_text(models + "/a.gguf.part", noise(10'000));
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  EXPECT_FALSE(find_model(models, "a.gguf"));
  EXPECT_TRUE(remove_model(models, "", "a.gguf"));
  EXPECT_FALSE(remove_model(models, "", "a.gguf"));
  std::filesystem::current_path(before);
  EXPECT_EQ(access(elsewhere.c_str(), F_OK), 0);
  EXPECT_TRUE(list_partial_models(models).empty());
}

TEST_F(ModelFolderTest, removes_the_unfinished_one_of_a_name_before_a_whole_one_of_that_type) {
  const std::string other = add_model("other.gguf", SynthMix::kQ4_K_M);
  write_text(folder_ / "SmolLM3-Q4_K_M.gguf.part", noise(10'000));
  EXPECT_TRUE(remove_model(folder_.path(), "", "Q4_K_M"));
  EXPECT_EQ(access(other.c_str(), F_OK), 0);
  EXPECT_TRUE(list_partial_models(folder_.path()).empty());
}

TEST_F(ModelFolderTest, checks_a_downloaded_file_before_it_counts_as_a_model) {
  EXPECT_TRUE(check_model_file(add_model("a.gguf")));
  write_text(folder_ / "b.gguf", "<html>");
  EXPECT_FALSE(check_model_file(folder_ / "b.gguf"));
  const std::string whole = file_text(folder_ / "a.gguf");
  write_text(folder_ / "c.gguf", whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(check_model_file(folder_ / "c.gguf"));
}

TEST_F(ModelFolderTest, is_where_the_environment_says) {
  setenv("NOTSO_HOME", "/n", 1);
  EXPECT_EQ(models_folder(), "/n/models");
  unsetenv("NOTSO_HOME");
  setenv("STATE_DIRECTORY", "/s:/t", 1);
  EXPECT_EQ(models_folder(), "/s/models");
  unsetenv("STATE_DIRECTORY");
  setenv("XDG_DATA_HOME", "/x", 1);
  EXPECT_EQ(models_folder(), "/x/notso/models");
  unsetenv("XDG_DATA_HOME");
  setenv("HOME", "/h", 1);
  EXPECT_EQ(models_folder(), "/h/.local/share/notso/models");
  unsetenv("HOME");
  EXPECT_EQ(models_folder(), "");
  EXPECT_FALSE(make_folder(models_folder()));
}

TEST_F(ModelFolderTest, choice_takes_flag_then_configuration_then_newest_then_demo) {
  const std::string old = add_model("old.gguf", SynthMix::kQ8_0, 100);
  const std::string fresh = add_model("new.gguf", SynthMix::kQ4_K_M, 10);
  const auto flag = choose_model({old, "new", folder_.path()});
  EXPECT_EQ(flag->path, old);
  EXPECT_EQ(flag->reason, ModelChoice::Reason::kFlag);
  EXPECT_EQ(choose_model({"", "old", folder_.path()})->path, old);
  EXPECT_EQ(choose_model({"", "", folder_.path()})->path, fresh);
  EXPECT_EQ(choose_model({"", "", folder_ / "none"})->reason, ModelChoice::Reason::kDemo);
  EXPECT_EQ(choose_model({"demo", "old", folder_.path()})->path, "");
  EXPECT_FALSE(choose_model({"nothing", "", folder_.path()}));
}

TEST_F(ModelFolderTest, choice_passes_over_files_that_are_no_models_and_says_so) {
  const std::string good = add_model("good.gguf", SynthMix::kQ4_K_M, 100);
  write_text(folder_ / "bad.gguf", "GGUF?");
  const auto choice = choose_model({"", "", folder_.path()});
  EXPECT_EQ(choice->path, good);
  ASSERT_EQ(choice->notes.size(), 1U);
  EXPECT_NE(choice->notes[0].find("bad.gguf"), std::string::npos);
}

}  // namespace
}  // namespace notso
