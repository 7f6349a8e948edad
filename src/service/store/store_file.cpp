#include "service/store/store_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "service/store/schema.h"

namespace notso {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

tl::unexpected<Error> cannot_make(const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable,
              fmt::format("{} cannot be made ({}): allow it, or choose another store", path,
                          std::strerror(errno)));
}

// Makes the missing folders on the way to `folder`.
Status make_folders(const fs::path& folder) {
  fs::path part;
  for (const fs::path& name : folder) {
    part /= name;
    if (mkdir(part.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      if (struct stat info{}; stat(part.c_str(), &info) == 0) continue;
      return cannot_make(part.string());
    }
  }
  return {};
}

// An empty file is a new database to SQLite. The name of a new one must survive a power cut as well
// as what is written into it. A file that is there is left alone: to close it here would take away
// the lock of whoever has it open in this process.
Status make_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
  if (file < 0) return errno == EEXIST ? Status() : cannot_make(path);
  ::close(file);
  const int folder = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return cannot_make(path);
  const bool synced = fsync(folder) == 0;
  const int error = errno;
  ::close(folder);
  errno = error;
  return synced ? Status() : cannot_make(path);
}

// Whether the file begins as a database does, or with zeros, as a crash of the file system leaves
// it. Anything else is somebody's file that was named by mistake.
bool may_have_been_a_store(const std::string& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::string begin(kMagic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), std::ssize(begin));
  return begin == kMagic || begin == std::string(kMagic.size(), '\0');
}

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> open_store_file(const std::string& path,
                                                        const std::string& vfs,
                                                        std::size_t check_bytes_max) {
  if (auto made = make_folders(folder_of(path)); !made) return pass_on(made);
  if (auto made = make_file(path); !made) return pass_on(made);
  auto database = SqliteDatabase::open(path, vfs);
  if (!database) return database;
  if (auto done = migrate(**database, path); !done) return pass_on(done);
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (!error && bytes <= check_bytes_max) {
    if (auto whole = check_integrity(**database, path); !whole) return pass_on(whole);
  }
  return database;
}

Result<std::string> set_aside(const std::string& path, std::int64_t unix_ms) {
  if (!may_have_been_a_store(path)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} is no database: choose another store", path));
  }
  std::string name = fmt::format("{}.corrupt-{}", path, unix_ms / 1000);
  for (int i = 2; fs::exists(fs::symlink_status(name)); ++i) {
    name = fmt::format("{}.corrupt-{}-{}", path, unix_ms / 1000, i);
  }
  // The logs go first: left behind, they would be taken for the new file's.
  for (const char* suffix : {"-wal", "-journal", ""}) {
    const std::string from = path + suffix;
    const std::string to = name + suffix;
    if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
      return fail(ErrorCode::kUnavailable, fmt::format("{} is damaged and cannot be renamed ({})",
                                                       from, std::strerror(errno)));
    }
  }
  return name;
}

}  // namespace notso
