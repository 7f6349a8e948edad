#include "service/models/model_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/json_text.h"
#include "ml/core/cpu/packed_store.h"
#include "ml/core/gguf/gguf.h"
#include "ml/smollm3/config.h"
#include "service/models/catalogue.h"
#include "service/models/lower_case.h"
#include "service/models/part_file.h"
#include "service/models/sha256.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using Time = std::chrono::system_clock::time_point;

constexpr std::size_t kMaxListed = 1000;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

std::string used_marker(const std::string& path) {
  const fs::path file(path);
  std::string name(1, '.');
  name += file.filename().string();
  return file.parent_path() / (name + ".used");
}

std::optional<Time> changed(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return Time(std::chrono::seconds(info.st_mtim.tv_sec)) +
         std::chrono::duration_cast<Time::duration>(std::chrono::nanoseconds(info.st_mtim.tv_nsec));
}

// What GGUF's general.file_type numbers mean, as far as this program reads the types.
std::string type_of_number(std::uint64_t number) {
  static const std::map<std::uint64_t, std::string> kTypes = {
      {0, "F32"},     {1, "F16"},   {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
      {8, "Q5_0"},    {9, "Q5_1"},  {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"},
      {17, "Q5_K_M"}, {18, "Q6_K"}, {32, "BF16"}};
  const auto found = kTypes.find(number);
  return found == kTypes.end() ? "" : found->second;
}

// The stated type, else the one that most bytes have.
std::string type_of(const GgufFile& file) {
  if (file.find("general.file_type") != nullptr) {
    const auto number = file.get_uint("general.file_type");
    if (std::string type = number ? type_of_number(*number) : ""; !type.empty()) return type;
  }
  std::map<DType, std::uint64_t> bytes;
  for (const GgufTensor& tensor : file.tensors()) bytes[tensor.type] += tensor.data.size();
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : std::string(dtype_info(most->first).name);
}

Status describe(const std::string& path, ModelInfo& info) {
  auto file = GgufFile::open(path);
  if (!file) return pass_on(file);
  const auto config = smollm3::read_config(**file);
  if (!config) return tl::unexpected(config.error());
  info.type = type_of(**file);
  info.context = config->context;
  for (const GgufTensor& tensor : (*file)->tensors()) {
    info.memory_bytes += tensor.data.size();
    info.parameters += tensor.columns() * tensor.rows();
  }
  // A key and a value of two bytes an element.
  info.memory_bytes +=
      std::uint64_t{4} * kListedContext * static_cast<std::uint64_t>(config->layers) *
      static_cast<std::uint64_t>(config->kv_heads) * static_cast<std::uint64_t>(config->head_dim);
  return {};
}

std::vector<std::string> names_in(const std::string& folder, std::string_view ending) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.front() == '.' || !ends_with(name, ending)) continue;
    if (names.size() < kMaxListed) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::uint64_t disk_bytes(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512U : 0;
}

// Removes a file; the bytes that its going frees.
std::uint64_t remove_counted(const std::string& path) {
  const std::uint64_t bytes = disk_bytes(path);
  return unlink(path.c_str()) == 0 ? bytes : 0;
}

// Whether a person means this file of the folder by `name`: its name with or without ".gguf", or
// what the catalogue calls it. A name may come from a list, which shows only what is printable.
bool is_called(const std::string& file, std::string_view name) {
  if (printable(file) == name) return true;
  const std::string wanted = lower_case(name);
  if (lower_case(file) == wanted || lower_case(file) == wanted + ".gguf") return true;
  const auto source = resolve_model_source(name.empty() ? "?" : name, Hub());
  return source && source->file_name == file;
}

// Looks in the folder and nowhere else. A file's name decides before what is inside.
Result<std::string> find_in_folder(const std::string& folder, std::string_view name) {
  std::string known;
  std::vector<std::string> of_type;
  for (const std::string& file : names_in(folder, ".gguf")) {
    known += (known.empty() ? "" : ", ") + printable(file);
    const std::string path = (fs::path(folder) / file).string();
    if (is_called(file, name)) return path;
    if (lower_case(describe_model(path).type) == lower_case(name)) of_type.push_back(path);
  }
  if (of_type.size() == 1) return of_type.front();
  return fail(ErrorCode::kNotFound,
              "there is no model '" + printable(name) + "' on this machine; " +
                  (known.empty() ? "there are none in '" + folder + "'; 'notso pull' fetches one"
                                 : "there are " + known));
}

// The final path of the model to remove. An unfinished one of this name goes before a whole one
// that only has the type.
Result<std::string> removal_target(const std::string& folder, std::string_view name) {
  auto found = find_in_folder(folder, name);
  if (found && is_called(fs::path(*found).filename(), name)) return found;
  for (const PartialModel& partial : list_partial_models(folder)) {
    if (is_called(partial.name, name)) return (fs::path(folder) / partial.name).string();
  }
  return found;
}

}  // namespace

std::string data_folder() {
  return environment_folder("", "STATE_DIRECTORY", "XDG_DATA_HOME", "/.local/share/notso");
}

std::string models_folder() {
  const std::string folder = data_folder();
  return folder.empty() ? "" : folder + "/models";
}

ModelInfo describe_model(const std::string& path) {
  ModelInfo info;
  info.path = path;
  info.name = printable(fs::path(path).filename().string());
  std::error_code error;
  info.bytes = fs::file_size(path, error);
  if (error) info.bytes = 0;
  info.modified = changed(path).value_or(Time());
  info.used = changed(used_marker(path));
  const Status described = describe(path, info);
  if (!described) info.problem = printable(described.error().message);
  return info;
}

std::vector<std::string> model_paths(const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : names_in(folder, ".gguf")) {
    paths.push_back((fs::path(folder) / name).string());
  }
  return paths;
}

Result<std::vector<ModelInfo>> list_models(const std::string& folder) {
  std::error_code error;
  if (folder.empty() || !fs::exists(folder, error)) return std::vector<ModelInfo>();
  if (access(folder.c_str(), R_OK | X_OK) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "cannot read the folder '" + folder + "'; mend its rights");
  }
  std::vector<ModelInfo> models;
  for (const std::string& path : model_paths(folder)) models.push_back(describe_model(path));
  std::stable_sort(models.begin(), models.end(),
                   [](const ModelInfo& a, const ModelInfo& b) { return a.modified > b.modified; });
  return models;
}

std::vector<PartialModel> list_partial_models(const std::string& folder) {
  std::vector<PartialModel> partials;
  constexpr std::string_view kEnding = ".gguf.part";
  for (const std::string& name : names_in(folder, kEnding)) {
    partials.push_back({name.substr(0, name.size() - std::string_view(".part").size()),
                        disk_bytes((fs::path(folder) / name).string())});
  }
  return partials;
}

Result<std::string> find_model(const std::string& folder, std::string_view name) {
  if (name.find('/') != name.npos) {
    std::error_code error;
    const std::string path(name);
    if (fs::is_regular_file(path, error)) return path;
    return fail(ErrorCode::kNotFound, "there is no file '" + path + "'; check the path");
  }
  return find_in_folder(folder, name);
}

Result<RemovedModel> remove_model(const std::string& folder, const std::string& cache_folder,
                                  std::string_view name) {
  if (name.find('/') != name.npos) {
    return fail(ErrorCode::kInvalidArgument, std::string("'").append(name) +
                                                 "' is a path; only models in '" + folder +
                                                 "' are removed, by their names");
  }
  auto target = removal_target(folder, name);
  if (!target) return pass_on(target);
  std::string& path = *target;
  std::uint64_t freed = disk_bytes(path + ".part");
  // First, since it may be refused.
  if (auto part = remove_part_file(path); !part) return pass_on(part);
  if (!cache_folder.empty()) freed += remove_packed_sidecar(cache_folder, path);
  freed += remove_counted(path);
  unlink(used_marker(path).c_str());
  std::error_code error;
  if (fs::exists(path, error)) {
    return fail(ErrorCode::kInvalidArgument,
                "cannot remove '" + path + "'; mend the rights of its folder");
  }
  return RemovedModel{std::move(path), freed};
}

void note_model_used(const std::string& path) {
  const std::string marker = used_marker(path);
  const int fd = open(marker.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return;
  futimens(fd, nullptr);
  close(fd);
}

Status check_model_file(const std::string& path) {
  const ModelInfo info = describe_model(path);
  if (info.problem.empty()) return {};
  return fail(ErrorCode::kInvalidArgument, info.problem);
}

Status check_sha256(const std::string& path, const std::string& sha256,
                    const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  if (!is_sha256(sha256)) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + sha256 + "' is not a SHA-256; it has 64 hexadecimal digits");
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "cannot read '" + path + "': " + std::strerror(errno) + "; mend its rights");
  }
  std::error_code error;
  const std::uint64_t total = fs::file_size(path, error);
  const auto digest = sha256_of_file(fd, path, [&](std::uint64_t done) {
    progress(done, total);
    return true;
  });
  close(fd);
  if (!digest) return tl::unexpected(digest.error());
  if (*digest == lower_case(sha256)) return {};
  return fail(ErrorCode::kDataLoss,
              "'" + path + "' has the SHA-256 " + *digest + ", not " + lower_case(sha256));
}

Status make_folder(const std::string& folder) {
  if (folder.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "there is no folder to keep models in; set NOTSO_HOME or HOME");
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return fail(ErrorCode::kInvalidArgument, "cannot make the folder '" + folder +
                                               "': " + error.message() +
                                               "; set NOTSO_HOME to one that you may write to");
}

}  // namespace notso
