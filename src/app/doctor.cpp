#include "app/doctor.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/app_paths.h"
#include "app/build_facts.h"
#include "app/model_setup.h"
#include "app/settings.h"
#include "base/bytes_text.h"
#include "base/machine_share.h"
#include "ml/core/cpu/kernel_table.h"
#include "ml/core/cpu/limits.h"
#include "service/models/address.h"
#include "service/models/catalogue.h"
#include "service/models/model_folder.h"

namespace notso {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;

constexpr std::uint64_t kGigabyte = 1'000'000'000;
// What a Q4_K_M of SmolLM3-3B and one conversation need, and the bytes read for a token of it.
constexpr std::uint64_t kModelMemory = 3 * kGigabyte;
constexpr double kBytesPerToken = 1.9e9;

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// The value behind "NAME : " in a file of such lines, as /proc has them.
std::string proc_value(const std::string& path, const std::string& name) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (line.rfind(name, 0) != 0 || colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

// Bytes of "MemTotal:  16000 kB".
std::uint64_t memory_value(const std::string& name) {
  return std::strtoull(proc_value("/proc/meminfo", name).c_str(), nullptr, 10) * 1024;
}

// The container's limit, or 0 if there is none.
std::uint64_t memory_limit() {
  for (const char* const path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const std::uint64_t limit = std::strtoull(first_line(path).c_str(), nullptr, 10);
    if (limit > 0 && limit < std::uint64_t{1} << 50U) return limit;
  }
  return 0;
}

// The instruction sets that the kernels care for, of those that the processor has.
std::string features() {
  std::string all(1, ' ');
  all.append(proc_value("/proc/cpuinfo", "flags"))
      .append(proc_value("/proc/cpuinfo", "Features"))
      .append(" ");
  std::string out;
  for (const char* const name : {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni",
                                 "avx512_bf16", "asimd", "asimddp", "i8mm"}) {
    if (all.find(std::string(" ").append(name).append(" ")) == std::string::npos) continue;
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out.empty() ? "no vector instructions that are used" : out;
}

void add(std::vector<Finding>& findings, std::string subject, Level level, std::string text,
         std::string mend = "") {
  findings.push_back({std::move(subject), level, std::move(text), std::move(mend)});
}

// A folder that the program writes to: whether it can, and the room there.
void examine_folder(const std::string& subject, const std::string& folder, std::uint64_t wanted,
                    std::vector<Finding>& findings) {
  if (folder.empty()) {
    add(findings, subject, Level::kBad, "no folder is known", "set HOME or NOTSO_HOME");
    return;
  }
  // What does not exist yet is made in the nearest folder above it.
  std::error_code error;
  fs::path there = fs::absolute(folder, error);
  while (!fs::exists(there, error) && there.has_parent_path() && there != there.parent_path()) {
    there = there.parent_path();
  }
  if (access(there.c_str(), W_OK | X_OK) != 0) {
    add(findings, subject, Level::kBad, folder + " cannot be written: " + std::strerror(errno),
        "mend the rights, or set NOTSO_HOME to another folder");
    return;
  }
  struct statvfs info {};
  std::uint64_t free = 0;
  if (statvfs(there.c_str(), &info) == 0) free = std::uint64_t{info.f_bavail} * info.f_frsize;
  const bool room = free >= wanted;
  add(findings, subject, room ? Level::kGood : Level::kNote,
      folder + ", " + bytes_text(free) + " free",
      room ? "" : "a model wants " + bytes_text(wanted) + " here; make room or set NOTSO_HOME");
}

void examine_port(const DoctorOptions& options, std::vector<Finding>& findings) {
  const std::string place = options.host + ":" + std::to_string(options.port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  if (inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) {
    add(findings, "port", Level::kNote, place + " was not tried",
        "give an address in numbers, such as 127.0.0.1");
    return;
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  close(fd);
  if (free) {
    add(findings, "port", Level::kGood, place + " is free");
    return;
  }
  add(findings, "port", Level::kNote, place + ": " + std::strerror(error),
      error == EADDRINUSE ? "something listens there, perhaps notso itself; choose another with "
                            "--port"
                          : "choose another with --host and --port");
}

void examine_gpu(std::vector<Finding>& findings) {
  std::error_code error;
  const std::string driver = first_line("/proc/driver/nvidia/version");
  if (!driver.empty()) {
    add(findings, "GPU", Level::kGood, "NVIDIA, driver: " + driver);
  } else if (fs::exists("/dev/nvidia0", error)) {
    add(findings, "GPU", Level::kNote, "NVIDIA, but its driver does not answer",
        "install the driver, or give the container access to it");
  } else {
    add(findings, "GPU", Level::kGood, "none found; the processor does the work");
  }
}

}  // namespace

void examine_processor(std::vector<Finding>& findings) {
  const int cores = physical_core_count();
  std::string name = proc_value("/proc/cpuinfo", "model name");
  if (name.empty()) name = "processor";
  add(findings, "processor", cores >= 2 ? Level::kGood : Level::kNote,
      name + ", " + std::to_string(cores) + (cores == 1 ? " core: " : " cores: ") + features(),
      cores >= 2 ? "" : "with one core answers are slow; give the machine more");
  const char* const forced = std::getenv("NOTSO_CPU");
  const auto table = choose_kernel_table(forced == nullptr ? "" : forced);
  if (!table) {
    add(findings, "kernels", Level::kBad, table.error().message, "unset NOTSO_CPU or mend it");
    return;
  }
  const bool scalar = (*table)->name == "scalar";
  add(findings, "kernels", scalar ? Level::kNote : Level::kGood, kernels_text(),
      scalar ? "without AVX2 or NEON answers are very slow; a virtual machine may hide what the "
               "processor has"
             : "");
  const auto rate = measure_read_rate((*table)->name, cores);
  if (!rate) {
    add(findings, "bandwidth", Level::kNote, rate.error().message);
    return;
  }
  const double tokens = *rate / kBytesPerToken;
  char text[128];
  std::snprintf(text, sizeof text,
                "memory is read at %.1f GB/s: at most %.1f tokens a second with Q4_K_M",
                *rate / 1e9, tokens);
  add(findings, "bandwidth", tokens >= 4 ? Level::kGood : Level::kNote, text,
      tokens >= 4 ? "" : "something else may be using the memory; stop it and look again");
}

void examine_memory(std::vector<Finding>& findings) {
  const std::uint64_t total = memory_value("MemTotal");
  const std::uint64_t limit = memory_limit();
  std::uint64_t available = memory_value("MemAvailable");
  if (limit != 0) available = std::min(available, limit);
  std::string text = bytes_text(total) + ", " + bytes_text(available) + " available";
  if (limit != 0 && limit < total) text += ", limited to " + bytes_text(limit);
  const bool enough = available >= kModelMemory;
  add(findings, "memory", enough ? Level::kGood : Level::kNote, text,
      enough ? ""
             : "SmolLM3-3B as Q4_K_M wants " + bytes_text(kModelMemory) +
                   "; end other programs, or use the built-in demo");
}

void examine_folders(std::vector<Finding>& findings) {
  const std::uint64_t model = catalogue().front().bytes;
  examine_folder("models folder", models_folder(), model, findings);
  examine_folder("cache folder", cache_folder(), model, findings);
}

// What `notso serve` and `notso chat` would begin with.
void examine_settings(DoctorOptions& options, std::vector<Finding>& findings) {
  const auto resolved = resolve_settings({}, process_environment(), "");
  const Settings settings = resolved ? resolved->settings : Settings();
  if (options.host.empty()) options.host = settings.host;
  if (options.port == 0) options.port = static_cast<int>(settings.port);
  if (!resolved) {
    add(findings, "settings", Level::kBad, resolved.error().message, "mend what it names");
    return;
  }
  add(findings, "settings", Level::kGood,
      resolved->config_path.empty() ? "there is no configuration file" : resolved->config_path);
  if (settings.model_path.empty()) return;
  const auto path = choose_model_path(settings.model_path);
  const std::string problem = path ? describe_model(*path).problem : path.error().message;
  const std::string source = resolved->sources.at("model.path");
  add(findings, "model.path", problem.empty() ? Level::kGood : Level::kBad,
      problem.empty() ? settings.model_path : problem,
      problem.empty() ? "" : "mend model.path, which is set by " + source);
}

void examine_models(std::vector<Finding>& findings) {
  const auto models = list_models(models_folder());
  if (!models) {
    add(findings, "models", Level::kBad, models.error().message);
    return;
  }
  for (const ModelInfo& model : *models) {
    const bool fine = model.problem.empty();
    add(findings, "model", fine ? Level::kGood : Level::kNote,
        fine ? model.name + ", " + model.type + ", wants " + bytes_text(model.memory_bytes)
             : model.problem,
        fine ? "" : "'notso rm " + model.name + "' and 'notso pull' get a good one");
  }
  if (models->empty()) {
    add(findings, "models", Level::kNote, "none yet",
        "'notso pull' downloads SmolLM3-3B (1.92 GB)");
  }
  for (const PartialModel& partial : list_partial_models(models_folder())) {
    add(findings, "model", Level::kNote, partial.name + " is unfinished",
        "the 'notso pull' that began it goes on with it, 'notso rm " + partial.name + "' drops it");
  }
  const Hub hub = hub_from_environment();
  add(findings, "hub", Level::kGood,
      shown_address(hub.endpoint) +
          (hub.token.empty() ? ", no token (none is needed)" : ", with a token"));
}

void examine_system(const DoctorOptions& options, std::vector<Finding>& findings) {
  examine_port(options, findings);
  examine_gpu(findings);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  constexpr rlim_t kFiles = 1024;
  add(findings, "open files", files.rlim_cur >= kFiles ? Level::kGood : Level::kNote,
      "at most " + std::to_string(files.rlim_cur),
      files.rlim_cur >= kFiles ? "" : "for many connections raise it: ulimit -n 4096");
}

}  // namespace notso
