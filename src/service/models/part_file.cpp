#include "service/models/part_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

#include "service/models/sha256.h"

namespace notso {
namespace {

constexpr std::string_view kStateHeader = "notso-part 1";
constexpr std::uint64_t kMaxPieces = 1 << 16;

std::string reason(int error) { return std::generic_category().message(error); }

// An error of the disk, with the mend that fits it.
tl::unexpected<Error> disk_problem(const std::string& what, int error) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return fail(ErrorCode::kResourceExhausted,
                what + ": " + reason(error) +
                    "; make room and do the same again, the download goes on where it stopped");
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return fail(ErrorCode::kInvalidArgument,
                what + ": " + reason(error) +
                    "; choose a folder that you may write to (NOTSO_HOME) or mend its rights");
  }
  return fail(ErrorCode::kUnavailable, what + ": " + reason(error) + "; check the disk");
}

tl::unexpected<Error> busy(const std::string& final_path) {
  return fail(
      ErrorCode::kUnavailable,
      "'" + final_path + "' is being downloaded by another process; wait for it or stop it");
}

// Whether the open file is still the one of that name.
bool is_named(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::uint64_t free_bytes_of(const std::string& folder) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::vector<Piece> cut(std::uint64_t bytes, std::uint64_t piece_bytes) {
  std::vector<Piece> pieces;
  for (std::uint64_t first = 0; first < bytes; first += piece_bytes) {
    pieces.push_back({first, std::min(bytes, first + piece_bytes), 0});
  }
  return pieces;
}

}  // namespace

DiskCalls DiskCalls::real() { return {::pwrite, ::fdatasync, ::rename, &free_bytes_of}; }

PartFile::PartFile(std::string final_path, DiskCalls disk)
    : disk_(std::move(disk)),
      final_path_(std::move(final_path)),
      path_(final_path_ + ".part"),
      state_path_(path_ + ".state") {}

PartFile::PartFile(PartFile&& other) noexcept
    : disk_(std::move(other.disk_)),
      final_path_(std::move(other.final_path_)),
      path_(std::move(other.path_)),
      state_path_(std::move(other.state_path_)),
      identity_(std::move(other.identity_)),
      bytes_(other.bytes_),
      piece_bytes_(other.piece_bytes_),
      pieces_(std::move(other.pieces_)),
      fd_(std::exchange(other.fd_, -1)) {}

PartFile::~PartFile() {
  if (fd_ >= 0) close(fd_);
}

Result<PartFile> PartFile::open(const std::string& final_path, DiskCalls disk) {
  PartFile part(final_path, std::move(disk));
  // Another process may finish and rename the file between opening and locking; then it is opened
  // anew.
  for (int attempt = 0; attempt < 3; ++attempt) {
    part.fd_ = ::open(part.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (part.fd_ < 0) return disk_problem("cannot write '" + part.path_ + "'", errno);
    if (flock(part.fd_, LOCK_EX | LOCK_NB) != 0) return busy(final_path);
    if (is_named(part.fd_, part.path_)) return part;
    close(std::exchange(part.fd_, -1));
  }
  return fail(ErrorCode::kUnavailable, "'" + part.path_ + "' keeps changing; try again");
}

bool PartFile::load_state(const std::string& identity, std::uint64_t bytes) {
  std::ifstream in(state_path_);
  std::string header;
  std::string known;
  std::uint64_t length = 0;
  std::uint64_t piece_length = 0;
  if (!std::getline(in, header) || header != kStateHeader) return false;
  if (!std::getline(in, known) || known != identity) return false;
  if (!(in >> length >> piece_length)) return false;
  if (length != bytes || piece_length == 0 || bytes / piece_length >= kMaxPieces) return false;
  struct stat info {};
  if (fstat(fd_, &info) != 0) return false;
  std::vector<Piece> pieces = cut(bytes, piece_length);
  for (Piece& piece : pieces) {
    if (!(in >> piece.done) || piece.done > piece.end - piece.first) return false;
    const std::uint64_t last = piece.done == 0 ? 0 : piece.first + piece.done;
    if (last > static_cast<std::uint64_t>(info.st_size)) return false;
  }
  pieces_ = std::move(pieces);
  piece_bytes_ = piece_length;
  return true;
}

Result<std::uint64_t> PartFile::begin(const std::string& identity, std::uint64_t bytes,
                                      std::uint64_t piece_bytes) {
  if (bytes > kMaxModelBytes) {
    return fail(ErrorCode::kResourceExhausted,
                "the server says that the file has " + std::to_string(bytes) +
                    " bytes, which is more than any model of this program; check the address");
  }
  bytes_ = bytes;
  identity_ = identity;
  if (!identity.empty() && load_state(identity, bytes)) return done_bytes();
  piece_bytes_ = std::max(piece_bytes, bytes / (kMaxPieces - 1) + 1);
  if (Status fresh = reset(); !fresh) return pass_on(fresh);
  return 0;
}

Status PartFile::begin_unknown() {
  identity_.clear();
  bytes_ = 0;
  return reset();
}

Status PartFile::reset() {
  unlink(state_path_.c_str());
  pieces_ = bytes_ == 0 ? std::vector<Piece>{{0, kMaxModelBytes, 0}} : cut(bytes_, piece_bytes_);
  if (ftruncate(fd_, 0) != 0) return disk_problem("cannot empty '" + path_ + "'", errno);
  return {};
}

std::uint64_t PartFile::done_bytes() const {
  std::uint64_t sum = 0;
  for (const Piece& piece : pieces_) sum += piece.done;
  return sum;
}

Status PartFile::write(Piece& piece, std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto offset = static_cast<off_t>(piece.first + piece.done);
    const ssize_t written = disk_.write(fd_, data.data(), data.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return disk_problem("cannot write '" + path_ + "'", written == 0 ? ENOSPC : errno);
    }
    piece.done += static_cast<std::uint64_t>(written);
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status PartFile::save_state() {
  if (identity_.empty() || bytes_ == 0) return {};
  std::ostringstream text;
  text << kStateHeader << '\n' << identity_ << '\n' << bytes_ << ' ' << piece_bytes_ << '\n';
  for (const Piece& piece : pieces_) text << piece.done << ' ';
  text << '\n';
  if (disk_.sync(fd_) != 0) return disk_problem("cannot write '" + path_ + "'", errno);
  const std::string next = state_path_ + ".new";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return disk_problem("cannot write '" + next + "'", errno);
  const std::string bytes = text.str();
  const ssize_t written = disk_.write(fd, bytes.data(), bytes.size(), 0);
  const int error = written < 0 ? errno : ENOSPC;
  const bool whole = written == static_cast<ssize_t>(bytes.size()) && disk_.sync(fd) == 0;
  close(fd);
  if (whole && disk_.rename(next.c_str(), state_path_.c_str()) == 0) return {};
  unlink(next.c_str());
  return disk_problem("cannot write '" + state_path_ + "'", error);
}

Result<std::string> PartFile::digest(const std::function<bool(std::uint64_t)>& progress) {
  return sha256_of_file(fd_, path_, progress);
}

Status PartFile::finish() {
  if (disk_.sync(fd_) != 0) return disk_problem("cannot write '" + path_ + "'", errno);
  // Who removed it meanwhile may have begun another one of this name, which is not whole.
  if (!is_named(fd_, path_)) {
    return fail(
        ErrorCode::kUnavailable,
        "'" + path_ + "' was removed or replaced while it was downloaded; do the same again");
  }
  if (disk_.rename(path_.c_str(), final_path_.c_str()) != 0) {
    return disk_problem("cannot give '" + final_path_ + "' its name", errno);
  }
  unlink(state_path_.c_str());
  // The new name is on disk when the folder is.
  const std::string folder = std::filesystem::path(final_path_).parent_path();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  return {};
}

void PartFile::remove() {
  if (!is_named(fd_, path_)) return;
  unlink(state_path_.c_str());
  unlink(path_.c_str());
}

Result<bool> remove_part_file(const std::string& final_path) {
  const std::string part = final_path + ".part";
  const int fd = ::open(part.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  // A link is no download of anybody's; it goes itself, not what it leads to.
  if (fd < 0 && errno != ENOENT && errno != ELOOP) {
    return disk_problem("cannot remove '" + part + "'", errno);
  }
  if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_named(fd, part))) {
    close(fd);
    return busy(final_path);
  }
  unlink((part + ".state").c_str());
  const bool gone = unlink(part.c_str()) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!gone && error != ENOENT) return disk_problem("cannot remove '" + part + "'", error);
  return gone;
}

}  // namespace notso
