#include "service/engine/kv_files.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <mutex>
#include <new>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/check.h"
#include "service/engine/kv_checksum.h"
#include "service/engine/kv_file_header.h"

namespace notso {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20U;  // between two looks at the stop flag
constexpr std::string_view kSuffix = ".kv";
constexpr std::string_view kPartialSuffix = ".partial";
constexpr std::size_t kNameDigits = 32;

// Closes a file at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string name_of(KvFileId id) {
  std::string name;
  for (const std::uint64_t word : id.words) {
    for (int i = 60; i >= 0; i -= 4) name += "0123456789abcdef"[(word >> i) & 15U];
  }
  return name;
}

// The id that the name of a file with `suffix` says; none for other names.
std::optional<KvFileId> id_of(std::string_view name, std::string_view suffix) {
  if (name.size() != kNameDigits + suffix.size() || !name.ends_with(suffix)) return {};
  KvFileId id;
  for (std::size_t i = 0; i < kNameDigits; ++i) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(name[i]);
    if (digit == std::string_view::npos) return {};
    id.words[i / 16] = id.words[i / 16] << 4U | digit;
  }
  return id;
}

tl::unexpected<Error> system_failure(const std::string& path) {
  const int code = errno;
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable,
              path + ": " + std::strerror(code));
}

Status read_at(int fd, std::size_t offset, std::span<std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(path);
    if (got == 0) return fail(ErrorCode::kDataLoss, path + ": it ends too early");
    offset += static_cast<std::size_t>(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Status write_all(int fd, std::span<const std::byte> bytes, const std::string& path,
                 const std::atomic<bool>& stop) {
  while (!bytes.empty()) {
    if (stop) return fail(ErrorCode::kCancelled, path + ": the cache is closing");
    const ssize_t put = ::write(fd, bytes.data(), std::min(bytes.size(), kWriteBytes));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_failure(path);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

// Opened without following links or waiting: the folder's contents are outside input.
int open_for_reading(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

struct FoundFile {
  KvFileId id;
  std::int64_t modified_ns = 0;
};

}  // namespace

KvFileId random_kv_file_id() {
  KvFileId id;
  while (!id.is_set()) {
    if (::getentropy(id.words.data(), sizeof id.words) != 0)
      check_failed("getentropy", __FILE__, __LINE__);
  }
  return id;
}

// What both threads share is guarded by `mutex`; the buffer belongs to the writer while `busy`.
class KvFiles::Impl {
 public:
  enum class Kind { kWrite, kRemove, kMarkUsed };
  struct Work {
    Kind kind;
    KvFileId id;
  };

  [[nodiscard]] std::string path_of(KvFileId id, std::string_view suffix) const {
    return folder + "/" + name_of(id) + std::string(suffix);
  }
  void run();
  Status write_file();
  [[nodiscard]] std::vector<FoundFile> list_files() const;
  [[nodiscard]] Result<KvFileHeader> read_header(int fd, KvFileId id) const;
  [[nodiscard]] std::span<std::byte> page() const {
    return {buffer.get() + kKvHeaderBytes, page_bytes};
  }
  void push(Work work) {
    const std::lock_guard lock(mutex);
    queue.push_back(work);
    changed.notify_all();
  }

  std::string folder;
  std::string identity;
  std::size_t page_bytes = 0;
  std::unique_ptr<Descriptor> lock_file;
  std::unique_ptr<std::byte[]> buffer;  // [kKvHeaderBytes + page_bytes]: what is written next

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> queue;
  bool working = false;  // on what was the front of the queue
  bool busy = false;     // a write is queued or under way
  KvFileEntry entry;     // of that write
  std::optional<Written> written;
  std::atomic<bool> stop = false;
  std::thread thread;
};

void KvFiles::Impl::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stop || !queue.empty(); });
    if (queue.empty()) return;
    const Work work = queue.front();
    queue.pop_front();
    working = true;
    lock.unlock();
    Status status;
    const std::string path = path_of(work.id, kSuffix);
    if (work.kind == Kind::kWrite) status = write_file();
    if (work.kind == Kind::kRemove) ::unlink(path.c_str());
    if (work.kind == Kind::kMarkUsed) ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
    lock.lock();
    working = false;
    if (work.kind == Kind::kWrite) {
      busy = false;
      written = Written{work.id, std::move(status)};
    }
    changed.notify_all();
  }
}

Status KvFiles::Impl::write_file() {
  encode_kv_header({entry, kv_checksum(page())}, identity, page_bytes,
                   {buffer.get(), kKvHeaderBytes});
  const std::string path = path_of(entry.id, kSuffix);
  const std::string partial = path_of(entry.id, kPartialSuffix);
  const Descriptor out(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (out.get() < 0) return system_failure(partial);
  Status status = write_all(out.get(), {buffer.get(), kKvHeaderBytes + page_bytes}, partial, stop);
  if (status && ::fdatasync(out.get()) != 0) status = system_failure(partial);
  if (status && ::rename(partial.c_str(), path.c_str()) != 0) status = system_failure(path);
  if (!status) ::unlink(partial.c_str());
  return status;
}

// Files by name, the one used longest ago first. Pages half written by a killed process go.
std::vector<FoundFile> KvFiles::Impl::list_files() const {
  std::vector<FoundFile> found;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (id_of(name, kPartialSuffix)) ::unlink(at->path().c_str());
    const std::optional<KvFileId> id = id_of(name, kSuffix);
    struct stat status = {};
    if (!id || ::lstat(at->path().c_str(), &status) != 0) continue;
    found.push_back({*id, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec});
  }
  std::sort(found.begin(), found.end(), [](const FoundFile& a, const FoundFile& b) {
    return std::pair(a.modified_ns, a.id) < std::pair(b.modified_ns, b.id);
  });
  return found;
}

Result<KvFileHeader> KvFiles::Impl::read_header(int fd, KvFileId id) const {
  const std::string path = path_of(id, kSuffix);
  struct stat status = {};
  if (fd < 0 || ::fstat(fd, &status) != 0) return system_failure(path);
  if (!S_ISREG(status.st_mode) || status.st_size < static_cast<off_t>(kKvHeaderBytes)) {
    return fail(ErrorCode::kDataLoss, path + ": it is too short");
  }
  std::array<std::byte, kKvHeaderBytes> bytes;
  if (Status read = read_at(fd, 0, bytes, path); !read) return pass_on(read);
  Result<KvFileHeader> header = decode_kv_header(bytes, identity, page_bytes);
  if (!header) return fail(header.error().code, path + ": " + header.error().message);
  if (header->entry.id != id) {
    return fail(ErrorCode::kDataLoss, path + ": it is a copy of another file");
  }
  if (status.st_size != static_cast<off_t>(kKvHeaderBytes + page_bytes)) {
    return fail(ErrorCode::kDataLoss, path + ": it is not as long as it should be");
  }
  return header;
}

KvFiles::KvFiles(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

KvFiles::~KvFiles() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
    impl_->changed.notify_all();
  }
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<KvFiles>> KvFiles::open(const std::string& folder,
                                               const std::string& identity,
                                               std::size_t page_bytes) {
  if (identity.size() > kKvIdentityBytesMax) {
    return fail(ErrorCode::kUnsupported, folder + ": the model's identity is too long");
  }
  std::error_code error;
  // The files hold what people wrote, so nobody else may look into a folder that we make.
  if (std::filesystem::create_directories(folder, error)) ::chmod(folder.c_str(), 0700);
  auto impl = std::make_unique<Impl>();
  impl->folder = folder;
  impl->identity = identity;
  impl->page_bytes = page_bytes;
  const std::string lock_path = folder + "/lock";
  impl->lock_file = std::make_unique<Descriptor>(
      ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (impl->lock_file->get() < 0) return system_failure(lock_path);
  if (::flock(impl->lock_file->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, folder + ": another process keeps its KV pages there");
  }
  impl->buffer.reset(new (std::nothrow) std::byte[kKvHeaderBytes + page_bytes]);
  if (impl->buffer == nullptr) {
    return fail(ErrorCode::kResourceExhausted, folder + ": no memory for a page to write");
  }
  Impl* const shared = impl.get();
  try {
    impl->thread = std::thread([shared] { shared->run(); });
  } catch (const std::system_error& failure) {
    return fail(ErrorCode::kResourceExhausted, folder + ": no thread to write: " + failure.what());
  }
  return std::unique_ptr<KvFiles>(new KvFiles(std::move(impl)));
}

std::vector<KvFileEntry> KvFiles::scan(std::vector<std::string>& lines) {
  std::vector<KvFileEntry> entries;
  std::map<std::string, std::size_t> removed;
  std::vector<FoundFile> files = impl_->list_files();
  const std::size_t surplus = files.size() - std::min(files.size(), kKvFilesMax);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string path = impl_->path_of(files[i].id, kSuffix);
    if (i < surplus) {
      ++removed["one too many"];
      ::unlink(path.c_str());
      continue;
    }
    const Descriptor in(open_for_reading(path));
    Result<KvFileHeader> header = impl_->read_header(in.get(), files[i].id);
    if (header) {
      entries.push_back(std::move(header->entry));
      continue;
    }
    ++removed[header.error().code == ErrorCode::kUnsupported ? "of another model or version"
                                                             : "damaged"];
    ::unlink(path.c_str());
  }
  for (const auto& [kind, count] : removed) {
    lines.push_back(impl_->folder + ": removed " + std::to_string(count) + " KV files, " + kind);
  }
  return entries;
}

Status KvFiles::read(const KvFileEntry& entry, std::span<std::byte> page) const {
  const std::string path = impl_->path_of(entry.id, kSuffix);
  const Descriptor in(open_for_reading(path));
  Result<KvFileHeader> header = impl_->read_header(in.get(), entry.id);
  if (!header) return pass_on(header);
  if (header->entry.parent != entry.parent || header->entry.scope != entry.scope ||
      header->entry.tokens != entry.tokens) {
    return fail(ErrorCode::kDataLoss, path + ": it is no longer what it was at the start");
  }
  if (Status read = read_at(in.get(), kKvHeaderBytes, page, path); !read) return read;
  if (kv_checksum(page) != header->page_checksum) {
    return fail(ErrorCode::kDataLoss, path + ": its page is damaged");
  }
  return {};
}

bool KvFiles::is_idle() {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->busy && !impl_->written;
}

void KvFiles::write(KvFileEntry entry, std::span<const std::byte> page) {
  std::copy(page.begin(), page.end(), impl_->page().begin());
  const std::lock_guard lock(impl_->mutex);
  impl_->busy = true;
  impl_->queue.push_back({Impl::Kind::kWrite, entry.id});
  impl_->entry = std::move(entry);
  impl_->changed.notify_all();
}

void KvFiles::remove(KvFileId id) { impl_->push({Impl::Kind::kRemove, id}); }

void KvFiles::mark_used(KvFileId id) { impl_->push({Impl::Kind::kMarkUsed, id}); }

std::optional<KvFiles::Written> KvFiles::take_written(double seconds) {
  std::unique_lock lock(impl_->mutex);
  const auto done = [&] { return impl_->written || !impl_->busy; };
  impl_->changed.wait_for(lock, std::chrono::duration<double>(seconds), done);
  return std::exchange(impl_->written, std::nullopt);
}

bool KvFiles::wait_idle(double seconds) {
  std::unique_lock lock(impl_->mutex);
  const auto done = [&] { return impl_->queue.empty() && !impl_->working; };
  return impl_->changed.wait_for(lock, std::chrono::duration<double>(seconds), done);
}

std::size_t KvFiles::file_bytes() const { return kKvHeaderBytes + impl_->page_bytes; }

}  // namespace notso
