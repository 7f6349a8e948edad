// The sidecar is one file for each model file, named after a hash of the model's path:
//
//   Header (one page)     magic, layout version, identity of the source, tensor count, bytes,
//   checksum of the header tensors               each from a multiple of 4096, in the order of the
//   model's weights
//
// The identity is the source's size, its time of change, and a hash over its header (metadata and
// tensor table) and over samples of its data. A sidecar whose identity, version or size differs is
// removed and written anew: removed first, since a disk need not have room for two.
//
// A lock file makes a second process wait for the first instead of packing twice. The sidecar is
// written under a temporary name, synchronised, and renamed: a process killed at any moment leaves
// either no sidecar or a whole one.

#include "ml/core/cpu/packed_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes_text.h"
#include "ml/core/cpu/pack.h"

namespace notso {
namespace {

constexpr std::size_t kPage = 4096;
constexpr char kMagic[8] = {'n', 'o', 't', 's', 'o', 'p', 'k', '\n'};
constexpr std::uint32_t kLayoutVersion = 4;

// What a sidecar was made from.
struct Identity {
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t hash = 0;
};

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t tensors;
  Identity source;
  std::uint64_t total_bytes;
  std::uint64_t shapes_hash;  // types and shapes of the tensors, in order
  std::uint64_t checksum;     // of all fields above
};

std::uint64_t hash_bytes(std::uint64_t hash, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}
constexpr std::uint64_t kHashStart = 0xcbf29ce484222325U;

template <class T>
std::uint64_t hash_value(std::uint64_t hash, const T& value) {
  return hash_bytes(hash, std::as_bytes(std::span(&value, 1)));
}

std::uint64_t hash_of(const Header& header) {
  return hash_bytes(kHashStart,
                    std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum)));
}

Result<Identity> identify(const GgufFile& file) {
  constexpr std::size_t kSampleBytes = 256;
  constexpr std::size_t kSamples = 64;
  const auto bytes = file.file().bytes();
  Identity identity{bytes.size(), file.file().modified_ns(), kHashStart};
  const std::size_t step = std::max<std::size_t>(bytes.size() / kSamples, kSampleBytes);
  const Status read = guard_mapped_reads(file.path(), [&] {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const std::size_t count = std::min(kSampleBytes, bytes.size() - at);
      identity.hash = hash_bytes(identity.hash, bytes.subspan(at, count));
    }
  });
  if (!read) return tl::unexpected<Error>(read.error());
  // Each sample maps as much of the file around it as lies in one piece of the page cache: up to
  // megabytes that would count as this process's memory for as long as it runs.
  file.file().release_pages(0, bytes.size());
  for (const GgufTensor& tensor : file.tensors()) {
    identity.hash = hash_value(identity.hash, tensor.type);
    identity.hash = hash_bytes(identity.hash, std::as_bytes(std::span(tensor.shape)));
  }
  return identity;
}

std::size_t round_up(std::size_t value) { return (value + kPage - 1) / kPage * kPage; }

// Where each tensor lives; the first starts behind the header's page.
struct Plan {
  std::vector<std::size_t> offsets;
  std::size_t total = kPage;
  std::uint64_t shapes_hash = kHashStart;
};

std::int64_t rows_of(const GgufTensor& tensor) { return static_cast<std::int64_t>(tensor.rows()); }
std::int64_t columns_of(const GgufTensor& tensor) {
  return static_cast<std::int64_t>(tensor.columns());
}

Plan make_plan(std::span<const GgufTensor* const> tensors) {
  Plan plan;
  for (const GgufTensor* tensor : tensors) {
    plan.offsets.push_back(plan.total);
    plan.total += round_up(packed_bytes(tensor->type, rows_of(*tensor), columns_of(*tensor)));
    plan.shapes_hash = hash_value(plan.shapes_hash, tensor->type);
    plan.shapes_hash = hash_bytes(plan.shapes_hash, std::as_bytes(std::span(tensor->shape)));
  }
  return plan;
}

std::vector<PanelView> make_views(std::span<const GgufTensor* const> tensors, const Plan& plan,
                                  const std::byte* base) {
  std::vector<PanelView> views;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const GgufTensor& tensor = *tensors[i];
    const auto blocks =
        static_cast<std::int32_t>((columns_of(tensor) + kBlockColumns - 1) / kBlockColumns);
    const std::size_t panel_bytes =
        static_cast<std::size_t>(blocks) * panel_format(tensor.type).block_bytes;
    views.push_back({tensor.type, base + plan.offsets[i], panel_bytes, blocks, rows_of(tensor)});
  }
  return views;
}

// Strips [first, first + count) of a tensor to `out`, on all threads.
Status pack_strips(const GgufFile& file, const GgufTensor& tensor, std::int64_t first,
                   std::int64_t count, std::byte* out, ThreadPool& pool) {
  const std::size_t strip_bytes =
      packed_bytes(tensor.type, kStripPanels * kPanelRows, columns_of(tensor));
  std::atomic<bool> lost{false};
  pool.run(count, [&](std::int64_t i, int) {
    const auto packed = guard_mapped_reads(file.path(), [&] {
      pack_strip(tensor.type, tensor.data, rows_of(tensor), columns_of(tensor), first + i,
                 out + static_cast<std::size_t>(i) * strip_bytes);
    });
    if (!packed) lost = true;
  });
  if (!lost) return {};
  // The tensor's name may be out of reach now, too.
  return fail(ErrorCode::kDataLoss,
              file.path() +
                  ": the file changed or became unreadable while its weights were read; "
                  "get the file again");
}

// Packs everything, a few MiB at a time, and hands each piece with its offset to `sink`. The
// source's pages are given back tensor by tensor, so that at no time both copies are in memory.
template <class Place, class Sink>
Status pack_all(const GgufFile& file, std::span<const GgufTensor* const> tensors, const Plan& plan,
                ThreadPool& pool, const LoadProgress& progress, Place&& place, Sink&& sink) {
  constexpr std::size_t kPieceBytes = 16U << 20;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const GgufTensor& tensor = *tensors[i];
    const std::int64_t strips = strip_count(rows_of(tensor));
    const std::int64_t strip_rows = kStripPanels * kPanelRows;
    const std::size_t strip_bytes = packed_bytes(tensor.type, strip_rows, columns_of(tensor));
    const auto step =
        static_cast<std::int64_t>(std::max<std::size_t>(kPieceBytes / strip_bytes, 1));
    for (std::int64_t strip = 0; strip < strips; strip += step) {
      const std::int64_t count = std::min(step, strips - strip);
      const std::int64_t rows = std::min(count * strip_rows, rows_of(tensor) - strip * strip_rows);
      const std::size_t at = plan.offsets[i] + static_cast<std::size_t>(strip) * strip_bytes;
      const std::size_t bytes = packed_bytes(tensor.type, rows, columns_of(tensor));
      std::byte* out = place(at, bytes);
      if (auto packed = pack_strips(file, tensor, strip, count, out, pool); !packed) return packed;
      if (auto taken = sink(at, std::span<const std::byte>(out, bytes)); !taken) return taken;
    }
    const auto offset = static_cast<std::size_t>(tensor.data.data() - file.file().bytes().data());
    file.file().release_pages(offset, tensor.data.size());
    done += tensor.data.size();
    if (progress) progress(done, 0);
  }
  return {};
}

LoadProgress with_total(std::span<const GgufTensor* const> tensors, const LoadProgress& progress) {
  std::uint64_t total = 0;
  for (const GgufTensor* tensor : tensors) total += tensor->data.size();
  if (!progress) return {};
  return [progress, total](std::uint64_t done, std::uint64_t) { progress(done, total); };
}

// An open file descriptor with an owner.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

std::string errno_text(const std::string& what) { return what + ": " + std::strerror(errno); }

Header make_header(const Identity& identity, std::span<const GgufTensor* const> tensors,
                   const Plan& plan) {
  Header header{};
  std::copy(std::begin(kMagic), std::end(kMagic), header.magic);
  header.version = kLayoutVersion;
  header.tensors = static_cast<std::uint32_t>(tensors.size());
  header.source = identity;
  header.total_bytes = plan.total;
  header.shapes_hash = plan.shapes_hash;
  header.checksum = hash_of(header);
  return header;
}

// The sidecar at `path` if it is whole and was made from this very source.
Result<MappedFile> map_sidecar(const std::string& path, const Header& expected) {
  auto mapped = MappedFile::open(path);
  if (!mapped) return mapped;
  const auto bytes = mapped->bytes();
  bool same = false;
  if (bytes.size() == expected.total_bytes) {
    const Status read = guard_mapped_reads(
        path, [&] { same = std::memcmp(bytes.data(), &expected, sizeof expected) == 0; });
    if (!read) return tl::unexpected<Error>(read.error());
  }
  if (!same) {
    return fail(ErrorCode::kDataLoss, path + " is of another model or version");
  }
  return mapped;
}

// A file that is filled from front to back in large aligned pieces: written so, its pages in the
// system's cache are huge ones, which a mapping then uses.
class PieceWriter {
 public:
  explicit PieceWriter(int descriptor) : descriptor_(descriptor) { buffer_.reserve(kPieceBytes); }

  // Appends zeros up to `offset`, then `bytes`.
  Status write_at(std::size_t offset, std::span<const std::byte> bytes) {
    for (std::size_t gap = offset - (written_ + buffer_.size()); gap > 0;) {
      const std::size_t count = std::min(gap, kPieceBytes - buffer_.size());
      buffer_.resize(buffer_.size() + count);
      gap -= count;
      if (auto done = flush_if(kPieceBytes); !done) return done;
    }
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), kPieceBytes - buffer_.size());
      buffer_.insert(buffer_.end(), bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
      if (auto done = flush_if(kPieceBytes); !done) return done;
    }
    return {};
  }

  Status finish() { return flush_if(1); }

 private:
  static constexpr std::size_t kPieceBytes = 8U << 20;

  Status flush_if(std::size_t least) {
    if (buffer_.size() < least) return {};
    std::span<const std::byte> left = buffer_;
    while (!left.empty()) {
      const ssize_t count = ::write(descriptor_, left.data(), left.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        const auto code = errno == ENOSPC ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable;
        return fail(code, std::strerror(errno));
      }
      left = left.subspan(static_cast<std::size_t>(count));
    }
    written_ += buffer_.size();
    buffer_.clear();
    return {};
  }

  int descriptor_;
  std::size_t written_ = 0;
  std::vector<std::byte> buffer_;
};

std::string temporary_path(const std::string& sidecar) { return sidecar + ".new"; }
std::string lock_path_of(const std::string& sidecar) { return sidecar + ".lock"; }

// Writes the sidecar under a temporary name. A reason for not having one is returned as an error.
Status write_sidecar(const std::string& path, const Header& header, const GgufFile& file,
                     std::span<const GgufTensor* const> tensors, const Plan& plan, ThreadPool& pool,
                     const LoadProgress& progress) {
  const std::string temporary = temporary_path(path);
  ::unlink(temporary.c_str());  // left by a process that was killed; the lock is ours
  ::unlink(path.c_str());       // of no use any more; a process that maps it keeps it
  const Descriptor out(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (out.get() < 0) return fail(ErrorCode::kUnavailable, errno_text(temporary));
  // Space is reserved first, so that a full disk is found before the work is done. Other failures
  // only mean that the file system cannot reserve.
  const int refused = ::posix_fallocate(out.get(), 0, static_cast<off_t>(plan.total));
  Status written = {};
  if (refused == ENOSPC || refused == EFBIG || refused == EDQUOT) {
    written = fail(ErrorCode::kResourceExhausted, std::strerror(refused));
  }
  PieceWriter writer(out.get());
  std::vector<std::byte> piece;
  if (written) written = writer.write_at(0, std::as_bytes(std::span(&header, 1)));
  if (written) {
    written = pack_all(
        file, tensors, plan, pool, progress,
        [&](std::size_t, std::size_t bytes) {
          piece.resize(std::max(piece.size(), bytes));
          return piece.data();
        },
        [&](std::size_t at, std::span<const std::byte> bytes) {
          return writer.write_at(at, bytes);
        });
  }
  if (written) written = writer.write_at(plan.total, {});
  if (written) written = writer.finish();
  if (written && ::fdatasync(out.get()) != 0) {
    written = fail(ErrorCode::kUnavailable, std::strerror(errno));
  }
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail(ErrorCode::kUnavailable, std::strerror(errno));
  }
  if (written) return {};
  ::unlink(temporary.c_str());
  if (written.error().code == ErrorCode::kDataLoss) return written;
  return fail(written.error().code, temporary + ": " + written.error().message);
}

}  // namespace

std::string packed_sidecar_path(const std::string& cache_folder, const std::string& model_path) {
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(model_path, error);
  const std::string name = error ? model_path : canonical.string();
  const std::uint64_t hash = hash_bytes(kHashStart, std::as_bytes(std::span(name)));
  char hex[17];
  for (int i = 0; i < 16; ++i) hex[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
  hex[16] = '\0';
  return (std::filesystem::path(cache_folder) /
          (std::filesystem::path(model_path).stem().string() + "-" + hex + ".panels"))
      .string();
}

namespace {

struct Sidecar {
  MappedFile file;
  bool reused = false;
};

// Waits for the lock on an open file.
bool take_lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

Result<Sidecar> open_sidecar(const GgufFile& file, std::span<const GgufTensor* const> tensors,
                             const Plan& plan, const std::string& cache_folder, ThreadPool& pool,
                             const LoadProgress& progress) {
  std::error_code error;
  std::filesystem::create_directories(cache_folder, error);
  if (error) return fail(ErrorCode::kUnavailable, cache_folder + ": " + error.message());
  const std::string path = packed_sidecar_path(cache_folder, file.path());
  const auto identity = identify(file);
  if (!identity) return tl::unexpected<Error>(identity.error());
  const Header header = make_header(*identity, tensors, plan);
  if (auto mapped = map_sidecar(path, header)) return Sidecar{std::move(*mapped), true};
  const std::string lock_path = lock_path_of(path);
  const Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0 || !take_lock(lock.get())) {
    return fail(ErrorCode::kUnavailable, errno_text(lock_path));
  }
  if (auto mapped = map_sidecar(path, header)) return Sidecar{std::move(*mapped), true};
  if (auto written = write_sidecar(path, header, file, tensors, plan, pool, progress); !written) {
    return pass_on(written);
  }
  auto mapped = map_sidecar(path, header);
  if (!mapped) return pass_on(mapped);
  return Sidecar{std::move(*mapped), false};
}

std::uint64_t remove_counted(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || ::unlink(path.c_str()) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_blocks) * 512U;
}

}  // namespace

std::uint64_t remove_packed_sidecar(const std::string& cache_folder,
                                    const std::string& model_path) {
  const std::string path = packed_sidecar_path(cache_folder, model_path);
  std::uint64_t freed = remove_counted(path);
  const std::string lock_path = lock_path_of(path);
  const Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // While another process packs this very model, the unfinished file is in use.
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return freed;
  freed += remove_counted(temporary_path(path));
  ::unlink(lock_path.c_str());
  return freed;
}

Result<std::unique_ptr<PackedStore>> PackedStore::open(const GgufFile& file,
                                                       std::span<const GgufTensor* const> tensors,
                                                       const std::string& cache_folder,
                                                       ThreadPool& pool,
                                                       const LoadProgress& progress) {
  const Plan plan = make_plan(tensors);
  const LoadProgress report = with_total(tensors, progress);
  std::unique_ptr<PackedStore> store(new PackedStore);
  if (!cache_folder.empty()) {
    auto sidecar = open_sidecar(file, tensors, plan, cache_folder, pool, report);
    if (sidecar) {
      store->sidecar_ = std::move(sidecar->file);
      store->reused_ = sidecar->reused;
      store->views_ = make_views(tensors, plan, store->sidecar_.bytes().data());
      return store;
    }
    if (sidecar.error().code == ErrorCode::kDataLoss) return pass_on(sidecar);
    store->note_ = "packed weights are not kept: " + sidecar.error().message;
  }
  void* memory =
      ::mmap(nullptr, plan.total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::kResourceExhausted,
                file.path() + ": not enough memory for " + bytes_text(plan.total) +
                    " of weights; use a smaller quantisation or free memory");
  }
  ::madvise(memory, plan.total, MADV_HUGEPAGE);
  store->memory_ = static_cast<std::byte*>(memory);
  store->memory_bytes_ = plan.total;
  auto packed = pack_all(
      file, tensors, plan, pool, report,
      [&](std::size_t at, std::size_t) { return store->memory_ + at; },
      [](std::size_t, std::span<const std::byte>) { return Status{}; });
  if (!packed) return pass_on(packed);
  store->views_ = make_views(tensors, plan, store->memory_);
  return store;
}

PackedStore::~PackedStore() {
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

}  // namespace notso
