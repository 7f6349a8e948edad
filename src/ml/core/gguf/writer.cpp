#include "ml/core/gguf/writer.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"

namespace notso {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

template <class T>
void put(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

tl::unexpected<Error> write_failure(const std::string& path, int error) {
  const std::string about = "cannot write '" + path + "': ";
  if (error == ENOSPC || error == EDQUOT) {
    return fail(ErrorCode::kResourceExhausted, about + "the disk is full; make room for it");
  }
  if (error == EFBIG) {
    return fail(ErrorCode::kResourceExhausted,
                about + "it is larger than this file system or process may write");
  }
  if (error == ENOENT) {
    return fail(ErrorCode::kNotFound, about + "its folder does not exist; create it first");
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return fail(ErrorCode::kInvalidArgument, about + "not allowed; choose a folder you may write");
  }
  return fail(ErrorCode::kUnavailable, about + std::strerror(error));
}

// The file while it is written. It has no name until it is whole, so that nothing is left of it
// however the program ends; on file systems that have no such files it has one beside the path, and
// is removed again unless it was committed.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path)
      : path_(path), partial_path_(path + ".part-" + std::to_string(getpid())) {}
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile() {
    if (fd_ >= 0) close(fd_);
    if (named_) unlink(partial_path_.c_str());
  }

  Status create(std::uint64_t size) {
    struct stat facts {};
    if (stat(path_.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
      return fail(ErrorCode::kInvalidArgument,
                  "cannot write '" + path_ + "': it is a folder or device; name a file");
    }
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    fd_ = open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    if (fd_ < 0) {
      fd_ = open(partial_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
      if (fd_ < 0) return write_failure(path_, errno);
      named_ = true;
    }
    // A file system that cannot reserve says so; the write itself reports a full disk then.
    if (fallocate(fd_, 0, 0, static_cast<off_t>(size)) != 0 &&
        (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
      return write_failure(path_, errno);
    }
    return {};
  }

  Status append(const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(fd_, at, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return write_failure(path_, errno);
      at += written;
      size -= static_cast<std::size_t>(written);
    }
    return {};
  }

  // On disk and under its name.
  Status commit() {
    if (fsync(fd_) != 0) return write_failure(path_, errno);
    if (!named_) {
      // A name that takes another's place is given in two steps.
      const std::string unnamed = "/proc/self/fd/" + std::to_string(fd_);
      unlink(partial_path_.c_str());
      if (linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, partial_path_.c_str(), AT_SYMLINK_FOLLOW) !=
          0) {
        return write_failure(path_, errno);
      }
      named_ = true;
    }
    if (close(std::exchange(fd_, -1)) != 0) return write_failure(path_, errno);
    if (std::rename(partial_path_.c_str(), path_.c_str()) != 0) {
      return write_failure(path_, errno);
    }
    named_ = false;
    return {};
  }

 private:
  std::string path_;
  std::string partial_path_;
  int fd_ = -1;
  bool named_ = false;  // whether the file is at partial_path_
};

}  // namespace

GgufWriter::GgufWriter(std::uint32_t alignment) : alignment_(alignment) {
  NOTSO_CHECK(std::has_single_bit(alignment) && alignment >= 8);
  if (alignment != 32) add_number<std::uint32_t>("general.alignment", alignment);
}

void GgufWriter::append(const void* data, std::size_t size) {
  metadata_.append(static_cast<const char*>(data), size);
}

void GgufWriter::begin_pair(std::string_view key, GgufType type) {
  NOTSO_CHECK(std::find(keys_.begin(), keys_.end(), key) == keys_.end());
  keys_.emplace_back(key);
  ++metadata_count_;
  put_string(metadata_, key);
  put(metadata_, static_cast<std::uint32_t>(type));
}

void GgufWriter::begin_array(std::string_view key, GgufType element_type, std::uint64_t count) {
  begin_pair(key, GgufType::kArray);
  put(metadata_, static_cast<std::uint32_t>(element_type));
  put(metadata_, count);
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_pair(key, GgufType::kString);
  put_string(metadata_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::kString, values.size());
  for (const std::string& value : values) put_string(metadata_, value);
}

void GgufWriter::add_tensor(std::string_view name, DType type, std::vector<std::uint64_t> shape,
                            Fill fill) {
  const auto same_name = [&](const Tensor& tensor) { return tensor.name == name; };
  NOTSO_CHECK(std::none_of(tensors_.begin(), tensors_.end(), same_name));
  const DTypeInfo& info = dtype_info(type);
  NOTSO_CHECK(!shape.empty() && shape[0] % info.block_size == 0);
  std::uint64_t bytes = info.block_bytes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    bytes *= i == 0 ? shape[0] / info.block_size : shape[i];
  }
  const std::uint64_t offset = align_up(data_bytes_, alignment_);
  data_bytes_ = offset + bytes;
  tensors_.push_back({std::string(name), type, std::move(shape), bytes, offset, std::move(fill)});
}

void GgufWriter::add_tensor(std::string_view name, DType type, std::vector<std::uint64_t> shape,
                            std::span<const std::byte> bytes) {
  const std::uint64_t block_bytes = dtype_info(type).block_bytes;
  add_tensor(name, type, std::move(shape),
             [bytes, block_bytes](std::uint64_t first_block, std::span<std::byte> out) {
               const auto part = bytes.subspan(first_block * block_bytes, out.size());
               std::copy(part.begin(), part.end(), out.begin());
             });
  NOTSO_CHECK(tensors_.back().bytes == bytes.size());
}

// Everything before the data, with the padding that ends it.
std::string GgufWriter::head() const {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, tensors_.size());
  put(out, metadata_count_);
  out += metadata_;
  for (const Tensor& tensor : tensors_) {
    put_string(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t extent : tensor.shape) put(out, extent);
    put(out, static_cast<std::uint32_t>(tensor.type));
    put(out, tensor.offset);
  }
  out.resize(align_up(out.size(), alignment_));
  return out;
}

std::uint64_t GgufWriter::file_bytes() const {
  return head().size() + align_up(data_bytes_, alignment_);
}

Status GgufWriter::write(const std::string& path, const Progress& progress) const {
  const std::string start = head();
  const std::uint64_t total = start.size() + align_up(data_bytes_, alignment_);
  PartialFile file(path);
  if (Status made = file.create(total); !made) return made;
  if (Status written = file.append(start.data(), start.size()); !written) return written;
  std::uint64_t done = start.size();
  std::vector<std::byte> chunk;
  for (const Tensor& tensor : tensors_) {
    const std::uint64_t block_bytes = dtype_info(tensor.type).block_bytes;
    const std::uint64_t chunk_bytes = kChunkBytes / block_bytes * block_bytes;
    for (std::uint64_t at = 0; at < tensor.bytes; at += chunk_bytes) {
      chunk.resize(std::min(chunk_bytes, tensor.bytes - at));
      tensor.fill(at / block_bytes, chunk);
      const bool last = at + chunk.size() == tensor.bytes;
      if (last) chunk.resize(chunk.size() + align_up(tensor.bytes, alignment_) - tensor.bytes);
      if (Status written = file.append(chunk.data(), chunk.size()); !written) return written;
      done += chunk.size();
      if (progress) progress(done, total);
    }
  }
  return file.commit();
}

}  // namespace notso
