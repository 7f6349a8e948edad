// SQLite with our errors and our settings: one connection, used from one thread, prepared
// statements kept. Private to the store.
//
// A query remembers its first failure, so that code reads straight on and asks once at the end:
//
//   SqliteQuery query = database.query("SELECT title FROM conversation WHERE id = ?", id);
//   while (query.next()) titles.push_back(query.text(0));
//   return query.status();
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace notso {

// Bytes to be bound as they are; text is bound from std::string_view.
struct SqliteBlob {
  std::string_view bytes;
};

class SqliteDatabase;

// One run of a statement. Give it up before the same SQL runs again.
class SqliteQuery {
 public:
  SqliteQuery(SqliteDatabase& database, sqlite3_stmt* statement, Status status)
      : database_(&database), statement_(statement), status_(std::move(status)) {}
  SqliteQuery(SqliteQuery&& other) noexcept;
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;
  SqliteQuery& operator=(SqliteQuery&&) = delete;
  ~SqliteQuery();

  // The next row; false at the end and after a failure.
  bool next();
  // The columns of the row, counted from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  // What went wrong, if anything.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  friend class SqliteDatabase;
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view value);
  void bind(int index, SqliteBlob value);
  void check(int code);

  SqliteDatabase* database_;
  sqlite3_stmt* statement_;
  Status status_;
};

// One open database file.
class SqliteDatabase {
 public:
  // Opens or creates `path` for writing, for this process alone: a write that is committed is on
  // disk, and others get "in use". `vfs` names SQLite's file layer, "" for the system's.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& path,
                                                      const std::string& vfs);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  ~SqliteDatabase();

  // Starts a statement. `sql` is a literal: statements are kept by it.
  template <class... Values>
  SqliteQuery query(std::string_view sql, const Values&... values) {
    SqliteQuery query = prepare(sql);
    int index = 0;
    (query.bind(++index, values), ...);
    return query;
  }

  // Runs a statement to its end.
  template <class... Values>
  Status run(std::string_view sql, const Values&... values) {
    SqliteQuery query = this->query(sql, values...);
    while (query.next()) {
    }
    return query.status();
  }

  // Runs several statements once, without values.
  Status script(const char* sql);

  // The row that the last INSERT made; how many rows the last statement changed.
  [[nodiscard]] std::int64_t last_row() const;
  [[nodiscard]] std::int64_t changes() const;
  // Whether a transaction is open. Some failures end it.
  [[nodiscard]] bool in_transaction() const;

  // The first failure of SQLite itself since the last call, if there was one: not what a caller
  // asked for wrongly, but a disk or a file that does not do its work.
  [[nodiscard]] std::optional<Error> take_failure();

 private:
  friend class SqliteQuery;
  SqliteDatabase(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  SqliteQuery prepare(std::string_view sql);
  Error failed(int code);

  sqlite3* handle_;
  std::string path_;
  std::map<std::string_view, sqlite3_stmt*> statements_;
  std::optional<Error> failure_;
};

}  // namespace notso
