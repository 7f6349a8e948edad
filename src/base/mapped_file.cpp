// The SIGBUS guard: every live mapping is listed in a fixed table that a signal handler can read
// without locks. A fault inside a listed mapping jumps back into `guard_mapped_reads` where one is
// running on the thread, else it ends the program with one line. Any other SIGBUS goes on to
// whoever handled it before.
#include "base/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace notso {
namespace {

// One live mapping; free while `begin` is zero. More mappings than slots stay unguarded.
struct MappedRange {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
};

std::array<MappedRange, 256> mapped_ranges;
std::mutex mapped_ranges_mutex;
struct sigaction previous_action;
thread_local sigjmp_buf* guard_target = nullptr;

void remember_range(const std::byte* data, std::size_t size) {
  const std::lock_guard lock(mapped_ranges_mutex);
  for (MappedRange& range : mapped_ranges) {
    if (range.begin.load() != 0) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    range.end.store(begin + size);
    range.begin.store(begin);
    return;
  }
}

void forget_range(const std::byte* data) {
  const std::lock_guard lock(mapped_ranges_mutex);
  for (MappedRange& range : mapped_ranges) {
    if (range.begin.load() == reinterpret_cast<std::uintptr_t>(data)) {
      range.begin.store(0);
      return;
    }
  }
}

bool in_mapped_range(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const MappedRange& range : mapped_ranges) {
    const std::uintptr_t begin = range.begin.load();
    if (begin != 0 && at >= begin && at < range.end.load()) return true;
  }
  return false;
}

// A fault that is not ours behaves as if this handler did not exist.
void pass_to_previous(int signal_number, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal_number, info, context);
  } else if (previous_action.sa_handler == SIG_DFL) {
    sigaction(signal_number, &previous_action, nullptr);
    raise(signal_number);  // delivered when the handler returns
  } else if (previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal_number);
  }
}

void on_bus_error(int signal_number, siginfo_t* info, void* context) {
  const bool fault = info->si_code > 0;  // sent by the kernel, not by kill()
  if (!fault || !in_mapped_range(info->si_addr)) {
    pass_to_previous(signal_number, info, context);
    return;
  }
  if (guard_target != nullptr) siglongjmp(*guard_target, 1);
  static constexpr char kMessage[] =
      "notso: a model file was truncated or became unreadable while in use; "
      "restore the file and start again\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  _exit(1);
}

tl::unexpected<Error> open_failure(const std::string& path, int error) {
  const std::string about = "cannot open '" + path + "': ";
  if (error == ENOENT) {
    return fail(ErrorCode::kNotFound, about + "no such file; check the path");
  }
  if (error == EACCES || error == EPERM) {
    return fail(ErrorCode::kInvalidArgument, about + "not allowed; make the file readable for you");
  }
  return fail(ErrorCode::kUnavailable, about + std::strerror(error));
}

// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: a named pipe is refused below instead of waiting for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return open_failure(path, errno);
  struct stat facts {};
  if (fstat(file.fd, &facts) != 0) return open_failure(path, errno);
  if (S_ISDIR(facts.st_mode)) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + path + "' is a folder; name the file inside it instead");
  }
  if (!S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::kInvalidArgument,
                "'" + path + "' is not a regular file; name a file on disk");
  }
  MappedFile mapped;
  mapped.path_ = path;
  mapped.modified_ns_ = std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec;
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size == 0) return mapped;
  void* const data = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::kResourceExhausted,
                "cannot map '" + path + "' into memory: " + std::strerror(errno));
  }
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = size;
  remember_range(mapped.data_, size);
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      modified_ns_(other.modified_ns_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(modified_ns_, other.modified_ns_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  forget_range(data_);
  munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release_pages(std::size_t offset, std::size_t length) const {
  if (offset >= size_) return;
  length = length < size_ - offset ? length : size_ - offset;
  // Only whole pages inside the range: its neighbours may still be in use.
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + length) / page * page;
  if (begin >= end) return;
  madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

Status guard_mapped_reads(const std::string& path, const std::function<void()>& work) {
  install_mapped_fault_handler();
  // Restores the outer guard also when `work` throws.
  struct OuterGuard {
    sigjmp_buf* outer = guard_target;
    ~OuterGuard() { guard_target = outer; }
  } const restore;
  sigjmp_buf here;
  if (sigsetjmp(here, 1) != 0) {
    return fail(ErrorCode::kDataLoss, "'" + path +
                                          "' was truncated or became unreadable while in use; "
                                          "restore the file and try again");
  }
  guard_target = &here;
  work();
  return {};
}

void install_mapped_fault_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous_action);
  });
}

}  // namespace notso
