#include "service/store/sqlite.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sqlite3.h>
#include <utility>

#include "base/check.h"

namespace notso {
namespace {

// Exclusive locking keeps other processes out, and with them the shared-memory file that WAL would
// need; temporary tables never touch a disk that may be full.
constexpr const char* kSettings =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA cache_size = -16000;"
    "PRAGMA journal_size_limit = 16777216;";
// The first access to the file: damage and other owners are found here. The settings of a database
// that is new must come before its first table.
constexpr const char* kAccess =
    "PRAGMA auto_vacuum = INCREMENTAL;"
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "BEGIN IMMEDIATE;"
    "COMMIT;";

bool is_space_error(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

Error error_of(int code, int system_error, const char* detail, const std::string& path) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return {ErrorCode::kResourceExhausted,
              fmt::format("no room left for {}: nothing was stored; free some disk space", path)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable,
              fmt::format("{} is in use by another process: end that one or choose another store",
                          path)};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kUnavailable,
              fmt::format("{} may not be written: allow it, for the file and its folder", path)};
    case SQLITE_CANTOPEN:
      return {ErrorCode::kUnavailable,
              fmt::format("{} cannot be opened ({}): its folder must exist and be writable", path,
                          system_error != 0 ? std::strerror(system_error) : detail)};
    case SQLITE_IOERR:
      if (is_space_error(system_error)) return error_of(SQLITE_FULL, 0, detail, path);
      return {ErrorCode::kUnavailable,
              fmt::format("{} cannot be read or written ({}): check the disk", path,
                          system_error != 0 ? std::strerror(system_error) : detail)};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kDataLoss, fmt::format("{} is damaged: {}", path, detail)};
    case SQLITE_NOMEM:
      return {ErrorCode::kResourceExhausted, fmt::format("no memory left to use {}", path)};
    default:
      return {ErrorCode::kInternal, fmt::format("{}: {}", path, detail)};
  }
}

}  // namespace

SqliteQuery::SqliteQuery(SqliteQuery&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      status_(std::move(other.status_)) {}

SqliteQuery::~SqliteQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteQuery::check(int code) {
  if (code == SQLITE_OK || !status_) return;
  status_ = tl::unexpected<Error>(database_->failed(code));
}

void SqliteQuery::bind(int index, std::int64_t value) {
  if (status_) check(sqlite3_bind_int64(statement_, index, value));
}

void SqliteQuery::bind(int index, std::string_view value) {
  // An empty view may point nowhere, which SQLite would take for NULL.
  const char* data = value.empty() ? "" : value.data();
  if (status_) {
    check(
        sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
}

void SqliteQuery::bind(int index, SqliteBlob value) {
  const char* data = value.bytes.empty() ? "" : value.bytes.data();
  if (status_) {
    check(sqlite3_bind_blob64(statement_, index, data, value.bytes.size(), SQLITE_TRANSIENT));
  }
}

bool SqliteQuery::next() {
  if (!status_) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) check(code);
  return false;
}

std::int64_t SqliteQuery::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string SqliteQuery::text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path,
                                                             const std::string& vfs) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (handle == nullptr) return tl::unexpected(error_of(SQLITE_NOMEM, 0, "", path));
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle, path));
  if (code != SQLITE_OK) return tl::unexpected(database->failed(code));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (sqlite3_db_readonly(handle, "main") == 1) {
    return tl::unexpected(error_of(SQLITE_READONLY, 0, "", path));
  }
  if (auto done = database->script(kSettings); !done) return pass_on(done);
  if (auto done = database->script(kAccess); !done) return pass_on(done);
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

SqliteQuery SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return {*this, nullptr, tl::unexpected(failed(code))};
  }
  NOTSO_CHECK(sqlite3_stmt_busy(statement) == 0);
  return {*this, statement, {}};
}

Status SqliteDatabase::script(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return tl::unexpected(failed(code));
}

std::int64_t SqliteDatabase::last_row() const { return sqlite3_last_insert_rowid(handle_); }

std::int64_t SqliteDatabase::changes() const { return sqlite3_changes64(handle_); }

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

Error SqliteDatabase::failed(int code) {
  Error error = error_of(code, sqlite3_system_errno(handle_), sqlite3_errmsg(handle_), path_);
  if (!failure_) failure_ = error;
  return error;
}

std::optional<Error> SqliteDatabase::take_failure() { return std::exchange(failure_, {}); }

}  // namespace notso
