#include "service/models/demo_model.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mapped_file.h"

// The assembler puts the file between these two names.
asm(".section .rodata\n"
    ".balign 64\n"
    ".global notso_demo_model, notso_demo_model_end\n"
    "notso_demo_model:\n"
    ".incbin \"" NOTSO_DEMO_MODEL
    "\"\n"
    "notso_demo_model_end:\n"
    ".byte 0\n"
    ".previous\n");

// The assembler's names.
extern "C" {  // NOLINTBEGIN(readability-identifier-naming)
extern const std::byte notso_demo_model[];
extern const std::byte notso_demo_model_end[];
}  // NOLINTEND(readability-identifier-naming)

namespace notso {
namespace {

constexpr std::string_view kFileName = "notso-demo.gguf";

bool holds_demo(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return false;
  bool same = false;
  const Status read = guard_mapped_reads(path, [&] {
    const auto demo = demo_model_bytes();
    same = std::ranges::equal(file->bytes(), demo);
  });
  return read && same;
}

Status cannot_write(const std::string& path) {
  return fail(ErrorCode::kUnavailable, "cannot write the demo model to '" + path +
                                           "': " + std::strerror(errno) +
                                           "; make room there, or set NOTSO_HOME");
}

Status write_all(int file, const std::string& path) {
  std::span<const std::byte> left = demo_model_bytes();
  while (!left.empty()) {
    const ssize_t count = write(file, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return cannot_write(path);
    left = left.subspan(static_cast<std::size_t>(count));
  }
  return fsync(file) == 0 ? Status() : cannot_write(path);
}

}  // namespace

std::span<const std::byte> demo_model_bytes() {
  return {notso_demo_model, static_cast<std::size_t>(notso_demo_model_end - notso_demo_model)};
}

Result<std::string> write_demo_model(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    errno = error.value();
    const Status failed = cannot_write(folder);
    return tl::unexpected<Error>(failed.error());
  }
  const std::string path = folder + "/" + std::string(kFileName);
  if (holds_demo(path)) return path;
  // Two starts at once write two files; the last name wins, and both are the same.
  std::string part = path + ".XXXXXX";
  const int file = mkostemp(part.data(), O_CLOEXEC);
  Status written = file < 0 ? cannot_write(path) : write_all(file, path);
  if (file < 0) return pass_on(written);
  fchmod(file, 0644);
  close(file);
  if (written && rename(part.c_str(), path.c_str()) != 0) written = cannot_write(path);
  if (!written) {
    unlink(part.c_str());
    return pass_on(written);
  }
  return path;
}

Result<std::string> demo_model_in_memory() {
  static const Result<std::string> made = []() -> Result<std::string> {
    const int file = memfd_create("notso-demo", MFD_CLOEXEC);
    if (file < 0) {
      return fail(ErrorCode::kResourceExhausted,
                  std::string("no memory for the demo model: ") + std::strerror(errno));
    }
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    if (auto written = write_all(file, path); !written) return pass_on(written);
    return path;
  }();
  return made;
}

}  // namespace notso
